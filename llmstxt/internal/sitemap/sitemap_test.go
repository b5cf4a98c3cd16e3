package sitemap

import (
	"bytes"
	"compress/gzip"
	"strings"
	"testing"
	"time"
)

func zipped(s string) string {
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	z.Write([]byte(s))
	z.Close()
	return b.String()
}

func TestParseSitemap(t *testing.T) {
	const set = `<?xml version="1.0" encoding="UTF-8"?><!-- made by hand -->
<urlset xmlns="http://www.sitemaps.org/schemas/sitemap/0.9" xmlns:image="http://www.google.com/schemas/sitemap-image/1.1">
 <url><loc> http://a.test/1?a=1&amp;b=2 </loc><lastmod>2024-02-03T04:05:06+02:00</lastmod><image:image><image:loc>http://a.test/x.png</image:loc></image:image></url>
 <url><lastmod>2024</lastmod></url>
 <url><loc><![CDATA[http://a.test/2]]></loc><lastmod>last week</lastmod></url>
</urlset>`
	for name, tt := range map[string]struct {
		file     string
		pages    string
		children string
		fails    bool
	}{
		"XML":       {file: set, pages: "http://a.test/1?a=1&b=2 http://a.test/2"},
		"gzip":      {file: zipped(set), pages: "http://a.test/1?a=1&b=2 http://a.test/2"},
		"cut off":   {file: set[:len(set)-40], pages: "http://a.test/1?a=1&b=2", fails: true},
		"index":     {file: `<sitemapindex><sitemap><loc>http://a.test/s1.xml</loc></sitemap><sitemap><loc>/s2.xml.gz</loc></sitemap></sitemapindex>`, children: "http://a.test/s1.xml /s2.xml.gz"},
		"text":      {file: "\ufeffhttp://a.test/1\r\n\nhttps://a.test/2\n", pages: "http://a.test/1 https://a.test/2"},
		"HTML":      {file: "<!doctype html><html><body>Not found</body></html>", fails: true},
		"words":     {file: "Not found", fails: true},
		"nothing":   {file: " ", fails: true},
		"bad gzip":  {file: "\x1f\x8bxxxxxxxxxxxxxxx", fails: true},
		"Latin-1":   {file: "<?xml version='1.0' encoding='ISO-8859-1'?><urlset><url><loc>http://a.test/\xe9</loc></url></urlset>", pages: "http://a.test/é"},
		"too deep":  {file: "<urlset>" + strings.Repeat("<a>", 200), fails: true},
		"limit":     {file: "<urlset>" + strings.Repeat("<url><loc>http://a.test/x</loc></url>", 20), pages: strings.TrimSpace(strings.Repeat("http://a.test/x ", 10))},
		"RSS is no": {file: "<rss><channel><item><link>http://a.test/</link></item></channel></rss>", fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			m, err := Parse(strings.NewReader(tt.file), 10, 1<<20)
			if (err != nil) != tt.fails {
				t.Errorf("error %v", err)
			}
			var pages []string
			for _, p := range m.Pages {
				pages = append(pages, p.Loc)
			}
			if got := strings.Join(pages, " "); got != tt.pages {
				t.Errorf("pages %q, want %q", got, tt.pages)
			}
			if got := strings.Join(m.Children, " "); got != tt.children {
				t.Errorf("children %q, want %q", got, tt.children)
			}
		})
	}
	m, _ := Parse(strings.NewReader(set), 10, 1<<20)
	if want := time.Date(2024, 2, 3, 2, 5, 6, 0, time.UTC); !m.Pages[0].Lastmod.Equal(want) || !m.Pages[1].Lastmod.IsZero() {
		t.Errorf("lastmod %v and %v", m.Pages[0].Lastmod, m.Pages[1].Lastmod)
	}
}

// A few kilobytes that unpack to many must not all be unpacked.
func TestSitemapBomb(t *testing.T) {
	bomb := zipped("<urlset>" + strings.Repeat(" ", 4<<20) + "<url><loc>http://a.test/</loc></url></urlset>")
	if m, err := Parse(strings.NewReader(bomb), 10, 1<<20); err == nil || len(m.Pages) > 0 {
		t.Errorf("%d pages, %v", len(m.Pages), err)
	}
	if m, err := Parse(strings.NewReader(bomb), 10, 8<<20); err != nil || len(m.Pages) != 1 {
		t.Errorf("%d pages, %v", len(m.Pages), err)
	}
}

func FuzzSitemap(f *testing.F) {
	f.Add([]byte("<urlset><url><loc>http://a.test/</loc><lastmod>2024-01-02</lastmod></url></urlset>"))
	f.Add([]byte("<sitemapindex><sitemap><loc>x</loc></sitemap></sitemapindex>"))
	f.Add([]byte("http://a.test/\n"))
	f.Add([]byte(zipped("<urlset/>")))
	f.Fuzz(func(t *testing.T, file []byte) {
		m, _ := Parse(bytes.NewReader(file), 100, 1<<20)
		if len(m.Pages) > 100 || len(m.Children) > 1000 {
			t.Errorf("%d pages, %d children", len(m.Pages), len(m.Children))
		}
		for _, p := range m.Pages {
			if p.Loc == "" {
				t.Error("a page without an address")
			}
		}
	})
}
