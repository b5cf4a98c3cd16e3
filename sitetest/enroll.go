package sitetest

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"time"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/llmstxt"
)

// full is a site in which nothing is zero.
func full() farwire.Site {
	return farwire.Site{
		Subject: "alice", BaseURL: "https://docs.example.com/guide/",
		Options: farwire.SiteOptions{MaxPages: 70, DescLength: 300, Format: "index", Enhance: true, Remote: true, Geo: "de,fr", Agent: "berlin",
			Include: "/a/**\n/b/*", Exclude: "/a/x", Header: "Accept-Language: de", Language: "de", Version: "2.0", Delay: 0.25, Signals: true, Full: true, Markdown: true},
		Interval: 90*time.Minute + time.Microsecond, WebhookSecret: "hush", Created: past(0), KeyID: "key 1",
	}
}

func enroll(b *bench) {
	want := full()
	before := b.now()
	l, err := b.store.Enroll(b.ctx, want, 1, long)
	if err != nil {
		b.Fatal(err)
	}
	after := b.now()
	if l.Token < 1 || l.Site.ID == 0 {
		b.Errorf("leased %+v", l)
	}
	if began := l.Expiry.Add(-long); began.Before(before) || began.After(after) {
		b.Errorf("the lease of %v ends at %v, between %v and %v it began", long, l.Expiry, before, after)
	}
	if l.Due.Before(before) || l.Due.After(after) || !l.Due.Equal(l.Site.NextCrawl) {
		b.Errorf("enrolled between %v and %v and due at %v, next crawl %v", before, after, l.Due, l.Site.NextCrawl)
	}
	stored := b.site(l.Site)
	if stored != l.Site {
		b.Errorf("leased\n%+v, stored\n%+v", l.Site, stored)
	}
	want.ID, want.NextCrawl = l.Site.ID, l.Site.NextCrawl
	if stored != want {
		b.Errorf("stored\n%+v, want\n%+v", stored, want)
	}
	b.nothingDue() // it is leased
	if p, err := b.store.Pages(b.ctx, l.Site.ID); err != nil || len(p) > 0 {
		b.Errorf("pages %v, %v", p, err)
	}
}

func enrollAgain(b *bench) {
	first, err := b.store.Enroll(b.ctx, full(), 1, long)
	if err != nil {
		b.Fatal(err)
	}
	state := first.Site
	state.NextCrawl, state.LastCrawl, state.Failures, state.LastError = b.future(), past(1), 2, "timeout"
	state.Hash, state.Version, state.HostedURL = strings.Repeat("ab", 32), first.Token, "https://files.example.com/x.txt"
	state.SitemapLastmod, state.ChangeInterval = past(2), 36*time.Hour
	b.commit(first, farwire.RecrawlResult{Site: state, Pages: []llmstxt.Page{{URL: "https://docs.example.com/guide/", Title: "Guide"}}})

	again := full()
	again.Options, again.Interval = farwire.SiteOptions{MaxPages: 5, Format: "pages"}, time.Minute
	again.WebhookSecret, again.Created, again.KeyID = "another", past(3), "key 2"
	before := b.now()
	// A subject that has more than it may keeps what it has.
	second, err := b.store.Enroll(b.ctx, again, 0, long)
	if err != nil {
		b.Fatal(err)
	}
	after := b.now()
	want := state
	want.Options, want.Interval, want.KeyID, want.NextCrawl = again.Options, again.Interval, again.KeyID, second.Site.NextCrawl
	if second.Site != want {
		b.Errorf("leased\n%+v, want\n%+v", second.Site, want)
	}
	if second.Token <= first.Token {
		b.Errorf("token %d after %d", second.Token, first.Token)
	}
	if began := second.Expiry.Add(-long); began.Before(before) || began.After(after) {
		b.Errorf("the lease of %v ends at %v, between %v and %v it began", long, second.Expiry, before, after)
	}
	// The next crawl was due tomorrow. This is one that is due now.
	if second.Due.Before(before) || second.Due.After(after) || !second.Due.Equal(second.Site.NextCrawl) {
		b.Errorf("enrolled between %v and %v and due at %v, next crawl %v", before, after, second.Due, second.Site.NextCrawl)
	}
	if p, err := b.store.Pages(b.ctx, first.Site.ID); err != nil || len(p) != 1 {
		b.Errorf("pages %v, %v", p, err)
	}
	if n, err := b.store.Count(b.ctx, "alice"); err != nil || n != 1 {
		b.Errorf("%d sites, %v", n, err)
	}
	b.nothingDue()

	// The worker that has it leased loses it.
	third, err := b.store.Enroll(b.ctx, again, 0, long)
	if err != nil {
		b.Fatal(err)
	}
	b.lost(second)
	if err := b.store.Release(b.ctx, third); err != nil {
		b.Fatal(err)
	}
	fourth := b.claim(long)
	if fourth.Site.ID != third.Site.ID || !fourth.Due.Equal(third.Due) {
		b.Errorf("claimed %+v after %+v", fourth, third)
	}
	// A slot that is due is the one that is worked.
	fourth.Site.NextCrawl = past(4)
	b.commit(fourth, farwire.RecrawlResult{Site: fourth.Site})
	fifth, err := b.store.Enroll(b.ctx, again, 0, long)
	if err != nil || !fifth.Due.Equal(past(4)) {
		b.Errorf("enrolled %+v, %v", fifth, err)
	}
	b.commit(fifth, farwire.RecrawlResult{Site: fifth.Site})
}

