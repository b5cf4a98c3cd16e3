package llmstxt_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/farwire/farwire/llmstxt"
)

// A section in several parts has one name, and no two sections have the same.
func TestParts_OfOneSection_HaveOneName(t *testing.T) {
	s := guide(t)
	for name, c := range map[string]struct {
		rename func(p llmstxt.Part, name string) string
		want   []string
	}{
		"all agree":     {func(_ llmstxt.Part, name string) string { return "My " + name }, []string{"My Start", "My API", "Optional"}},
		"one disagrees": {func(p llmstxt.Part, name string) string { return name + p.Pages[0].URL[len(p.Pages[0].URL)-3:] }, []string{"Start", "API", "Optional"}},
		"one for all":   {func(llmstxt.Part, string) string { return "Same" }, []string{"Start", "API", "Optional"}},
		"another's": {func(_ llmstxt.Part, name string) string {
			if name == "Start" {
				return "API"
			}
			return name
		}, []string{"Start", "API", "Optional"}},
	} {
		out, log := enhance(s, llmstxt.Index, llmstxt.EnhanceOptions{Size: 1}, func(p llmstxt.Part, f *llmstxt.Document) (string, error) {
			if f.Sections[0].Name != "Optional" {
				f.Sections[0].Name = c.rename(p, f.Sections[0].Name)
			}
			return f.Render(p.Layout), nil
		})
		f, err := llmstxt.Parse(out, llmstxt.Index)
		if err != nil || len(log) > 0 {
			t.Fatal(err, log)
		}
		var got []string
		for _, section := range f.Sections {
			got = append(got, section.Name)
		}
		if !slices.Equal(got, c.want) {
			t.Errorf("%s: sections %q, want %q", name, got, c.want)
		}
	}
}

// collect has a site's parts recorded, each with its texts.
func collect(s *llmstxt.CrawledSite, l llmstxt.Layout, size int) []string {
	var mu sync.Mutex
	var parts []string
	s.Enhance(context.Background(), l, func(_ context.Context, p llmstxt.Part) (string, error) {
		mu.Lock()
		defer mu.Unlock()
		parts = append(parts, fmt.Sprintf("%+v", p))
		return "", errors.New("no answer")
	}, llmstxt.EnhanceOptions{Size: size})
	return parts
}

// A page that changes, comes or goes changes the part that it is in, and leaves
// the others as they were, to the byte.
func TestParts_PageChanges_OtherPartsStay(t *testing.T) {
	const pages = 120
	site := func(edit func(w *web)) *llmstxt.CrawledSite {
		w := &web{pages: map[string]answer{}}
		var links []string
		for i := range pages {
			path := fmt.Sprintf("/topic%d/page%d", i%7, i)
			links = append(links, path)
			w.pages["http://docs.test"+path] = doc(fmt.Sprintf("Page %d of them", i))
		}
		w.pages["http://docs.test/"] = doc("Home", links...)
		edit(w)
		return crawl(t, w, "http://docs.test/", llmstxt.Options{MaxPages: 1000})
	}
	const size = 4000
	before := map[llmstxt.Layout][]string{}
	s := site(func(*web) {})
	for _, l := range []llmstxt.Layout{llmstxt.Pages, llmstxt.Index} {
		before[l] = collect(s, l, size)
		total := 0
		for _, p := range before[l] {
			total += len(p)
			if len(p) > 2*size { // Go's notation and the head come on top
				t.Errorf("a part of %d bytes", len(p))
			}
		}
		if most := 4 * total / size; len(before[l]) > most || len(before[l]) < total/size/2 {
			t.Errorf("%s: %d parts for %d bytes", l, len(before[l]), total)
		}
	}
	for name, c := range map[string]struct {
		edit func(w *web)
		most int // parts that are new
	}{
		"nothing": {func(*web) {}, 0},
		"a page grows": {func(w *web) {
			w.pages["http://docs.test/topic1/page1"] = doc("Page 1 of them, which has grown " + strings.Repeat("long ", 20))
		}, 2},
		"a page in the middle grows": {func(w *web) {
			w.pages["http://docs.test/topic3/page80"] = doc("Page 80 of them, which has grown " + strings.Repeat("long ", 20))
		}, 2},
		"a page goes": {func(w *web) { delete(w.pages, "http://docs.test/topic2/page2") }, 5},
		"a page comes": {func(w *web) {
			w.pages["http://docs.test/topic4/new"] = doc("A new one")
			home := w.pages["http://docs.test/"]
			home.body = strings.Replace(home.body, "<ul>", "<ul><li><a href=/topic4/new>new</a>", 1)
			w.pages["http://docs.test/"] = home
		}, 5},
		"the home page's text changes": {func(w *web) {
			home := w.pages["http://docs.test/"]
			home.body = strings.Replace(home.body, "one honest sentence", "one new and honest sentence", 1)
			w.pages["http://docs.test/"] = home
		}, 1},
	} {
		changed := site(c.edit)
		for l, before := range before {
			fresh := 0
			for _, p := range collect(changed, l, size) {
				if !slices.Contains(before, p) {
					fresh++
				}
			}
			if fresh > c.most {
				t.Errorf("%s, %s: %d of %d parts are new", l, name, fresh, len(before))
			}
		}
	}
}
