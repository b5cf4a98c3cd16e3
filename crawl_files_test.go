package farwire_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/farwire/farwire"
)

// named are the files beside llms.txt that a crawl told of, by name, in the order
// of their messages.
func (h heard) named() (names []string, urls map[string]string) {
	urls = map[string]string{}
	for _, m := range h.messages {
		if m.Type == "file" {
			names = append(names, m.Name)
			urls[m.Name] = m.URL
		}
	}
	return names, urls
}

// TestCrawl_FullAndMarkdown_HostsFiles beside llms.txt, and tells of them behind
// its address.
func TestCrawl_FullAndMarkdown_HostsFiles(t *testing.T) {
	files := newFolder(t, t.TempDir())
	w := newWorld(t, func(o *farwire.Options) { o.Storage = files })
	s := newSite(t, threePages)
	for asked, want := range map[string]string{
		``:                               "",
		`,"full":true`:                   "llms-full.txt",
		`,"markdown":true`:               "index.md a.md b.md",
		`,"full":true,"markdown":true`:   "llms-full.txt index.md a.md b.md",
		`,"full":false,"markdown":false`: "",
	} {
		h := w.crawled(testKey, fmt.Sprintf(`{"url":%q%s}`, s.URL, asked))
		names, urls := h.named()
		if got := strings.Join(names, " "); got != want || h.code != 1000 {
			t.Errorf("%s: files %q, closed with %d: %s", asked, got, h.code, h.logs())
		}
		main := h.one(t, "url").Content
		last := h.messages[len(h.messages)-len(names):]
		if before := h.messages[len(h.messages)-len(names)-1]; before.Type != "url" || len(names) > 0 && last[0].Type != "file" {
			t.Errorf("%s: the last messages are %v", asked, h.messages)
		}
		for name, url := range urls {
			if url != strings.TrimSuffix(main, "llms.txt")+name {
				t.Errorf("%s is at %s, llms.txt at %s", name, url, main)
			}
			text := bodyOf(t, serveFile(files, "GET", strings.TrimPrefix(url, "https://gw.example.com/files")))
			if name == "llms-full.txt" && strings.Count(text, "\nSource: "+s.URL) != 3 || name == "a.md" && !strings.HasPrefix(text, "# The First Page\n\n") {
				t.Errorf("%s holds %q", name, text)
			}
		}
	}
}

// TestCrawl_FilesNotHosted_SaysSo: where there is no storage, and where the crawl
// has secrets.
func TestCrawl_FilesNotHosted_SaysSo(t *testing.T) {
	s := newSite(t, threePages)
	files := &memoryFiles{}
	for name, w := range map[string]*world{"no storage": newWorld(t), "secrets": newWorld(t, func(o *farwire.Options) { o.Storage = files })} {
		h := w.crawled(testKey, fmt.Sprintf(`{"url":%q,"full":true,"markdown":true,"headers":{"X-Secret":"hush"}}`, s.URL))
		if names, _ := h.named(); h.code != 1000 || len(names) > 0 || files.saved() > 0 || !strings.Contains(h.logs(), "full and markdown make files that are hosted") {
			t.Errorf("%s: closed with %d, files %v, said %s", name, h.code, names, h.logs())
		}
	}
	for _, bad := range []string{`"full":1`, `"markdown":"yes"`} {
		newWorld(t).crawled(testKey, fmt.Sprintf(`{"url":%q,%s}`, s.URL, bad)).one(t, "error")
	}
}

// TestCrawl_FileNotSaved_IsAnErrorOfHosting: a part of the files does not count.
func TestCrawl_FileNotSaved_IsAnErrorOfHosting(t *testing.T) {
	for name, fail := range map[string]func() error{
		"error": func() error { return errors.New("disk /dev/sdx is full") },
		"panic": func() error { panic("disk /dev/sdx is full") },
	} {
		files := &memoryFiles{before: func(_ context.Context, f farwire.File) error {
			if strings.HasSuffix(f.Name, "/a.md") {
				return fail()
			}
			return nil
		}}
		w := newWorld(t, func(o *farwire.Options) { o.Storage = files })
		h := w.crawled(testKey, fmt.Sprintf(`{"url":%q,"markdown":true}`, newSite(t, threePages).URL))
		if names, _ := h.named(); h.code != 1000 || len(names) > 0 || !strings.Contains(h.logs(), "could not be hosted") {
			t.Errorf("%s: closed with %d, files %v, said %s", name, h.code, names, h.logs())
		}
		w.wantLog(`level=WARN .*disk /dev/sdx is full`)
	}
}

