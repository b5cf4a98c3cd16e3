package farwire_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/harness"
)

// A traceLog is what a Trace was told, in its order.
type traceLog struct {
	mu   sync.Mutex
	seen []string
}

func (d *traceLog) note(format string, args ...any) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.seen = append(d.seen, fmt.Sprintf(format, args...))
}

func (d *traceLog) has(t *testing.T, want ...string) {
	t.Helper()
	waitFor(t, func() bool { d.mu.Lock(); defer d.mu.Unlock(); return len(d.seen) >= len(want) })
	d.mu.Lock()
	defer d.mu.Unlock()
	if got, want := strings.Join(d.seen, "\n"), strings.Join(want, "\n"); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

type placeKey struct{}

// place is how deep in a session a context is.
func place(ctx context.Context) string { s, _ := ctx.Value(placeKey{}).(string); return s }

func at(ctx context.Context, s string) context.Context { return context.WithValue(ctx, placeKey{}, s) }

// trace writes everything into d, and puts into the contexts where they are.
func (d *traceLog) trace() *farwire.Trace {
	return &farwire.Trace{
		SessionStart: func(ctx context.Context, i farwire.SessionInfo) context.Context {
			d.note("[%s] start %s %s", place(ctx), i.Kind, i.Subject)
			// That a context has ended must be of no consequence.
			ctx, cancel := context.WithCancel(at(ctx, "session"))
			cancel()
			return ctx
		},
		SessionEnd: func(ctx context.Context, i farwire.SessionInfo, r farwire.SessionResult) {
			d.note("[%s] end %s %s %s %d %v", place(ctx), i.Kind, r.Agent, r.EndedBy, r.Code, r.Err)
		},
		DialStart: func(ctx context.Context, i farwire.DialInfo) context.Context {
			d.note("[%s] dial %s %s %s", place(ctx), i.Kind, i.Agent, i.Host)
			return at(ctx, "dial")
		},
		DialEnd: func(ctx context.Context, i farwire.DialInfo, r farwire.DialResult) {
			d.note("[%s] dialled %s %s %v", place(ctx), i.Agent, r.Class, r.Err)
			if r.Duration <= 0 {
				d.note("in no time")
			}
		},
		Refused: func(_ context.Context, i farwire.RefusedInfo) { d.note("refused %s %d", i.Kind, i.Status) },
	}
}

// TestTrace_Session_FollowsTheContext follows a session, and the values of contexts through it: into the
// selector, the exit's DialContext and the functions that end.
func TestTrace_Session_FollowsTheContext(t *testing.T) {
	var d traceLog
	w := newWorld(t, func(o *farwire.Options) {
		o.Trace = d.trace()
		o.Agents = watched{o.Agents, &d}
	})
	for _, form := range []string{"message", "direct"} {
		t.Run(form, func(t *testing.T) {
			d.seen = nil
			url := newTarget(t, echo)
			var p *peer
			if form == "message" {
				p = w.connected(url, "")
			} else {
				p = w.open("/ws?api_key=" + testKey + "&url=" + url)
			}
			p.close(1000, "")
			p.wantClose(1000, "")
			p.wantEnd()
			d.has(t, "[] start relay alice", "[session] selecting", "[session] dial relay farwire-de1 127.0.0.1",
				"[dial] dialling", "[dial] dialled farwire-de1 ok <nil>", "[session] end relay farwire-de1 client 1000 <nil>")
		})
	}
}

// watched notes where it is asked.
type watched struct {
	farwire.AgentSelector
	d *traceLog
}

func (s watched) SelectAgent(ctx context.Context, q agent.Query) (agent.Exit, error) {
	s.d.note("[%s] selecting", place(ctx))
	exit, err := s.AgentSelector.SelectAgent(ctx, q)
	dial := exit.DialContext
	exit.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		s.d.note("[%s] dialling", place(ctx))
		return dial(ctx, network, addr)
	}
	return exit, err
}

