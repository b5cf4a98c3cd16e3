package describe

import (
	"cmp"
	"net/url"
	"path"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/farwire/farwire/llmstxt/internal/htmlpage"
	"github.com/farwire/farwire/llmstxt/internal/plain"
)

// Titles. A <title> usually carries the site's name behind or before the
// page's own: "json — JSON encoder and decoder — Python 3.11.2 documentation".
// What most titles of a site end with, from a separator on, is a suffix; what
// most begin with is a prefix. Neither is a matter of one page.

// separators stand between a page's title and a site's.
var separators = []string{" | ", " — ", " – ", " - ", " · ", " • ", " » ", " « ", " › ", " :: ", " ‹ ", " ~ ", " / ", ": ", " < ", " > "}

// MaxTitle is how many characters a title has at most.
const MaxTitle = 200

// affixes are what a site's titles have in common.
type affixes struct {
	suffix, prefix string // separators included
}

// findAffixes looks for the longest suffix and prefix that at least half of the
// titles share, three of them at the least.
func findAffixes(titles []string) affixes {
	need := max(3, (len(titles)+1)/2)
	if len(titles) == 2 {
		need = 2
	}
	suffixes, prefixes := map[string]int{}, map[string]int{}
	for _, t := range titles {
		for i := range t {
			for _, sep := range separators {
				if i > 0 && strings.HasPrefix(t[i:], sep) && i+len(sep) < len(t) && !bracket(t, i, sep) {
					suffixes[t[i:]]++
					prefixes[t[:i+len(sep)]]++
				}
			}
			if i > 0 && strings.HasPrefix(t[i:], " (") && strings.HasSuffix(t, ")") {
				suffixes[t[i:]]++
			}
		}
	}
	longest := func(m map[string]int) string {
		best := ""
		for s, n := range m {
			if n >= need && (len(s) > len(best) || len(s) == len(best) && s < best) {
				best = s
			}
		}
		return best
	}
	a := affixes{suffix: longest(suffixes), prefix: longest(prefixes)}
	if len(titles) < 2 {
		return affixes{}
	}
	return a
}

// bracket reports a separator that is one of the two of a pair, as in
// "Box< T, N > Class".
func bracket(t string, at int, sep string) bool {
	switch sep {
	case " > ":
		return strings.Contains(t[:at], "<")
	case " < ":
		return strings.Contains(t[at+len(sep):], ">")
	}
	return false
}

// name is the site's name as the affixes give it: the outermost part.
func (a affixes) name() string {
	s, last := a.suffix, true
	if s == "" {
		s, last = a.prefix, false
	}
	trim := func(s string) string {
		return strings.TrimFunc(s, func(r rune) bool {
			return unicode.IsSpace(r) || strings.ContainsRune("|—–-·•»«›:‹~/<>()", r)
		})
	}
	whole := s
	s = trim(s)
	for _, sep := range separators {
		if i := strings.LastIndex(s, sep); last && i >= 0 {
			s = trim(s[i:])
		} else if i := strings.Index(s, sep); !last && i >= 0 {
			s = trim(s[:i])
		}
	}
	if strings.Count(s, "(") > strings.Count(s, ")") && strings.Contains(whole, s+")") {
		s += ")"
	}
	return s
}

// own takes the affixes off a title. A title that is nothing else stays.
func (a affixes) own(t string) string {
	if s, ok := strings.CutSuffix(t, a.suffix); ok && strings.TrimSpace(s) != "" {
		t = s
	}
	if s, ok := strings.CutPrefix(t, a.prefix); ok && strings.TrimSpace(s) != "" {
		t = s
	}
	return strings.TrimSpace(t)
}

// setTitles gives every page its title.
func setTitles(pages []Page) affixes {
	raw := make([]string, 0, len(pages))
	for i := range pages {
		if t := pages[i].Evidence.Title; t != "" {
			raw = append(raw, t)
		}
	}
	a := findAffixes(raw)
	count := map[string]int{}
	for i := range pages {
		p := &pages[i]
		p.Title = cmp.Or(a.own(p.Evidence.Title), a.own(p.Evidence.OpenTitle), heading(p.Evidence), urlTitle(p.URL))
		count[p.Title]++
	}
	// Where titles agree, or say only the site's name, and headings do not, the
	// headings are the titles.
	for i := range pages {
		p := &pages[i]
		named := i > 0 && (a.name() != "" && strings.EqualFold(p.Title, a.name()) || numbered(p.Title))
		if h := heading(p.Evidence); (named || count[p.Title] > 1) && h != "" && count[h] == 0 && !strings.EqualFold(h, a.name()) {
			count[p.Title]--
			count[h]++
			p.Title = h
		}
		p.Title = plain.CutWord(p.Title, MaxTitle)
	}
	return a
}