// TestRecrawl_Texts_KeptCurrent: a change that shows in no excerpt replaces the
// files, one that changes nothing does not, and what is gone says so. Each file has the
// version of the lease.
func TestRecrawl_Texts_KeptCurrent(t *testing.T) {
	long := func(end string) string {
		return page("Long Page", strings.Repeat("The same sentence stands here again and again. ", 60)+end)
	}
	inRecrawlWorld(t, func(c *recrawlWorld) {
		defer recrawls(c.t, c.gw)()
		c.site.set(func(s *changing) { s.pages["/a"] = long("It ends with this.") })
		h := c.crawled(testKey, `{"url":"http://site.test/","enableAutoUpdate":true,"recrawlIntervalMinutes":60,"full":true,"markdown":true}`)
		if names, _ := h.named(); h.code != 1000 || len(names) != 11 {
			c.t.Fatalf("enrolled: %+v", h)
		}
		c.seen = len(c.sites.committed())
		if o := c.sites.only(c.t).Options; !o.Full || !o.Markdown {
			c.t.Errorf("enrolled with %+v", o)
		}
		beside := func(name string) farwire.File {
			c.files.mu.Lock()
			defer c.files.mu.Unlock()
			main := strings.TrimPrefix(c.sites.only(c.t).HostedURL, "https://files.test/")
			return c.files.files[strings.TrimSuffix(main, "llms.txt")+name]
		}
		saves := c.files.saved()
		if done := c.next(); done.Site.Failures > 0 || c.files.saved() != saves {
			c.t.Errorf("an unchanged site was saved %d times more: %+v", c.files.saved()-saves, done.Site)
		}
		original := c.hosted()
		c.site.set(func(s *changing) { s.pages["/a"] = long("It ends with that."); delete(s.pages, "/i") })
		done := c.next()
		if n := c.files.saved() - saves; n != 12 { // llms.txt, llms-full.txt and ten pages, one of which is gone
			c.t.Errorf("%d saves", n)
		}
		full, a, gone := beside("llms-full.txt"), beside("a.md"), beside("i.md")
		if original == c.hosted() || !strings.Contains(string(full.Body), "It ends with that.") || strings.Contains(string(full.Body), "/i\n") || !strings.Contains(string(a.Body), "It ends with that.") || !strings.HasPrefix(string(gone.Body), "# Page gone\n") {
			c.t.Errorf("llms-full.txt ends with %.300q, i.md holds %q", full.Body[max(0, len(full.Body)-300):], gone.Body)
		}
		for _, f := range []farwire.File{full, a, gone, c.ofAlice()} {
			kind := "text/plain; charset=utf-8"
			if strings.HasSuffix(f.Name, ".md") {
				kind = "text/markdown; charset=utf-8"
			}
			if f.ContentType != kind {
				c.t.Errorf("%s has the type %q", f.Name, f.ContentType)
			}
			if f.Version != done.lease.Token {
				c.t.Errorf("%s has version %d, the lease %d", f.Name, f.Version, done.lease.Token)
			}
		}
		// A change beyond the excerpt alone.
		saves = c.files.saved()
		c.site.set(func(s *changing) { s.pages["/a"] = long("It ends otherwise.") })
		if c.next(); c.files.saved() == saves || !strings.Contains(string(beside("a.md").Body), "It ends otherwise.") {
			c.t.Errorf("%d saves, a.md ends with %.100q", c.files.saved()-saves, beside("a.md").Body)
		}
		// A worker of an older version is refused at the first file.
		c.files.mu.Lock()
		for name, f := range c.files.files {
			f.Version += 10
			c.files.files[name] = f
		}
		c.files.mu.Unlock()
		c.site.set(func(s *changing) { s.pages["/a"] = long("It ends too late.") })
		if done := c.next(); done.Site.Failures != 1 || strings.Contains(string(beside("a.md").Body), "too late") || !strings.Contains(done.Site.LastError, "newer file") {
			c.t.Errorf("a stale worker's crawl: %+v", done.Site)
		}
	})
}
