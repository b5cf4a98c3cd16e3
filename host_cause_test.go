package farwire_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/harness"
)

// slotFunc is a SlotLimiter whose slots are the function's.
type slotFunc struct {
	farwire.Limiter
	fail func() error
}

func (s slotFunc) TakeSlot(context.Context, farwire.Principal, farwire.Kind, int) (func(), bool, error) {
	return nil, false, s.fail()
}

// byteFunc is a ByteLimiter whose count is the function's.
type byteFunc struct {
	farwire.Limiter
	fail func() error
}

func (b byteFunc) AddBytes(context.Context, farwire.Principal, int64) (farwire.ByteQuota, error) {
	return farwire.ByteQuota{}, b.fail()
}

// countingHostParts are the [hostParts] and those that count what is in use.
func countingHostParts() map[string]func(o *farwire.Options, fail func() error) {
	parts := map[string]func(o *farwire.Options, fail func() error){
		"slots": func(o *farwire.Options, fail func() error) {
			o.Limits = farwire.Limits{Sessions: 1, Streams: 1, Crawls: 1}
			o.Limiter = slotFunc{farwire.NewLimiter(), fail}
		},
		"bytes": func(o *farwire.Options, fail func() error) {
			o.Limits.BytesPerDay = 1000
			o.Limiter = byteFunc{farwire.NewLimiter(), fail}
		},
	}
	maps.Copy(parts, hostParts)
	return parts
}

// TestHost_RefusesWithACause_WholeInTheLog has each part of a host refuse with an error
// that is for the log alone.
func TestHost_RefusesWithACause_WholeInTheLog(t *testing.T) {
	for part, set := range countingHostParts() {
		t.Run(part, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(o *farwire.Options) {
				set(o, func() error {
					return &farwire.Refusal{Message: "budget used up", Err: errors.New("table 7 at 10.0.0.7")}
				})
			})
			for _, got := range w.refusals() {
				if got.text != "budget used up" {
					t.Errorf("got %+v", got)
				}
			}
			for _, kind := range []string{"relay", "crawl", "amqp", "http", "tunnel"} {
				w.wantLog(`level=(INFO|WARN) .*kind=` + kind + ` .*budget used up: table 7 at 10\.0\.0\.7`)
			}
			if strings.Contains(w.log.String(), testKey) {
				t.Errorf("the log has the key:\n%s", w.log)
			}
		})
	}
}

// A client whom the host's Authenticator refuses with a cause, or for whom it fails, has
// few lines written, and short ones, however often he comes; another address has its own.
func TestRefused_CausesOfOneAddress_LinesAreBounded(t *testing.T) {
	far := strings.Repeat("far ", 1000)
	for name, c := range map[string]struct {
		principal    farwire.Principal
		err          error
		status       int
		told, logged string
		cause        string
	}{
		"refusal":    {farwire.Principal{}, &farwire.Refusal{Message: "budget used up", Err: errors.New("table 7")}, 403, "budget used up", "refused by the host", "table 7"},
		"failure":    {farwire.Principal{}, errors.New("table 7 is " + far), 500, "internal error", `level=WARN msg="internal error"`, "authenticator: table 7"},
		"no subject": {farwire.Principal{KeyID: "k"}, nil, 500, "internal error", `level=WARN msg="internal error"`, "without a subject"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				log := new(harness.Log)
				gw, err := farwire.New(farwire.Options{
					Logger: slog.New(slog.NewTextHandler(log, nil)), // Info and above, as an operator has it
					Auth:   authFunc(func(context.Context, farwire.Credentials) (farwire.Principal, error) { return c.principal, c.err }),
				})
				if err != nil {
					t.Fatal(err)
				}
				ask := func(h http.Handler, address string) {
					r := httptest.NewRequest(http.MethodGet, "/", nil)
					r.Header.Set("X-API-Key", testKey)
					r.RemoteAddr = net.JoinHostPort(address, "4000")
					w := httptest.NewRecorder()
					if h.ServeHTTP(w, r); w.Code != c.status || !strings.Contains(w.Body.String(), c.told) {
						t.Fatalf("got %d %s", w.Code, w.Body)
					}
				}
				lines := func() int { return strings.Count(log.String(), c.logged) }
				log.Reset()
				surfaces := []http.Handler{gw.Usage(), gw.Network(), gw.SessionsHandler(), gw.SitesHandler()}
				for i := range 200 { // an IPv6 client has a whole /64
					ask(surfaces[i%len(surfaces)], fmt.Sprintf("2001:db8:1:2::%x", i))
				}
				if n := lines(); n != 10 || len(log.String()) > 10*1200 {
					t.Errorf("%d lines of 200 refusals at once, want 10; %d bytes", n, len(log.String()))
				}
				log.Reset()
				for range 5 {
					time.Sleep(time.Second)
					ask(gw.Usage(), "2001:db8:1:2::1")
					ask(gw.Usage(), "2001:db8:1:2::2")
				}
				if n := lines(); n != 5 {
					t.Errorf("%d lines in five seconds more, want 5", n)
				}
				log.Reset()
				ask(gw.Usage(), "2001:db8:1:3::1")
				if n := lines(); n != 1 || !strings.Contains(log.String(), c.cause) {
					t.Errorf("another address has %d lines:\n%s", n, log)
				}
			})
		})
	}
}