// numbered reports a title that is a number and what is counted: "Section 1.1".
func numbered(title string) bool {
	words, digits := 0, false
	for w := range strings.FieldsFuncSeq(strings.ToLower(title), notWord) {
		if _, err := strconv.Atoi(w); err == nil {
			digits = true
		} else if words++; !counted[w] && len(w) > 1 {
			return false
		}
	}
	return digits && words == 1
}

var counted = plain.Set(`section sec chapter chap part appendix page node lesson unit volume step kapitel abschnitt teil anhang seite lektion
	chapitre partie annexe leçon capítulo sección parte apéndice página lección capitolo sezione pagina seção hoofdstuk deel bijlage pagina
	avsnitt sida rozdział część strona kapitola část глава раздел часть страница приложение`)

// heading is the first heading of the main content.
func heading(e *htmlpage.Evidence) string {
	for _, kind := range []htmlpage.BlockKind{htmlpage.Title, htmlpage.Heading} {
		for _, b := range e.Blocks {
			if b.Kind == kind {
				return b.Text
			}
		}
	}
	return ""
}

// urlTitle makes words of an address's last part: never empty.
func urlTitle(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return raw
	}
	p := strings.TrimSuffix(u.Path, "/")
	last := path.Base(p)
	if strings.HasPrefix(last, "index.") {
		last = path.Base(path.Dir(p))
	}
	if last == "/" || last == "." || last == "" {
		return u.Host
	}
	if t := segmentTitle(last); t != "" {
		return t
	}
	return u.Host
}

// segmentTitle is "getting_started.html" as a person would write it.
func segmentTitle(s string) string {
	if ext := path.Ext(s); len(ext) > 1 && len(ext) <= 6 && ext != s && plain.IsLetter(ext[1]) {
		s = strings.TrimSuffix(s, ext)
	}
	s = plain.OneLine(strings.Map(func(r rune) rune {
		if r == '-' || r == '_' || r == '+' {
			return ' '
		}
		return r
	}, s))
	if r, n := utf8.DecodeRuneInString(s); unicode.IsLower(r) && !isVersion(s) {
		s = string(unicode.ToUpper(r)) + s[n:]
	}
	return s
}

// isVersion reports a name such as "v2.3.4".
func isVersion(s string) bool {
	return len(s) > 1 && s[0] == 'v' && '0' <= s[1] && s[1] <= '9'
}

// siteTitle names the site by its base page, or by what all its titles have in
// common where that says more.
//
// A base page may be a cover, whose title is one of a template; see covered.
func siteTitle(pages []Page, a affixes, covered string) string {
	base := &pages[0]
	if covered != "" && base.Evidence.SiteName == "" && a.name() == "" {
		return covered
	}
	own, common := base.Title, a.name()
	if unnamed(common) {
		common = ""
	}
	if to := welcomed(own); to != "" {
		return cmp.Or(common, to)
	}
	for _, sep := range separators {
		if common != "" && strings.HasPrefix(own, common+sep) && len(own) > len(common+sep) {
			return common // and behind it what the site has to offer
		}
	}
	if !unnamed(own) && everywhere(pages, own) {
		return withoutVague(own) // "tea" of "tea - Rust", beside "Pot in tea - Rust"
	}
	// "3.11 Documentation" of "Python 3.11 Documentation".
	part := common != own && strings.Contains(strings.ToLower(common), strings.ToLower(own))
	if !part && !unnamed(own) && (common == "" || own == base.Evidence.Title || !topic(own, common)) {
		return withoutVague(own)
	}
	e := base.Evidence
	for _, t := range []string{common, e.SiteName, telling(e.Title), telling(e.OpenTitle), heading(e)} {
		if t != "" && !unnamed(t) {
			return t
		}
	}
	return own
}

