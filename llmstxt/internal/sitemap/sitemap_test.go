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

// parse reads a site map up to a number of pages.
func parse(t *testing.T, file string, limit int, size int64) (File, []Entry, error) {
	var listed []Entry
	f, err := Parse(t.Context(), strings.NewReader(file), size, func(e Entry) bool {
		listed = append(listed, e)
		return len(listed) < limit
	})
	return f, listed, err
}

func wideText(s string) string {
	var b strings.Builder
	for _, r := range s {
		b.WriteByte(byte(r))
		b.WriteByte(byte(r >> 8))
	}
	return b.String()
}

func TestParseSitemap_EachFormat_IsRead(t *testing.T) {
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
		"XML":     {file: set, pages: "http://a.test/1?a=1&b=2 http://a.test/2"},
		"gzip":    {file: zipped(set), pages: "http://a.test/1?a=1&b=2 http://a.test/2"},
		"cut off": {file: set[:len(set)-40], pages: "http://a.test/1?a=1&b=2", fails: true},
		"RSS without links": {file: `<rss version="2.0"><channel><link>http://a.test/</link><item><guid>http://a.test/1</guid></item><item><guid isPermaLink="true">
 http://a.test/2 </guid></item><item><guid isPermaLink="False">http://a.test/no</guid></item><item><guid>a-tag</guid></item><item><guid>http://a.test/no</guid><link>http://a.test/3</link></item></channel></rss>`,
			pages: "http://a.test/1 http://a.test/2 http://a.test/3"},
		"Atom without links": {file: `<feed xmlns="http://www.w3.org/2005/Atom"><id>http://a.test/feed</id><entry><id>http://a.test/1</id></entry><entry><id>urn:2</id></entry>
 <entry><id>http://a.test/no</id><link rel="self" href="/no"/><link rel="http://www.iana.org/assignments/relation/alternate" href="/3"/></entry><entry><source><id>http://a.test/no</id></source></entry></feed>`, pages: "http://a.test/1 /3"},
		"RDF":      {file: `<rdf:RDF xmlns:rdf="r"><channel rdf:about="http://a.test/no"></channel><item rdf:about="http://a.test/1"><title>One</title></item><item rdf:about="http://a.test/no"><link>http://a.test/2</link></item></rdf:RDF>`, pages: "http://a.test/1 http://a.test/2"},
		"index":    {file: `<sitemapindex><sitemap><loc>http://a.test/s1.xml</loc></sitemap><sitemap><loc>/s2.xml.gz</loc></sitemap></sitemapindex>`, children: "http://a.test/s1.xml /s2.xml.gz"},
		"text":     {file: "\ufeffhttp://a.test/1\r\n\nhttps://a.test/2\n", pages: "http://a.test/1 https://a.test/2"},
		"old text": {file: "http://a.test/1\r\rhttps://a.test/2\r", pages: "http://a.test/1 https://a.test/2"},
		"HTML":     {file: "<!doctype html><html><body>Not found</body></html>", fails: true},
		"words":    {file: "Not found", fails: true},
		"nothing":  {file: " ", fails: true},
		"bad gzip": {file: "\x1f\x8bxxxxxxxxxxxxxxx", fails: true},
		"Latin-1":  {file: "<?xml version='1.0' encoding='ISO-8859-1'?><urlset><url><loc>http://a.test/\xe9</loc></url></urlset>", pages: "http://a.test/é"},
		"too deep": {file: "<urlset>" + strings.Repeat("<a>", 200), fails: true},
		"limit":    {file: "<urlset>" + strings.Repeat("<url><loc>http://a.test/x</loc></url>", 20), pages: strings.TrimSpace(strings.Repeat("http://a.test/x ", 10))},
		"RSS":      {file: "<rss><channel><link>http://a.test/x</link><item><title>A</title><link>http://a.test/</link><pubDate>Mon, 05 Jan 2026 10:00:00 GMT</pubDate></item></channel></rss>", pages: "http://a.test/"},
		"Atom":     {file: `<feed xmlns="http://www.w3.org/2005/Atom"><entry><link href="http://a.test/1"/><link rel="edit" href="http://a.test/2"/></entry></feed>`, pages: "http://a.test/1"},
		"prefix":   {file: `<sm:urlset xmlns:sm="x"><sm:url><sm:loc>http://a.test/</sm:loc><image:loc>http://a.test/x.png</image:loc></sm:url></sm:urlset>`, pages: "http://a.test/"},
		"bare and": {file: "<urlset><url><loc>http://a.test/?a=1&b=2</loc></url></urlset>", pages: "http://a.test/?a=1&b=2"},
		"UTF-16":   {file: "\xff\xfe" + wideText(`<?xml version="1.0" encoding="UTF-16"?><urlset><url><loc>http://a.test/</loc></url></urlset>`), pages: "http://a.test/"},
		"twice":    {file: zipped(zipped(set)), pages: "http://a.test/1?a=1&b=2 http://a.test/2"},
		"long tag": {file: "<urlset><url " + strings.Repeat("a ", 1<<20) + "></url></urlset>", fails: true},
		"mixed up": {file: "<urlset><url></urlset></url>", fails: true},
	} {
		t.Run(name, func(t *testing.T) {
			m, listed, err := parse(t, tt.file, 10, 1<<20)
			if (err != nil) != tt.fails {
				t.Errorf("error %v", err)
			}
			var pages []string
			for _, p := range listed {
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
	_, listed, _ := parse(t, set, 10, 1<<20)
	if want := time.Date(2024, 2, 3, 2, 5, 6, 0, time.UTC); !listed[0].Lastmod.Equal(want) || !listed[1].Lastmod.IsZero() {
		t.Errorf("lastmod %v and %v", listed[0].Lastmod, listed[1].Lastmod)
	}
}

// A few kilobytes that unpack to many must not all be unpacked.
func TestSitemap_Bomb_IsBounded(t *testing.T) {
	bomb := zipped("<urlset>" + strings.Repeat("<!-- -->", 1<<19) + "<url><loc>http://a.test/</loc></url></urlset>")
	if m, _, err := parse(t, bomb, 10, 1<<20); err == nil || m.Pages > 0 {
		t.Errorf("%d pages, %v", m.Pages, err)
	}
	if m, _, err := parse(t, bomb, 10, 8<<20); err != nil || m.Pages != 1 {
		t.Errorf("%d pages, %v", m.Pages, err)
	}
}

// Reading ends when 64 KiB pass without the end of a tag, or of a line.
func TestParse_LongTag_Ends(t *testing.T) {
	tag := func(size int) string {
		return "<urlset><url " + strings.Repeat("a ", size/2) + "><loc>http://a.test/</loc></url></urlset>"
	}
	line := func(size int) string { return "http://a.test/" + strings.Repeat("x", size) + "\n" }
	for name, tt := range map[string]struct {
		file string
		err  string // in it; "": none
	}{
		"a tag of 62 KiB":         {tag(62 << 10), ""},
		"a tag of 66 KiB":         {tag(66 << 10), "65536 bytes without the end of a tag"},
		"a tag that does not end": {"<urlset><url " + strings.Repeat("a ", 33<<10), "65536 bytes without the end of a tag"},
		"a line of 62 KiB":        {line(62 << 10), ""},
		"a line of 66 KiB":        {line(66 << 10), "too long"},
	} {
		t.Run(name, func(t *testing.T) {
			_, listed, err := parse(t, tt.file, 10, 1<<20)
			switch {
			case tt.err == "" && (err != nil || len(listed) != 1):
				t.Errorf("%d pages, %v", len(listed), err)
			case tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err) || len(listed) != 0):
				t.Errorf("%d pages, %v, want %q", len(listed), err, tt.err)
			}
		})
	}
}

func FuzzSitemap(f *testing.F) {
	f.Add([]byte("<urlset><url><loc>http://a.test/</loc><lastmod>2024-01-02</lastmod></url></urlset>"))
	f.Add([]byte("<sitemapindex><sitemap><loc>x</loc></sitemap></sitemapindex>"))
	f.Add([]byte("http://a.test/\n"))
	f.Add([]byte(zipped("<urlset/>")))
	f.Fuzz(func(t *testing.T, file []byte) {
		m, listed, _ := parse(t, string(file), 100, 1<<20)
		if len(listed) > 100 || len(m.Children) > 1000 {
			t.Errorf("%d pages, %d children", len(listed), len(m.Children))
		}
		for _, p := range listed {
			if p.Loc == "" {
				t.Error("a page without an address")
			}
		}
	})
}
