package describe

import (
	"cmp"
	"maps"
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

// MaxTitle is how many characters a title has at most.
const MaxTitle = 200

// setTitles gives every page its title.
func setTitles(pages []Page) affixes {
	raw := make([]string, 0, len(pages))
	for i := range pages {
		if t := pages[i].Evidence.Title; t != "" {
			raw = append(raw, t)
		}
	}
	a := findAffixes(raw)
	count, own := map[string]int{}, ownHeadings(pages)
	setAside(pages, own, a)
	setWholesAside(pages, own)
	headings := map[string]int{}
	for _, h := range own {
		headings[h]++
	}
	for i := range pages {
		p := &pages[i]
		said := cmp.Or(a.own(p.Evidence.Title), a.own(p.Evidence.OpenTitle))
		if i > 0 && (placeholder(said) || byGenerator(said)) && !meant(said, own[i], headings) {
			said = named(p, own[i], a, headings)
		}
		if i > 0 && own[i] != "" && headings[own[i]] == 1 && isPageID(said, p.URL) {
			said = own[i]
		}
		if i > 0 {
			said = withoutCrumb(beforeName(said, pages[0].Title), own[i], p.Evidence.Crumbs)
		}
		if p.Title = said; said == "" {
			if p.Title = own[i]; a.alone(p.Evidence.Title) {
				p.Title = firstHeading(p.Evidence.Blocks) // the first section is not the page
			}
			if p.Title == "" || isComment(p.Title) || ofIndex(p.Title, p.Evidence.Blocks) || placeholder(p.Evidence.Title) || byGenerator(p.Title) {
				p.Title = urlTitle(p.URL)
			}
		} else {
			count[said]++ // what its address alone gives a page is nobody's name
		}
	}
	pages[0].Title = plain.CutWord(pages[0].Title, MaxTitle)
	ofBooks(pages, count)
	ofTemplate(pages, own, count)
	ofLists(pages, count)
	// Where titles agree, or say only the site's name, and headings do not, the
	// headings are the titles. "Synopsis" above several pages is not a title.
	agree := maps.Clone(count)
	for i := 1; i < len(pages); i++ {
		p := &pages[i]
		named := a.name() != "" && strings.EqualFold(p.Title, a.name()) || numbered(p.Title)
		// What only says the site's name is worse than a heading that a copy of the page has too.
		ofSite := named && !numbered(p.Title) && headings[own[i]] <= maxCopies && own[i] != own[0]
		if h := own[i]; ofIndex(h, p.Evidence.Blocks) {
			p.Title = plain.CutWord(p.Title, MaxTitle) // the heading is of its first entries
			continue
		} else if ofSite && h != "" && !strings.EqualFold(h, a.name()) || (named || agree[p.Title] > 1) && h != "" && count[h] == 0 && headings[h] == 1 && !strings.EqualFold(h, a.name()) {
			count[p.Title]--
			count[h]++
			p.Title = h
		} else if h == "" && p.Title == pages[0].Title {
			count[p.Title]--
			p.Title = cmp.Or(urlTitle(p.URL), p.Title) // its own title is the site's
		}
		p.Title = plain.CutWord(p.Title, MaxTitle)
	}
	tellApart(pages)
	return a
}

// ofTemplate names the pages of a generator that titles all of them with the site's name: by the
// end of their breadcrumbs if no other page has it, else by a heading that at most maxCopies pages
// have, else by their address.
func ofTemplate(pages []Page, own []string, count map[string]int) {
	site := pages[0].Title
	if n := count[site]; n < leastBook || 2*n <= len(pages) {
		return
	}
	ends, headings := map[string]int{}, map[string]int{}
	end := func(i int) string {
		if c := pages[i].Evidence.Crumbs; len(c) > 0 && c[len(c)-1] != site && !placeholder(c[len(c)-1]) {
			return c[len(c)-1]
		}
		return ""
	}
	for i := range pages {
		ends[end(i)]++
		headings[own[i]]++
	}
	for i := 1; i < len(pages); i++ {
		p, title := &pages[i], end(i)
		if p.Title != site {
			continue
		}
		if title == "" || ends[title] > 1 || count[title] > 0 {
			if title = own[i]; title == "" || title == site || headings[title] > maxCopies {
				title = urlTitle(p.URL)
			}
		}
		count[site]--
		count[title]++
		p.Title = title
	}
}

// maxCopies is how many pages may have a heading that is a title in place of the site's name.
const maxCopies = 2

// named is the title of a page whose own is one of a template: og:title, or its heading h if no
// other page has it, of which headings counts all; "" if there is neither.
func named(p *Page, h string, a affixes, headings map[string]int) string {
	for _, t := range []string{a.own(p.Evidence.OpenTitle), h} {
		if t != "" && !placeholder(t) && !byGenerator(t) && !strings.EqualFold(t, a.name()) && (t != h || headings[h] == 1) {
			return t
		}
	}
	return ""
}

// isPageID reports a title that is the page's name in its address, as DokuWiki has it unless it is
// told to take the heading: "pots:tea_cups" at /doku.php?id=pots:tea_cups or /pots/tea_cups.
func isPageID(title, raw string) bool {
	namespace, name, ok := strings.Cut(title, ":")
	if !ok || namespace == "" || name == "" || name[0] == ':' || strings.ContainsAny(title, " \t") || title != strings.ToLower(title) {
		return false
	}
	u, err := url.Parse(raw)
	if err != nil {
		return false
	}
	id := cmp.Or(u.Query().Get("id"), strings.Trim(u.Path, "/"))
	id, title = strings.ReplaceAll(id, "/", ":"), strings.TrimPrefix(title, ":")
	return id == title || strings.HasSuffix(id, ":"+title)
}

// leastBook is how many pages a folder has at least whose titles have a name of their own.
const leastBook = 4

// ofBooks takes off titles what most of their folder begin or end with, as those of one of
// several books do: "Using it — The Users' Guide". count has how many pages have a title; a
// title that another page would have too stays.
func ofBooks(pages []Page, count map[string]int) {
	folders, names := map[string][]int{}, []string{}
	root := folderOf(pages[0].URL)
	for i := 1; i < len(pages); i++ {
		rest, ok := strings.CutPrefix(pages[i].URL, root)
		if name, _, in := strings.Cut(rest, "/"); ok && in {
			if folders[name] == nil {
				names = append(names, name)
			}
			folders[name] = append(folders[name], i)
		}
	}
	for _, name := range names {
		in := folders[name]
		if len(in) < leastBook || len(names) < 2 && len(in)+1 == len(pages) {
			continue
		}
		titles := []string{""} // of no base page
		for _, i := range in {
			if len(pages[i].Title) <= MaxTitle { // a longer one is no name with another's behind it
				titles = append(titles, pages[i].Title)
			}
		}
		a := findAffixes(titles)
		for _, i := range in {
			p := &pages[i]
			if own := a.own(p.Title); own != p.Title && count[own] == 0 && !unnamed(own) {
				count[p.Title]--
				count[own]++
				p.Title = own
			}
		}
	}
}

// folderOf is an address up to its last slash.
func folderOf(address string) string {
	address, _, _ = strings.Cut(address, "?")
	return address[:strings.LastIndexByte(address, '/')+1]
}

// leastSite is how many bytes a site's name has at least that is looked for within titles.
const leastSite = 8

// beforeName is what a title has before the site's name, if something else stands behind that:
// "Array - Scala Library - scala.Array".
func beforeName(title, site string) string {
	if len(site) < leastSite || !strings.Contains(title, site) {
		return title
	}
	for _, sep := range separatorsIn(title) {
		if own, _, ok := strings.Cut(title, sep+site+sep); ok && own != "" {
			return own
		}
	}
	return title
}

// withoutCrumb takes a breadcrumb off the end of a title: the name of the page's section,
// as "Boiling water - Support" has it. The page's own name stays, which its breadcrumbs may
// end with: "Support - Boiling water".
func withoutCrumb(title, heading string, crumbs []string) string {
	own, separators := plain.Key(heading), separatorsIn(title)
	for i, c := range crumbs {
		if plain.Key(c) == own {
			continue
		}
		for _, sep := range separators {
			rest, ok := strings.CutSuffix(title, sep+c)
			if !ok || strings.TrimSpace(rest) == "" {
				continue
			}
			if !slices.ContainsFunc(crumbs[:i], func(outer string) bool { return plain.Key(outer) == plain.Key(rest) }) {
				return rest
			}
		}
	}
	return title
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

// ownHeadings are the first headings of the pages' main content. What stands above that as a
// title is one unless other pages have it too, or a heading of the first level follows.
func ownHeadings(pages []Page) []string {
	headlines := map[string]int{}
	for i := range pages {
		headlines[pages[i].Evidence.Headline]++
	}
	own := make([]string, len(pages))
	for i := range pages {
		e := pages[i].Evidence
		if own[i] = firstOf(e.Blocks, htmlpage.Title); own[i] == "" && headlines[e.Headline] == 1 {
			own[i] = e.Headline
		}
		own[i] = cmp.Or(own[i], firstOf(e.Blocks, htmlpage.Heading))
	}
	return own
}

// setAside takes the heading from a page that is titled with the site's name, as the further pages of a
// blog's list of posts are, if it is a link and the title of another page.
func setAside(pages []Page, own []string, a affixes) {
	var linked []int
	for i := 1; i < len(pages); i++ {
		if own[i] != "" && headingIsLink(pages[i].Evidence.Blocks, own[i]) {
			linked = append(linked, i)
		}
	}
	if len(linked) == 0 {
		return
	}
	keys, titles := make([]string, len(pages)), map[string]bool{}
	for i := range pages {
		keys[i] = plain.Key(a.own(pages[i].Evidence.Title))
		titles[keys[i]] = true
	}
	for _, i := range linked {
		if h := plain.Key(own[i]); h != "" && h != keys[i] && titles[h] {
			own[i] = ""
		}
	}
}

// headingIsLink reports the first heading with some words to be a link.
func headingIsLink(blocks []htmlpage.Block, text string) bool {
	for _, b := range blocks {
		if (b.Kind == htmlpage.Title || b.Kind == htmlpage.Heading) && b.Text == text {
			return b.Links >= 90
		}
	}
	return false
}

// firstHeading is the first heading if it is of the first level.
func firstHeading(blocks []htmlpage.Block) string {
	for _, b := range blocks {
		switch b.Kind {
		case htmlpage.Title:
			return b.Text
		case htmlpage.Heading:
			return ""
		}
	}
	return ""
}

// heading is the first heading of the main content.
func heading(e *htmlpage.Evidence) string {
	return cmp.Or(firstOf(e.Blocks, htmlpage.Title), firstOf(e.Blocks, htmlpage.Heading))
}

func firstOf(blocks []htmlpage.Block, kind htmlpage.BlockKind) string {
	for _, b := range blocks {
		if b.Kind == kind {
			return b.Text
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
	if isIndex(last, "") {
		last = path.Base(path.Dir(p))
	}
	if last == "/" || last == "." || last == "" {
		return u.Host
	}
	t := segmentTitle(last)
	if before := path.Base(path.Dir(p)); t != "" && strings.Trim(t, "0123456789") == "" && counted[before] {
		return segmentTitle(before) + " " + t // "/page/2"
	}
	return cmp.Or(t, u.Host)
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
	words := strings.Split(s, " ")
	for i, w := range words {
		if initials[w] {
			words[i] = strings.ToUpper(w)
		}
	}
	s = strings.Join(words, " ")
	if r, n := utf8.DecodeRuneInString(s); unicode.IsLower(r) && !isVersion(s) {
		s = string(unicode.ToUpper(r)) + s[n:]
	}
	return s
}

// initials are words of addresses that people write in capital letters and that mean nothing else.
var initials = plain.Set("api cli sdk faq ui gui http https url uri sql css js html json xml csv yaml ssl tls ssh dns rpc orm jwt oidc saml")

// isVersion reports a name such as "v2.3.4".
func isVersion(s string) bool {
	return len(s) > 1 && s[0] == 'v' && '0' <= s[1] && s[1] <= '9'
}
