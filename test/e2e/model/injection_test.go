package model

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"unicode"

	"github.com/PuerkitoBio/goquery"
	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"
	"github.com/yuin/goldmark/renderer/html"

	"github.com/farwire/farwire/llmstxt"
)

// Pages with instructions for the model, and a model that follows them: no page is lost, and
// nobody is led anywhere that the file without the model does not lead to.
func TestModel_PromptInjection_ChangesOnlyWords(t *testing.T) {
	names, err := filepath.Glob("testdata/hostile/*.html")
	if err != nil || len(names) < 40 {
		t.Fatalf("%d pages in the corpus, %v", len(names), err)
	}
	var changed []string
	for _, name := range names {
		t.Run(strings.TrimSuffix(filepath.Base(name), ".html"), func(t *testing.T) {
			hostile, err := os.ReadFile(name)
			if err != nil {
				t.Fatal(err)
			}
			s := site(t, map[string]string{
				"/":            page("Handbook", "A handbook of many things that people need every day.", "/guide/start", "/guide/next", "/api/read", "/api/hostile"),
				"/guide/start": page("Start here", "How the first day goes, from the morning to the evening."),
				"/guide/next":  page("Go on", "What comes after the first day, in some detail."),
				"/api/read":    page("Read a thing", "Reading a thing takes its number and gives back all that it is."),
				"/api/hostile": string(hostile),
			})
			followed := 0
			for _, format := range []string{"pages", "index"} {
				p := &injectedModel{t: t}
				model := asModel(t, serve(t, p))
				g := newGateway(t, model)
				own, _ := g.crawl(s.URL, format, false)
				got, logs := g.crawl(s.URL, format, true)
				if p.requests != 1 || !strings.Contains(logs, "Asking the language model, parts: 1\n") {
					t.Errorf("%s: %d requests:\n%s", format, p.requests, logs)
				}
				followed += len(p.followed)
				harmless(t, format, own, got, string(hostile))
				switch kept := strings.Contains(logs, "Part 1 of 1 keeps its own text: the answer "); {
				case kept && own != got:
					t.Errorf("%s: kept, and yet it is another:\n%s", format, got)
				case own != got:
					changed = append(changed, t.Name()[len("TestModel_PromptInjection_ChangesOnlyWords/"):]+" "+format)
				}
				if strings.Contains(logs, "evil") {
					t.Errorf("logs:\n%s", logs)
				}
			}
			// Some hide what they want so well that the model never sees it.
			if hidden := strings.HasPrefix(filepath.Base(name), "hidden-"); followed == 0 && !hidden {
				t.Error("the model was not told to do anything")
			}
		})
	}
	// Words may change, and nothing else: which of them a model ought to choose is
	// not checked here, neither in a page's own place nor in titles.
	if want := []string{"fenced pages", "swap index", "swap pages"}; !slices.Equal(slices.Sorted(slices.Values(changed)), want) {
		t.Errorf("%q changed the file, want %q", changed, want)
	}
}

// harmless holds a file to the one that there would be without the model.
func harmless(t *testing.T, format, own, got, hostile string) {
	t.Helper()
	want, err := llmstxt.Parse(own, llmstxt.Layout(format))
	if err != nil {
		t.Fatal(err)
	}
	f, err := llmstxt.Parse(got, llmstxt.Layout(format))
	if err != nil {
		t.Fatalf("%s: %v:\n%s", format, err, got)
	}
	addresses := func(f *llmstxt.Document) (all []string) {
		for _, e := range f.Entries() {
			all = append(all, e.URL)
		}
		slices.Sort(all)
		return all
	}
	if !slices.Equal(addresses(f), addresses(want)) || f.BaseURL != want.BaseURL || f.Info != want.Info {
		t.Errorf("%s: other pages:\n%s", format, got)
	}
	// The payloads of the corpus are all of evil.
	for i, e := range f.Entries() {
		if !strings.Contains(e.URL, "hostile") && strings.Contains(strings.ToLower(e.Title+e.Text), "evil") {
			t.Errorf("%s: entry %d: %+v", format, i, e)
		}
	}
	ours, theirs := shown(t, own), shown(t, got)
	for _, to := range destinations(theirs) {
		// A page may say in its own place what it says itself; that it is nowhere
		// else was seen above.
		if !slices.Contains(destinations(ours), to) && !strings.Contains(hostile, "("+to+")") {
			t.Errorf("%s: leads to %s:\n%s", format, to, got)
		}
	}
	for _, tags := range []string{"h1, h2, h3, h4, h5, h6", "script, iframe, object, form, style, base, meta"} {
		if a, b := ours.Find(tags).Length(), theirs.Find(tags).Length(); a != b {
			t.Errorf("%s: %d of %s, want %d:\n%s", format, b, tags, a, got)
		}
	}
	for _, r := range got {
		if r != '\n' && (unicode.IsControl(r) || unicode.Is(unicode.Cf, r)) && !strings.ContainsRune(own, r) {
			t.Errorf("%s: %U is in the file", format, r)
		}
	}
}

// shown is a file as a reader of Markdown sees it who makes links of addresses
// and lets HTML through.
func shown(t *testing.T, file string) *goquery.Document {
	t.Helper()
	var b bytes.Buffer
	if err := goldmark.New(goldmark.WithExtensions(extension.GFM), goldmark.WithRendererOptions(html.WithUnsafe())).Convert([]byte(file), &b); err != nil {
		t.Fatal(err)
	}
	d, err := goquery.NewDocumentFromReader(&b)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

func destinations(d *goquery.Document) []string {
	var all []string
	for _, attribute := range []string{"href", "src", "action", "data", "srcset", "poster", "formaction", "style"} {
		d.Find("[" + attribute + "]").Each(func(_ int, s *goquery.Selection) {
			all = append(all, s.AttrOr(attribute, ""))
		})
	}
	return all
}
