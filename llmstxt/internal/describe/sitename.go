package describe

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/farwire/farwire/llmstxt/internal/htmlpage"
	"github.com/farwire/farwire/llmstxt/internal/plain"
)

// The name of a site, which is the heading of its file.

// siteTitle names the site by its base page, or by what all its titles have in
// common where that says more.
//
// A base page may be a cover, whose title is one of a template; see covered.
//
// When ctx ends, the parts of its title are not looked for.
func siteTitle(ctx context.Context, pages []Page, a affixes, covered string) string {
	base := &pages[0]
	if covered != "" && base.Evidence.SiteName == "" && a.name() == "" {
		return covered
	}
	if f := base.framed; f != nil && base.Evidence.SiteName == "" && (base.Evidence.Title == "" || unnamed(base.Evidence.Title)) && !unnamed(strings.TrimPrefix(f.Title, "File: ")) {
		return f.Title
	}
	if h := namedHeading(base.Evidence); h != "" && byGenerator(base.Evidence.Title) {
		return h
	}
	own, common := base.Title, a.name()
	if unnamed(common) {
		common = ""
	}
	if name := ofAll(pages); common == "" && name != "" && !unnamed(own) && topic(own, name) {
		return name
	}
	if !unnamed(own) && common != "" && topic(own, common) && partOfMost(ctx, pages, own) {
		return own // "pot package - example.org/pot" of a host with other packages
	}
	if base.Evidence.Title == "" && strings.Contains(base.URL, "//"+own) { // the host
		if name := cmp.Or(common, base.Evidence.SiteName, base.Evidence.Brand, root(pages), packages(pages)); name != "" {
			return name
		}
	}
	if to := cmp.Or(besideWelcome(own), welcomed(own)); to != "" {
		return cmp.Or(common, to)
	}
	if common != "" && own != common && introduces(own, common) && !introduces(common, common) {
		return common // "Introduction to Kettle" of "Kettle 9 documentation"
	}
	if rest, ok := strings.CutPrefix(own, common+" "); ok && common != "" && homeWords[plain.Key(rest)] {
		return common // "Kettle Home" of a space of Confluence
	}
	for _, sep := range separatorsIn(own) {
		if common != "" && (strings.HasPrefix(own, common+sep) || strings.HasSuffix(own, sep+common)) && len(own) > len(common+sep) {
			return common // and beside it what the site has to offer
		}
	}
	if !unnamed(own) && everywhere(pages, lowerTitles(pages), own) {
		return withoutVague(own) // "tea" of "tea - Rust", beside "Pot in tea - Rust"
	}
	// "3.11 Documentation" of "Python 3.11 Documentation".
	part := common != own && strings.Contains(strings.ToLower(common), strings.ToLower(own))
	if !part && !unnamed(own) && unnamedPart(own) == "" && (common == "" || own == base.Evidence.Title || !topic(own, common)) {
		return withoutVague(own)
	}
	e := base.Evidence
	for _, t := range []string{common, e.SiteName, distinctivePart(e.Title), distinctivePart(e.OpenTitle), e.Brand, e.Publisher, namedHeading(e), e.Headline} {
		if t != "" && !unnamed(t) {
			return t
		}
	}
	if name := root(pages); (byGenerator(own) || byGenerator(a.name())) && name != "" {
		return name
	}
	if name := packages(pages); vague(own) && name != "" {
		return name
	}
	if placeholder(own) {
		if h := loneHeading(e); h != "" {
			return h
		}
		return urlTitle(base.URL)
	}
	return cmp.Or(unnamedPart(own), own)
}

// unnamedPart is of a title whose parts name no site the one that a generator made up, "My Project" of "My
// Project: Main Page", or all of it; "" for others.
func unnamedPart(title string) string {
	for _, sep := range separatorsIn(title) {
		if parts := strings.Split(title, sep); len(parts) > 1 {
			if slices.ContainsFunc(parts, func(part string) bool { return !unnamed(strings.TrimSpace(part)) }) {
				return ""
			}
			if i := slices.IndexFunc(parts, byGenerator); i >= 0 {
				title = strings.TrimSpace(parts[i])
			}
			return title
		}
	}
	return ""
}