// A caller who is known has each line written: all may come from one address, a proxy's
// that is not in TrustedProxies, and their own limits bound how often.
func TestRefused_CausesOfKnownCallers_AllAreWritten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := new(harness.Log)
		gw, err := farwire.New(farwire.Options{
			Logger: slog.New(slog.NewTextHandler(log, nil)),
			Auth: authFunc(func(_ context.Context, c farwire.Credentials) (farwire.Principal, error) {
				if name, known := strings.CutPrefix(c.Key, "key-of-"); known {
					return farwire.Principal{Subject: name}, nil
				}
				return farwire.Principal{}, &farwire.Refusal{Message: "unknown here", Err: errors.New("table 8")}
			}),
			Limiter: limiterFunc(func() (farwire.Quota, error) {
				return farwire.Quota{}, &farwire.Refusal{Message: "budget used up", Err: errors.New("table 7")}
			}),
		})
		if err != nil {
			t.Fatal(err)
		}
		ask := func(h http.Handler, key, message string) {
			r := httptest.NewRequest(http.MethodGet, "/", nil)
			r.Header.Set("X-API-Key", key)
			r.RemoteAddr = "192.0.2.7:4000"
			w := httptest.NewRecorder()
			if h.ServeHTTP(w, r); w.Code != http.StatusForbidden || !strings.Contains(w.Body.String(), message) {
				t.Fatalf("got %d %s", w.Code, w.Body)
			}
		}
		surfaces := []http.Handler{gw.Usage(), gw.Network(), gw.SessionsHandler(), gw.SitesHandler()}
		for i := range 100 {
			ask(surfaces[i%len(surfaces)], "an unknown key", "unknown here")
			ask(surfaces[i%len(surfaces)], fmt.Sprintf("key-of-caller%d", i%7), "budget used up")
		}
		if n := strings.Count(log.String(), "table 7"); n != 100 {
			t.Errorf("%d lines of 100 refusals of known callers", n)
		}
		for i := range 7 {
			if n := strings.Count(log.String(), fmt.Sprintf("subject=caller%d ", i)); n < 14 {
				t.Errorf("%d lines name caller%d", n, i)
			}
		}
		if n := strings.Count(log.String(), "table 8"); n != 10 {
			t.Errorf("%d lines of 100 refusals of an unknown key beside them, want 10", n)
		}
	})
}

// TestCrawl_SiteStoreTimesOut_IsNotTheTargets has the host's own store run out of time.
func TestCrawl_SiteStoreTimesOut_IsNotTheTargets(t *testing.T) {
	s := newSite(t, threePages)
	for _, method := range []string{"Enroll", "Commit"} {
		t.Run(method, func(t *testing.T) {
			sites := &memorySites{before: func(called string) error {
				if called == method {
					return fmt.Errorf("table 7 at 10.0.0.7: %w", context.DeadlineExceeded)
				}
				return nil
			}}
			w := newWorld(t, func(o *farwire.Options) { o.Storage, o.Sites = newFolder(t, t.TempDir()), sites })
			h := w.crawled(testKey, fmt.Sprintf(`{"url":%q,"enableAutoUpdate":true}`, s.URL))
			h.one(t, "result")
			h.wantError(t, 1011, "internal error")
			w.wantLog(`level=WARN .*site store: table 7 at 10\.0\.0\.7`)
		})
	}
}

// refusingStorage says why it does not host a file.
type refusingStorage struct{}

func (refusingStorage) Save(context.Context, farwire.File) (string, error) {
	return "", &farwire.Refusal{Message: "the plan hosts no files", Err: errors.New("table 7 at 10.0.0.7")}
}

func TestCrawl_StorageRefuses_ClientGetsTheReason(t *testing.T) {
	w := newWorld(t, func(o *farwire.Options) { o.Storage = refusingStorage{} })
	h := w.crawled(testKey, fmt.Sprintf(`{"url":%q}`, newSite(t, threePages).URL))
	if h.code != 1000 || h.one(t, "result").Content == "" || !strings.Contains(h.logs(), "The file could not be hosted: the plan hosts no files") ||
		strings.Contains(h.logs(), "table 7") {
		t.Errorf("got %+v", h)
	}
	w.wantLog(`level=WARN .*table 7 at 10\.0\.0\.7`)
}

// A caller with a key that makes a part of the host fail causes few lines of the log, and
// the next one says how many were left out.
func TestHost_CallerCausesErrors_LogIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // the log counts minutes and seconds
		log := new(harness.Log)
		gw, err := farwire.New(farwire.Options{
			Logger: slog.New(slog.NewTextHandler(log, nil)), Agents: brokenList{errors.New("the list is at 10.0.0.7")},
			Limits: farwire.Limits{Rate: 1e6, Burst: 1e6},
		})
		if err != nil {
			t.Fatal(err)
		}
		ask := func() {
			r := httptest.NewRequest(http.MethodGet, "/network", nil)
			rec := httptest.NewRecorder()
			r = r.WithContext(farwire.WithPrincipal(r.Context(), farwire.Principal{Subject: "alice"}))
			if gw.Network().ServeHTTP(rec, r); rec.Code != http.StatusInternalServerError {
				t.Fatalf("%d %s", rec.Code, rec.Body)
			}
		}
		for range 1000 {
			ask()
		}
		if lines := strings.Count(log.String(), `msg="internal error"`); lines != 10 || strings.Contains(log.String(), "left_out") {
			t.Errorf("%d lines of 1000 errors:\n%s", lines, log)
		}
		time.Sleep(time.Minute)
		if ask(); !strings.Contains(log.String(), "left_out=990") {
			t.Errorf("the next line does not count the others:\n%s", log)
		}
	})
}

// A brokenList cannot list its agents.
type brokenList struct{ err error }

func (b brokenList) SelectAgent(context.Context, agent.Query) (agent.Exit, error) {
	return agent.Exit{}, b.err
}
func (b brokenList) Agents() []agent.Info { panic(b.err) }