// everywhere reports a title that stands in those of most other pages.
func everywhere(pages []Page, title string) bool {
	n := 0
	for i := range pages[1:] {
		if t := pages[i+1].Title; t != title && !topic(t, title) && strings.Contains(strings.ToLower(t), strings.ToLower(title)) {
			n++
		}
	}
	return n >= 2 && n*2 > len(pages)-1
}

// welcomed is what a title bids welcome to, "" for other titles.
func welcomed(title string) string {
	low := strings.ToLower(title)
	if len(low) != len(title) {
		return ""
	}
	for _, w := range welcomes {
		if rest, ok := strings.CutPrefix(low, w); ok {
			if to := strings.TrimRight(title[len(title)-len(rest):], " !.！"); to != "" && !unnamed(to) {
				return to
			}
		}
	}
	return ""
}

// welcomes are longest first where one begins another.
var welcomes = []string{"hello from ", "welcome to the ", "welcome to ", "willkommen bei ", "willkommen auf ", "willkommen zur ", "willkommen zu ", "bienvenue sur ",
	"bienvenue à ", "bienvenue dans ", "bienvenido a ", "bienvenidos a ", "benvenuto in ", "benvenuti in ", "benvenuti su ", "bem-vindo ao ",
	"bem-vindo à ", "bem-vindo a ", "welkom bij ", "välkommen till ", "velkommen til ", "tervetuloa ", "witamy w ", "vítejte v ",
	"добро пожаловать в ", "ласкаво просимо до ", "欢迎使用", "欢迎来到", "歡迎使用", "ようこそ"}

// covered is the name of the section that holds most pages of a site whose base page
// has no heading and a title that its pages do not speak of, while they do of the
// section's name: "Gnuplot" below "figures". It is "" for other sites.
func covered(pages []Page) string {
	if heading(pages[0].Evidence) != "" {
		return ""
	}
	count := map[string]int{}
	for i := range pages[1:] {
		count[cmp.Or(pages[i+1].whole, pages[i+1].Section)]++
	}
	for name, n := range count {
		if n*2 > len(pages) && name != All && name != General && name != Rest && !unnamed(name) {
			of := mentions(pages, name)
			for w := range strings.FieldsFuncSeq(pages[0].Title, notWord) {
				if mentions(pages, w)*2 > of {
					return ""
				}
			}
			if of*5 >= len(pages) {
				return name
			}
		}
	}
	return ""
}

// mentions counts the pages that speak of a word.
func mentions(pages []Page, word string) (n int) {
	word = strings.ToLower(word)
	for i := range pages {
		if slices.ContainsFunc(pages[i].Evidence.Blocks, func(b htmlpage.Block) bool { return strings.Contains(strings.ToLower(b.Text), word) }) {
			n++
		}
	}
	return n
}

// withoutVague is a title without what names no site: "Foo" of "Foo | Home".
func withoutVague(title string) string {
	for _, sep := range separators {
		for _, part := range strings.Split(title, sep) {
			if part != title && vague(part) {
				if t := telling(title); t != "" {
					return t
				}
			}
		}
	}
	return title
}

// topic reports a title that names a page and not the site: none of the words of
// the site's name is in it.
func topic(own, name string) bool {
	words := map[string]bool{}
	for w := range strings.FieldsFuncSeq(strings.ToLower(own), notWord) {
		words[w] = true
	}
	for w := range strings.FieldsFuncSeq(strings.ToLower(name), notWord) {
		if words[w] || len(w) > 3 && strings.Contains(strings.ToLower(own), w) {
			return false
		}
	}
	return true
}

func notWord(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r) }

// telling is the longest part of a title that is not vague: "Foo 1.2 Manual" of
// "Top (Foo 1.2 Manual)".
func telling(title string) string {
	parts := []string{title}
	for _, sep := range append(separators, " (") {
		var next []string
		for _, p := range parts {
			next = append(next, strings.Split(p, sep)...)
		}
		parts = next
	}
	best := ""
	for _, p := range parts {
		p = strings.TrimSpace(p)
		if strings.Count(p, "(") < strings.Count(p, ")") {
			p = strings.TrimSuffix(p, ")")
		}
		if !unnamed(p) && utf8.RuneCountInString(p) > utf8.RuneCountInString(best) {
			best = p
		}
	}
	return best
}
