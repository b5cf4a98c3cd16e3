package sitetest

import (
	"time"

	"github.com/farwire/farwire"
)

// makeDueEnrolled has the subject enrol a site again while what somebody asked for is not
// served: its crawl may have begun before, so one more is due.
func makeDueEnrolled(b *bench) {
	later := b.future()
	ask := func(s farwire.Site, at, want time.Time) {
		b.Helper()
		if due, err := b.store.MakeDue(b.ctx, s.ID, at); err != nil || !due.Equal(want) {
			b.Errorf("asked for %v: due at %v, %v; want %v", at, due, err, want)
		}
	}
	release := func(l farwire.Lease) {
		b.Helper()
		if err := b.store.Release(b.ctx, l); err != nil {
			b.Fatal(err)
		}
	}
	for name, c := range map[string]struct {
		due    time.Time
		called func(s farwire.Site)
		want   time.Time // zero: the enrolment's own; else that or a time that was due before
	}{
		"nobody asked":         {later, func(farwire.Site) {}, time.Time{}},
		"nobody asked, due":    {past(1), func(farwire.Site) {}, time.Time{}},
		"claimed, not asked":   {past(1), func(farwire.Site) { b.claim(long) }, time.Time{}},
		"at once":              {later, func(s farwire.Site) { ask(s, past(3), past(3)) }, past(3)},
		"in a while":           {later, func(s farwire.Site) { ask(s, later.Add(-time.Hour), later.Add(-time.Hour)) }, later.Add(-time.Hour)},
		"later than it is due": {past(1), func(s farwire.Site) { ask(s, later, past(1)) }, past(1)},
		"claimed":              {later, func(s farwire.Site) { ask(s, past(3), past(3)); b.claim(long) }, past(3)},
		"claimed and released": {later, func(s farwire.Site) { ask(s, past(3), past(3)); release(b.claim(long)) }, past(3)},
		"claimed for that time": {past(1), func(s farwire.Site) {
			b.claim(long)
			ask(s, past(1), past(1))
		}, past(1)},
		"asked during a claim, released and claimed": {past(1), func(s farwire.Site) {
			l := b.claim(long)
			ask(s, past(2), past(2))
			release(l)
			b.claim(long)
		}, past(2)},
		"asked during a claim, committed": {past(1), func(s farwire.Site) {
			l := b.claim(long)
			ask(s, past(2), past(2))
			l.Site.NextCrawl = later
			b.commit(l, farwire.RecrawlResult{Site: l.Site})
		}, past(2)},
		"enrolled twice": {later, func(s farwire.Site) { ask(s, past(3), past(3)); b.enroll(s.BaseURL) }, past(3)},
		"enrolled and committed": {later, func(s farwire.Site) {
			ask(s, past(3), past(3))
			l := b.enroll(s.BaseURL)
			l.Site.NextCrawl = later
			b.commit(l, farwire.RecrawlResult{Site: l.Site})
		}, past(3)},
		"served": {later, func(s farwire.Site) {
			ask(s, past(3), past(3))
			l := b.claim(long)
			l.Site.NextCrawl = later
			b.commit(l, farwire.RecrawlResult{Site: l.Site})
		}, time.Time{}},
	} {
		s := b.due("https://a.example/"+name, c.due)
		c.called(s)
		l := b.enroll(s.BaseURL)
		if !l.Due.Equal(l.Site.NextCrawl) || l.Due.After(b.now()) {
			b.Errorf("%s: enrolled %+v", name, l)
		}
		// An enrolment's crawl is not what anybody asks for, whatever the time.
		want := later.Add(5 * time.Hour)
		if !c.want.IsZero() {
			want = c.want
		}
		l.Site.NextCrawl = later.Add(5 * time.Hour)
		b.commit(l, farwire.RecrawlResult{Site: l.Site})
		if next := b.site(s).NextCrawl; !next.Equal(want) && !(next.Equal(c.due) && next.Before(want)) {
			b.Errorf("%s: after the enrolment the next crawl is at %v, want %v", name, next, want)
		}
		if want.Before(later.Add(-2 * time.Hour)) { // it is due, and one crawl serves it
			l = b.claim(long)
			l.Site.NextCrawl = later
			b.commit(l, farwire.RecrawlResult{Site: l.Site})
			if next := b.site(s).NextCrawl; l.Site.ID != s.ID || !next.Equal(later) {
				b.Errorf("%s: served, the next crawl of %+v is at %v, want %v", name, l.Site, next, later)
			}
		}
	}
	// During an enrolment's lease no time is one that its crawl serves.
	s := b.due("https://b.example/", later)
	l := b.enroll(s.BaseURL)
	ask(s, past(4), past(4))
	l.Site.NextCrawl = later
	b.commit(l, farwire.RecrawlResult{Site: l.Site})
	if next := b.site(s).NextCrawl; !next.Equal(past(4)) {
		b.Errorf("asked for during an enrolment: next crawl at %v, want %v", next, past(4))
	}
}
