package farwire_test

import (
	"testing"
	"time"

	"github.com/farwire/farwire"
)

// A lease that was renewed ends as well when it cannot be renewed once more: as long after
// the renewal was asked for as a lease is, and not before.
func TestRecrawl_StoreUnavailableAfterARenewal_LeaseEndsInTime(t *testing.T) {
	for name, renewals := range map[string]int{"one": 1, "several": 4} {
		t.Run(name, func(t *testing.T) {
			inRecrawlWorld(t, func(c *recrawlWorld) {
				hang := make(chan struct{})
				defer close(hang)
				c.site.set(func(s *changing) { s.hang["/"] = hang })
				other := c.beside(func(o *farwire.Options) { o.Crawl.Timeout = time.Hour })
				defer recrawls(c.t, other.gw)()
				for began := time.Now(); c.sites.renewed() < renewals; time.Sleep(time.Second) {
					if time.Since(began) > 2*time.Hour {
						c.t.Fatalf("%d renewals", c.sites.renewed())
					}
				}
				c.sites.setUnavailable(errUnavailable) // within a second of the renewal
				for _, at := range []struct {
					wait time.Duration
					runs int64
				}{{57 * time.Second, 1}, {5 * time.Second, 0}} {
					time.Sleep(at.wait)
					if n := other.gw.Stats().Kinds[farwire.KindRecrawl].Active; n != at.runs {
						c.t.Errorf("%d recrawls run, want %d", n, at.runs)
					}
				}
				other.wantLog(`kind=recrawl .*outcome=lost`)
			})
		})
	}
}

// A revocation of other keys while a recrawl begins does not end it.
func TestRecrawl_OtherKeyRevokedAsItBegins_GoesOn(t *testing.T) {
	key := &changingKey{}
	inRecrawlWorld(t, func(c *recrawlWorld) {
		key.set(func(keyID string) (farwire.Principal, error) {
			key.as(farwire.Principal{Subject: "alice"}, nil)
			c.gw.EndRevoked(c.t.Context())
			return farwire.Principal{Subject: "alice", KeyID: keyID}, nil
		})
		defer recrawls(c.t, c.gw)()
		if done := c.next(); done.lease.Token != 2 || done.Site.Failures != 0 || done.Site.Resting {
			c.t.Errorf("committed %+v", done)
		}
	}, key.edit)
}

// A recrawl sends the headers that the crawl which enrolled the site was given, each value.
func TestRecrawl_HeadersOfTheEnrolment_AreSentAgain(t *testing.T) {
	inRecrawlWorld(t, func(c *recrawlWorld) {
		h := c.crawled(testKey, `{"url":"http://site.test/","enableAutoUpdate":true,"recrawlIntervalMinutes":60,`+
			`"headers":{"Accept-Language":"de, en;q=0.5","User-Agent":"probe/1 (a: b)"}}`)
		if h.code != 1000 {
			c.t.Fatalf("enrolled: %+v", h)
		}
		c.seen = len(c.sites.committed())
		c.site.set(func(s *changing) { s.header = nil })
		defer recrawls(c.t, c.gw)()
		if done := c.next(); done.Site.Failures != 0 {
			c.t.Fatalf("it is %+v", done.Site)
		}
		c.site.set(func(s *changing) {
			if language, agent := s.header.Get("Accept-Language"), s.header.Get("User-Agent"); language != "de, en;q=0.5" || agent != "probe/1 (a: b)" {
				c.t.Errorf("the site is asked with %v", s.header)
			}
		})
	})
}
