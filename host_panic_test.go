package farwire_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/agent"
)

// panickingPeers is all that an AgentSelector may be beside one, and panics in one method.
type panickingPeers struct {
	farwire.AgentSelector
	in string
}

func (p panickingPeers) panics(method string) {
	if p.in == method {
		panic(boom)
	}
}

func (p panickingPeers) Agents() []agent.Info {
	p.panics("Agents")
	return nil
}

func (p panickingPeers) AskPeers(context.Context, []byte, func(string, []byte)) { p.panics("AskPeers") }

func (p panickingPeers) AnswerPeers(func(context.Context, []byte) ([]byte, error)) {
	p.panics("AnswerPeers")
}

func (p panickingPeers) ShareRecords(publish func(id string, restored bool)) {
	p.panics("ShareRecords")
}

func (p panickingPeers) RevokeRecord(string, time.Time) { p.panics("RevokeRecord") }

// panickingBus is a Bus that panics in one method, and says itself that a record and a key
// are gone.
type panickingBus struct {
	in    string
	heard func(farwire.Revocation)
}

func (b *panickingBus) Publish(farwire.Revocation) {
	if b.in == "Publish" {
		panic(boom)
	}
}

func (b *panickingBus) Connected() bool {
	if b.in == "Connected" {
		panic(boom)
	}
	return true
}

func (b *panickingBus) Subscribe(f func(farwire.Revocation)) {
	b.heard = f
	if b.in == "Subscribe" {
		panic(boom)
	}
}

// panickingKeys is a KeyLister that panics once the gateway is made, or loses its key.
type panickingKeys struct {
	farwire.Authenticator
	panics bool
	asked  bool
}

func (k *panickingKeys) Lookup(context.Context, string) (farwire.Principal, error) {
	return farwire.Principal{}, farwire.ErrUnauthorized
}

func (k *panickingKeys) KeyIDs() []string {
	if !k.asked {
		k.asked = true
		return []string{"one"}
	}
	if k.panics {
		panic(boom)
	}
	return nil
}

// panickingHandler is a slog.Handler that writes nothing.
type panickingHandler struct{ slog.Handler }

func (panickingHandler) Enabled(context.Context, slog.Level) bool  { return true }
func (panickingHandler) Handle(context.Context, slog.Record) error { panic(boom) }

// tellAll asks each handler of a gateway, each in its protocol, and has it hear of what is
// revoked. Who gets no answer fails the test.
func (w *world) tellAll(bus *panickingBus) {
	w.t.Helper()
	if got := w.refusals(); len(got) != 6 {
		w.t.Errorf("%d answers of 6: %+v", len(got), got)
	}
	for path, h := range map[string]http.Handler{
		"/healthz": w.gw.Health(), "/readyz": w.gw.Ready(), "/network": w.gw.Network(), "/usage": w.gw.Usage(),
		"/sessions": w.gw.SessionsHandler(), "/sites": w.gw.SitesHandler(), "/auth/token": w.gw.Token(),
		"/hooks/site-changed": w.gw.SiteChanged(), "/nothing": w.gw.NotFound(), "/all": w.gw.AllSessionsHandler(),
	} {
		r := httptest.NewRequest(http.MethodGet, path, nil)
		if path == "/auth/token" || path == "/hooks/site-changed" {
			r.Method = http.MethodPost
		}
		r.Header.Set("X-API-Key", testKey)
		r.RemoteAddr = "192.0.2.7:4000"
		rec := httptest.NewRecorder()
		h.ServeHTTP(rec, r) // a panic would end the test
		if rec.Code == 0 || strings.Contains(rec.Body.String(), "table 7") {
			w.t.Errorf("%s: %d %s", path, rec.Code, rec.Body)
		}
	}
	w.gw.EndRevoked(w.t.Context())
	w.gw.EndSession("nothing", "ended by request")
	bus.heard(farwire.Revocation{KeyID: "another", Agent: true, At: time.Now()})
	bus.heard(farwire.Revocation{KeyID: "another", At: time.Now()})
}

