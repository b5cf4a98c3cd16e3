package llmstxt_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/farwire/farwire/llmstxt"
)

// Inline frames are parts of a page that has little else.
func TestCrawl_InlineFrames_AreFollowed(t *testing.T) {
	const menu, content = "<iframe src=menu.html></iframe>", "<iframe src='content.html'></iframe>"
	for name, c := range map[string]struct {
		body    string
		pages   int
		summary string
	}{
		"menu beside a text": {menu + "<main><h1>Tea</h1><p>" + gadget + "</p></main>", 4, gadget},
		"menu and content":   {menu + content, 5, "The content of it all is told in one sentence, which stands here."},
		"content alone":      {"<h1>Tea</h1>" + content, 2, "The content of it all is told in one sentence, which stands here."},
		"a frame of others":  {"<iframe src='https://video.test/embed/1'></iframe><h1>Tea</h1><p>" + gadget + "</p>", 1, gadget},
		"a page with all":    {"<nav><a href=a.html>A</a><a href=b.html>B</a><a href=c.html>C</a></nav><main><h1>Tea</h1><p>" + gadget + "</p><p>The kettle beside it is older than the house, and nobody knows who has bought it, or where, or why, which is a pity for a thing that is so well made and so often used.</p></main><iframe src=counter.html></iframe>", 4, gadget},
	} {
		w := &web{pages: map[string]answer{
			"http://docs.test/":             html("<title>Tea</title><body>" + c.body + "</body>"),
			"http://docs.test/menu.html":    html("<title>Menu</title><ul><li><a href=a.html target=content>A</a><li><a href=b.html target=content>B</a></ul>"),
			"http://docs.test/content.html": html("<title>Content</title><h1>Content</h1><p>The content of it all is told in one sentence, which stands here.</p>"),
			"http://docs.test/counter.html": doc("Counter"),
			"http://docs.test/a.html":       doc("A"), "http://docs.test/b.html": doc("B"), "http://docs.test/c.html": doc("C"),
		}}
		s := everyWay(t, w, "http://docs.test/", llmstxt.Options{})
		if len(s.Pages) != c.pages || s.Summary != c.summary || slices.Contains(urls(s), "/counter.html") {
			t.Errorf("%s: %v, %q", name, urls(s), s.Summary)
		}
	}
}

// A page with few words of its own has those of its frames, and not those of the pages beside it
// in a chain.
func TestExcerpt_ShortPageWithAFrame_HasNotItsNeighboursWords(t *testing.T) {
	const framed = "The content of it all is told in one sentence, which stands here."
	for name, c := range map[string]struct{ head, frame, want string }{
		"a video, links":      {"", "<p><a rel=prev href=/before>Back</a> <a rel=next href=/behind>On</a></p><iframe src='https://video.test/embed/1'></iframe>", ""},
		"a video, in head":    {"<link rel=next href=/behind><link rel=prev href=/before>", "<iframe src='https://video.test/embed/1'></iframe>", ""},
		"a frame of the site": {"<link rel=next href=/behind><link rel=prev href=/before>", "<iframe src=/content></iframe>", framed},
		"a frameset":          {"<link rel=next href=/behind><link rel=prev href=/before>", "<frameset cols='*'><frame src=/content></frameset>", framed},
	} {
		w := &web{pages: map[string]answer{
			"http://docs.test/":        doc("Tea", "/before", "/page", "/behind"),
			"http://docs.test/before":  html("<title>Before</title><main><h1>Before</h1><p>The page before is about pots, and about nothing else at all.</p></main>"),
			"http://docs.test/behind":  html("<title>Behind</title><main><h1>Behind</h1><p>The page behind is about cups, and about nothing else at all.</p></main>"),
			"http://docs.test/content": html("<title>Content</title><h1>Content</h1><p>" + framed + "</p>"),
			"http://docs.test/page":    html("<title>Film</title>" + c.head + c.frame),
		}}
		for _, p := range everyWay(t, w, "http://docs.test/", llmstxt.Options{}).Pages {
			if p.URL == "http://docs.test/page" && (c.want != "" && p.Excerpt != c.want || strings.Contains(p.Excerpt, "nothing else")) {
				t.Errorf("%s: %q", name, p.Excerpt)
			}
		}
	}
}

// TestHome_FramesInFrames_HaveTheirWords: of the title, too, when the base page has none.
func TestHome_FramesInFrames_HaveTheirWords(t *testing.T) {
	for _, title := range []string{"Index", "Kettle Handbook", ""} {
		w := &web{pages: map[string]answer{
			"http://docs.test/":           html("<html><head><title>" + title + "</title></head><frameset cols='20,80'><frame src=menu.html><frame src=inner.html></frameset></html>"),
			"http://docs.test/menu.html":  html("<title>Menu</title><a href=a.html target=x>Lids</a><br><a href=b.html>Plugs</a>"),
			"http://docs.test/inner.html": html("<html><head><title>Inner</title></head><frameset rows='10,90'><frame src=top.html><frame src=text.html></frameset></html>"),
			"http://docs.test/top.html":   html("<title>Top</title><h1>Kettle Handbook</h1>"),
			"http://docs.test/text.html":  html("<title>Kettle Handbook</title><h1>Kettle Handbook</h1><p>" + gadget + "</p>"),
			"http://docs.test/a.html":     doc("Lids"), "http://docs.test/b.html": doc("Plugs"),
		}}
		s := everyWay(t, w, "http://docs.test/", llmstxt.Options{})
		if s.Title != "Kettle Handbook" || s.Summary != gadget {
			t.Errorf("%q: %q, %q", title, s.Title, s.Summary)
		}
	}
}

// The frame with the text of a program's reference may be called as its file is, which names no site.
func TestSite_Title_FrameIsCalledAsAFile_IsTheNamespace(t *testing.T) {
	for title, want := range map[string]string{"File: README.txt": "Kettle", "File: index.rdoc": "Kettle", "Overview": "Kettle", "Tea": "Tea"} {
		w := &web{pages: map[string]answer{
			"http://docs.test/":           html("<title>RDoc Documentation</title><frameset cols='20,80'><frame src=list.html><frame src=text.html></frameset>"),
			"http://docs.test/list.html":  html("<title>Classes</title><a href=Lid.html>Kettle::Lid</a><a href=Pot.html>Kettle::Pot</a><a href=Spout.html>Kettle::Spout</a>"),
			"http://docs.test/text.html":  html("<title>" + title + "</title><p>" + gadget + "</p>"),
			"http://docs.test/Lid.html":   html("<title>Class: Kettle::Lid</title><p>Of a lid there is but one for each of them.</p>"),
			"http://docs.test/Pot.html":   html("<title>Class: Kettle::Pot</title><p>A pot stands beside it, and it is seldom used.</p>"),
			"http://docs.test/Spout.html": html("<title>Module: Kettle::Spout</title><p>Water comes out of it if it is held down far.</p>"),
		}}
		if got := crawl(t, w, "http://docs.test/", llmstxt.Options{}).Title; got != want {
			t.Errorf("%s: %q, want %q", title, got, want)
		}
	}
}
