package farwire_test

import (
	"context"
	"log/slog"
	"net"
	"net/http"
	"sync/atomic"
	"testing"

	"github.com/farwire/farwire"
)

// Above 80 % of the descriptors a caller that holds its share gets no new session,
// and one that holds less does.
func TestSessions_FewDescriptorsLeft_CallersAreHeldToTheirShare(t *testing.T) {
	w := newWorld(t)
	var open atomic.Int64
	open.Store(10)
	w.gw.SetDescriptors(func() (int, int) { return int(open.Load()), 100 })
	target := newTarget(t, echo)
	held := make(map[string][]*peer)
	ask := func(key string) refusal {
		p := w.open("/ws")
		held[key] = append(held[key], p)
		p.text(`{"apiKey":"` + key + `","url":"` + target + `"}`)
		return p.refusal()
	}
	for range 4 {
		if r := ask(testKey); r.text != "" {
			t.Fatalf("with most descriptors free: %+v", r)
		}
	}
	open.Store(80) // 72 of them are not held by sessions
	if r := ask(testKey); r.text != "" {
		t.Errorf("at 80 %%: %+v", r)
	}
	open.Store(82)
	const told = "limit reached: your sessions hold your share of this gateway's connections"
	if r := ask(testKey); r.code != 1008 || r.text != told {
		t.Errorf("above 80 %%, all held by this caller: %+v, want 1008 %q", r, told)
	}
	if r := ask(otherKey); r.text != "" {
		t.Errorf("above 80 %%, a caller that holds nothing: %+v", r)
	}
	open.Store(84) // each may hold 4 of the 8 that others leave: alice holds 10, bob 2
	if r := ask(otherKey); r.text != "" {
		t.Errorf("above 80 %%, a caller that holds less than its share: %+v", r)
	}
	open.Store(86)
	if r := ask(otherKey); r.code != 1008 || r.text != told {
		t.Errorf("above 80 %%, a caller that holds its share: %+v, want 1008 %q", r, told)
	}
	resp := w.try("/ws?url="+escape(target), "X-API-Key: "+testKey).resp
	if r := httpRefusal(resp); r.status != http.StatusTooManyRequests || r.text != told || r.header.Get("Retry-After") == "" {
		t.Errorf("in the direct form: %+v, want 429 %q", r, told)
	}
	// What ends is given back.
	for _, p := range held[testKey] {
		p.conn.Close()
	}
	waitFor(t, func() bool {
		for s := range w.gw.Sessions() {
			if s.Subject == "alice" {
				return false
			}
		}
		return true
	})
	if r := ask(testKey); r.text != "" {
		t.Errorf("after its sessions have ended: %+v", r)
	}
}

// A connection is told of a valid key, and of nothing else, on every surface.
func TestWithKeyShown_EverySurface_CalledForValidKeys(t *testing.T) {
	for _, s := range surfaces {
		t.Run(s.name, func(t *testing.T) {
			w, d, target := newLimited(t, farwire.Limits{Rate: -1})
			var shown atomic.Int64
			ln, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			mux := http.NewServeMux()
			mux.Handle("/ws", w.gw.Relay())
			mux.Handle("/amqp", w.gw.AMQP())
			mux.Handle("/ws/crawl", w.gw.Crawl())
			mux.Handle("/auth/token", w.gw.Token())
			mux.Handle("/network", w.gw.Network())
			mux.Handle("/usage", w.gw.Usage())
			srv := &http.Server{Handler: mux, ErrorLog: slog.NewLogLogger(slog.NewTextHandler(w.log, nil), slog.LevelError),
				ConnContext: func(ctx context.Context, _ net.Conn) context.Context {
					return farwire.WithKeyShown(ctx, func() { shown.Add(1) })
				}}
			done := make(chan struct{})
			go func() { defer close(done); srv.Serve(ln) }()
			t.Cleanup(func() { srv.Close(); <-done })
			told := *w // the gateway's other server goes on with its own listener
			w = &told
			w.ln, w.dialIn = ln, func() (net.Conn, error) { return net.Dial("tcp", ln.Addr().String()) }

			if s.name != "crawl" { // its socket closes without a message
				d.set(farwire.Principal{}, farwire.ErrUnauthorized)
				s.call(w, "wrong-key-0123456789abc", target)
				d.set(caller(farwire.Limits{Rate: -1}), nil)
			}
			if n := shown.Load(); n != 0 {
				t.Errorf("a wrong key was told %d times as a valid one", n)
			}
			if r := s.call(w, testKey, target); r.text != "" && r.status != http.StatusNotFound {
				t.Fatalf("a right key: %+v", r)
			}
			if shown.Load() == 0 {
				t.Error("the connection was not told of a valid key")
			}
		})
	}
}