// Whatever part of a host panics, and whoever calls it: each handler answers, no session
// stays, and the log has a line.
func TestHost_AnyPartPanics_HandlersAnswerAndNoSessionStays(t *testing.T) {
	trace := map[string]*farwire.Trace{
		"Trace.SessionStart": {SessionStart: func(context.Context, farwire.SessionInfo) context.Context { panic(boom) }},
		"Trace.SessionEnd":   {SessionEnd: func(context.Context, farwire.SessionInfo, farwire.SessionResult) { panic(boom) }},
		"Trace.DialStart":    {DialStart: func(context.Context, farwire.DialInfo) context.Context { panic(boom) }},
		"Trace.DialEnd":      {DialEnd: func(context.Context, farwire.DialInfo, farwire.DialResult) { panic(boom) }},
		"Trace.Refused":      {Refused: func(context.Context, farwire.RefusedInfo) { panic(boom) }},
	}
	for _, part := range []string{
		"Trace.SessionStart", "Trace.SessionEnd", "Trace.DialStart", "Trace.DialEnd", "Trace.Refused",
		"AgentSelector.SelectAgent", "AgentLister.Agents", "PeerAsker.AskPeers", "RecordSharer.RevokeRecord",
		"PeerAsker.AnswerPeers", "RecordSharer.ShareRecords", "Bus.Subscribe",
		"Authenticator.Authenticate", "KeyLister.KeyIDs", "Bus.Publish", "ConnectedBus.Connected", "ClientAddr", "Logger",
		"Limiter.Take", "Allow", "Sites",
	} {
		t.Run(part, func(t *testing.T) {
			_, method, _ := strings.Cut(part, ".")
			bus := &panickingBus{in: method}
			w := newWorld(t, func(o *farwire.Options) {
				o.Bus, o.Trace = bus, trace[part]
				fails := agent.Exit{ID: "x", Slug: "x", Country: "ZZ"}
				hostParts["exit"](o, func() error { return errors.New("of the exit") })
				fails.DialContext = o.Agents.(agent.Exit).DialContext
				var selects farwire.AgentSelector = fails
				if part == "AgentSelector.SelectAgent" {
					selects = selectorFunc(func(context.Context, agent.Query) (agent.Exit, error) { panic(boom) })
				}
				o.Agents = panickingPeers{selects, method}
				auth := o.Auth
				if part == "Authenticator.Authenticate" {
					auth = authFunc(func(context.Context, farwire.Credentials) (farwire.Principal, error) { panic(boom) })
				}
				o.Auth = &panickingKeys{Authenticator: auth, panics: part == "KeyLister.KeyIDs"}
				switch part {
				case "ClientAddr":
					o.ClientAddr = func(*http.Request) netip.Addr { panic(boom) }
				case "Logger":
					o.Logger = slog.New(panickingHandler{o.Logger.Handler()})
				case "Limiter.Take":
					o.Limiter = limiterFunc(func() (farwire.Quota, error) { panic(boom) })
				case "Allow":
					o.Allow = func(context.Context, farwire.Principal, farwire.Target) error { panic(boom) }
				case "Sites":
					o.Sites, o.Storage = panicsIn("Count"), panickingStorage{}
				}
			})
			w.tellAll(bus)
			if err := w.gw.Shutdown(t.Context()); err != nil { // it waits for sessions
				t.Error(err)
			}
			for s := range w.gw.Sessions() {
				t.Errorf("a session stays: %+v", s)
			}
			if log := w.log.String(); (part != "Logger") != strings.Contains(log, boom) {
				t.Errorf("the log says\n%s", log)
			}
		})
	}
}

// keyLists answers each call of KeyIDs with the next list; a call without one panics.
type keyLists struct {
	farwire.Authenticator
	lists [][]string
}

func (k *keyLists) KeyIDs() []string {
	list := k.lists[0]
	if k.lists = k.lists[1:]; list == nil {
		panic(boom)
	}
	return list
}

func (k *keyLists) Lookup(context.Context, string) (farwire.Principal, error) {
	return farwire.Principal{}, farwire.ErrUnauthorized
}

// publishedBus keeps what is published.
type publishedBus struct {
	panickingBus
	said []farwire.Revocation
}

func (b *publishedBus) Publish(r farwire.Revocation) { b.said = append(b.said, r) }

// A list of keys that cannot be had is no news, when the gateway is made or later.
func TestNew_KeyIDsPanics_NextListChangesNothing(t *testing.T) {
	bus := new(publishedBus)
	w := newWorld(t, func(o *farwire.Options) {
		o.Auth = &keyLists{o.Auth, [][]string{nil, {"one", "two"}, nil, {"two"}}}
		o.Bus = bus
	})
	for i, want := range []int{0, 0, 1} {
		if w.gw.EndRevoked(t.Context()); len(bus.said) != want {
			t.Errorf("after list %d: %+v, want %d", i+1, bus.said, want)
		}
	}
	if len(bus.said) == 1 && (bus.said[0].KeyID != "one" || bus.said[0].Restored) {
		t.Errorf("published %+v", bus.said)
	}
	if n := strings.Count(w.log.String(), boom); n != 2 {
		t.Errorf("%d panics in the log:\n%s", n, w.log)
	}
}