// homeWords stand behind a site's name on its first page.
var homeWords = plain.Set("home homepage startpage startseite mainpage hauptseite accueil inicio strona главная ホーム")

// namedHeading is the first of a page's headings of the first level that may be a site's
// name. Others name what stands below them: "Latest news". Of three, all but the first are
// chapters.
func namedHeading(e *htmlpage.Evidence) string {
	found, titles := "", 0
	for _, b := range e.Blocks {
		if b.Kind != htmlpage.Title {
			continue
		}
		if titles++; titles > 2 && found != firstOf(e.Blocks, htmlpage.Title) {
			return ""
		}
		if found == "" && !unnamed(b.Text) {
			found = b.Text
		}
	}
	return found
}

// loneHeading is the only heading of a page, with which it begins, of whatever level.
func loneHeading(e *htmlpage.Evidence) string {
	found := ""
	for _, b := range e.Blocks {
		switch {
		case b.Kind == htmlpage.Heading && found == "":
			found = b.Text
		case b.Kind == htmlpage.Heading || b.Kind == htmlpage.Title || found == "" && b.Kind != htmlpage.Omitted:
			return ""
		}
	}
	if unnamed(found) {
		return ""
	}
	return found
}

// ofAll is the name that most pages have for their site (og:site_name), "" if they
// have none in common.
func ofAll(pages []Page) string {
	name, n := pages[0].Evidence.SiteName, 0
	for i := range pages {
		if pages[i].Evidence.SiteName == name {
			n++
		}
	}
	if name == "" || n < 3 || n*2 <= len(pages) || unnamed(name) {
		return ""
	}
	return name
}

// partOfMost reports a title one of whose parts stands in the titles of most other
// pages.
func partOfMost(ctx context.Context, pages []Page, title string) bool {
	lows := lowerTitles(pages)
	for _, sep := range separatorsIn(title) {
		if parts := strings.Split(title, sep); len(parts) > 1 && slices.ContainsFunc(parts, func(part string) bool {
			return ctx.Err() == nil && !unnamed(part) && everywhere(pages, lows, strings.TrimSpace(part))
		}) {
			return true
		}
	}
	return false
}

// lowerTitles are the titles of pages in lower case.
func lowerTitles(pages []Page) []string {
	lows := make([]string, len(pages))
	for i := range pages {
		lows[i] = strings.ToLower(pages[i].Title)
	}
	return lows
}

// everywhere reports a title that stands in those of most other pages, which lows has in
// lower case.
func everywhere(pages []Page, lows []string, title string) bool {
	n, low := 0, strings.ToLower(title)
	for i := 1; i < len(pages); i++ {
		if pages[i].Title != title && strings.Contains(lows[i], low) && !topic(lows[i], low) {
			n++
		}
	}
	return n >= 2 && n*2 > len(pages)-1
}

