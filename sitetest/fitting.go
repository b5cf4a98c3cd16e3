package sitetest

import (
	"errors"
	"slices"

	"github.com/farwire/farwire"
)

// A fits says whether whoever claims has an exit that a site wants.
type fits = func(geo, agent string) bool

func fitsAll(_, _ string) bool  { return true }
func fitsNone(_, _ string) bool { return false }

// fitsOnly fits sites that want these exits.
func fitsOnly(wantGeo, wantAgent string) fits {
	return func(geo, agent string) bool { return geo == wantGeo && agent == wantAgent }
}

// dueAt enrolls a site whose first crawl is over and the next one due at past(n).
func (b *bench) dueAt(subject, baseURL string, n int, o farwire.SiteOptions) farwire.Site {
	b.Helper()
	l, err := b.store.Enroll(b.ctx, farwire.Site{Subject: subject, BaseURL: baseURL, Options: o}, -1, long)
	if err != nil {
		b.Fatal(err)
	}
	l.Site.NextCrawl = past(n)
	b.commit(l, farwire.RecrawlResult{Site: l.Site})
	return b.site(l.Site)
}

// claimFitting claims the site that is wanted.
func (b *bench) claimFitting(want string, f fits) farwire.Lease {
	b.Helper()
	l, err := b.store.(farwire.FittingClaimer).ClaimFitting(b.ctx, long, f)
	if err != nil || l.Site.BaseURL != want {
		b.Fatalf("claimed %+v, %v; want %s", l, err, want)
	}
	return l
}

// nothingFits fails if there is a site to claim.
func (b *bench) nothingFits(f fits) {
	b.Helper()
	if l, err := b.store.(farwire.FittingClaimer).ClaimFitting(b.ctx, long, f); !errors.Is(err, farwire.ErrNoSite) {
		b.Fatalf("claimed %+v, %v", l, err)
	}
}

// ifFitting runs a test of a store that is a FittingClaimer.
func ifFitting(test func(*bench)) func(*bench) {
	return func(b *bench) {
		if _, ok := b.store.(farwire.FittingClaimer); ok {
			test(b)
		}
	}
}

// fitting has workers ask for sites of many kinds: each site is claimed by who fits it.
func fitting(b *bench) {
	b.nothingFits(fitsAll)
	choices := [][2]string{{"DE", ""}, {"DE,AT", ""}, {"", "de1"}, {"DE", "de1,at5"}, {"", ""}, {"de1", ""}, {"", "DE"},
		{random(5000), ""}, {random(5000) + "1", ""}, {"", random(5000)}}
	sites := map[[2]string]farwire.Site{}
	for i, c := range choices {
		sites[c] = b.dueAt("alice", "https://"+string(rune('a'+i))+".example/", i, farwire.SiteOptions{Geo: c[0], Agent: c[1], Format: "pages"})
	}
	b.dueAt("bob", "https://later.example/", 0, farwire.SiteOptions{Geo: "FR"})
	b.claim(long) // alice's first: bob is next
	l := b.claim(long)
	if l.Site.Subject != "bob" {
		b.Fatalf("claimed %+v", l)
	}
	l.Site.NextCrawl = b.future()
	b.commit(l, farwire.RecrawlResult{Site: l.Site})

	// What is asked for is what the sites have; who fits nothing changes nothing.
	var asked [][2]string
	b.nothingFits(func(geo, agent string) bool { asked = append(asked, [2]string{geo, agent}); return false })
	for c, s := range sites {
		if c != choices[0] && !slices.Contains(asked, c) {
			b.Errorf("nobody asked whether %q fits", c)
		}
		if now := b.site(s); c != choices[0] && now != s {
			b.Errorf("a site that does not fit is\n%+v, was\n%+v", now, s)
		}
	}
	// Each is claimed by who fits it, whatever has been due for longer, and as by Claim.
	for _, c := range slices.Backward(choices[1:]) {
		l := b.claimFitting(sites[c].BaseURL, fitsOnly(c[0], c[1]))
		if l.Token < 1 || !l.Due.Equal(sites[c].NextCrawl) || b.site(l.Site) != l.Site {
			b.Errorf("claimed %+v, stored %+v", l, b.site(l.Site))
		}
		b.nothingFits(fitsOnly(c[0], c[1]))
		if err := b.store.Release(b.ctx, l); err != nil {
			b.Fatal(err)
		}
	}
	b.claim(long)
	b.nothingFits(fitsNone)
}

// fittingOrder has several sites fit: the one that has been due longest is claimed, of a
// subject that waits.
func fittingOrder(b *bench) {
	b.dueAt("carol", "https://first.example/", 1, farwire.SiteOptions{Geo: "SE"})
	b.dueAt("carol", "https://third.example/", 3, farwire.SiteOptions{Agent: "se1"})
	b.dueAt("dora", "https://no.example/", 0, farwire.SiteOptions{Geo: "NO"})
	b.dueAt("dora", "https://second.example/", 2, farwire.SiteOptions{Geo: "SE"})
	swedish := func(geo, agent string) bool { return geo == "SE" || agent == "se1" }
	b.claimFitting("https://first.example/", swedish)
	b.claimFitting("https://second.example/", swedish)
	b.claimFitting("https://third.example/", swedish)
	b.nothingFits(swedish)
}

// fittingEnrolledAgain has a site enrolled with other exits: those are asked about.
func fittingEnrolledAgain(b *bench) {
	s := b.dueAt("erik", "https://erik.example/", 1, farwire.SiteOptions{Geo: "FI"})
	b.nothingFits(fitsOnly("IS", "is1"))
	b.dueAt("erik", "https://erik.example/", 1, farwire.SiteOptions{Geo: "IS", Agent: "is1"})
	b.nothingFits(fitsOnly("FI", ""))
	if l := b.claimFitting("https://erik.example/", fitsOnly("IS", "is1")); l.Site.ID != s.ID {
		b.Errorf("claimed %+v, not %+v", l, s)
	}
}
