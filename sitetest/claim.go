package sitetest

import (
	"errors"
	"fmt"
	"time"

	"github.com/farwire/farwire"
)

// makeDue has somebody ask for a crawl: a site becomes due earlier, and never later.
func makeDue(b *bench) {
	if at, err := b.store.MakeDue(b.ctx, 12345, past(0)); !errors.Is(err, farwire.ErrNoSite) {
		b.Errorf("an unknown site is due at %v, %v", at, err)
	}
	later := b.future()
	s := b.due("https://a.example/", later)
	other := b.due("https://b.example/", later)
	for _, c := range []struct{ at, want time.Time }{
		{later.Add(time.Hour), later}, // it is due earlier
		{later, later},
		{later.Add(-time.Hour), later.Add(-time.Hour)},
		{later, later.Add(-time.Hour)},
	} {
		if due, err := b.store.MakeDue(b.ctx, s.ID, c.at); err != nil || !due.Equal(c.want) {
			b.Errorf("asked for %v: due at %v, %v; want %v", c.at, due, err, c.want)
		}
		if next := b.site(s).NextCrawl; !next.Equal(c.want) {
			b.Errorf("asked for %v: next crawl at %v, want %v", c.at, next, c.want)
		}
	}
	b.nothingDue()
	if due, err := b.store.MakeDue(b.ctx, s.ID, past(5)); err != nil || !due.Equal(past(5)) {
		b.Errorf("due at %v, %v", due, err)
	}
	if l := b.claim(long); l.Site.ID != s.ID || !l.Due.Equal(past(5)) {
		b.Errorf("claimed %+v", l)
	}
	b.nothingDue()
	if next := b.site(other).NextCrawl; !next.Equal(later) {
		b.Errorf("another site is due at %v", next)
	}
}

// makeDueLeased has somebody ask for a crawl while another is under way: the earlier one of
// what was asked for and what the crawl says is the next.
func makeDueLeased(b *bench) {
	later := b.future()
	for _, c := range []struct {
		name       string
		asked      []time.Duration // from later
		next, want time.Duration
	}{
		{"earlier than the commit", []time.Duration{-time.Hour}, 0, -time.Hour},
		{"later than the commit", []time.Duration{time.Hour}, 0, 0},
		{"twice, then later", []time.Duration{-2 * time.Hour, -time.Hour}, 0, -2 * time.Hour},
		{"twice, then earlier", []time.Duration{-time.Hour, -2 * time.Hour}, 0, -2 * time.Hour},
	} {
		s := b.due("https://a.example/"+c.name, past(1))
		l := b.claim(long)
		if l.Site.ID != s.ID {
			b.Fatalf("%s: claimed %+v", c.name, l)
		}
		earliest := c.asked[0]
		for _, asked := range c.asked {
			earliest = min(earliest, asked)
			if due, err := b.store.MakeDue(b.ctx, s.ID, later.Add(asked)); err != nil || !due.Equal(later.Add(earliest)) {
				b.Errorf("%s: due at %v, %v; asked for %v", c.name, due, err, later.Add(earliest))
			}
			if next := b.site(s).NextCrawl; !next.Equal(past(1)) {
				b.Errorf("%s: asked for while it is leased, it is due at %v; want %v", c.name, next, past(1))
			}
		}
		l, err := b.store.Renew(b.ctx, l, long) // it is nobody else's
		if err != nil {
			b.Fatal(err)
		}
		outcome := l.Site
		outcome.NextCrawl = later.Add(c.next)
		b.commit(l, farwire.RecrawlResult{Site: outcome})
		if next := b.site(s).NextCrawl; !next.Equal(later.Add(c.want)) {
			b.Errorf("%s: next crawl at %v, want %v", c.name, next, later.Add(c.want))
		}
		// Nobody asked for the crawl after that one.
		if _, err := b.store.MakeDue(b.ctx, s.ID, past(2)); err != nil {
			b.Fatal(err)
		}
		outcome.NextCrawl = later.Add(5 * time.Hour)
		b.commit(b.claim(long), farwire.RecrawlResult{Site: outcome})
		if next := b.site(s).NextCrawl; !next.Equal(outcome.NextCrawl) {
			b.Errorf("%s: after one more crawl the next is at %v, want %v", c.name, next, outcome.NextCrawl)
		}
	}
}