func subjects(b *bench) {
	for _, c := range []struct{ subject, url string }{
		{"alice", "https://a.example/"},
		{"bob", "https://a.example/"},
		{"bob", "https://a.example/b/"},
		{"Bob", "https://a.example/"},
	} {
		if _, err := b.store.Enroll(b.ctx, farwire.Site{Subject: c.subject, BaseURL: c.url, WebhookSecret: c.subject}, 2, long); err != nil {
			b.Fatal(err)
		}
	}
	for url, want := range map[string]string{
		"https://a.example/":   "alice bob Bob",
		"https://a.example/b/": "bob",
		"https://a.example":    "",
		"https://A.example/":   "",
		"":                     "",
	} {
		list, err := b.store.Enrolled(b.ctx, url)
		if err != nil {
			b.Fatal(err)
		}
		found, ids := make(map[string]bool), make(map[int64]bool)
		for _, s := range list {
			if s.BaseURL != url || s.WebhookSecret != s.Subject {
				b.Errorf("%q: %+v", url, s)
			}
			found[s.Subject], ids[s.ID] = true, true
		}
		names := strings.Fields(want)
		if len(list) != len(names) || len(ids) != len(names) {
			b.Errorf("%q: %+v, want %v", url, list, names)
		}
		for _, name := range names {
			if !found[name] {
				b.Errorf("%q: no site of %s", url, name)
			}
		}
	}
	for subject, want := range map[string]int{"alice": 1, "bob": 2, "Bob": 1, "carol": 0, "": 0} {
		if n, err := b.store.Count(b.ctx, subject); err != nil || n != want {
			b.Errorf("%q has %d sites, %v; want %d", subject, n, err, want)
		}
		list, err := b.store.Sites(b.ctx, subject)
		if err != nil || len(list) != want {
			b.Errorf("%q has the sites %+v, %v; want %d", subject, list, err, want)
		}
		for _, s := range list {
			s.Leased = false
			if s.Subject != subject || s != b.site(s) {
				b.Errorf("%q has the site\n%+v, stored\n%+v", subject, s, b.site(s))
			}
		}
	}
}

func remove(b *bench) {
	l := b.enroll("https://a.example/")
	b.commit(l, farwire.RecrawlResult{Site: l.Site, Pages: []llmstxt.Page{page(1)}})
	other := b.due("https://b.example/", past(1))
	if _, err := b.store.Enroll(b.ctx, farwire.Site{Subject: "alice", BaseURL: "https://a.example/"}, -1, long); err != nil {
		b.Fatal(err)
	}
	if err := b.store.Remove(b.ctx, l.Site.ID); err != nil {
		b.Fatal(err)
	}
	if list, err := b.store.Sites(b.ctx, "alice"); err != nil || len(list) != 1 || list[0] != b.site(other) {
		b.Errorf("left are %+v, %v", list, err)
	}
	if _, err := b.store.Renew(b.ctx, l, long); !errors.Is(err, farwire.ErrLeaseLost) {
		b.Errorf("renewed the lease of a removed site: %v", err)
	}
	if err := b.store.Remove(b.ctx, l.Site.ID); !errors.Is(err, farwire.ErrNoSite) {
		b.Errorf("removed it twice: %v", err)
	}
	anew := b.enroll("https://a.example/")
	if p, err := b.store.Pages(b.ctx, anew.Site.ID); err != nil || len(p) > 0 || anew.Site.ID == l.Site.ID {
		b.Errorf("enrolled anew it is %+v with the pages %v, %v", anew.Site, p, err)
	}
}

