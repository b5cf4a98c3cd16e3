package sitetest

import (
	"errors"
	"slices"

	"github.com/farwire/farwire"
)

// fitting is for a store that is a FittingClaimer.
func fitting(b *bench) {
	store, ok := b.store.(farwire.FittingClaimer)
	if !ok {
		return
	}
	due := func(subject, baseURL string, n int, o farwire.SiteOptions) farwire.Site {
		b.Helper()
		l, err := b.store.Enroll(b.ctx, farwire.Site{Subject: subject, BaseURL: baseURL, Options: o}, -1, long)
		if err != nil {
			b.Fatal(err)
		}
		l.Site.NextCrawl = past(n)
		b.commit(l, farwire.RecrawlResult{Site: l.Site})
		return b.site(l.Site)
	}
	claim := func(want string, fits func(geo, agent string) bool) farwire.Lease {
		b.Helper()
		l, err := store.ClaimFitting(b.ctx, long, fits)
		if err != nil || l.Site.BaseURL != want {
			b.Fatalf("claimed %+v, %v; want %s", l, err, want)
		}
		return l
	}
	nothing := func(fits func(geo, agent string) bool) {
		b.Helper()
		if l, err := store.ClaimFitting(b.ctx, long, fits); !errors.Is(err, farwire.ErrNoSite) {
			b.Fatalf("claimed %+v, %v", l, err)
		}
	}
	never := func(_, _ string) bool { return false }
	one := func(wantGeo, wantAgent string) func(geo, agent string) bool {
		return func(geo, agent string) bool { return geo == wantGeo && agent == wantAgent }
	}

	nothing(func(_, _ string) bool { return true })
	choices := [][2]string{{"DE", ""}, {"DE,AT", ""}, {"", "de1"}, {"DE", "de1,at5"}, {"", ""}, {"de1", ""}, {"", "DE"},
		{random(5000), ""}, {random(5000) + "1", ""}, {"", random(5000)}}
	sites := map[[2]string]farwire.Site{}
	for i, c := range choices {
		sites[c] = due("alice", "https://"+string(rune('a'+i))+".example/", i, farwire.SiteOptions{Geo: c[0], Agent: c[1], Format: "pages"})
	}
	due("bob", "https://later.example/", 0, farwire.SiteOptions{Geo: "FR"})
	if _, err := b.store.Claim(b.ctx, long); err != nil { // alice's first: bob is next
		b.Fatal(err)
	}
	l, err := b.store.Claim(b.ctx, long)
	if err != nil || l.Site.Subject != "bob" {
		b.Fatalf("claimed %+v, %v", l, err)
	}
	l.Site.NextCrawl = b.future()
	b.commit(l, farwire.RecrawlResult{Site: l.Site})

	// What is asked for is what the sites have; who fits nothing changes nothing.
	var asked [][2]string
	nothing(func(geo, agent string) bool { asked = append(asked, [2]string{geo, agent}); return false })
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
		l := claim(sites[c].BaseURL, one(c[0], c[1]))
		if l.Token < 1 || !l.Due.Equal(sites[c].NextCrawl) || b.site(l.Site) != l.Site {
			b.Errorf("claimed %+v, stored %+v", l, b.site(l.Site))
		}
		nothing(one(c[0], c[1]))
		if err := b.store.Release(b.ctx, l); err != nil {
			b.Fatal(err)
		}
	}
	b.claim(long)
	nothing(never)

	// Of several that fit it is the one that has been due longest, of a subject that waits.
	due("carol", "https://first.example/", 1, farwire.SiteOptions{Geo: "SE"})
	due("carol", "https://third.example/", 3, farwire.SiteOptions{Agent: "se1"})
	due("dora", "https://no.example/", 0, farwire.SiteOptions{Geo: "NO"})
	due("dora", "https://second.example/", 2, farwire.SiteOptions{Geo: "SE"})
	swedish := func(geo, agent string) bool { return geo == "SE" || agent == "se1" }
	claim("https://first.example/", swedish)
	claim("https://second.example/", swedish)
	claim("https://third.example/", swedish)
	nothing(swedish)

	// A site that is enrolled anew has the exits of then.
	s := due("erik", "https://erik.example/", 1, farwire.SiteOptions{Geo: "FI"})
	nothing(one("IS", "is1"))
	due("erik", "https://erik.example/", 1, farwire.SiteOptions{Geo: "IS", Agent: "is1"})
	nothing(one("FI", ""))
	if l := claim("https://erik.example/", one("IS", "is1")); l.Site.ID != s.ID {
		b.Errorf("claimed %+v, not %+v", l, s)
	}
}
