package describe

import (
	"cmp"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/farwire/farwire/llmstxt/internal/htmlpage"
	"github.com/farwire/farwire/llmstxt/internal/plain"
)

// Lists of posts. The start page of a blog, and each of its categories and months, shows the beginnings
// of its posts, or the whole of them. What stands below a heading that is a link and the title of another
// page is about that page, and says nothing of the list.

// setAbout notes which blocks of the pages are about others.
func setAbout(pages []Page) {
	titled := make(map[string]int, len(pages))
	for i := len(pages) - 1; i > 0; i-- {
		titled[plain.Key(pages[i].Title)] = i
	}
	for i := range pages {
		pages[i].about = posts(pages, i, titled)
	}
	if len(pages) < 2 {
		return
	}
	base := &pages[0]
	of := quoted(base)
	for i := range base.about {
		base.about[i] = base.about[i] || of != nil && of[i]
	}
	if base.about == nil {
		base.about = of
	}
}

// quotes reports a block that is about another page.
func (p *Page) quotes(block int) bool { return p.about != nil && p.about[block] }

// maxSought is how many headings of a list are looked for in its posts.
const maxSought = 50

// posts reports for each block of a page whether it is about another one: titled are the pages by their
// titles. It is nil unless the page is a list of such. One post makes a list if the page begins with it, as a
// start page does whose first post is long, and as lists that have their kind in their address do.
func posts(pages []Page, at int, titled map[string]int) []bool {
	p := &pages[at]
	blocks := p.Evidence.Blocks
	about, own := make([]bool, len(blocks)), plain.Key(p.Title)
	under, heads, sought, said := -1, 0, 0, false
	for i, b := range blocks {
		switch b.Kind {
		case htmlpage.Omitted:
		case htmlpage.Heading, htmlpage.Title:
			key := plain.Key(b.Text)
			to, ok := titled[key]
			if ok = ok && to != at && key != own && b.Links >= 90; ok { // a page's own heading may lead to the page
				heads++
				under, about[i] = to, true
			} else if sought++; under >= 0 && (sought > maxSought || !hasHeading(&pages[under], b.Text)) {
				under = -1
			}
		default:
			about[i] = under >= 0
			said = said || heads == 0 && isProse(b)
		}
	}
	if heads == 0 || heads < leastQuoted && (said || at > 0 && !lists(p.URL)) {
		return nil
	}
	return about
}

// hasHeading reports a page with such a heading.
func hasHeading(p *Page, text string) bool {
	for _, b := range p.Evidence.Blocks {
		if (b.Kind == htmlpage.Heading || b.Kind == htmlpage.Title) && b.Text == text {
			return true
		}
	}
	return false
}

// lists reports the address of a list of posts: of those of a category or a person, of a month, or a
// further part of one.
func lists(raw string) bool {
	u, err := url.Parse(raw)
	if err != nil {
		return false
	}
	parts := strings.Split(strings.ToLower(strings.Trim(u.Path, "/")), "/")
	last := len(parts) - 1
	of := slices.ContainsFunc(parts[:last], func(s string) bool { return listed[s] || categories[s] })
	further := last > 0 && parts[last-1] == "page" && number(parts[last])
	return of || further || isFurther(u) || isArchive(u) || isDate(u.Path)
}

// categories are folders of lists of posts.
var categories = plain.Set(`category categories cat topic topics archive archives kategorie kategorien catégorie categorie categories categoría categoria categorías
	categorias kategoria рубрика rubrik rubriques archiv archivo`)

// ofLists takes off the title of a list of posts what says only that it is one, where no other page
// has the rest for its title: count has how many have one.
func ofLists(pages []Page, count map[string]int) {
	for i := 1; i < len(pages); i++ {
		p := &pages[i]
		m := listTitle.FindStringSubmatch(p.Title)
		if m == nil || !lists(p.URL) {
			continue
		}
		if m[2] != "" && strings.Contains(strings.ToLower(path.Base(p.URL)), "archive") {
			continue // it is about such: "Java Archives" in a folder of topics
		}
		if own := cmp.Or(m[1], m[2], m[3]); count[own] == 0 && strings.ContainsFunc(own, unicode.IsLetter) {
			count[p.Title]--
			count[own]++
			p.Title = own
		}
	}
}

// listTitle matches the titles that the themes of blogs give their lists: "Category: Tea", "Tea Archives",
// "Ada, Author at Kettle".
var listTitle = regexp.MustCompile(`^(?i:(?:category|categories|tag|tags|topic|author|archives?|month|posts tagged|posts in|kategorie|schlagwort|autor|archiv|catégorie|étiquette|auteur|mot-clé|` +
	`categoría|etiqueta|categoria|categorie|рубрика|категория|метка|автор|архив)\s?:|(?:分类|标签|分類|標籤|カテゴリー|カテゴリ|タグ|카테고리|태그)\s?[:：])\s*(\S.*)$|^(.*\S) Archives?$|^(.*\S), Author at .*$`)
