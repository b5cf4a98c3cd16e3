package agent_test

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-yamux/v5"

	"github.com/farwire/farwire/agent"
)

// frame is one of the multiplexer's: type, flags, stream, length, and a body.
func frame(typ byte, flags uint16, stream, length uint32, body string) string {
	h := []byte{0, typ}
	h = binary.BigEndian.AppendUint16(h, flags)
	h = binary.BigEndian.AppendUint32(h, stream)
	h = binary.BigEndian.AppendUint32(h, length)
	return string(h) + body
}

const (
	data, window, ping, goAway = 0, 1, 2, 3
	syn, ack, fin, rst         = 1, 2, 4, 8
)

// message frames a JSON object as the protocol does.
func message(body string) string {
	return string(binary.BigEndian.AppendUint16(nil, uint16(len(body)))) + body
}

const goodHello = `{"version":1,"instance":"i","slug":"evil","country":"DE"}`

// controlStream opens the agent's one stream and says something on it.
func controlStream(said string) string {
	return frame(window, syn, 2, 0, "") + frame(data, 0, 2, uint32(len(said)), said)
}

// Whatever an agent that has been let in does, it costs the gateway a bounded
// time and nobody else's link.
func TestPool_HostileAgent_CostsItsOwnLinkAlone(t *testing.T) {
	for name, attack := range map[string]func(c net.Conn){
		"streams": func(c net.Conn) {
			for id := uint32(4); ; id += 2 {
				if _, err := io.WriteString(c, frame(window, syn, id, 0, "")); err != nil {
					return
				}
			}
		},
		"notes of loss": func(c net.Conn) {
			flood := message(`{"type":"lost","stream":9}`)
			for {
				if _, err := io.WriteString(c, frame(data, 0, 2, uint32(len(flood)), flood)); err != nil {
					return
				}
			}
		},
		"pings": func(c net.Conn) {
			// In a bubble a flood that is taken stops the clock.
			for range 10000 {
				if _, err := io.WriteString(c, frame(ping, syn, 0, 7, "")); err != nil {
					return
				}
			}
		},
		"more than the window": func(c net.Conn) {
			io.WriteString(c, frame(data, 0, 2, 1<<30, strings.Repeat("x", 1<<20)))
		},
		"a stream of the gateway's":  func(c net.Conn) { io.WriteString(c, frame(window, syn, 1, 0, "")) },
		"its stream twice":           func(c net.Conn) { io.WriteString(c, frame(window, syn, 2, 0, "")) },
		"bytes of no stream":         func(c net.Conn) { io.WriteString(c, frame(data, 0, 77, 1<<20, strings.Repeat("x", 1<<20))) },
		"acks of nothing":            func(c net.Conn) { io.WriteString(c, strings.Repeat(frame(window, ack, 2, 0, ""), 1000)) },
		"windows that overflow":      func(c net.Conn) { io.WriteString(c, strings.Repeat(frame(window, 0, 2, 1<<32-1, ""), 1000)) },
		"another version":            func(c net.Conn) { io.WriteString(c, "\x01"+frame(ping, 0, 0, 0, "")[1:]) },
		"an unknown frame":           func(c net.Conn) { io.WriteString(c, frame(9, 0, 0, 0, "")) },
		"going away":                 func(c net.Conn) { io.WriteString(c, frame(goAway, 0, 0, 2, "")) },
		"a reset of its control":     func(c net.Conn) { io.WriteString(c, frame(window, rst, 2, 0, "")) },
		"the end of its control":     func(c net.Conn) { io.WriteString(c, frame(window, fin, 2, 0, "")) },
		"a long control message":     func(c net.Conn) { io.WriteString(c, frame(data, 0, 2, 2002, message(strings.Repeat(" ", 2000)))) },
		"a control message not JSON": func(c net.Conn) { io.WriteString(c, frame(data, 0, 2, 5, message("{]}"))) },
		"half a frame, and silence":  func(c net.Conn) { io.WriteString(c, frame(data, 0, 2, 100, "only this")) },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				l := newMemoryLink(t, 0, agent.RunOptions{DrainTimeout: -1})
				defer l.end()
				gw, evil := net.Pipe()
				var wg sync.WaitGroup
				wg.Go(func() { l.pool.AttachConn(gw) })
				send(evil, goodHello)
				if m := receive(t, evil); m["refused"] != nil {
					t.Fatal(m)
				}
				// It reads nothing, in case that is an answer to what it does.
				began := time.Now()
				wg.Go(func() {
					io.WriteString(evil, controlStream(message(`{"type":"unknown","new":{}}`)))
					attack(evil)
				})
				wg.Wait()
				if after := time.Since(began); after > 30*time.Second {
					t.Errorf("the gateway is rid of it after %v", after)
				}
				evil.Close()
				c, err := l.exit.DialContext(t.Context(), "tcp", "127.0.0.1:1")
				if err != nil {
					t.Fatalf("the honest agent's link has suffered: %v", err)
				}
				far := <-l.target
				go io.Copy(far, far)
				wantEcho(t, c, "still here")
				c.Close()
				far.Close()
			})
		})
	}
}