// TestTrace_Refused_EveryEndpoint hears of every endpoint's refusals.
func TestTrace_Refused_EveryEndpoint(t *testing.T) {
	var d traceLog
	w := newWorld(t, func(o *farwire.Options) { o.Trace = d.trace() })
	q := w.open("/ws")
	q.text(`{}`)
	q.wantError(1008, "")
	q.wantEnd()
	d.has(t, "refused relay 401")
	d.seen = nil
	for _, c := range []struct {
		handler http.Handler
		method  string
	}{{w.gw.Token(), "POST"}, {w.gw.Network(), "GET"}, {w.gw.Usage(), "GET"}, {w.gw.AMQP(), "GET"}, {w.gw.Relay(), "GET"}, {w.gw.Crawl(), "GET"}} {
		rec := httptest.NewRecorder()
		c.handler.ServeHTTP(rec, httptest.NewRequest(c.method, "/", nil))
		if rec.Code < 400 {
			t.Errorf("got %d", rec.Code)
		}
	}
	d.has(t, "refused token 401", "refused network 401", "refused usage 401", "refused amqp 405", "refused relay 426", "refused crawl 426")
}

// TestTrace_DialFails_NamesTheClass makes dials fail in each way.
func TestTrace_DialFails_NamesTheClass(t *testing.T) {
	refusing := func(err error) agent.Exit {
		return agent.Exit{ID: "x", Slug: "x", Country: "ZZ", DialContext: func(context.Context, string, string) (net.Conn, error) { return nil, err }}
	}
	notWebSocket := newRawTarget(t, func(c net.Conn, _ string) { io.WriteString(c, "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n") })
	for _, c := range []struct {
		want farwire.DialClass
		exit agent.Exit // the zero one: the world's own
		url  string
	}{
		{farwire.DialAgent, refusing(&agent.DialError{Fault: agent.FaultAgent, Err: errors.New("lost")}), ""},
		{farwire.DialTarget, refusing(&agent.DialError{Fault: agent.FaultTarget, Err: errors.New("refused")}), ""},
		{farwire.DialPolicy, refusing(&agent.DialError{Fault: agent.FaultPolicy, Err: errors.New("private")}), ""},
		{farwire.DialTimeout, refusing(&agent.DialError{Fault: agent.FaultTarget, Err: context.DeadlineExceeded}), ""},
		{farwire.DialInternal, refusing(errors.New("what is this")), ""},
		{farwire.DialTarget, agent.Exit{}, "ws://" + harness.FreeAddr(t)},
		{farwire.DialHandshake, agent.Exit{}, notWebSocket},
	} {
		got := make(chan farwire.DialResult, 1)
		w := newWorld(t, func(o *farwire.Options) {
			if c.exit.DialContext != nil {
				o.Agents = c.exit
			}
			o.Trace = &farwire.Trace{DialEnd: func(_ context.Context, _ farwire.DialInfo, r farwire.DialResult) { got <- r }}
		})
		p := w.open("/ws")
		url := c.url
		if url == "" {
			url = "ws://192.0.2.1"
		}
		p.text(fmt.Sprintf(`{"apiKey":%q,"url":%q}`, testKey, url))
		if r := <-got; r.Class != c.want || r.Err == nil {
			t.Errorf("got %s (%v), want %s", r.Class, r.Err, c.want)
		}
		p.conn.Close()
	}
}

