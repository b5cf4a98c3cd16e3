package llmstxt_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/farwire/farwire/llmstxt"
	"github.com/farwire/farwire/llmstxt/internal/sitemap"
)

// Of a page as many links are kept as docs/security.md says, however many it has.
func TestCrawl_PageOfManyLinks_KeepsAsManyAsItMay(t *testing.T) {
	page := func(n, long int) answer {
		var b strings.Builder
		b.WriteString("<title>Home</title><h1>Home</h1><p>A home page that says in a sentence what it is about.")
		for i := range n {
			fmt.Fprintf(&b, "<a href=/%s-%d></a>", strings.Repeat("x", long), i)
		}
		return html(b.String())
	}
	for name, c := range map[string]struct{ links, long, most, bytes int }{
		"many": {6000, 1, 5000, 256 << 10},
		"long": {3000, 500, 3000, 256 << 10},
	} {
		t.Run(name, func(t *testing.T) {
			w := &web{pages: map[string]answer{"http://docs.test/": page(c.links, c.long)}}
			s := crawl(t, w, "http://docs.test/", llmstxt.Options{MaxPages: 1})
			kept := s.Pages[0].Links
			size, last := 0, 0
			for _, l := range kept {
				size, last = size+len(l), len(l)
			}
			if len(kept) > c.most || size-last > c.bytes {
				t.Errorf("%d links of %d bytes are kept", len(kept), size)
			}
			if len(kept) < c.most && size < c.bytes-last {
				t.Errorf("only %d links of %d bytes are kept", len(kept), size)
			}
		})
	}
}

// Linked data is looked at in eight scripts of less than 64 KiB.
func TestCrawl_LinkedData_EightScriptsAreLookedAt(t *testing.T) {
	const said = "All about the gadget, by the people who made it."
	script := func(more string) string {
		return `<script type="application/ld+json">{"@type":"TechArticle"` + more + `}</script>`
	}
	describes := script(`,"description":"` + said + `"`)
	for name, c := range map[string]struct {
		scripts string
		taken   bool
	}{
		"the eighth":    {strings.Repeat(script(""), 7) + describes, true},
		"the ninth":     {strings.Repeat(script(""), 8) + describes, false},
		"a long one":    {script(`,"x":"` + strings.Repeat("x", 63<<10) + `","description":"` + said + `"`), true},
		"one too long":  {script(`,"x":"` + strings.Repeat("x", 64<<10) + `","description":"` + said + `"`), false},
		"behind others": {"<script>1</script>" + strings.Repeat("<script>2</script>", 20) + describes, true},
	} {
		t.Run(name, func(t *testing.T) {
			w := &web{pages: map[string]answer{"http://docs.test/": html("<title>Gadget</title>" + c.scripts)}}
			s := crawl(t, w, "http://docs.test/", llmstxt.Options{MaxPages: 1})
			if got := s.Pages[0].Excerpt; strings.Contains(got, said) != c.taken {
				t.Errorf("the excerpt is %q", got)
			}
		})
	}
}

// Of a crawl's site maps fifty files are read, that which lists the others among them.
func TestCrawl_IndexOfManySiteMaps_FiftyFilesAreRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &web{pages: map[string]answer{"http://docs.test/": doc("Home")}}
		var index strings.Builder
		for i := range 80 {
			at := fmt.Sprintf("http://docs.test/maps/%d.xml", i)
			fmt.Fprintf(&index, "<sitemap><loc>%s</loc></sitemap>", at)
			w.pages[at] = answer{body: "<urlset><url><loc>http://docs.test/</loc></url></urlset>"}
		}
		w.pages["http://docs.test/sitemap.xml"] = answer{body: "<sitemapindex>" + index.String() + "</sitemapindex>"}
		crawl(t, w, "http://docs.test/", llmstxt.Options{MaxPages: 100})
		read := w.asked("http://docs.test/sitemap.xml")
		for i := range 80 {
			read += w.asked(fmt.Sprintf("http://docs.test/maps/%d.xml", i))
		}
		if read != 50 {
			t.Errorf("%d files are read, want 50", read)
		}
	})
}

// Of a site map as much is read as docs/security.md says, as it is sent and as it is unpacked.
func TestCrawl_SiteMapLargerThanItMayBe_RestIsNotRead(t *testing.T) {
	at := func(path string) string { return "<url><loc>http://docs.test/" + path + "</loc></url>" }
	comment := "<!--" + strings.Repeat(" ", 50<<10) + "-->"
	// file is a site map whose last page ends at its size.
	file := func(size int) string {
		begin, end := "<urlset>"+at("early"), at("late")
		fill := size - len(begin) - len(end)
		return begin + strings.Repeat(comment, fill/len(comment)) + strings.Repeat(" ", fill%len(comment)) + end
	}
	for name, c := range map[string]struct {
		size   int
		packed bool
		whole  bool
	}{
		"as sent":               {sitemap.MaxSent, false, true},
		"more than is read":     {sitemap.MaxSent + 10, false, false},
		"as unpacked":           {sitemap.MaxBytes, true, true},
		"more than is unpacked": {sitemap.MaxBytes + 10, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				body := file(c.size)
				if c.packed {
					body = packed(body)
				}
				w := &web{pages: map[string]answer{"http://docs.test/": doc("Home"), "http://docs.test/early": doc("Early"), "http://docs.test/late": doc("Late"),
					"http://docs.test/sitemap.xml": {body: body}}}
				crawl(t, w, "http://docs.test/", llmstxt.Options{})
				if early, late := w.asked("http://docs.test/early") > 0, w.asked("http://docs.test/late") > 0; !early || late != c.whole {
					t.Errorf("of a site map of %d bytes the first page is read: %v, the last: %v", c.size, early, late)
				}
			})
		})
	}
}
