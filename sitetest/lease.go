package sitetest

import (
	"errors"
	"time"

	"github.com/farwire/farwire"
)

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
		for _, asked := range c.asked {
			if due, err := b.store.MakeDue(b.ctx, s.ID, later.Add(asked)); err != nil || due.After(later.Add(asked)) {
				b.Errorf("%s: due at %v, %v; asked for %v", c.name, due, err, later.Add(asked))
			}
		}
		l, err := b.store.Renew(b.ctx, l, long) // it is nobody else's
		if err != nil {
			b.Fatal(err)
		}
		outcome := l.Site
		outcome.NextCrawl = later.Add(c.next)
		b.commit(l, farwire.Recrawl{Site: outcome})
		if next := b.site(s).NextCrawl; !next.Equal(later.Add(c.want)) {
			b.Errorf("%s: next crawl at %v, want %v", c.name, next, later.Add(c.want))
		}
		// The one after that is nobody's wish.
		if _, err := b.store.MakeDue(b.ctx, s.ID, past(2)); err != nil {
			b.Fatal(err)
		}
		outcome.NextCrawl = later.Add(5 * time.Hour)
		b.commit(b.claim(long), farwire.Recrawl{Site: outcome})
		if next := b.site(s).NextCrawl; !next.Equal(outcome.NextCrawl) {
			b.Errorf("%s: after one more crawl the next is at %v, want %v", c.name, next, outcome.NextCrawl)
		}
	}

	// What is wanted at once is due as soon as the crawl under way is over.
	s := b.due("https://b.example/", past(1))
	l := b.claim(long)
	now := b.now()
	if _, err := b.store.MakeDue(b.ctx, s.ID, now); err != nil {
		b.Fatal(err)
	}
	b.nothingDue()
	l.Site.NextCrawl = later
	b.commit(l, farwire.Recrawl{Site: l.Site})
	if again := b.claim(long); again.Site.ID != s.ID || again.Due.After(now) {
		b.Errorf("claimed %+v", again)
	}

	// A release leaves the site due, wish or none.
	s = b.due("https://c.example/", past(1))
	l = b.claim(long)
	if _, err := b.store.MakeDue(b.ctx, s.ID, later); err != nil {
		b.Fatal(err)
	}
	if err := b.store.Release(b.ctx, l); err != nil {
		b.Fatal(err)
	}
	if again := b.claim(long); again.Site.ID != s.ID || !again.Due.Equal(past(1)) {
		b.Errorf("claimed %+v", again)
	}
}

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
	b.commit(l, farwire.Recrawl{Site: l.Site})
	if again := b.claim(long); !again.Due.Equal(past(9)) {
		b.Errorf("claimed %+v", again)
	}
}

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
			b.commit(l, farwire.Recrawl{Site: l.Site})
		}
	}
}

func expiry(b *bench) {
	s := b.due("https://a.example/", past(7))
	stale := b.claim(short)
	// Whoever asks from now on gets it as soon as the lease is over, and not
	// before.
	other := b.open(b.T)
	var l farwire.Lease
	for end := time.Now().Add(patience); ; time.Sleep(short / 8) {
		var err error
		if l, err = other.Claim(b.ctx, long); err == nil {
			break
		}
		if !errors.Is(err, farwire.ErrNoSite) || time.Now().After(end) {
			b.Fatal(err)
		}
	}
	if began := l.Expiry.Add(-long); began.Before(stale.Expiry) {
		b.Errorf("claimed at %v, and leased until %v", began, stale.Expiry)
	}
	if l.Site.ID != s.ID || !l.Due.Equal(past(7)) || l.Token <= stale.Token {
		b.Errorf("claimed %+v after %+v", l, stale)
	}
	b.lost(stale)
	renewed, err := b.store.Renew(b.ctx, l, long)
	if err != nil {
		b.Fatal(err)
	}
	b.commit(renewed, farwire.Recrawl{Site: l.Site})
}

func expiredUnclaimed(b *bench) {
	b.due("https://a.example/", past(7))
	stale := b.claim(short)
	b.after(stale.Expiry)
	b.lost(stale)
	enrolled, err := b.store.Enroll(b.ctx, full(), -1, short)
	if err != nil {
		b.Fatal(err)
	}
	b.after(enrolled.Expiry)
	b.lost(enrolled)
	// Both are due as they were.
	for _, was := range []farwire.Lease{stale, enrolled} {
		if l := b.claim(long); l.Site.ID != was.Site.ID || !l.Due.Equal(was.Due) {
			b.Errorf("claimed %+v after %+v", l, was)
		}
	}
}

func renew(b *bench) {
	b.due("https://a.example/", past(7))
	claimed := b.claim(long / 2)
	before := b.now()
	l, err := b.store.Renew(b.ctx, claimed, long)
	if err != nil {
		b.Fatal(err)
	}
	after := b.now()
	if began := l.Expiry.Add(-long); began.Before(before) || began.After(after) {
		b.Errorf("renewed for %v until %v, between %v and %v", long, l.Expiry, before, after)
	}
	claimed.Expiry = l.Expiry
	if l != claimed {
		b.Errorf("renewed\n%+v, was\n%+v", l, claimed)
	}

	// A lease of a moment that is renewed outlives the moment.
	var moment farwire.Lease
	for end := time.Now().Add(patience); ; {
		if err := b.store.Release(b.ctx, l); err != nil {
			b.Fatal(err)
		}
		moment = b.claim(short)
		if l, err = b.store.Renew(b.ctx, moment, long); err == nil {
			break
		}
		if !errors.Is(err, farwire.ErrLeaseLost) || time.Now().After(end) { // this machine was too slow for it
			b.Fatal(err)
		}
		b.after(moment.Expiry)
		l = b.claim(long)
	}
	b.after(moment.Expiry)
	b.nothingDue()
	b.commit(l, farwire.Recrawl{Site: l.Site})
}

func release(b *bench) {
	s := b.due("https://a.example/", past(7))
	l := b.claim(long)
	before := b.site(s)
	if err := b.store.Release(b.ctx, l); err != nil {
		b.Fatal(err)
	}
	if after := b.site(s); after != before {
		b.Errorf("the release made\n%+v of\n%+v", after, before)
	}
	b.lost(l)
	again := b.claim(long)
	if again.Site.ID != s.ID || !again.Due.Equal(l.Due) || again.Token <= l.Token {
		b.Errorf("claimed %+v after %+v", again, l)
	}
	b.lost(l)
}