// An agent that answers a dial with nonsense is at fault, not the target.
func TestPool_InvalidDialAnswer_IsTheAgentsFault(t *testing.T) {
	for name, tc := range map[string]struct {
		answer string
		fault  agent.Fault
		text   string
	}{
		"not JSON":       {message("yes"), agent.FaultAgent, "agent lost"},
		"too long":       {message(`{"cause":"` + strings.Repeat("x", 9<<10) + `"}`), agent.FaultAgent, "agent lost"},
		"unknown fault":  {message(`{"fault":"yours","cause":"10.0.0.1 is secret"}`), agent.FaultAgent, "agent lost"},
		"unknown cause":  {message(`{"fault":"target","cause":"10.0.0.1 is secret"}`), agent.FaultTarget, "connection failed"},
		"unknown policy": {message(`{"fault":"policy","cause":"10.0.0.1 is secret"}`), agent.FaultPolicy, `target "host.test" is not allowed`},
		"nothing":        {"", agent.FaultAgent, "timed out"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p, mux, wg := hostile(t)
				wg.Go(func() {
					for {
						s, err := mux.Accept()
						if err != nil {
							return
						}
						io.WriteString(s, tc.answer)
					}
				})
				synctest.Wait()
				e, err := p.SelectAgent(t.Context(), agent.Query{})
				if err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
				defer cancel()
				_, err = e.DialContext(ctx, "tcp", "host.test:80")
				if de := agent.Classify(err); de == nil || de.Fault != tc.fault || de.Error() != tc.text {
					t.Errorf("%v: %v, want %v: %s", de.Fault, err, tc.fault, tc.text)
				}
				if n := p.Agents()[0].Sessions; n != 0 {
					t.Errorf("%d sessions are left", n)
				}
				mux.Close()
				wg.Wait()
			})
		})
	}
}