// makeDueAtOnce has somebody ask for a crawl now while one is under way: the site is due as
// soon as that is over.
func makeDueAtOnce(b *bench) {
	later := b.future()
	s := b.due("https://b.example/", past(1))
	l := b.claim(long)
	now := b.now()
	if _, err := b.store.MakeDue(b.ctx, s.ID, now); err != nil {
		b.Fatal(err)
	}
	b.nothingDue()
	l.Site.NextCrawl = later
	b.commit(l, farwire.RecrawlResult{Site: l.Site})
	if again := b.claim(long); again.Site.ID != s.ID || again.Due.After(now) {
		b.Errorf("claimed %+v", again)
	}
}

// makeDueReleased has the lease end by a release or by an enrolment: both leave the site due
// as it was, and what was asked for holds for the crawl after the next.
func makeDueReleased(b *bench) {
	later := b.future()
	for name, end := range map[string]func(farwire.Lease) farwire.Lease{
		"release": func(l farwire.Lease) farwire.Lease {
			if err := b.store.Release(b.ctx, l); err != nil {
				b.Fatal(err)
			}
			return b.claim(long)
		},
		"enrolment": func(l farwire.Lease) farwire.Lease {
			l, err := b.store.Enroll(b.ctx, l.Site, -1, long)
			if err != nil {
				b.Fatal(err)
			}
			return l
		},
	} {
		s := b.due("https://c.example/"+name, past(1))
		l := b.claim(long)
		if _, err := b.store.MakeDue(b.ctx, s.ID, later); err != nil {
			b.Fatal(err)
		}
		again := end(l)
		if again.Site.ID != s.ID || !again.Due.Equal(past(1)) {
			b.Errorf("%s: leased %+v", name, again)
		}
		again.Site.NextCrawl = later.Add(5 * time.Hour)
		b.commit(again, farwire.RecrawlResult{Site: again.Site})
		if next := b.site(s).NextCrawl; !next.Equal(later) {
			b.Errorf("%s: next crawl at %v, want %v", name, next, later)
		}
	}
}

// makeDueClaimed has a worker claim the site at the time that somebody asked for: its crawl
// is the one that was asked for.
func makeDueClaimed(b *bench) {
	later := b.future()
	s := b.due("https://d.example/", past(1))
	l := b.claim(long)
	if _, err := b.store.MakeDue(b.ctx, s.ID, past(2)); err != nil {
		b.Fatal(err)
	}
	if err := b.store.Release(b.ctx, l); err != nil {
		b.Fatal(err)
	}
	l = b.claim(long)
	l.Site.NextCrawl = later
	b.commit(l, farwire.RecrawlResult{Site: l.Site})
	if next := b.site(s).NextCrawl; !next.Equal(later) {
		b.Errorf("crawled after it was asked for: next crawl at %v, want %v", next, later)
	}
}

// makeDueLost has a site called for during a lease, when two were lost before. Another that
// is lost is the third.
func makeDueLost(b *bench) {
	s := b.due("https://a.example/", past(7))
	l := b.claim(short)
	b.after(l.Expiry)
	l = b.await(b.store, short)
	b.after(l.Expiry)
	l = b.await(b.store, long)
	if _, err := b.store.MakeDue(b.ctx, s.ID, past(6)); err != nil {
		b.Fatal(err)
	}
	if err := b.store.Release(b.ctx, l); err != nil {
		b.Fatal(err)
	}
	l = b.claim(short)
	b.after(l.Expiry)
	if got := b.site(s); got.Failures != 3 || !got.Resting {
		b.Errorf("after three lost leases, two of them before somebody asked for it, it is\n%+v", got)
	}
}

// claimOrder has the site claimed first that has been due longest, and none before its time.
func claimOrder(b *bench) {
	b.nothingDue()
	for url, n := range map[string]int{"https://c.example/": 3, "https://a.example/": 1, "https://d.example/": 4, "https://b.example/": 2} {
		b.due(url, past(n))
	}
	b.due("https://later.example/", b.future())
	for n, url := range []string{"https://a.example/", "https://b.example/", "https://c.example/", "https://d.example/"} {
		before := b.now()
		l := b.claim(long)
		after := b.now()
		if l.Site.BaseURL != url || !l.Due.Equal(past(n+1)) || !l.Site.NextCrawl.Equal(l.Due) {
			b.Errorf("claimed %+v, want %s", l, url)
		}
		if began := l.Expiry.Add(-long); began.Before(before) || began.After(after) {
			b.Errorf("the lease of %v ends at %v, between %v and %v it began", long, l.Expiry, before, after)
		}
		if stored := b.site(l.Site); stored != l.Site {
			b.Errorf("claimed\n%+v, stored\n%+v", l.Site, stored)
		}
	}
	b.nothingDue()
}

