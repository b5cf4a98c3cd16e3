package farwire_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
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

func (p panickingPeers) AnswerPeers(func(context.Context, []byte) ([]byte, error)) {}

func (p panickingPeers) ShareRecords(publish func(id string, restored bool)) {}

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

func (b *panickingBus) Subscribe(f func(farwire.Revocation)) { b.heard = f }

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
