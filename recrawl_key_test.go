package farwire_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/agent"
)

// A changingKey looks up key ids as it is told.
type changingKey struct {
	farwire.Authenticator
	lookup atomic.Pointer[func(keyID string) (farwire.Principal, error)]
}

func (k *changingKey) Lookup(_ context.Context, keyID string) (farwire.Principal, error) {
	return (*k.lookup.Load())(keyID)
}

func (k *changingKey) set(lookup func(keyID string) (farwire.Principal, error)) {
	k.lookup.Store(&lookup)
}

func (k *changingKey) as(p farwire.Principal, err error) {
	k.set(func(keyID string) (farwire.Principal, error) { p.KeyID = keyID; return p, err })
}

func (k *changingKey) edit(o *farwire.Options) {
	k.Authenticator, o.Auth = o.Auth, k
	k.as(farwire.Principal{Subject: "alice"}, nil)
}

// TestRecrawl_KeyGone_SiteRests: what a key enrolled ends with it, and begins
// again when somebody asks for the site and the key is valid again.
func TestRecrawl_KeyGone_SiteRests(t *testing.T) {
	for name, gone := range map[string]struct {
		principal farwire.Principal
		err       error
	}{
		"unknown":         {err: farwire.ErrUnauthorized},
		"somebody else's": {principal: farwire.Principal{Subject: "mallory"}},
	} {
		t.Run(name, func(t *testing.T) {
			key := &changingKey{}
			inRecrawlWorld(t, func(c *recrawlWorld) {
				defer recrawls(c.t, c.gw)()
				if id := c.sites.only(c.t).KeyID; id == "" {
					c.t.Fatal("the site has no key")
				}
				if done := c.next(); done.Site.Failures != 0 {
					c.t.Fatalf("with its key it fails: %+v", done.Site)
				}
				key.as(gone.principal, gone.err)
				c.site.counts()
				done := c.next()
				if asked, _ := c.site.counts(); len(asked) > 0 || !done.Site.Resting || done.Site.Failures != 1 || !strings.Contains(done.Site.LastError, "key") {
					c.t.Errorf("without its key the site is asked for %v and is %+v", asked, done.Site)
				}
				time.Sleep(72 * time.Hour)
				if n := len(c.sites.committed()); n != c.seen {
					c.t.Errorf("%d commits of a site at rest", n-c.seen)
				}
				key.as(farwire.Principal{Subject: "alice"}, nil)
				wantDue(c.t, hook(c.gw.SiteChanged(), "POST", hookBody("http://site.test/", c.sites.only(c.t).WebhookSecret)))
				if done := c.next(); done.Site.Resting || done.Site.Failures != 0 {
					c.t.Errorf("asked for it is %+v", done.Site)
				}
			}, key.edit)
		})
	}
}

// TestRecrawl_KeyRevoked_EndsAndSiteRests: a recrawl that runs when its key is revoked
// ends, as every session of the key does.
func TestRecrawl_KeyRevoked_EndsAndSiteRests(t *testing.T) {
	key := &changingKey{}
	inRecrawlWorld(t, func(c *recrawlWorld) {
		before := c.sites.only(c.t)
		hang := make(chan struct{})
		defer close(hang)
		c.site.set(func(s *changing) { s.hang["/b"] = hang })
		defer recrawls(c.t, c.gw)()
		time.Sleep(time.Hour + 12*time.Second)
		if c.gw.Stats().Kinds[farwire.KindRecrawl].Active != 1 {
			c.t.Fatal("nothing is crawled")
		}
		if n := c.gw.EndRevoked(c.t.Context()); n != 0 {
			c.t.Errorf("%d sessions of a valid key end", n)
		}
		key.as(farwire.Principal{}, farwire.ErrUnauthorized)
		revoked := time.Now()
		if n := c.gw.EndRevoked(c.t.Context()); n != 1 {
			c.t.Errorf("%d sessions end", n)
		}
		done := c.next()
		if !done.Site.Resting || !strings.Contains(done.Site.LastError, "key") || done.Site.Hash != before.Hash || done.lease.Token != 3 {
			c.t.Errorf("the site is %+v", done.Site)
		}
		if wait := time.Since(revoked); wait > 2*time.Minute {
			c.t.Errorf("it rests %v later", wait)
		}
		c.wantLog(`kind=recrawl .*cause="key revoked" .*outcome=released`)
		if n := c.gw.Stats().Kinds[farwire.KindRecrawl].Active; n != 0 {
			c.t.Errorf("%d recrawls run", n)
		}
	}, key.edit)
}