// claimLeased has no site claimed while its enrolment's lease runs, and claimed after it.
func claimLeased(b *bench) {
	first := b.enroll("https://a.example/")
	b.nothingDue()
	// The crawl of whoever enrolled it is the one that was due.
	if err := b.store.Release(b.ctx, first); err != nil {
		b.Fatal(err)
	}
	l := b.claim(long)
	if l.Site.ID != first.Site.ID || !l.Due.Equal(first.Due) {
		b.Errorf("claimed %+v after %+v", l, first)
	}
	b.lost(first)
	l.Site.NextCrawl = past(9)
	b.commit(l, farwire.RecrawlResult{Site: l.Site})
	if again := b.claim(long); !again.Due.Equal(past(9)) {
		b.Errorf("claimed %+v", again)
	}
}

// tokens grow with each lease of a site, and a renewal keeps its own.
func tokens(b *bench) {
	newest := map[string]uint64{}
	grown := func(l farwire.Lease, err error) farwire.Lease {
		b.Helper()
		if err != nil {
			b.Fatal(err)
		}
		if l.Token <= newest[l.Site.BaseURL] {
			b.Errorf("%s: token %d after %d", l.Site.BaseURL, l.Token, newest[l.Site.BaseURL])
		}
		newest[l.Site.BaseURL] = l.Token
		return l
	}
	for range 5 {
		for _, url := range []string{"https://a.example/", "https://b.example/"} {
			l := grown(b.store.Enroll(b.ctx, farwire.Site{Subject: "alice", BaseURL: url}, -1, long))
			if err := b.store.Release(b.ctx, l); err != nil {
				b.Fatal(err)
			}
		}
		for range 2 {
			l := grown(b.store.Claim(b.ctx, long))
			renewed, err := b.store.Renew(b.ctx, l, long)
			if err != nil || renewed.Token != l.Token {
				b.Errorf("renewed %+v, %v", renewed, err)
			}
			l.Site.NextCrawl = past(0)
			b.commit(l, farwire.RecrawlResult{Site: l.Site})
		}
	}
}

// turns has subjects with many due sites and with few.
func turns(b *bench) {
	due := func(subject string, n int) {
		b.Helper()
		l, err := b.store.Enroll(b.ctx, farwire.Site{Subject: subject, BaseURL: fmt.Sprintf("https://%d.example/", n), Interval: time.Hour}, -1, long)
		if err != nil {
			b.Fatal(err)
		}
		l.Site.NextCrawl = past(n)
		b.commit(l, farwire.RecrawlResult{Site: l.Site})
	}
	for n := range 6 {
		due("alice", n)
	}
	due("bob", 10)
	due("bob", 11)
	due("carol", 20)
	var leases []farwire.Lease
	claim := func(want string) {
		b.Helper()
		l := b.claim(long)
		if got := l.Site.Subject + " " + l.Site.BaseURL; got != want {
			b.Fatalf("claimed %s, want %s", got, want)
		}
		leases = append(leases, l)
	}
	end := func() {
		b.Helper()
		l := leases[0]
		leases = leases[1:]
		l.Site.NextCrawl = b.future()
		b.commit(l, farwire.RecrawlResult{Site: l.Site})
	}
	// One worker each while others wait.
	claim("alice https://0.example/")
	claim("bob https://10.example/")
	claim("carol https://20.example/")
	// Then one more each.
	claim("alice https://1.example/")
	claim("bob https://11.example/")
	claim("alice https://2.example/")
	for range 6 {
		end()
	}
	// With one worker alone they take turns, too.
	due("bob", 30)
	due("carol", 31)
	claim("carol https://31.example/")
	end()
	claim("bob https://30.example/")
	end()
	claim("alice https://3.example/")
	end()
	due("bob", 32)
	claim("bob https://32.example/")
	end()
	claim("alice https://4.example/")
	end()
	// Who has fewer workers comes first, however long ago the others had a turn.
	due("bob", 40)
	due("bob", 41)
	due("alice", 42)
	claim("bob https://40.example/")
	claim("alice https://5.example/")
	leases[0], leases[1] = leases[1], leases[0]
	end()
	claim("alice https://42.example/")
}
