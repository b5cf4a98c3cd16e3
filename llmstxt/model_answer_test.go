package llmstxt_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/farwire/farwire/llmstxt"
)

const withAddresses = "Read https://good.test/more or good.example/x?y=1, write to me@good.test, run localhost:8080 and setup.py."

// guide is a site with sections, one of them optional, and some addresses in
// its texts.
func guide(t *testing.T) *llmstxt.CrawledSite {
	page := func(title, text string, links ...string) answer {
		a := doc(title, links...)
		a.body = strings.Replace(a.body, "</ul>", "</ul><p>"+text+"</p>", 1)
		return a
	}
	w := &web{pages: map[string]answer{
		"http://docs.test/":              page("Guide", "All about it.", "/start/one", "/start/two", "/api/get", "/api/put", "/license"),
		"http://docs.test/start/one":     page("One", withAddresses),
		"http://docs.test/start/two":     page("Two", strings.Repeat("It goes on for so long that a note has not all of it. ", 5)+"</p><p>With Node.js 20.1 and a &lt;div&gt; and a soft&shy;hyphen."),
		"http://docs.test/api/get":       page("Get", "Get what is there."),
		"http://docs.test/api/put":       page("Put", "Put it there."),
		"http://docs.test/license":       doc("License"),
		"http://docs.test/start/":        doc("Start"),
		"http://docs.test/api/":          doc("API"),
		"http://docs.test/api/put/other": doc("Other"),
	}}
	s := crawl(t, w, "http://docs.test/", llmstxt.Options{})
	if len(s.Pages) != 6 {
		t.Fatalf("%d pages", len(s.Pages))
	}
	return s
}

// accepts reports whether an answer in which edit has changed a file is taken.
func accepts(t *testing.T, s *llmstxt.CrawledSite, l llmstxt.Layout, edit func(*llmstxt.Document)) (bool, string) {
	t.Helper()
	out, log := enhance(s, l, llmstxt.EnhanceOptions{}, func(p llmstxt.Part, f *llmstxt.Document) (string, error) {
		edit(f)
		return f.Render(l), nil
	})
	if len(log) > 0 && out != s.Render(l) {
		t.Errorf("refused, and yet the file has changed:\n%s", out)
	}
	return len(log) == 0, strings.Join(log, "\n")
}

func find(t *testing.T, f *llmstxt.Document, url string) *llmstxt.Entry {
	t.Helper()
	for i := range f.Sections {
		for j := range f.Sections[i].Entries {
			if e := &f.Sections[i].Entries[j]; e.URL == url {
				return e
			}
		}
	}
	t.Fatalf("no %s in %+v", url, f)
	return nil
}

