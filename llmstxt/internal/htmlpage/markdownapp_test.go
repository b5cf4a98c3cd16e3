package htmlpage_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/farwire/farwire/llmstxt/internal/htmlpage"
)

func TestMarkdownApp_Addresses_AreFiles(t *testing.T) {
	app := htmlpage.MarkdownApp{Home: "start.md"}
	for href, want := range map[string]string{
		"/": "start.md", "#/": "start.md", "lid.md": "lid.md", "/lid": "lid.md", "#/use/tea?id=leaves": "use/tea.md",
		"use/": "use/README.md", "/use/": "use/README.md", "#/v1.2/": "v1.2/README.md", "v1.2": "v1.2.md", "a.pdf": "a.pdf",
		"lid.md#open": "lid.md", "#open": "", "": "", "https://example.com/a": "", "//example.com/a": "", "mailto:a@example.com": "",
	} {
		if file, relative, ok := app.File(href); file != want || relative || ok != (want != "") {
			t.Errorf("%q is %q, %t, %t", href, file, relative, ok)
		}
	}
	if file, relative, _ := app.File("../lid"); file != "../lid.md" || !relative {
		t.Errorf("%q, %t", file, relative)
	}
	app.Relative = true
	if _, relative, _ := app.File("lid"); !relative {
		t.Error("a link counts from the root")
	}
	if _, relative, _ := app.File("/lid"); relative {
		t.Error("a link from the root counts from its page")
	}
}

func FuzzReadMarkdownMenu(f *testing.F) {
	for _, s := range []string{"* [Home](/)\n* Parts\n\t* [The lid](lid.md 'open')\n", "## Use\n- [Tea](<use/tea>) and [milk](use/milk)\n", strings.Repeat("  ", 50) + "1. [[a]](b)"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		links := htmlpage.ReadMarkdownMenu(text)
		var hrefs []string
		for _, l := range links {
			if l.Href == "" || strings.ContainsAny(l.Href, " \n") {
				t.Errorf("an address is %q", l.Href)
			}
			hrefs = append(hrefs, l.Href)
		}
		if slices.Sort(hrefs); len(slices.Compact(hrefs)) != len(links) || len(links) > htmlpage.MaxLinks {
			t.Errorf("%d links", len(links))
		}
	})
}
