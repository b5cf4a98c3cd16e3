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

// A browser shows only the first page of an application whose addresses differ behind #.
func TestCrawl_DocsifyWithBrowser_HasTheSamePages(t *testing.T) {
	const shown = "<title>Kettle</title><h1>Kettle</h1><p>This is what the browser shows of the kettle and nothing else.</p><a href='#/lid?id=open'>Open</a>"
	for name, tt := range map[string]struct {
		config, summary string
		pages           int
	}{
		"behind #":       {"loadSidebar: true", "Kettle boils water for one cup or for two. See the lid or its spout.", 8},
		"named hash":     {"loadSidebar: true, routerMode: 'hash'", "Kettle boils water for one cup or for two. See the lid or its spout.", 8},
		"no such file":   {"homepage: 'none.md', loadSidebar: true", "This is what the browser shows of the kettle and nothing else.", 8},
		"addresses":      {"loadSidebar: true, routerMode: 'history'", "This is what the browser shows of the kettle and nothing else.", 1},
		"from elsewhere": {"loadSidebar: true, basePath: 'https://raw.test/docs/'", "This is what the browser shows of the kettle and nothing else.", 1},
	} {
		render := func(context.Context, string, string) ([]byte, error) { return []byte(shown), nil }
		s := crawl(t, kettleApp(tt.config), "http://docs.test/docs/", llmstxt.Options{Render: render})
		if len(s.Pages) != tt.pages || !s.Pages[0].Rendered || s.Summary != tt.summary {
			t.Errorf("%s: %d pages, the first one rendered %t, %q", name, len(s.Pages), s.Pages[0].Rendered, s.Summary)
		}
	}
}

// What docsify writes behind ?id= is a heading of the page.
func TestCrawl_DocsifyHeadings_AreTheirPages(t *testing.T) {
	for app, headings := range map[string]bool{"<script>window.$docsify = {routerMode: 'history'}</script>": true, "<script>window.docs = {routerMode: 'history'}</script>": false} {
		w := &web{pages: map[string]answer{}}
		shown := map[string]string{}
		for at, body := range map[string]string{
			"/":    `<h1>Kettle</h1><p>A kettle boils water for tea.</p><a href="/lid?id=open">Open it</a> <a href="/lid">Lid</a> <a href="/?id=tea">Tea</a> <a href="/lid?of=steel">More lids</a>`,
			"/lid": `<h1>Lid</h1><p>The lid keeps the steam where it belongs.</p><a href="/lid?id=close">Close it</a>`,
		} {
			for _, query := range []string{"", "?id=open", "?id=close", "?id=tea", "?of=steel"} {
				w.pages["http://docs.test"+at+query] = html(`<title>Kettle</title><div id=app></div><script src=docsify.js></script>` + app)
				shown["http://docs.test"+at+query] = "<title>Title" + query + "</title>" + body + "<p>This is shown of it at the address with " + query + ".</p>"
			}
		}
		render := func(_ context.Context, url, _ string) ([]byte, error) { return []byte(shown[url]), nil }
		want := []string{"http://docs.test/", "http://docs.test/lid", "http://docs.test/lid?of=steel"}
		if !headings {
			want = append(want, "http://docs.test/?id=tea", "http://docs.test/lid?id=open", "http://docs.test/lid?id=close")
		}
		var urls []string
		for _, p := range crawl(t, w, "http://docs.test/", llmstxt.Options{Render: render}).Pages {
			urls = append(urls, p.URL)
		}
		if slices.Sort(urls); !slices.Equal(urls, slices.Sorted(slices.Values(want))) {
			t.Errorf("%s: the pages are %q, want %q", app, urls, want)
		}
	}
}
