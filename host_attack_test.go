package farwire_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/llmstxt"
)

const boom = "boom in table 7 of the host"

// Each part of a host panics: the caller is told within the protocols, the log has it
// whole, and the process goes on.
func TestHost_PartPanics_CallerIsToldAndTheLogHasIt(t *testing.T) {
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
	for part, set := range hostParts {
		if part != "selector" { // its panic is the handler's, and ends that session
			parts[part] = set
		}
	}
	for part, set := range parts {
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
	for _, method := range []string{"Enroll", "Commit"} {
		t.Run(method, func(t *testing.T) {
			t.Parallel()
			sites := &memorySites{before: func(called string) error {
				if called == method {
					panic(boom)
				}
				return nil
			}}
			w := newWorld(t, func(o *farwire.Options) { o.Storage, o.Sites = newFolder(t, t.TempDir()), sites })
			h := w.crawled(testKey, fmt.Sprintf(`{"url":%q,"enableAutoUpdate":true}`, newSite(t, threePages).URL))
			h.one(t, "result")
			h.wantError(t, 1011, "internal error")
			w.wantLog("level=WARN .*site store: panic: " + boom)
		})
	}
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
		log := new(logBuffer)
		var calls atomic.Int64
		gw, err := farwire.New(farwire.Options{Agents: pipes(), Logger: slog.New(slog.NewTextHandler(log, nil)),
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
	inCircle(t, func(c *circle) {
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

// deafStorage ignores the end of its context.
type deafStorage struct{ saving, free chan struct{} }

func (s deafStorage) Save(context.Context, farwire.File) (string, error) {
	close(s.saving)
	<-s.free
	return "https://files.test/late", nil
}

// A part of a host that ignores its context keeps its session, and not Shutdown.
func TestShutdown_HostIgnoresItsContext_ReturnsAndNamesTheSession(t *testing.T) {
	t.Parallel()
	s := deafStorage{make(chan struct{}), make(chan struct{})}
	w := newWorld(t, func(o *farwire.Options) { o.Storage = s })
	w.crawl(fmt.Sprintf(`{"url":%q}`, newSite(t, threePages).URL))
	<-s.saving
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := w.gw.Shutdown(ctx); err != context.Canceled {
		t.Errorf("Shutdown returned %v", err)
	}
	w.wantLog(`level=ERROR msg="a session does not end: .*kind=crawl subject=`)
	close(s.free)
	if err := w.gw.Shutdown(t.Context()); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}
