//go:build linux

package llmstxt_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/farwire/farwire/llmstxt/internal/describe"
	"github.com/farwire/farwire/llmstxt/internal/htmlpage"
	"github.com/farwire/farwire/llmstxt/internal/weburl"
)

// hostileSites are pages made to be expensive when all of a site are known: page i of n.
var hostileSites = map[string]func(i, n int) describe.Page{
	"pages alike":        func(i, _ int) describe.Page { return sitePage(i, "The title", "Words that all pages have in common.") },
	"words of their own": func(i, _ int) describe.Page { return sitePage(i, fmt.Sprint("Title ", i), ownWords(i, 60)) },
	"titles of separators": func(i, _ int) describe.Page {
		return sitePage(i, fmt.Sprint(i, strings.Repeat(" - x", 100), i), "Words.")
	},
	"titles that begin so":  func(i, _ int) describe.Page { return sitePage(i, strings.Repeat("a: ", i%100)+fmt.Sprint(i), "Words.") },
	"a title of many words": func(i, _ int) describe.Page { return sitePage(i, ownWords(i%3, 300), ownWords(i%3, 60)) },
	"a heading each": func(i, _ int) describe.Page {
		return below(sitePage(i, ownWords(i, 3), "Words."), fmt.Sprint("/h", i, "/x"))
	},
	"paths of one branch": func(i, _ int) describe.Page {
		return below(sitePage(i, fmt.Sprint("T ", i), "Words."), strings.Repeat("/a", i%40)+fmt.Sprint("/", i))
	},
	"breadcrumbs": func(i, _ int) describe.Page {
		p := sitePage(i, fmt.Sprint("T ", i), "Words.")
		for j := range 20 {
			p.Evidence.Crumbs = append(p.Evidence.Crumbs, fmt.Sprint("Crumb ", i, " ", j))
		}
		return p
	},
	"names of sites": func(i, _ int) describe.Page {
		p := sitePage(i, fmt.Sprint("T ", i), "Words.")
		p.Evidence.SiteName = fmt.Sprint("Site ", i)
		return p
	},
	"frames": func(i, _ int) describe.Page {
		p := sitePage(i, fmt.Sprint("T ", i), "")
		p.Evidence.Blocks = nil
		for j := range 50 {
			p.Evidence.Parts = append(p.Evidence.Parts, fmt.Sprint("http://a.test/f", i, "/", j))
		}
		return p
	},
	"links to each other": func(i, n int) describe.Page {
		p := sitePage(i, fmt.Sprint("T ", i), "Words.")
		for j := range 50 {
			p.Links = append(p.Links, fmt.Sprint("http://a.test/", (i+j*7)%n))
		}
		return p
	},
	"lists under names": func(i, n int) describe.Page {
		p := sitePage(i, fmt.Sprint("T ", i), "Words.")
		for j := range 10 {
			p.Evidence.Nav = append(p.Evidence.Nav, htmlpage.Group{Name: fmt.Sprint("List ", i, " ", j), Links: []string{fmt.Sprint("http://a.test/", (i*j+1)%n)}})
		}
		return p
	},
}

func sitePage(i int, title, text string) describe.Page {
	e := &htmlpage.Evidence{Title: title, Blocks: []htmlpage.Block{{Kind: htmlpage.Heading, Text: title}, {Kind: htmlpage.Paragraph, Text: text}}, Edges: []string{"Home. Search. Imprint."}}
	return describe.Page{URL: fmt.Sprint("http://a.test/", i), Depth: min(i, 1), Evidence: e, Said: describe.Split(e)}
}

func below(p describe.Page, path string) describe.Page {
	p.URL = "http://a.test" + path
	return p
}

func ownWords(i, n int) string {
	var b strings.Builder
	for j := range n {
		fmt.Fprintf(&b, "w%dx%d ", i, j)
	}
	return b.String()
}

// What is chosen when all pages of a site are known costs in proportion to how many they
// are.
func TestCost_HostileSites_IsLinear(t *testing.T) {
	const page = 512 // bytes of the document that stand for one
	for name, make := range hostileSites {
		t.Run(name, func(t *testing.T) {
			read := func(t testing.TB, b []byte) {
				votes := describe.NewVotes()
				pages := slices.Grow([]describe.Page(nil), len(b)/page)
				for i := range len(b) / page {
					pages = append(pages, make(i, len(b)/page))
					votes.Add(pages[i].Evidence, pages[i].Said)
				}
				describe.Site{Limit: 300, Prefix: "/", Votes: votes}.Choose(t.Context(), pages)
			}
			if raceDetector {
				read(t, fill("", "x", "")(20*page))
				return
			}
			linear(t, 48<<10, fill("", "x", ""), read)
		})
	}
}

// A glob's length counts when it is read, and not once more for each byte of a path: a site
// that knows the globs makes its paths for them.
func TestCost_HostileGlobs_IsThatOfTheirStars(t *testing.T) {
	match := func(unit string, n int) func(testing.TB, []byte) {
		g := weburl.ParseGlob("/**" + strings.Repeat(unit, n) + "b")
		return func(t testing.TB, b []byte) { g.Match(string(b)) }
	}
	path := fill("/", "a", "")(1900)
	short, long := cost(t, match("a", 9), path), cost(t, match("a", 900), path)
	if long > 20*max(short, 20*time.Microsecond) && !raceDetector {
		t.Errorf("a hundred times the glob takes %v, not %v", long, short)
	}
	whole := func(t testing.TB, b []byte) {
		if weburl.ParseGlob("**" + string(b[:len(b)/2]) + "*x").Match(string(b)) {
			t.Error("it matches")
		}
	}
	if !raceDetector {
		linear(t, 4<<10, fill("", "a", ""), whole)
		linear(t, 4<<10, fill("", "ab", ""), whole)
	}
	few, many := cost(t, match("*a", 5), path), cost(t, match("*a", 50), path)
	if many > 30*max(few, 20*time.Microsecond) && !raceDetector {
		t.Errorf("ten times the stars take %v, not %v", many, few)
	}
}
