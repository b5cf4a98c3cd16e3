package main

import (
	"fmt"
	"net/http"
	"regexp"
	"sort"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/PuerkitoBio/goquery"
)

// The judge knows each site by heart: where its main content is and what in
// there is not content. The crawler does not, which is the point.
var keys = map[string]struct{ main, drop string }{
	"python3.11-doc":    {`div[role=main]`, `.headerlink`},
	"postgresql-doc-15": {`body`, `.navheader, .navfooter`},
	"python-django-doc": {`#yui-main`, `.headerlink`},
	"nodejs-doc":        {`#apicontent`, `.mark, .legacy`},
	"sqlite3-doc":       {`body`, `body > .nosearch, .fancy_toc, .fancy_title`},
	"apache2-doc":       {`#page-content`, `.toplang, #quickview, .top, .permalink, .bottomlang, .lang-toggle`},

	"maxima-doc":          {`body`, `.header, .copiable-anchor`},
	"gnuplot-doc":         {`body`, `.navigation`},
	"libeigen3-doc":       {`.contents`, `.permalink`},
	"mkdocs-doc":          {`[role=main]`, `.headerlink`},
	"postfix-doc":         {`body`, ``},
	"debian-reference-en": {`body`, `.navheader, .navfooter`},

	"exim4-doc-html":            {`#content`, `.previous_page, .next_page, #options`},
	"aptitude-doc-en":           {`body`, `.navheader, .navfooter, .legalnotice, .authorgroup`},
	"swi-prolog-doc":            {`body`, `.navigate`},
	"libcommons-lang3-java-doc": {`main`, ``},
}

// limits are the least of each value.
type limits struct{ inMain, clean, sentence, fill, titles, coverage, nav float64 }

var need = limits{inMain: 0.95, clean: 0.98, sentence: 0.95, fill: 0.60, titles: 0.99, coverage: 1, nav: 0.95}

// verdict is what a file is worth; shares are of all pages.
type verdict struct {
	pages          int
	inMain         float64 // excerpts that begin in the main content
	clean          float64 // free of what the site repeats
	sentence       float64 // ending where a sentence ends
	fill           float64 // median share of descLength used, of pages with that much prose
	titles         float64 // unique, of those that are unique in the pages' own <title>
	sent           float64 // to a browser; of all pages fetched
	coverage       float64 // pages in the file, of those that are to be had
	nav            float64 // links of the home page that are in the file, of those that could be
	twice          int     // titles that another page has too
	menus          int     // notes that are navigation
	named, summary bool    // the H1 names the site; the summary is of the home page's text
	head           string  // H1 and summary
	links, linksOK int
	parse          string // "ok" or what is wrong
	misses         []string
}

func (v verdict) failures(n limits) (out []string) {
	check := func(what string, got, want float64) {
		if got < want {
			out = append(out, fmt.Sprintf("%s is %.1f %%, want %.0f %%", what, 100*got, 100*want))
		}
	}
	check("in main", v.inMain, n.inMain)
	check("clean", v.clean, n.clean)
	check("sentence", v.sentence, n.sentence)
	check("fill", v.fill, n.fill)
	check("titles", v.titles, n.titles)
	check("coverage", v.coverage, n.coverage)
	check("navigation", v.nav, n.nav)
	if !v.named {
		out = append(out, "the H1 does not name the site: "+v.head)
	}
	if !v.summary {
		out = append(out, "the summary is not of the home page's text: "+v.head)
	}
	if v.menus > 0 {
		out = append(out, fmt.Sprintf("%d notes are navigation", v.menus))
	}
	if v.twice*50 > v.pages {
		out = append(out, fmt.Sprintf("%d pages have a title that another has", v.twice))
	}
	if v.sent > maxSent {
		out = append(out, fmt.Sprintf("%.1f %% of the pages were sent to a browser, want at most %.0f %%", 100*v.sent, 100*maxSent))
	}
	if v.linksOK != v.links {
		out = append(out, fmt.Sprintf("%d of %d links answer 200", v.linksOK, v.links))
	}
	if v.parse != "ok" {
		out = append(out, v.parse)
	}
	return out
}