func tooMany(b *bench) {
	add := func(subject, url string, most int) error {
		_, err := b.store.Enroll(b.ctx, farwire.Site{Subject: subject, BaseURL: url}, most, long)
		return err
	}
	for _, c := range []struct {
		subject, url string
		most         int
		refused      bool
	}{
		{"alice", "https://1.example/", 0, true},
		{"alice", "https://1.example/", 2, false},
		{"alice", "https://2.example/", 1, true},
		{"alice", "https://2.example/", 2, false},
		{"alice", "https://3.example/", 2, true},
		{"alice", "https://1.example/", 2, false}, // not a new one
		{"bob", "https://3.example/", 2, false},   // the others' do not count
		{"alice", "https://3.example/", -1, false},
		{"alice", "https://4.example/", 2, true}, // has more already
		{"alice", "https://4.example/", math.MaxInt, false},
	} {
		err := add(c.subject, c.url, c.most)
		if errors.Is(err, farwire.ErrTooManySites) != c.refused || err != nil && !c.refused {
			b.Errorf("%s, %s, at most %d: %v", c.subject, c.url, c.most, err)
		}
	}
	if n, err := b.store.Count(b.ctx, "alice"); err != nil || n != 4 {
		b.Errorf("%d sites, %v", n, err)
	}
}

// together calls f n times at once, over several handles.
func (b *bench) together(n int, f func(i int, s farwire.SiteStore)) {
	b.Helper()
	handles := []farwire.SiteStore{b.store, b.open(b.T), b.open(b.T)}
	var ready, done sync.WaitGroup
	ready.Add(n)
	for i := range n {
		done.Go(func() {
			ready.Done()
			ready.Wait()
			f(i, handles[i%len(handles)])
		})
	}
	done.Wait()
}

func tooManyAtOnce(b *bench) {
	const most, askers = 4, 16
	var mu sync.Mutex
	enrolled := 0
	b.together(askers, func(i int, s farwire.SiteStore) {
		_, err := s.Enroll(b.ctx, farwire.Site{Subject: "alice", BaseURL: fmt.Sprintf("https://%d.example/", i)}, most, long)
		if err != nil && !errors.Is(err, farwire.ErrTooManySites) {
			b.Error(err)
		}
		mu.Lock()
		defer mu.Unlock()
		if err == nil {
			enrolled++
		}
	})
	n, err := b.store.Count(b.ctx, "alice")
	if err != nil || n != most || enrolled != most {
		b.Errorf("%d have been enrolled and %d are, %v; want %d", enrolled, n, err, most)
	}
}

func enrollOneAtOnce(b *bench) {
	const askers = 12
	var mu sync.Mutex
	leases := make(map[uint64]farwire.Lease)
	b.together(askers, func(_ int, s farwire.SiteStore) {
		l, err := s.Enroll(b.ctx, full(), 1, long)
		if err != nil {
			b.Error(err)
			return
		}
		mu.Lock()
		defer mu.Unlock()
		leases[l.Token] = l
	})
	newest := uint64(0)
	for token := range leases {
		newest = max(newest, token)
	}
	if n, err := b.store.Count(b.ctx, "alice"); err != nil || n != 1 || len(leases) != askers {
		b.Fatalf("%d sites, %v, with %d tokens", n, err, len(leases))
	}
	for token, l := range leases {
		if token != newest {
			b.lost(l)
		}
	}
	b.commit(leases[newest], farwire.RecrawlResult{Site: leases[newest].Site})
}
