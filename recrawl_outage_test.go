package farwire_test

import (
	"context"
	"errors"
	"net"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/llmstxt"
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

// The address of a site may hold a secret, and so may an error that names it.
func TestRecrawl_Log_HoldsNoQuery(t *testing.T) {
	var told atomic.Pointer[farwire.SessionResult] // what a host is told and may log
	inRecrawlWorld(t, func(c *recrawlWorld) {
		c.sites.rows[0].BaseURL = "http://site.test/?token=hush"
		defer recrawls(c.t, c.gw)()
		if done := c.next(); done.Site.Failures != 0 {
			c.t.Fatalf("it is %+v", done.Site)
		}
		for want, trouble := range map[string]func(*changing){
			"robots.txt .*: http://site.test/": func(s *changing) { s.robots = "User-agent: *\nDisallow: /\n" },
			"HTTP 404":                         func(s *changing) { s.status["/"], s.robots = 404, "" },
		} {
			c.site.set(trouble)
			if done := c.next(); done.Site.Failures == 0 {
				c.t.Fatalf("it is %+v", done.Site)
			}
			c.wantLog(`kind=recrawl .*` + want + `.* site=http://site.test/ .*outcome=failed`)
			synctest.Wait()
			var fetch *llmstxt.FetchError
			if err := told.Load().Err; strings.Contains(err.Error(), "hush") || !errors.Is(err, llmstxt.ErrRobots) && !errors.As(err, &fetch) {
				c.t.Errorf("the host is told %v", err)
			}
		}
		if log := c.log.String(); strings.Contains(log, "hush") {
			c.t.Errorf("the log holds the query:\n%s", log)
		}
	}, func(o *farwire.Options) {
		o.Trace = &farwire.Trace{SessionEnd: func(_ context.Context, s farwire.SessionInfo, r farwire.SessionResult) {
			if s.Kind == farwire.KindRecrawl {
				told.Store(&r)
			}
		}}
	})
}

// What an exit fails at is the exit's in the log, and what its target does is the target's.
func TestRecrawl_DialFails_LogSaysWhose(t *testing.T) {
	for by, fails := range map[string]*agent.DialError{
		"agent":  {Fault: agent.FaultAgent, Err: errors.New("the tunnel broke")},
		"target": {Fault: agent.FaultTarget, Err: syscall.ECONNREFUSED},
	} {
		t.Run(by, func(t *testing.T) {
			var broken atomic.Bool
			inRecrawlWorld(t, func(c *recrawlWorld) {
				broken.Store(true)
				defer recrawls(c.t, c.gw)()
				if done := c.next(); done.Site.Failures != 1 || done.Site.LastError == "" {
					c.t.Errorf("committed %+v", done.Site)
				}
				c.wantLog(`kind=recrawl .* ended_by=` + by + ` code=1011 .*outcome=failed`)
			}, func(o *farwire.Options) {
				exits := o.Agents
				o.Agents = selectorFunc(func(ctx context.Context, q agent.Query) (agent.Exit, error) {
					exit, err := exits.SelectAgent(ctx, q)
					if broken.Load() {
						exit.DialContext = func(context.Context, string, string) (net.Conn, error) { return nil, fails }
					}
					return exit, err
				})
			})
		})
	}
}

// Whatever differs in a page's record is stored, but for what only a changed body changes,
// and for the time at which it was asked for: that one once a day.
func TestRecrawl_RecordDiffers_IsWorthStoring(t *testing.T) {
	withTheBody := []string{"Place", "Links", "Evidence"}
	asked := time.Unix(1_800_000_000, 0)
	page := func() llmstxt.Page { return llmstxt.Page{URL: "https://example.com/a", Asked: asked} }
	first := llmstxt.Page{URL: "https://example.com/"}
	worth := func(after llmstxt.Page) bool {
		return farwire.WorthStoring([]llmstxt.Page{first, page()}, []llmstxt.Page{first, after})
	}
	if worth(page()) {
		t.Error("the same record is worth storing")
	}
	for i := range reflect.TypeFor[llmstxt.Page]().NumField() {
		p := page()
		field, name := reflect.ValueOf(&p).Elem().Field(i), reflect.TypeFor[llmstxt.Page]().Field(i).Name
		if slices.Contains(withTheBody, name) || name == "Asked" {
			continue
		}
		switch field.Kind() {
		case reflect.String:
			field.SetString("another")
		case reflect.Int:
			field.SetInt(7)
		case reflect.Bool:
			field.SetBool(true)
		default:
			t.Fatalf("%s: a %s", name, field.Kind())
		}
		if !worth(p) {
			t.Errorf("another %s is not worth storing", name)
		}
	}
	p := page()
	if p.Evidence.Version++; !worth(p) {
		t.Error("evidence of another version is not worth storing")
	}
	for later, want := range map[time.Duration]bool{time.Hour: false, 24 * time.Hour: false, 24*time.Hour + time.Second: true, -48 * time.Hour: false} {
		p := page()
		if p.Asked = asked.Add(later); worth(p) != want {
			t.Errorf("asked for %v later: %v", later, !want)
		}
	}
	for name, lists := range map[string][2][]llmstxt.Page{"more": {{first}, {first, p}}, "fewer": {{first, p}, {first}}, "in another order": {{first, p}, {p, first}}} {
		if !farwire.WorthStoring(lists[0], lists[1]) {
			t.Errorf("pages that are %s are not worth storing", name)
		}
	}
}