// A key that is revoked between the look at it and the recrawl's begin ends the recrawl all
// the same, though nothing ran when it was revoked.
func TestRecrawl_KeyRevokedAsItBegins_EndsAndSiteRests(t *testing.T) {
	key := &changingKey{}
	inRecrawlWorld(t, func(c *recrawlWorld) {
		c.site.counts()
		key.set(func(keyID string) (farwire.Principal, error) {
			key.as(farwire.Principal{}, farwire.ErrUnauthorized)
			if n := c.gw.EndRevoked(c.t.Context()); n != 0 {
				c.t.Errorf("%d sessions end before one has begun", n)
			}
			return farwire.Principal{Subject: "alice", KeyID: keyID}, nil // as it was found
		})
		defer recrawls(c.t, c.gw)()
		done := c.next()
		if asked, _ := c.site.counts(); len(asked) > 0 || !done.Site.Resting || !strings.Contains(done.Site.LastError, "key") {
			c.t.Errorf("the site is asked for %v and is %+v", asked, done.Site)
		}
		c.wantLog(`kind=recrawl .*cause="key revoked" .*outcome=released`)
	}, key.edit)
}

// takenKeys is a Limiter that says which keys it was asked for.
type takenKeys chan string

func (t takenKeys) Take(_ context.Context, p farwire.Principal, _ farwire.Bucket) (farwire.Quota, error) {
	t <- p.KeyID
	return farwire.Quota{}, nil
}

// Whatever KeyID a Lookup returns, a recrawl and a token count as the key that was looked
// up, and end with it.
func TestLookup_OtherKeyID_AskedOneStays(t *testing.T) {
	for name, answered := range map[string]func(keyID string) string{
		"the same": func(keyID string) string { return keyID },
		"empty":    func(string) string { return "" },
		"another":  func(keyID string) string { return "other-" + keyID },
	} {
		lookup := func(keyID string) (farwire.Principal, error) {
			return farwire.Principal{Subject: "alice", KeyID: answered(keyID)}, nil
		}
		t.Run(name+"/recrawl", func(t *testing.T) {
			key := &changingKey{}
			inRecrawlWorld(t, func(c *recrawlWorld) {
				key.set(lookup)
				enrolled := c.sites.only(c.t).KeyID
				hang := make(chan struct{})
				defer close(hang)
				c.site.set(func(s *changing) { s.hang["/b"] = hang })
				defer recrawls(c.t, c.gw)()
				time.Sleep(time.Hour + 12*time.Second)
				for s := range c.gw.Sessions() {
					if s.KeyID != enrolled {
						c.t.Errorf("the %s counts as the key %q, enrolled by %q", s.Kind, s.KeyID, enrolled)
					}
				}
				key.as(farwire.Principal{}, farwire.ErrUnauthorized)
				if n := c.gw.EndRevoked(c.t.Context()); n != 1 {
					c.t.Errorf("%d sessions end with their key", n)
				}
				if done := c.next(); !done.Site.Resting {
					c.t.Errorf("without its key the site is %+v", done.Site)
				}
			}, key.edit)
		})
		t.Run(name+"/token", func(t *testing.T) {
			key, taken := &changingKey{}, make(takenKeys, 10)
			w := newWorld(t, key.edit, func(o *farwire.Options) { o.Limiter = taken })
			token := w.token(t, testKey)
			key.set(lookup)
			if status, detail := w.uses(token); status != 200 {
				t.Fatalf("%d %s", status, detail)
			}
			if shown, redeemed := <-taken, <-taken; shown == "" || redeemed != shown {
				t.Errorf("a token of the key %q counts as %q", shown, redeemed)
			}
		})
	}
}