// hostile attaches an agent that the test plays. The test closes the session and waits
// for the group.
func hostile(t *testing.T) (*agent.Pool, *yamux.Session, *sync.WaitGroup) {
	t.Helper()
	p, err := agent.NewPool(agent.PoolOptions{Secret: secret, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	gw, evil := net.Pipe()
	wg := new(sync.WaitGroup)
	wg.Go(func() { p.AttachConn(gw) })
	send(evil, goodHello)
	receive(t, evil)
	mux, err := yamux.Server(evil, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := mux.OpenStream(t.Context()); err != nil {
		t.Fatal(err)
	}
	return p, mux, wg
}

// joined is an agent whose gateway the test plays.
func joined(t *testing.T, o agent.RunOptions) (gateway *yamux.Session, end func()) {
	t.Helper()
	o.Gateways, o.Secret, o.Slug, o.Country = []string{"https://gw"}, secret, "de1", "DE"
	o.DrainTimeout, o.Logger = -1, quiet
	gw, side := net.Pipe()
	ctx, stop := context.WithCancel(context.Background())
	left := make(chan error, 1)
	go func() { left <- agent.JoinConn(ctx, o, side, nil) }()
	if h := receive(t, gw); h["version"] != 1.0 || h["slug"] != "de1" || h["country"] != "DE" {
		t.Fatalf("hello is %v", h)
	}
	send(gw, `{"version":1,"gateway":"g","link":1,"id":"farwire-de1","slug":"de1","country":"DE","new":[]}`)
	mux, err := yamux.Client(gw, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := mux.AcceptStream(); err != nil {
		t.Fatal(err)
	}
	return mux, func() {
		stop()
		mux.Close()
		<-left
	}
}

func TestRun_HostileGateway_IsBounded(t *testing.T) {
	c := newCanary(t)
	resolver := fixed(map[string][]string{"loop.test": {"127.0.0.1"}, "mixed.test": {"8.8.8.8", "127.0.0.1"}})
	mux, end := joined(t, agent.RunOptions{Resolver: resolver, Policy: agent.Rules{Deny: []netip.Prefix{netip.MustParsePrefix("8.8.8.0/24")}}})
	defer end()
	for _, tc := range []struct{ request, want string }{
		{`{"op":"dial","network":"tcp","addr":"127.0.0.1:PORT"}`, "policy private"},
		{`{"op":"dial","network":"tcp","addr":"loop.test:PORT"}`, "policy private"},
		{`{"op":"dial","network":"tcp","addr":"mixed.test:PORT"}`, "policy rules"},
		{`{"op":"dial","network":"tcp","addr":"[::ffff:127.0.0.1]:PORT","policy":{}}`, "policy private"},
		{`{"op":"dial","network":"tcp","addr":"127.0.0.1:PORT","policy":{"allow_private":true,"AllowPrivate":true,"public_only":false}}`, "policy private"},
		{`{"op":"dial","network":"tcp","addr":"8.8.8.8:53","policy":{"deny":[]}}`, "policy rules"},
		{`{"op":"dial","network":"tcp","addr":"1.1.1.1:53","policy":{"ports":[443]}}`, "policy port"},
		{`{"op":"dial","network":"unix","addr":"/run/secret"}`, "policy network"},
		{`{"op":"dial","network":"udp","addr":"127.0.0.1:PORT"}`, "policy network"},
		{`{"op":"dial","network":"","addr":"127.0.0.1:PORT"}`, "policy network"},
		{`{"op":"dial","network":"tcp","addr":""}`, "target invalid address"},
		{`{"op":"resolve","addr":"mixed.test"}`, "policy rules"},
		{`{"op":"resolve","addr":"127.0.0.1"}`, "policy private"},
		{`{"op":"exec","addr":"sh"}`, "agent connection failed"},
		{`{}`, "agent connection failed"},
		{`{"op":"dial","network":"tcp","addr":"127.0.0.1:PORT","policy":{"deny":["x"]}}`, ""},
		{`[]`, ""},
		{strings.Repeat(" ", 17<<10), ""},
	} {
		s, err := mux.OpenStream(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		s.SetDeadline(time.Now().Add(10 * time.Second))
		send(s, strings.ReplaceAll(tc.request, "PORT", c.port))
		if tc.want == "" {
			if n, err := s.Read(make([]byte, 1)); n != 0 || err == nil {
				t.Errorf("%.80s: answered", tc.request)
			}
			continue
		}
		a := receive(t, s)
		if got := a["fault"].(string) + " " + a["cause"].(string); got != tc.want {
			t.Errorf("%s: %s, want %s", tc.request, got, tc.want)
		}
		if n, err := s.Read(make([]byte, 1)); n != 0 || err != io.EOF {
			t.Errorf("%s: after the answer %d bytes, %v", tc.request, n, err)
		}
	}
	if n := c.hits.Load(); n != 0 {
		t.Errorf("%d connections reached the canary", n)
	}
}

func TestPolicy_OfTheGateway_OnlyNarrows(t *testing.T) {
	c := newCanary(t)
	p, srv, _ := newPool(t, agent.PoolOptions{Policy: agent.Rules{PublicOnly: true}})
	run(t, agent.RunOptions{Gateways: []string{srv.URL}, AllowPrivate: true})
	attached(t, p, 1)
	_, err := selectOne(t, p, agent.Query{}).DialContext(t.Context(), "tcp", "127.0.0.1:"+c.port)
	if de := agent.Classify(err); de == nil || de.Fault != agent.FaultPolicy || de.Error() != `target "127.0.0.1" is not allowed by policy` {
		t.Errorf("dialling what the gateway forbids: %v", err)
	}
	if c.hits.Load() != 0 {
		t.Error("the canary was reached")
	}
}

func TestAttach_SlowRequest_Ends(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		mux, end := joined(t, agent.RunOptions{})
		defer end()
		s, err := mux.OpenStream(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		s.Write([]byte{0})
		if _, err := s.Read(make([]byte, 1)); err == nil || time.Since(began) > 10*time.Second {
			t.Errorf("half a request ends with %v after %v", err, time.Since(began))
		}
	})
}
