package sitetest

import (
	"errors"
	"time"

	"github.com/farwire/farwire"
)

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
	b.commit(renewed, farwire.RecrawlResult{Site: l.Site})
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
	// A release is neither an outcome nor a lost lease.
	if err := b.store.Release(b.ctx, l); err != nil {
		b.Fatal(err)
	}
	l = b.claim(long)
	if l.Site.Failures != 4 {
		b.Errorf("claimed %+v after a release", l)
	}
	// An outcome ends the count, and a crawl that enrolls the site does.
	l.Site.NextCrawl, l.Site.Failures, l.Site.LastError = past(8), 0, ""
	b.commit(l, farwire.RecrawlResult{Site: l.Site})
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
		b.commit(l, farwire.RecrawlResult{Site: l.Site})
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
	b.commit(b.claim(long), farwire.RecrawlResult{Site: s})
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

	// A lease of a moment that is renewed outlives the moment. A machine may be too slow
	// for it; a site of which a lease was lost has to wait, so each try has its own.
	var moment farwire.Lease
	for end := time.Now().Add(timeout); ; {
		if err := b.store.Remove(b.ctx, l.Site.ID); err != nil {
			b.Fatal(err)
		}
		b.due("https://a.example/", past(7))
		moment = b.claim(short)
		if l, err = b.store.Renew(b.ctx, moment, long); err == nil {
			break
		}
		if !errors.Is(err, farwire.ErrLeaseLost) || time.Now().After(end) {
			b.Fatal(err)
		}
		l = moment
	}
	b.after(moment.Expiry)
	b.nothingDue()
	b.commit(l, farwire.RecrawlResult{Site: l.Site})
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

// lostRenewed has a worker die that has renewed its lease, at the first lost lease of a
// site and at the second.
func lostRenewed(b *bench) {
	const renewedFor = 5 * short
	for before := range 2 {
		var l farwire.Lease
		for end := time.Now().Add(timeout); ; { // a machine may be too slow to renew it
			s := b.due("https://a.example/", past(7))
			l = b.await(b.store, short)
			for range before {
				b.after(l.Expiry)
				l = b.await(b.store, short)
			}
			renewed, err := b.store.Renew(b.ctx, l, renewedFor)
			if err == nil {
				l = renewed
				break
			}
			if !errors.Is(err, farwire.ErrLeaseLost) || time.Now().After(end) {
				b.Fatal(err)
			}
			if err := b.store.Remove(b.ctx, s.ID); err != nil {
				b.Fatal(err)
			}
		}
		next := b.await(b.store, long)
		wait := renewedFor << before
		if began := next.Expiry.Add(-long); began.Before(l.Expiry.Add(wait)) {
			b.Errorf("a renewed lease was lost after %d others: claimed %v after its end, want at least %v", before, began.Sub(l.Expiry), wait)
		}
		if err := b.store.Remove(b.ctx, next.Site.ID); err != nil {
			b.Fatal(err)
		}
	}
}

// lostReleased has a worker release a site of which two leases were lost. Another that is
// lost is the third.
func lostReleased(b *bench) {
	s := b.due("https://a.example/", past(7))
	l := b.claim(short)
	for range 2 {
		b.after(l.Expiry)
		l = b.await(b.store, long)
		if err := b.store.Release(b.ctx, l); err != nil {
			b.Fatal(err)
		}
		l = b.claim(short)
	}
	b.after(l.Expiry.Add(20 * short))
	if got := b.site(s); got.Failures != 3 || !got.Resting {
		b.Errorf("after three lost leases, two of them before a release, it is\n%+v", got)
	}
	b.nothingDue()
}

// lostCommitted has a worker commit a site of which two leases were lost. Another that is
// lost is the first.
func lostCommitted(b *bench) {
	s := b.due("https://a.example/", past(7))
	l := b.claim(short)
	b.after(l.Expiry)
	l = b.await(b.store, short)
	b.after(l.Expiry)
	l = b.await(b.store, long)
	l.Site.NextCrawl, l.Site.Failures, l.Site.LastError = past(8), 0, ""
	b.commit(l, farwire.RecrawlResult{Site: l.Site})
	l = b.claim(short)
	b.after(l.Expiry)
	if got := b.site(s); got.Failures != 1 || got.Resting {
		b.Fatalf("after an outcome and one lost lease it is\n%+v", got)
	}
	if l = b.await(b.store, long); !l.Due.Equal(past(8)) {
		b.Errorf("claimed %+v", l)
	}
}

// lostEnrolled has a site be enrolled of which two leases were lost. Another that is lost is
// the first.
func lostEnrolled(b *bench) {
	s := b.due("https://a.example/", past(7))
	l := b.claim(short)
	b.after(l.Expiry)
	l = b.await(b.store, short)
	b.after(l.Expiry)
	if err := b.store.Release(b.ctx, b.enroll(s.BaseURL)); err != nil {
		b.Fatal(err)
	}
	l = b.await(b.store, short)
	b.after(l.Expiry)
	if got := b.site(s); got.Failures != 3 || got.Resting {
		b.Errorf("enrolled after two lost leases, and after one more it is\n%+v", got)
	}
}

// lostMadeDue has somebody ask for a site that waits, because a lease was lost. It waits no
// more, which shows only on a machine that asks before the wait would be over.
func lostMadeDue(b *bench) {
	const lease = 100 * short
	s := b.due("https://a.example/", past(7))
	l := b.claim(lease)
	b.after(l.Expiry)
	if _, err := b.store.MakeDue(b.ctx, s.ID, past(8)); err != nil {
		b.Fatal(err)
	}
	if l, err := b.store.Claim(b.ctx, long); err != nil || l.Site.ID != s.ID {
		b.Errorf("asked for after a lost lease: claimed %+v, %v", l, err)
	}
}

// leased has a site be seen by those who ask for it while it is leased, and after each
// way in which a lease ends.
func leased(b *bench) {
	want := func(when string, s farwire.Site, want bool) {
		b.Helper()
		for what, ask := range map[string]func() ([]farwire.Site, error){
			"Enrolled": func() ([]farwire.Site, error) { return b.store.Enrolled(b.ctx, s.BaseURL) },
			"Sites":    func() ([]farwire.Site, error) { return b.store.Sites(b.ctx, s.Subject) },
		} {
			if list, err := ask(); err != nil || len(list) != 1 || list[0].Leased != want {
				b.Errorf("%s: %s says %+v, %v; leased: %v", when, what, list, err, want)
			}
		}
	}
	l := b.enroll("https://a.example/")
	want("enrolled", l.Site, true)
	if l.Site.Leased {
		b.Error("a lease says of its own site that it is leased")
	}
	l.Site.NextCrawl = past(1)
	b.commit(l, farwire.RecrawlResult{Site: l.Site})
	want("committed", l.Site, false)
	l = b.claim(long)
	want("claimed", l.Site, true)
	if _, err := b.store.MakeDue(b.ctx, l.Site.ID, past(2)); err != nil {
		b.Fatal(err)
	}
	want("called for", l.Site, true)
	if err := b.store.Release(b.ctx, l); err != nil {
		b.Fatal(err)
	}
	want("released", l.Site, false)
	l = b.claim(short)
	b.after(l.Expiry)
	want("run out", l.Site, false)
}
