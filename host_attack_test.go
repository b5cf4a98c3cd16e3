package farwire_test

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/harness"
	"github.com/farwire/farwire/llmstxt"
)

const boom = "boom in table 7 of the host"

// Each part of a host panics: the caller is told within the protocols, the log has it
// whole, and the process goes on.
func TestHost_PartPanics_CallerGetsErrorLogHasPanic(t *testing.T) {
	for part, set := range countingHostParts() {
		t.Run(part, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(o *farwire.Options) { set(o, func() error { panic(boom) }) })
			for _, got := range w.refusals() {
				want := "internal error"
				if part == "allow" {
					want = `arget refused: "a.test" is not allowed`
				}
				if !strings.Contains(got.text, want) || strings.Contains(got.text, "table 7") {
					t.Errorf("got %+v", got)
				}
			}
			w.wantLog("panic: " + boom)
			if err := w.gw.Shutdown(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

type (
	panickingStorage struct{}
	panickingModel   struct{}
)

func (panickingStorage) Save(context.Context, farwire.File) (string, error) { panic(boom) }
func (panickingModel) Enhance(context.Context, llmstxt.Part) (string, error) {
	panic(boom)
}

// What a crawl asks of a host panics: the client has its file all the same.
func TestHost_PartOfACrawlPanics_ResultIsSent(t *testing.T) {
	for part, c := range map[string]struct {
		set     func(*farwire.Options)
		request string
	}{
		"storage": {func(o *farwire.Options) { o.Storage = panickingStorage{} }, `{"url":%q}`},
		"model":   {func(o *farwire.Options) { o.Crawl.Enhance = panickingModel{} }, `{"url":%q,"llmEnhance":true}`},
	} {
		t.Run(part, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, c.set)
			h := w.crawled(testKey, fmt.Sprintf(c.request, newSite(t, threePages).URL))
			if h.code != 1000 || h.one(t, "result").Content == "" || strings.Contains(h.logs(), "table 7") {
				t.Errorf("got %+v", h)
			}
			w.wantLog("level=WARN .*panic: " + boom)
		})
	}
	for _, method := range []string{"Enroll", "Commit", "Release"} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			sites := panicsIn(method)
			w := newWorld(t, func(o *farwire.Options) {
				o.Storage, o.Sites = newFolder(t, t.TempDir()), sites
				if method == "Release" { // after a file that is not hosted
					o.Storage = panickingStorage{}
				}
			})
			h := w.crawled(testKey, fmt.Sprintf(`{"url":%q,"enableAutoUpdate":true}`, newSite(t, threePages).URL))
			h.one(t, "result")
			h.wantError(t, 1011, "internal error")
			w.wantLog("level=WARN .*site store: panic: " + method + ": " + boom)
		})
	}
}

// panicsIn returns a site store with one method that panics.
func panicsIn(method string) *memorySites {
	return &memorySites{before: func(called string) error {
		if called == method {
			panic(method + ": " + boom)
		}
		return nil
	}}
}

// What is asked of the site store outside a crawl panics: who asks is told.
func TestSiteStore_MethodPanics_CallerGetsErrorLogHasPanic(t *testing.T) {
	for _, method := range []string{"Enrolled", "MakeDue", "Sites", "Remove", "Count"} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			sites := panicsIn(method)
			lease, err := sites.Enroll(t.Context(), farwire.Site{Subject: "alice", BaseURL: "https://docs.example.com/", WebhookSecret: "hush"}, -1, time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			w := newWorld(t, func(o *farwire.Options) { o.Sites = sites })
			if method == "Count" { // what cannot be counted is left out
				if status, detail := w.uses(testKey); status != http.StatusOK {
					t.Errorf("/usage: %d %s", status, detail)
				}
				w.wantLog("level=WARN .*sites not counted.*panic: " + method + ": " + boom)
				return
			}
			mux := http.NewServeMux()
			mux.Handle("/hooks/site-changed", w.gw.SiteChanged())
			mux.Handle("/sites/{id}", w.gw.SitesHandler())
			at, body, ask := "/hooks/site-changed", hookBody("https://docs.example.com/", "hush"), http.MethodPost
			if method == "Sites" || method == "Remove" {
				at, body, ask = fmt.Sprintf("/sites/%d", lease.Site.ID), "", http.MethodDelete
			}
			r := httptest.NewRequest(ask, at, strings.NewReader(body))
			r.Header.Set("Content-Type", "application/json")
			r.Header.Set("X-API-Key", testKey)
			rec := httptest.NewRecorder()
			mux.ServeHTTP(rec, r)
			if rec.Code != http.StatusInternalServerError || !strings.Contains(rec.Body.String(), `"internal error"`) {
				t.Errorf("got %d %s", rec.Code, rec.Body)
			}
			w.wantLog("level=WARN .*site store: panic: " + method + ": " + boom)
		})
	}
}

// lookupPanics is an Authenticator whose keys work and whose Lookup panics.
type lookupPanics struct{ farwire.Authenticator }

func (lookupPanics) Lookup(context.Context, string) (farwire.Principal, error) { panic(boom) }

func TestToken_LookupPanics_CallerGetsErrorLogHasPanic(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *farwire.Options) { o.Auth = lookupPanics{o.Auth} })
	for _, got := range w.refusalsTo(w.token(t, testKey)) {
		if got.text != "internal error" || got.code != "internal" {
			t.Errorf("got %+v", got)
		}
	}
	w.wantLog("authenticator: panic: " + boom)
}

