package sitetest

import (
	"errors"
	"fmt"
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
		// Nobody asked for the crawl after that one.
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

	// A release leaves the site due, whether or not somebody asked for a crawl.
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
	// Another worker gets it when the lease is over and as much time has passed
	// once more, and not before.
	l := b.await(b.open(b.T), long)
	if began := l.Expiry.Add(-long); began.Before(stale.Expiry.Add(short)) {
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

// lost has a site's workers die one after another.
func lost(b *bench) {
	s := b.due("https://a.example/", past(7))
	last := b.claim(short)
	for n := 1; n <= 2; n++ {
		b.after(last.Expiry)
		if got := b.site(s); got.Failures != n || got.LastError == "" || got.Resting {
			b.Errorf("after %d lost leases it is\n%+v", n, got)
		}
		wait := short << (n - 1)
		l := b.await(b.store, short)
		if began := l.Expiry.Add(-short); began.Before(last.Expiry.Add(wait)) {
			b.Errorf("lost lease %d: claimed %v after its end, want at least %v", n, began.Sub(last.Expiry), wait)
		}
		if l.Site.Failures != n || !l.Due.Equal(past(7)) {
			b.Errorf("lost lease %d: claimed %+v", n, l)
		}
		last = l
	}
	// After the third the site rests, for however long.
	b.after(last.Expiry.Add(20 * short))
	if got := b.site(s); got.Failures != 3 || !got.Resting {
		b.Errorf("after three lost leases it is\n%+v", got)
	}
	b.nothingDue()
	// Until somebody asks for it.
	if _, err := b.store.MakeDue(b.ctx, s.ID, past(9)); err != nil {
		b.Fatal(err)
	}
	if got := b.site(s); got.Failures != 3 || got.Resting {
		b.Errorf("made due it is\n%+v", got)
	}
	l := b.claim(short)
	b.after(l.Expiry)
	l = b.await(b.store, long) // the count begins anew
	if l.Site.Failures != 4 {
		b.Errorf("claimed %+v", l)
	}
	// A release is no outcome, and no lost lease.
	if err := b.store.Release(b.ctx, l); err != nil {
		b.Fatal(err)
	}
	l = b.claim(long)
	if l.Site.Failures != 4 {
		b.Errorf("claimed %+v after a release", l)
	}
	// An outcome ends the count, and a crawl that enrolls the site does.
	l.Site.NextCrawl, l.Site.Failures, l.Site.LastError = past(8), 0, ""
	b.commit(l, farwire.Recrawl{Site: l.Site})
	for n := range 4 {
		l = b.await(b.store, short)
		if l.Site.Failures != n {
			b.Errorf("claim %d of a site that was enrolled again: %+v", n, l)
		}
		b.after(l.Expiry)
		again, err := b.store.Enroll(b.ctx, farwire.Site{Subject: s.Subject, BaseURL: s.BaseURL, Interval: time.Hour}, -1, long)
		if err != nil || again.Site.Resting || again.Site.Failures != n+1 {
			b.Fatalf("enrolled %+v, %v", again, err)
		}
		if err := b.store.Release(b.ctx, again); err != nil {
			b.Fatal(err)
		}
	}
}

// rest has a worker put a site to rest.
func rest(b *bench) {
	s := b.due("https://a.example/", past(7))
	for _, wake := range []func() error{
		func() error { return second(b.store.MakeDue(b.ctx, s.ID, past(8))) },
		func() error {
			l, err := b.store.Enroll(b.ctx, farwire.Site{Subject: s.Subject, BaseURL: s.BaseURL, Interval: time.Hour}, -1, long)
			return errors.Join(err, b.store.Release(b.ctx, l))
		},
	} {
		l := b.claim(long)
		l.Site.NextCrawl, l.Site.Resting = past(9), true
		b.commit(l, farwire.Recrawl{Site: l.Site})
		if got := b.site(s); got != l.Site {
			b.Errorf("stored\n%+v, want\n%+v", got, l.Site)
		}
		b.nothingDue()
		if err := wake(); err != nil {
			b.Fatal(err)
		}
		if got := b.site(s); got.Resting {
			b.Errorf("asked for, it is\n%+v", got)
		}
	}
	b.commit(b.claim(long), farwire.Recrawl{Site: s})
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
		b.commit(l, farwire.Recrawl{Site: l.Site})
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
		b.commit(l, farwire.Recrawl{Site: l.Site})
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
		if l := b.await(b.store, long); l.Site.ID != was.Site.ID || !l.Due.Equal(was.Due) {
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