// A client without a key that makes a part of the host panic causes short lines, and few
// of them.
func TestHost_ClientCausesPanics_LogIsBounded(t *testing.T) {
	long := strings.Repeat("whatever the client sent ", 1000)
	for part, set := range map[string]func(*farwire.Options){
		"ClientAddr":     func(o *farwire.Options) { o.ClientAddr = func(*http.Request) netip.Addr { panic(long) } },
		"agent selector": func(o *farwire.Options) { o.Agents = listPanics{o.Agents, long} },
		"bus":            func(o *farwire.Options) { o.Bus = connectedPanics{new(panickingBus), long} },
	} {
		t.Run(part, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) { // the log counts minutes and seconds
				var log bytes.Buffer
				o := farwire.Options{Logger: slog.New(slog.NewTextHandler(&log, nil)), Agents: agent.Exit{DialContext: new(net.Dialer).DialContext}}
				set(&o)
				gw, err := farwire.New(o)
				if err != nil {
					t.Fatal(err)
				}
				for range 100 {
					r := httptest.NewRequest(http.MethodGet, "/readyz", nil)
					rec := httptest.NewRecorder()
					if gw.Ready().ServeHTTP(rec, r); rec.Code != 200 {
						t.Fatalf("%d %s", rec.Code, rec.Body)
					}
					gw.Usage().ServeHTTP(httptest.NewRecorder(), r)
				}
				lines := strings.Count(log.String(), part+": panic: whatever the client sent")
				if lines != 10 || log.Len() > 20_000 {
					t.Errorf("%d lines, %d bytes", lines, log.Len())
				}
			})
		})
	}
}

type listPanics struct {
	farwire.AgentSelector
	with string
}

func (l listPanics) Agents() []agent.Info { panic(l.with) }

type connectedPanics struct {
	farwire.Bus
	with string
}

func (c connectedPanics) Connected() bool { panic(c.with) }

// panickingWriter is the ResponseWriter of a host's middleware that panics when an answer
// begins.
type panickingWriter struct{ http.ResponseWriter }

func (panickingWriter) WriteHeader(int)               { panic(boom) }
func (panickingWriter) Write([]byte) (int, error)     { panic(boom) }
func (w panickingWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// The panic goes on to net/http; the session has ended by the gateway's side, with an error.
func TestHost_ResponseWriterPanics_SessionFailsByGateway(t *testing.T) {
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {}))
	defer target.Close()
	for kind, r := range map[farwire.Kind]*http.Request{
		farwire.KindAMQP: httptest.NewRequest(http.MethodPost, "/amqp",
			strings.NewReader(`{"host":"127.0.0.1","port":1,"queue":"q","apiKey":"`+testKey+`"}`)),
		farwire.KindHTTP: httptest.NewRequest(http.MethodGet, "/to/key="+testKey+"/http/"+target.Listener.Addr().String()+"/", nil),
	} {
		t.Run(kind.String(), func(t *testing.T) {
			var ended []farwire.SessionResult
			w := newWorld(t, func(o *farwire.Options) {
				o.Trace = &farwire.Trace{SessionEnd: func(_ context.Context, _ farwire.SessionInfo, r farwire.SessionResult) { ended = append(ended, r) }}
			})
			h := w.gw.PathForm()
			if kind == farwire.KindAMQP {
				h = w.gw.AMQP()
				r.Header.Set("Content-Type", "application/json")
			}
			func() {
				defer func() {
					if v := recover(); v != boom {
						t.Errorf("the panic is %v", v)
					}
				}()
				h.ServeHTTP(panickingWriter{httptest.NewRecorder()}, r)
			}()
			if len(ended) != 1 {
				t.Fatalf("%d sessions have ended", len(ended))
			}
			if e := ended[0]; e.EndedBy != farwire.EndedByGateway || e.Err == nil || !strings.Contains(e.Err.Error(), boom) {
				t.Errorf("ended by %q, %v", e.EndedBy, e.Err)
			}
		})
	}
}