// A renderer's panic ends the crawl whose page it is, and no other.
func TestCrawl_RendererPanics_ClientGetsErrorOthersGoOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *farwire.Options) {
		o.Crawl.Render = browser(func(farwire.RenderPage) (farwire.Rendered, error) { panic(boom) })
	})
	app := newSite(t, map[string]string{"/": fmt.Sprintf(shell, "/")})
	for range 3 {
		w.crawled(testKey, fmt.Sprintf(`{"url":%q}`, app.URL)).wantError(t, 1011, "internal error")
	}
	w.wantLog("level=WARN .*panic: " + boom)
	if h := w.crawled(testKey, fmt.Sprintf(`{"url":%q}`, newSite(t, threePages).URL)); h.code != 1000 || h.one(t, "result").Content == "" {
		t.Errorf("got %+v", h)
	}
}

// sizePanics is a model that rewords, and cannot say how large a part may be.
type sizePanics struct{ model }

func (sizePanics) PartSize() int { panic(boom) }

func TestCrawl_PartSizePanics_ModelIsAskedAllTheSame(t *testing.T) {
	t.Parallel()
	w := newWorld(t, func(o *farwire.Options) {
		o.Crawl.Enhance = sizePanics{func(p llmstxt.Part) (string, error) {
			return strings.Replace(p.Text, "The first page has", "It has", 1), nil
		}}
	})
	h := w.crawled(testKey, fmt.Sprintf(`{"url":%q,"llmEnhance":true}`, newSite(t, threePages).URL))
	if h.code != 1000 || !strings.Contains(h.one(t, "result").Content, "It has") || strings.Contains(h.logs(), "table 7") {
		t.Errorf("got %+v", h)
	}
	w.wantLog("level=WARN .*panic: " + boom)
}

// pipes is an exit whose targets take everything and say nothing.
func pipes() agent.Exit {
	return agent.Exit{ID: "farwire-pipe", Slug: "pipe", Country: "ZZ",
		DialContext: func(context.Context, string, string) (net.Conn, error) {
			gateway, target := net.Pipe()
			go io.Copy(io.Discard, target)
			return gateway, nil
		}}
}

// What is called while a session runs, and at its end, panics in goroutines of the
// gateway's own: the session goes on, and so does the process.
func TestHost_PanicsBesideASession_SessionGoesOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := new(harness.Log)
		var calls atomic.Int64
		gw, err := farwire.New(farwire.Options{Agents: pipes(), Logger: log.Logger(),
			Limits: farwire.Limits{BytesPerDay: 1 << 30},
			Limiter: byteFunc{farwire.NewLimiter(), func() error {
				if calls.Add(1) > 1 { // behind the session's beginning
					panic("bytes: " + boom)
				}
				return nil
			}},
			Trace: &farwire.Trace{
				SessionStart: func(context.Context, farwire.SessionInfo) context.Context { panic(boom) },
				SessionEnd:   func(context.Context, farwire.SessionInfo, farwire.SessionResult) { panic(boom) },
				DialStart:    func(context.Context, farwire.DialInfo) context.Context { panic(boom) },
				DialEnd:      func(context.Context, farwire.DialInfo, farwire.DialResult) { panic(boom) },
				Progress:     func(context.Context, farwire.Session) { panic(boom) },
				Refused:      func(context.Context, farwire.RefusedInfo) { panic(boom) },
			}})
		if err != nil {
			t.Fatal(err)
		}
		c, err := gw.Open(t.Context(), farwire.OpenOptions{Addr: "a.test:80", Principal: farwire.Principal{Subject: "alice"}})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := c.Write(make([]byte, 1000)); err != nil {
			t.Error(err)
		}
		time.Sleep(time.Minute)
		if _, err := c.Write(make([]byte, 1000)); err != nil {
			t.Error(err)
		}
		c.Close()
		if _, err := gw.Open(t.Context(), farwire.OpenOptions{Addr: "a.test:80"}); err == nil {
			t.Error("nobody opened a session")
		}
		if err := gw.Shutdown(t.Context()); err != nil {
			t.Error(err)
		}
		for _, part := range []string{"SessionStart", "SessionEnd", "DialStart", "DialEnd", "Progress", "Refused"} {
			if !strings.Contains(log.String(), "part=Trace."+part) {
				t.Errorf("the log does not name Trace.%s:\n%s", part, log)
			}
		}
		if !strings.Contains(log.String(), "panic: bytes: "+boom) {
			t.Errorf("the log does not have the bytes:\n%s", log)
		}
	})
}

// A lease that cannot be renewed, because the store panics, is lost; the gateway goes on.
func TestRecrawl_StorePanics_NextTimeItWorks(t *testing.T) {
	inRecrawlWorld(t, func(c *recrawlWorld) {
		var broken atomic.Bool
		broken.Store(true)
		c.sites.before = func(method string) error {
			if broken.Load() {
				panic(boom + " in " + method)
			}
			return nil
		}
		defer recrawls(c.t, c.gw)()
		time.Sleep(2 * time.Hour)
		broken.Store(false)
		c.next()
		c.wantLog("panic: " + boom + " in Claim")
	})
}