// TestJoinTraces_Ends_ComeInReverseOrder joins traces: each sees the context of the one before, and ends
// come in the opposite order.
func TestJoinTraces_Ends_ComeInReverseOrder(t *testing.T) {
	var d traceLog
	named := func(name string) *farwire.Trace {
		in := func(ctx context.Context, what string) context.Context {
			d.note("%s %s [%s]", name, what, place(ctx))
			return at(ctx, place(ctx)+name)
		}
		return &farwire.Trace{
			SessionStart: func(ctx context.Context, _ farwire.SessionInfo) context.Context { return in(ctx, "start") },
			SessionEnd:   func(ctx context.Context, _ farwire.SessionInfo, _ farwire.SessionResult) { in(ctx, "end") },
			DialStart:    func(ctx context.Context, _ farwire.DialInfo) context.Context { return in(ctx, "dial") },
			DialEnd:      func(ctx context.Context, _ farwire.DialInfo, _ farwire.DialResult) { in(ctx, "dialled") },
			Refused:      func(ctx context.Context, i farwire.RefusedInfo) { d.note("%s refused %s %d", name, i.Kind, i.Status) },
		}
	}
	// One that returns nil changes nothing, and one that is empty does nothing.
	silent := &farwire.Trace{
		SessionStart: func(context.Context, farwire.SessionInfo) context.Context { return nil },
		DialStart:    func(context.Context, farwire.DialInfo) context.Context { return nil },
	}
	joined := farwire.JoinTraces(named("a"), nil, silent, new(farwire.Trace), named("b"))
	ctx := joined.SessionStart(context.Background(), farwire.SessionInfo{})
	joined.DialEnd(joined.DialStart(ctx, farwire.DialInfo{}), farwire.DialInfo{}, farwire.DialResult{})
	joined.SessionEnd(ctx, farwire.SessionInfo{}, farwire.SessionResult{})
	joined.Refused(ctx, farwire.RefusedInfo{Kind: "relay", Status: 429})
	d.has(t, "a start []", "b start [a]", "a dial [ab]", "b dial [aba]", "b dialled [abab]", "a dialled [abab]",
		"b end [ab]", "a end [ab]", "a refused relay 429", "b refused relay 429")
}

// TestTrace_DrainAtSessionStart_EndsTheSession drains while a session's context is made
// another: who watches the one of before neither misses the end nor reads the new one.
func TestTrace_DrainAtSessionStart_EndsTheSession(t *testing.T) {
	for kind, ended := range map[farwire.Kind]func(*world) error{
		farwire.KindTunnel: func(w *world) error {
			_, err := w.gw.Open(w.t.Context(), farwire.OpenOptions{Principal: farwire.Principal{Subject: "alice"}, Addr: "192.0.2.1:1"})
			return err
		},
		farwire.KindCrawl: func(w *world) error {
			if h := w.open("/ws/crawl?api_key=" + testKey).receive(); h.code != 1001 {
				return fmt.Errorf("close code %d", h.code)
			}
			return errors.New("draining")
		},
	} {
		t.Run(kind.String(), func(t *testing.T) {
			var w *world
			var drained sync.WaitGroup
			defer drained.Wait()
			w = newWorld(t, func(o *farwire.Options) {
				// Nothing but the drain ends the session.
				o.Agents = agent.Exit{ID: testAgent, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
					<-ctx.Done()
					return nil, context.Cause(ctx)
				}}
				o.Trace = &farwire.Trace{SessionStart: func(ctx context.Context, _ farwire.SessionInfo) context.Context {
					drained.Go(func() { w.gw.Shutdown(context.Background()) })
					waitFor(t, func() bool {
						rec := httptest.NewRecorder()
						w.gw.Health().ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/healthz", nil))
						return rec.Code == http.StatusServiceUnavailable
					})
					return at(ctx, "session")
				}}
			})
			if err := ended(w); err == nil || !strings.Contains(err.Error(), "draining") {
				t.Errorf("the session ends with %v", err)
			}
		})
	}
}

// The functions at a session's end are given a context that has not ended, whatever has ended
// the session: what they do with it would fail.
func TestTrace_SessionEnds_ContextGoesOn(t *testing.T) {
	for name, end := range map[string]func(*world, *peer){
		"client leaves": func(_ *world, p *peer) { p.conn.Close() },
		"ended":         func(w *world, _ *peer) { w.gw.EndWhere(func(farwire.Session) bool { return true }, "enough") },
		"drain":         func(w *world, _ *peer) { w.drain() },
	} {
		t.Run(name, func(t *testing.T) {
			dialling, ended := make(chan struct{}), make(chan error, 1)
			w := newWorld(t, func(o *farwire.Options) {
				o.Agents = agent.Exit{ID: testAgent, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
					close(dialling)
					<-ctx.Done()
					return nil, context.Cause(ctx)
				}}
				o.Trace = &farwire.Trace{SessionEnd: func(ctx context.Context, _ farwire.SessionInfo, _ farwire.SessionResult) {
					ended <- context.Cause(ctx)
				}}
			})
			p := w.open("/ws")
			p.ask("ws://192.0.2.1/", "")
			<-dialling
			end(w, p)
			if err := <-ended; err != nil {
				t.Errorf("the context has ended: %v", err)
			}
		})
	}
}