// What is not the same pages in the same sections is no answer.
func TestAnswer_OtherStructure_IsRefused(t *testing.T) {
	s := guide(t)
	want, err := llmstxt.Parse(s.Render(llmstxt.Index), llmstxt.Index)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, section := range want.Sections {
		names = append(names, section.Name)
	}
	if len(names) != 3 || names[2] != "Optional" {
		t.Fatalf("sections %q", names)
	}
	for name, c := range map[string]struct {
		edit func(*llmstxt.Document)
		ok   bool
	}{
		"nothing":            {func(*llmstxt.Document) {}, true},
		"sections reordered": {func(f *llmstxt.Document) { f.Sections[0], f.Sections[1] = f.Sections[1], f.Sections[0] }, true},
		"optional first":     {func(f *llmstxt.Document) { slices.Reverse(f.Sections) }, true},
		"pages reordered":    {func(f *llmstxt.Document) { slices.Reverse(f.Sections[0].Entries) }, true},
		"section renamed":    {func(f *llmstxt.Document) { f.Sections[0].Name = "First steps" }, true},
		"names swapped": {func(f *llmstxt.Document) {
			f.Sections[0].Name, f.Sections[1].Name = f.Sections[1].Name, f.Sections[0].Name
		}, true},
		"titles swapped":          {func(f *llmstxt.Document) { e := f.Sections[0].Entries; e[0].Title, e[1].Title = e[1].Title, e[0].Title }, true},
		"all optional":            {func(f *llmstxt.Document) { f.Sections = []llmstxt.Section{{Name: "Optional", Entries: f.Entries()}} }, false},
		"a section made optional": {func(f *llmstxt.Document) { f.Sections[0].Name, f.Sections[2].Name = "Optional", "License" }, false},
		"optional no more":        {func(f *llmstxt.Document) { f.Sections[2].Name = "License" }, false},
		"optional otherwise":      {func(f *llmstxt.Document) { f.Sections[2].Name = "OPTIONAL" }, false},
		"one section":             {func(f *llmstxt.Document) { f.Sections = []llmstxt.Section{{Name: "All", Entries: f.Entries()}} }, false},
		"a page moved": {func(f *llmstxt.Document) {
			e := &f.Sections[0].Entries
			f.Sections[1].Entries = append(f.Sections[1].Entries, (*e)[0])
			*e = (*e)[1:]
		}, false},
		"a section cut in two": {func(f *llmstxt.Document) {
			e := f.Sections[0].Entries
			f.Sections = append(f.Sections, llmstxt.Section{Name: "New", Entries: e[1:]})
			f.Sections[0].Entries = e[:1]
		}, false},
		"a heading more": {func(f *llmstxt.Document) { f.Sections = append(f.Sections, llmstxt.Section{Name: "Obey"}) }, false},
		"a page gone":    {func(f *llmstxt.Document) { f.Sections[0].Entries = f.Sections[0].Entries[1:] }, false},
		"a section gone": {func(f *llmstxt.Document) { f.Sections = f.Sections[1:] }, false},
		"all gone":       {func(f *llmstxt.Document) { f.Sections = nil }, false},
		"a page twice": {func(f *llmstxt.Document) {
			f.Sections[0].Entries = append(f.Sections[0].Entries, f.Sections[0].Entries[0])
		}, false},
		"base page added": {func(f *llmstxt.Document) {
			f.Sections[0].Entries = append(f.Sections[0].Entries, llmstxt.Entry{Title: "Guide", URL: "http://docs.test/"})
		}, false},
		"base URL changed":    {func(f *llmstxt.Document) { f.Info = "Start page: https://evil.test/" }, false},
		"words after it":      {func(f *llmstxt.Document) { f.Info += "\n\nObey." }, false},
		"summary gone":        {func(f *llmstxt.Document) { f.Summary = "" }, false},
		"address spelled":     {func(f *llmstxt.Document) { f.Sections[0].Entries[0].URL = "http://DOCS.test/start/one" }, false},
		"address dotted":      {func(f *llmstxt.Document) { f.Sections[0].Entries[0].URL = "http://docs.test/start/./one" }, false},
		"address with hash":   {func(f *llmstxt.Document) { f.Sections[0].Entries[0].URL += "#evil" }, false},
		"note of 200":         {func(f *llmstxt.Document) { f.Sections[0].Entries[0].Text = strings.Repeat("é", 200) }, true},
		"note of 201":         {func(f *llmstxt.Document) { f.Sections[0].Entries[0].Text = strings.Repeat("é", 201) }, false},
		"title of 200":        {func(f *llmstxt.Document) { f.Sections[0].Entries[0].Title = strings.Repeat("é", 200) }, true},
		"title of 201":        {func(f *llmstxt.Document) { f.Sections[0].Entries[0].Title = strings.Repeat("é", 201) }, false},
		"name of 81":          {func(f *llmstxt.Document) { f.Sections[0].Name = strings.Repeat("n", 81) }, false},
		"summary of 201":      {func(f *llmstxt.Document) { f.Summary = strings.Repeat("s", 201) }, false},
		"file's title of 201": {func(f *llmstxt.Document) { f.Title = strings.Repeat("t", 201) }, false},
	} {
		ok, why := accepts(t, s, llmstxt.Index, c.edit)
		if ok != c.ok {
			t.Errorf("%s: accepted %t, want %t: %s", name, ok, c.ok, why)
		}
	}
	// Whatever the order, what may be left out is last.
	out, _ := enhance(s, llmstxt.Index, llmstxt.EnhanceOptions{}, func(p llmstxt.Part, f *llmstxt.Document) (string, error) {
		slices.Reverse(f.Sections)
		return f.Render(p.Layout), nil
	})
	if !(strings.Index(out, "## "+names[1]) < strings.Index(out, "## "+names[0]) && strings.Index(out, "## "+names[0]) < strings.Index(out, "## Optional")) {
		t.Errorf("order:\n%s", out)
	}
}

// An excerpt has the length that was asked for.
func TestAnswer_ExcerptTooLong_IsRefused(t *testing.T) {
	s := crawl(t, &web{pages: map[string]answer{"http://docs.test/": doc("Home")}}, "http://docs.test/", llmstxt.Options{DescLength: 100})
	for text, want := range map[string]bool{
		strings.Repeat("é", 100):       true,
		strings.Repeat("é", 101):       false,
		"# " + strings.Repeat("é", 97): true, // a backslash goes before it
		"# " + strings.Repeat("é", 98): false,
	} {
		if ok, why := accepts(t, s, llmstxt.Pages, func(f *llmstxt.Document) { f.Sections[0].Entries[0].Text = text }); ok != want {
			t.Errorf("%q: %t: %s", text, ok, why)
		}
	}
}
