package llmstxt_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/farwire/farwire/llmstxt"
)

// kettleApp is a site in docsify, with a script of that configuration.
func kettleApp(config string) *web {
	md := func(text string) answer {
		return answer{body: text, header: map[string]string{"Content-Type": "text/markdown"}}
	}
	return &web{pages: map[string]answer{
		"http://docs.test/docs/":              html(`<title>Document</title><div id="app">Please wait...</div><script>window.$docsify = {` + config + `}</script><script src="//cdn.test/docsify.min.js"></script>`),
		"http://docs.test/docs/README.md":     md("# Kettle\n\n> For tea.\n\nKettle boils water for one cup or for two. See [the lid](lid.md?id=open) or [its spout](#/spout).\n"),
		"http://docs.test/docs/start.md":      md("# Begin\n\nKettle begins here, with a page of another name.\n"),
		"http://docs.test/docs/_sidebar.md":   md("* [Home](/)\n* Parts\n  * [The lid](lid.md)\n  * [The spout](#/spout)\n* Use\n  * [Tea](/use/tea)\n  * [Coffee](use/coffee.md)\n* [All of it](use/)\n* [Elsewhere](https://example.com/)\n"),
		"http://docs.test/docs/lid.md":        md("# Lid\n\nThe lid keeps the steam where it belongs, and opens by itself. [More](/deep/page)\n"),
		"http://docs.test/docs/spout.md":      md("# Spout\n\nThe spout lets the water out when somebody tilts the kettle.\n"),
		"http://docs.test/docs/use/tea.md":    md("# Tea\n\nTea needs water that boils, and a few minutes of patience. [Milk](./milk)\n"),
		"http://docs.test/docs/use/milk.md":   md("# Milk\n\nMilk comes first or last, and nobody knows which is right.\n"),
		"http://docs.test/docs/use/coffee.md": md("# Coffee\n\nCoffee needs water that has stopped boiling for a while.\n"),
		"http://docs.test/docs/use/README.md": md("# Using it\n\nWhoever uses the kettle begins with a look into it.\n"),
		"http://docs.test/docs/deep/page.md":  md("# Depths\n\nA page to which only another text leads, and no menu.\n"),
	}}
}

func TestCrawl_DocsifyWithoutBrowser_ReadsTheMarkdownBehindIt(t *testing.T) {
	const base = "http://docs.test/docs/"
	fromMenu := []string{base, base + "lid.md", base + "spout.md", base + "use/tea.md", base + "use/coffee.md", base + "use/README.md", base + "deep/page.md", base + "use/milk.md"}
	for name, tt := range map[string]struct {
		config  string
		title   string
		summary string
		urls    []string
	}{
		"with a menu":    {`name: "Kettle", loadSidebar: true`, "Kettle", "Kettle boils water for one cup or for two. See the lid or its spout.", fromMenu},
		"without a menu": {"name: 'Kettle'", "Kettle", "Kettle boils water for one cup or for two. See the lid or its spout.", []string{base, base + "lid.md", base + "spout.md", base + "deep/page.md"}},
		"menu commented": {"name: 'Kettle',\n  // loadSidebar: true,\n  plugins: []", "Kettle", "Kettle boils water for one cup or for two. See the lid or its spout.", []string{base, base + "lid.md", base + "spout.md", base + "deep/page.md"}},
		"menu is gone":   {"name: 'Kettle', loadSidebar: 'menu.md'", "Kettle", "Kettle boils water for one cup or for two. See the lid or its spout.", []string{base, base + "lid.md", base + "spout.md", base + "deep/page.md"}},
		"another start":  {"name: 'Kettle', homepage: 'start.md', loadSidebar: '_sidebar.md'", "Kettle", "Kettle begins here, with a page of another name.", fromMenu},
		"from elsewhere": {"name: 'Kettle', basePath: '/docs/', loadSidebar: true", "Kettle", "Kettle boils water for one cup or for two. See the lid or its spout.", fromMenu},
		"without a name": {"loadSidebar: true", "Kettle", "Kettle boils water for one cup or for two. See the lid or its spout.", fromMenu},
	} {
		t.Run(name, func(t *testing.T) {
			s := crawl(t, kettleApp(tt.config), base, llmstxt.Options{})
			var urls []string
			for _, p := range s.Pages {
				urls = append(urls, p.URL)
			}
			if s.Title != tt.title || s.Summary != tt.summary {
				t.Errorf("%q: %q", s.Title, s.Summary)
			}
			if slices.Sort(urls); !slices.Equal(urls, slices.Sorted(slices.Values(tt.urls))) {
				t.Errorf("the pages are %q", urls)
			}
			if len(tt.urls) == len(fromMenu) {
				if index := s.Render(llmstxt.Index); !strings.Contains(index, "## Parts\n\n- [Lid]("+base+"lid.md)") || !strings.Contains(index, "## Use\n\n- [Tea]("+base+"use/tea.md)") {
					t.Error(index)
				}
			}
		})
	}
}

func TestCrawl_DocsifyWithBrowser_IsRendered(t *testing.T) {
	render := func(context.Context, string, string) ([]byte, error) {
		return []byte("<title>Kettle</title><h1>Kettle</h1><p>This is what the browser shows of the kettle and nothing else.</p>"), nil
	}
	s := crawl(t, kettleApp("loadSidebar: true"), "http://docs.test/docs/", llmstxt.Options{Render: render})
	if len(s.Pages) != 1 || !s.Pages[0].Rendered {
		t.Errorf("%d pages, the first one rendered %t", len(s.Pages), s.Pages[0].Rendered)
	}
}