// described is a page in the file.
type described struct{ title, url, excerpt string }

// seenPage is the same page as the judge reads it.
type seenPage struct {
	title  string
	main   string          // letters and digits of the main content
	prose  int             // characters in its paragraphs
	blocks map[string]bool // letters and digits of every block of the whole page
	aside  string          // letters and digits of what stands outside of the main content
	about  string          // letters and digits of its own description
	name   string          // letters and digits of its first heading
}

var pageHead = regexp.MustCompile(`(?m)^## (.+)\n\n> (\S+)\n\n`)

// split reads the pages layout with a regular expression.
func split(text string) []described {
	var out []described
	at := pageHead.FindAllStringSubmatchIndex(text, -1)
	for i, m := range at {
		end := len(text)
		if i+1 < len(at) {
			end = at[i+1][0]
		}
		out = append(out, described{text[m[2]:m[3]], text[m[4]:m[5]], strings.TrimSpace(text[m[1]:end])})
	}
	return out
}

func judge(site, asPages, asIndex string) (v verdict, err error) {
	key := keys[site]
	got := split(asPages)
	seen := make([]seenPage, len(got))
	often := map[string]int{}
	for i, d := range got {
		v.links++
		resp, err := http.Get(d.url)
		if err != nil {
			return v, err
		}
		if resp.StatusCode == http.StatusOK {
			v.linksOK++
		}
		doc, err := goquery.NewDocumentFromReader(resp.Body)
		resp.Body.Close()
		if err != nil {
			return v, err
		}
		seen[i] = look(doc, key.main, key.drop)
		for b := range seen[i].blocks {
			often[b]++
		}
	}
	var boilerplate []string
	for b, n := range often {
		if n*5 >= len(got) && n >= 3 && len(b) >= 20 {
			boilerplate = append(boilerplate, b)
		}
	}
	ownTitles, titles := map[string]int{}, map[string]int{}
	for i := range got {
		ownTitles[seen[i].title]++
		titles[got[i].title]++
	}
	v.pages = len(got)
	var inMain, clean, sentence, unique, couldBe int
	var fills []float64
	for i, d := range got {
		miss := func(what string) { v.misses = append(v.misses, fmt.Sprintf("%s: %s: %.160q", what, d.url, d.excerpt)) }
		text := squeeze(d.excerpt)
		// The first line, of a note the first item.
		first, _, _ := strings.Cut(d.excerpt, "\n")
		first, _, _ = strings.Cut(first, ";")
		begin := squeeze(first)
		if len(begin) > 60 {
			begin = begin[:60]
		}
		if begin != "" && strings.Contains(seen[i].main, begin) {
			inMain++
		} else {
			miss("not in main")
		}
		dirty := ""
		for _, b := range boilerplate {
			// A short one may be part of an honest sentence, as a book's name is.
			if len(b) >= 40 && strings.Contains(text, b) {
				dirty = b
			}
		}
		for _, line := range strings.FieldsFunc(d.excerpt, func(r rune) bool { return strings.ContainsRune("\n.;:", r) }) {
			if b := squeeze(line); len(b) >= 20 && 5*often[b] >= len(got) && often[b] >= 3 {
				dirty = b
			}
		}
		if dirty == "" && text != "" {
			clean++
		} else {
			miss("boilerplate " + dirty)
		}
		if endsLikeSentence(d.excerpt) {
			sentence++
		} else {
			miss("no sentence")
		}
		if seen[i].prose >= descLength {
			fills = append(fills, float64(utf8.RuneCountInString(d.excerpt))/descLength)
		}
		if utf8.RuneCountInString(d.excerpt) > descLength {
			v.parse = "an excerpt is too long: " + d.url
		}
		if ownTitles[seen[i].title] == 1 {
			couldBe++
			if titles[d.title] == 1 {
				unique++
			} else {
				miss("title " + d.title)
			}
		}
	}
	n := float64(len(got))
	v.inMain, v.clean, v.sentence = float64(inMain)/n, float64(clean)/n, float64(sentence)/n
	v.titles = float64(unique) / float64(max(1, couldBe))
	sort.Float64s(fills)
	if v.fill = 1; len(fills) > 0 {
		v.fill = fills[len(fills)/2]
	}
	v.judgeSite(site, asIndex, got, seen)
	if v.parse == "" {
		v.parse = grammar(asPages, asIndex, got)
	}
	return v, nil
}