// welcomed is what a title bids welcome to, "" for other titles.
func welcomed(title string) string {
	for _, w := range welcomes {
		if len(title) > len(w) && strings.EqualFold(title[:len(w)], w) {
			if to := strings.TrimRight(title[len(w):], " !.！"); to != "" && !unnamed(to) {
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
// section's name: "Gnuplot" below "figures". It is "" for other sites, and when ctx
// ends.
func covered(ctx context.Context, pages []Page) string {
	if heading(pages[0].Evidence) != "" {
		return ""
	}
	count := map[string]int{}
	for i := range pages[1:] {
		count[cmp.Or(pages[i+1].whole, pages[i+1].Section)]++
	}
	for name, n := range count { // one at most has more than half
		if n*2 <= len(pages) || name == All || name == General || name == Rest || unnamed(name) {
			continue
		}
		words := []string{strings.ToLower(name)}
		for w := range strings.FieldsFuncSeq(strings.ToLower(pages[0].Title), notWord) {
			if !slices.Contains(words[1:], w) && len(words) <= maxNameWords {
				words = append(words, w)
			}
		}
		of := mentions(ctx, pages, words)
		if ctx.Err() != nil || slices.Max(append(of[1:], 0))*2 > of[0] {
			return ""
		}
		if of[0]*5 >= len(pages) {
			return name
		}
	}
	return jobName(ctx, pages)
}

// jobName is the title of the page to which a base page leads first, "Gnuplot", if its own is
// the name of a file, "figures", and the pages speak of the former and not of the latter.
func jobName(ctx context.Context, pages []Page) string {
	own := pages[0].Title
	if len(pages) < 3 || len(pages[0].Links) == 0 || pages[1].URL != pages[0].Links[0] || own == "" || strings.IndexFunc(own, func(r rune) bool { return !unicode.IsLower(r) }) >= 0 {
		return ""
	}
	name := pages[1].Title
	if unnamed(name) || strings.Contains(name, " ") || htmlpage.Nameless(name) {
		return ""
	}
	of := mentions(ctx, pages, []string{strings.ToLower(name), own})
	if ctx.Err() != nil || of[0]*5 < len(pages)*2 || of[1]*4 > of[0] {
		return ""
	}
	return name
}

// maxNameWords is how many words of a title are looked for in the pages: each is looked
// for in all of their text.
const maxNameWords = 16

// mentions counts for each of some words, in lower case, the pages that speak of it.
func mentions(ctx context.Context, pages []Page, words []string) []int {
	of := make([]int, len(words))
	seen := make([]bool, len(words))
	for i := range pages {
		if ctx.Err() != nil {
			break
		}
		clear(seen)
		for _, b := range pages[i].Evidence.Blocks {
			text := strings.ToLower(b.Text)
			for w, word := range words {
				if !seen[w] && strings.Contains(text, word) {
					seen[w] = true
					of[w]++
				}
			}
		}
	}
	return of
}

// behindVague is what stands in brackets behind the name of a first page: "Foo Wiki" of
// "start [Foo Wiki]", "foo" of "index (foo.index)"; else "".
func behindVague(title string) string {
	for _, pair := range []string{"()", "[]"} {
		begin, in, ok := strings.Cut(title, " "+pair[:1])
		in, closed := strings.CutSuffix(in, pair[1:])
		if !ok || !closed || !vague(begin) || strings.ContainsAny(in, pair) {
			continue
		}
		if in = strings.TrimSuffix(in, "."+begin); !unnamed(in) {
			return in
		}
	}
	return ""
}

// withoutVague is a title without what names no site: "Foo" of "Foo | Home".
func withoutVague(title string) string {
	if t := behindVague(title); t != "" {
		return t
	}
	for _, sep := range separatorsIn(title) {
		if first, rest, _ := strings.Cut(title, sep); first == rest {
			return first // "Kettle - Kettle"
		}
		for _, part := range strings.Split(title, sep) {
			if part != title && vague(part) {
				if t := distinctivePart(title); t != "" {
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
	own = strings.ToLower(own)
	for w := range strings.FieldsFuncSeq(strings.ToLower(name), notWord) {
		if strings.Contains(own, w) && (len(w) > 3 || hasWord(own, w)) {
			return false
		}
	}
	return true
}

func hasWord(text, word string) bool {
	for w := range strings.FieldsFuncSeq(text, notWord) {
		if w == word {
			return true
		}
	}
	return false
}

func notWord(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) && !unicode.IsMark(r) }

// distinctivePart is the longest part of a title that is not vague: "Foo 1.2 Manual" of
// "Top (Foo 1.2 Manual)".
func distinctivePart(title string) string {
	if byGenerator(title) {
		return ""
	}
	parts := []string{title}
	for _, sep := range append(slices.Clip(separatorsIn(title)), " (") {
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