// TestRecrawl_LookupFails_TriedAgain: keys that cannot be looked up now are not
// gone.
func TestRecrawl_LookupFails_TriedAgain(t *testing.T) {
	key := &changingKey{}
	inRecrawlWorld(t, func(c *recrawlWorld) {
		defer recrawls(c.t, c.gw)()
		key.as(farwire.Principal{}, errors.New("connection to 10.0.0.7 refused"))
		if done := c.next(); done.Site.Resting || done.Site.Failures != 1 || strings.Contains(done.Site.LastError, "10.0.0.7") {
			c.t.Errorf("it is %+v", done.Site)
		}
		key.as(farwire.Principal{Subject: "alice"}, nil)
		if done := c.next(); done.Site.Failures != 0 {
			c.t.Errorf("it is %+v", done.Site)
		}
	}, key.edit)
}

// TestRecrawl_PagesPerDay_Counted: recrawls share the pages a day of the key.
func TestRecrawl_PagesPerDay_Counted(t *testing.T) {
	key := &changingKey{}
	inRecrawlWorld(t, func(c *recrawlWorld) {
		key.as(farwire.Principal{Subject: "alice", Limits: farwire.Limits{PagesPerDay: 25}}, nil)
		defer recrawls(c.t, c.gw)()
		if done := c.next(); done.Site.Failures != 0 { // 10 are for the enrolment
			c.t.Fatalf("it is %+v", done.Site)
		}
		if done := c.next(); done.Site.Failures != 1 || !strings.Contains(done.Site.LastError, "5 can still be crawled") {
			c.t.Errorf("with half of the pages left it is %+v", done.Site)
		}
		refused := time.Now()
		time.Sleep(26 * time.Hour)
		if site := c.sites.only(c.t); !site.LastCrawl.After(refused) {
			c.t.Errorf("a day later it is %+v", site)
		}
	}, key.edit)
}

// TestRecrawl_Ended_IsAccountedFor: what a recrawl has sent counts for its caller, and what it
// has held is free.
func TestRecrawl_Ended_IsAccountedFor(t *testing.T) {
	inRecrawlWorld(t, func(c *recrawlWorld) {
		sent := func() (u struct {
			Bytes int `json:"bytes_to_client"`
		}) {
			r, w := httptest.NewRequest("GET", "/usage", nil), httptest.NewRecorder()
			r.Header.Set("X-API-Key", testKey)
			c.gw.Usage().ServeHTTP(w, r)
			if err := json.Unmarshal(w.Body.Bytes(), &u); err != nil || w.Code != http.StatusOK {
				c.t.Fatalf("%d %s %v", w.Code, w.Body, err)
			}
			return u
		}
		synctest.Wait() // for the end of the crawl that enrolled the site
		before := sent()
		stop := recrawls(c.t, c.gw)
		c.site.set(changeA)
		if done := c.next(); done.Site.Failures != 0 {
			c.t.Fatalf("it is %+v", done.Site)
		}
		stop()
		synctest.Wait()
		if after, file := sent(), len(c.hosted()); after.Bytes != before.Bytes+file {
			c.t.Errorf("%d bytes before and %d behind a recrawl whose file has %d", before.Bytes, after.Bytes, file)
		}
		c.gw.SetDescriptors(func() (int, int) { return 90, 100 })
		if h := c.crawled(testKey, `{"url":"http://site.test/"}`); h.code != 1000 {
			c.t.Errorf("a caller that holds nothing is refused: %+v", h)
		}
	})
}

// TestRecrawl_NoExitFits_SiteWaits: that this gateway has no exit for a site is no
// failure of the site's.
func TestRecrawl_NoExitFits_SiteWaits(t *testing.T) {
	var away atomic.Bool
	var exits farwire.AgentSelector
	inRecrawlWorld(t, func(c *recrawlWorld) {
		before := c.sites.only(c.t)
		away.Store(true)
		defer recrawls(c.t, c.gw)()
		done := c.next()
		if wait := time.Until(done.Site.NextCrawl); done.Site.Failures != 0 || done.Site.LastError != "" || done.Site.Hash != before.Hash || wait <= 0 || wait > 2*time.Minute {
			c.t.Errorf("without an exit it is %+v, due in %v", done.Site, wait)
		}
		c.wantLog(`kind=recrawl .*outcome=released`)
		away.Store(false)
		c.site.counts()
		if done := c.next(); done.Site.Failures != 0 || !done.Site.LastCrawl.After(before.LastCrawl) {
			c.t.Errorf("with an exit again it is %+v", done.Site)
		}
	}, func(o *farwire.Options) {
		exits = o.Agents
		o.Agents = selectorFunc(func(ctx context.Context, q agent.Query) (agent.Exit, error) {
			if away.Load() {
				return agent.Exit{}, fmt.Errorf("none here: %w", agent.ErrNoAgent)
			}
			return exits.SelectAgent(ctx, q)
		})
	})
}