// look reads a page.
func look(doc *goquery.Document, main, drop string) seenPage {
	p := seenPage{title: strings.TrimSpace(doc.Find("title").First().Text()), blocks: map[string]bool{}}
	doc.Find("script, style, noscript, template, .ttc").Remove() // Doxygen hides tooltips
	doc.Find("p, li, td, th, dt, dd, h1, h2, h3, h4, div, span").Each(func(_ int, s *goquery.Selection) {
		if s.Find("p, li, td, div, h1, h2, h3, table, ul").Length() == 0 && !s.Is("span") {
			p.blocks[squeeze(s.Text())] = true
		}
	})
	m := doc.Find(main).First()
	if m.Length() == 0 {
		m = doc.Find("body")
	}
	p.name = squeeze(m.Find("h1, h2, h3").First().Text())
	p.about = squeeze(doc.Find("meta[name=description]").AttrOr("content", ""))
	if drop != "" {
		p.aside = squeeze(m.Find(drop).Text())
		m.Find(drop).Remove()
	}
	p.main = squeeze(m.Text())
	doc.Find("nav, footer, [role=navigation], .navbar, .sidebar").Each(func(_ int, s *goquery.Selection) { p.aside += " " + squeeze(s.Text()) })
	m.Find("p, div.para").Each(func(_ int, s *goquery.Selection) {
		p.prose += utf8.RuneCountInString(strings.Join(strings.Fields(s.Text()), " "))
	})
	return p
}

// squeeze keeps letters and digits, so that white space, punctuation and
// escapes do not count.
func squeeze(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, s)
}

func endsLikeSentence(s string) bool {
	s = strings.TrimRight(s, `)]"'”’»*_ `+"`")
	r, _ := utf8.DecodeLastRuneInString(s)
	return strings.ContainsRune(".!?。！？", r)
}

var (
	indexHead  = regexp.MustCompile(`(?s)^# *(.+?)\n+> *(.+?)\n\n(.*)`)
	indexSplit = regexp.MustCompile(`(?m)^##\s*(.*?$)`)
	indexLink  = regexp.MustCompile(`^-\s*\[([^\]]+)\]\(([^\)]+)\)(?::\s*(.*))?$`)
)

// grammar checks both layouts: the second by the expressions of llmstxt.org's
// reference parser.
func grammar(asPages, asIndex string, got []described) string {
	if !regexp.MustCompile(`^# .+\n\n> http\S+\n\n## `).MatchString(asPages) {
		return "the pages layout has no head"
	}
	for _, d := range got {
		for _, l := range strings.Split(d.excerpt, "\n") {
			if strings.HasPrefix(l, "#") || strings.HasPrefix(l, ">") {
				return "an excerpt's line looks like structure: " + d.url
			}
		}
	}
	if !indexHead.MatchString(asIndex) {
		return "the index layout has no head"
	}
	listed := map[string]bool{}
	parts := indexSplit.Split(asIndex, -1)
	for _, section := range parts[1:] {
		for _, line := range strings.Split(strings.TrimSpace(section), "\n") {
			if strings.TrimSpace(line) == "" {
				continue
			}
			m := indexLink.FindStringSubmatch(line)
			if m == nil {
				return "the index layout has a line that is no link: " + line
			}
			listed[m[2]] = true
		}
	}
	if len(listed) != len(got)-1 {
		return fmt.Sprintf("the index lists %d pages of %d", len(listed), len(got)-1)
	}
	return "ok"
}