// TestRecrawl_KeysRules_Hold: what a key may not reach any more its recrawls do not
// reach either, until it may again.
func TestRecrawl_KeysRules_Hold(t *testing.T) {
	for name, p := range map[string]farwire.Principal{
		"denied by name":     {Deny: []string{"site.test"}},
		"not among allowed":  {Allow: []string{"other.test"}},
		"not at its port":    {Allow: []string{"site.test:8443"}},
		"not for crawls":     {Kinds: []farwire.Kind{farwire.KindRelay}},
		"denied with a glob": {Deny: []string{"*.test"}},
	} {
		t.Run(name, func(t *testing.T) {
			key := &changingKey{}
			inRecrawlWorld(t, func(c *recrawlWorld) {
				defer recrawls(c.t, c.gw)()
				p.Subject = "alice"
				key.as(p, nil)
				c.site.counts()
				done := c.next()
				if asked, _ := c.site.counts(); len(asked) > 0 || done.Site.Failures != 1 || done.Site.LastError == "" {
					c.t.Errorf("the site is asked for %v and is %+v", asked, done.Site)
				}
				key.as(farwire.Principal{Subject: "alice", Allow: []string{"site.test"}, Kinds: []farwire.Kind{farwire.KindCrawl}}, nil)
				if done := c.next(); done.Site.Failures != 0 {
					c.t.Errorf("allowed again it is %+v", done.Site)
				}
			}, key.edit)
		})
	}
}

// TestRecrawl_EndedByLimitOrRequest_CountsAsFailed: another gateway would begin it anew
// at once, and as often as it is ended.
func TestRecrawl_EndedByLimitOrRequest_CountsAsFailed(t *testing.T) {
	for name, c := range map[string]struct {
		limits farwire.Limits
		end    func(*recrawlWorld)
		says   string
	}{
		"its time": {limits: farwire.Limits{SessionTime: 5 * time.Second}, says: "limit reached: the session's time"},
		"by id": {says: "too much traffic", end: func(c *recrawlWorld) {
			for s := range c.gw.Sessions() {
				c.gw.EndSession(s.ID, "too much traffic")
			}
		}},
		"all": {says: "for repairs", end: func(c *recrawlWorld) {
			c.gw.EndWhere(func(s farwire.Session) bool { return s.Kind == farwire.KindRecrawl }, "for repairs")
		}},
	} {
		t.Run(name, func(t *testing.T) {
			key := &changingKey{}
			inRecrawlWorld(t, func(w *recrawlWorld) {
				key.as(farwire.Principal{Subject: "alice", Limits: c.limits}, nil)
				before := w.sites.only(w.t)
				hang := make(chan struct{})
				answer := sync.OnceFunc(func() { close(hang) })
				defer answer()
				w.site.set(func(s *changing) { s.hang["/b"] = hang })
				defer recrawls(w.t, w.gw)()
				time.Sleep(time.Hour + 12*time.Second)
				if c.end != nil {
					c.end(w)
				}
				done := w.next()
				if wait := done.Site.NextCrawl.Sub(done.at); done.Site.Failures != 1 || done.Site.LastError != c.says || done.Site.Resting ||
					done.lease.Token != before.Version+1 || wait < 20*time.Second || wait > 3*time.Minute {
					w.t.Errorf("with token %d it is %+v, due %v later", done.lease.Token, done.Site, wait)
				}
				w.wantLog(`kind=recrawl .*cause="` + c.says + `" .*outcome=failed`)
				w.site.set(func(s *changing) { delete(s.hang, "/b") })
				answer()
				if done := w.next(); done.Site.Failures != 0 || done.Site.Hash != before.Hash {
					w.t.Errorf("left alone it is %+v", done.Site)
				}
			}, key.edit)
		})
	}
}
