package farwire_test

import (
	"context"
	"errors"
	"io"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/agent"
)

// bubble runs a test of time in a synctest bubble, with a gateway and targets
// in memory.
func bubble(t *testing.T, target func(*peer), test func(*testing.T, *world), edit ...func(*farwire.Options)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newBubble(t, func(conn net.Conn) {
			defer conn.Close()
			if p := upgradeAt(t, conn); p != nil {
				target(p)
			}
		}, edit...)
		defer time.Sleep(2 * time.Hour) // for everything that still waits for something
		test(t, w)
	})
}

// elapsed asserts that f takes want, in a bubble's time: no more than a second longer, nor
// than twice that.
func elapsed(t *testing.T, want time.Duration, f func()) {
	t.Helper()
	start := time.Now()
	f()
	if d := time.Since(start); d < want || d > want+min(want, time.Second) {
		t.Errorf("took %v, want %v", d, want)
	}
}

// frameWithin waits for a frame for another time than testTimeout.
func (p *peer) wantWithin(d time.Duration, w frame) {
	p.t.Helper()
	f, err := p.nextWithin(d)
	if err != nil || f.op != w.op || string(f.payload) != string(w.payload) {
		p.t.Fatalf("got %v, %v, want %v", f, err, w)
	}
}

func TestRelay_MessageMissingForTenSeconds_Closes(t *testing.T) {
	const late = `{"type":"error","message":"no connect message within 10 seconds","code":"bad_request"}`
	silence := func(p *peer) {}
	dribble := func(p *peer) {
		for _, b := range p.encode(opText, true, []byte(strings.Repeat(" ", 60))) {
			time.Sleep(time.Second)
			p.conn.SetWriteDeadline(time.Now().Add(time.Second))
			if _, err := p.conn.Write([]byte{b}); err != nil {
				return
			}
		}
	}
	pings := func(p *peer) {
		for range 30 {
			time.Sleep(time.Second)
			p.conn.SetWriteDeadline(time.Now().Add(time.Second))
			if _, err := p.conn.Write(p.encode(opPong, true, nil)); err != nil {
				return
			}
		}
	}
	fragments := func(p *peer) {
		for i := range 30 {
			time.Sleep(time.Second)
			op := byte(opCont)
			if i == 0 {
				op = opText
			}
			p.conn.SetWriteDeadline(time.Now().Add(time.Second))
			if _, err := p.conn.Write(p.encode(op, false, []byte(" "))); err != nil {
				return
			}
		}
	}
	for name, client := range map[string]func(*peer){"silence": silence, "a byte now and then": dribble, "pings": pings, "fragments": fragments} {
		t.Run(name, func(t *testing.T) {
			bubble(t, echo, func(t *testing.T, w *world) {
				p := w.open("/ws")
				var wg sync.WaitGroup
				wg.Go(func() { client(p) })
				elapsed(t, 10*time.Second, func() {
					p.wantWithin(30*time.Second, frame{op: opText, payload: []byte(late)})
				})
				p.wantClose(1008, "no connect message within 10 seconds")
				p.conn.Close()
				wg.Wait()
			})
		})
	}
}

// TestRelay_TargetSilentForTwentySeconds_Closes has agents and targets that say nothing.
func TestRelay_TargetSilentForTwentySeconds_Closes(t *testing.T) {
	timedOut := frame{op: opText, payload: []byte(`{"type":"error","message":"target timed out","code":"target_timeout"}`)}
	check := func(t *testing.T, w *world) {
		p := w.open("/ws")
		p.ask("ws://target.test/", "")
		elapsed(t, 20*time.Second, func() { p.wantWithin(time.Minute, timedOut) })
		p.wantClose(1011, "target timed out")
	}
	t.Run("silent target", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			check(t, newBubble(t, func(c net.Conn) { io.Copy(io.Discard, c); c.Close() }))
		})
	})
	t.Run("agent that never answers", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			check(t, newBubble(t, nil, func(o *farwire.Options) {
				o.Agents = agent.Exit{ID: "x", Slug: "x", Country: "DE", DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
					<-ctx.Done()
					return nil, &agent.DialError{Fault: agent.FaultAgent, Err: ctx.Err()}
				}}
			}))
		})
	})
	t.Run("several agents share it", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			var tried []string
			w := newBubble(t, nil, func(o *farwire.Options) {
				o.Agents = selector(func(q agent.Query) (agent.Exit, error) {
					id := string(rune('a' + len(q.Exclude)))
					tried = append(tried, id)
					return agent.Exit{ID: id, DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
						select {
						case <-time.After(8 * time.Second):
						case <-ctx.Done():
						}
						return nil, &agent.DialError{Fault: agent.FaultAgent, Err: errors.New("overloaded")}
					}}, nil
				})
			})
			check(t, w)
			if got := strings.Join(tried, ""); got != "abc" {
				t.Errorf("tried %q", got)
			}
		})
	})
}

type selector func(agent.Query) (agent.Exit, error)

func (s selector) SelectAgent(_ context.Context, q agent.Query) (agent.Exit, error) { return s(q) }

type hangingAuth struct{}

func (hangingAuth) Authenticate(ctx context.Context, _ farwire.Credentials) (farwire.Principal, error) {
	<-ctx.Done()
	return farwire.Principal{}, ctx.Err()
}

func TestRelay_IdleTimeoutPasses_Closes(t *testing.T) {
	t.Run("counts from connected", func(t *testing.T) {
		bubble(t, func(p *peer) {
			p.wantWithin(time.Minute, frame{op: opClose, payload: closePayload(1001, "")})
			p.close(1001, "")
		}, func(t *testing.T, w *world) {
			p := w.connected("ws://target.test/", `"idle_timeout":1.5`)
			elapsed(t, 1500*time.Millisecond, func() {
				p.wantWithin(time.Minute, frame{op: opClose, payload: closePayload(1000, "idle timeout")})
			})
			p.close(1000, "")
			p.wantEnd()
		})
	})
	for _, long := range []string{"9223372036.8", "1e10", "1e300"} {
		t.Run("one of "+long+" leaves the other clocks alone", func(t *testing.T) {
			bubble(t, func(p *peer) {
				time.Sleep(time.Second)
				p.text("data")
				elapsed(t, 45*time.Second, func() {
					p.wantWithin(2*time.Minute, frame{op: opClose, payload: closePayload(1001, "client lost")})
				})
			}, func(t *testing.T, w *world) {
				p := w.connected("ws://target.test/", `"idle_timeout":`+long)
				p.wantWithin(time.Minute, frame{op: opText, payload: []byte("data")})
				p.conn.SetReadDeadline(time.Now().Add(time.Minute))
				io.Copy(io.Discard, p.br)
			})
		})
	}
	t.Run("only the target's data frames count", func(t *testing.T) {
		bubble(t, func(p *peer) {
			time.Sleep(3 * time.Second)
			p.text("data")
			var wg sync.WaitGroup
			wg.Go(func() {
				for range 20 {
					time.Sleep(time.Second)
					p.conn.SetWriteDeadline(time.Now().Add(time.Second))
					if _, err := p.conn.Write(p.encode(opPing, true, nil)); err != nil {
						return
					}
				}
			})
			for {
				if f, err := p.nextWithin(time.Minute); err != nil || f.op == opClose {
					break
				}
			}
			p.conn.Close()
			wg.Wait()
		}, func(t *testing.T, w *world) {
			p := w.connected("ws://target.test/", `"idle_timeout":4`)
			var wg sync.WaitGroup
			wg.Go(func() {
				for range 20 { // what the client says does not count
					time.Sleep(700 * time.Millisecond)
					p.conn.SetWriteDeadline(time.Now().Add(time.Second))
					if _, err := p.conn.Write(p.encode(opText, true, []byte("x"))); err != nil {
						return
					}
				}
			})
			elapsed(t, 7*time.Second, func() {
				for {
					f, err := p.nextWithin(time.Minute)
					if err != nil {
						t.Fatal(err)
					}
					if f.op == opClose {
						break
					}
				}
			})
			p.conn.Close()
			wg.Wait()
		})
	})
}

func TestRelay_PeerSilent_PingsAndCloses(t *testing.T) {
	t.Run("a ping of ours after 25 s, its pong swallowed", func(t *testing.T) {
		bubble(t, func(p *peer) {
			p.wantWithin(time.Hour, frame{op: opPong, payload: []byte("not that one")})
			p.wantWithin(time.Hour, frame{op: opText, payload: []byte("on")})
		}, func(t *testing.T, w *world) {
			p := w.connected("ws://target.test/", "")
			var ping frame
			elapsed(t, 25*time.Second, func() {
				var err error
				if ping, err = p.nextWithin(time.Minute); err != nil || ping.op != opPing || len(ping.payload) == 0 {
					t.Fatalf("got %v, %v", ping, err)
				}
			})
			p.frame(opPong, true, []byte("not that one"))
			p.frame(opPong, true, ping.payload)
			time.Sleep(22 * time.Second)
			p.text("on")
		})
	})
	t.Run("an unanswered ping is a lost client", func(t *testing.T) {
		bubble(t, func(p *peer) {
			elapsed(t, 45*time.Second, func() {
				p.wantWithin(2*time.Minute, frame{op: opClose, payload: closePayload(1001, "client lost")})
			})
		}, func(t *testing.T, w *world) {
			p := w.connected("ws://target.test/", "")
			if f, err := p.nextWithin(time.Minute); err != nil || f.op != opPing {
				t.Fatalf("got %v, %v", f, err)
			}
			p.conn.SetReadDeadline(time.Now().Add(time.Minute))
			io.Copy(io.Discard, p.br)
		})
	})
	t.Run("never when negative", func(t *testing.T) {
		bubble(t, echo, func(t *testing.T, w *world) {
			p := w.connected("ws://target.test/", "")
			var timeout net.Error
			if f, err := p.nextWithin(30 * time.Minute); !errors.As(err, &timeout) || !timeout.Timeout() {
				t.Errorf("got %v, %v", f, err)
			}
		}, func(o *farwire.Options) { o.Relay.KeepAlive = -1 })
	})
}

func TestRelay_StallTimeoutPasses_Closes(t *testing.T) {
	t.Run("a client that takes nothing", func(t *testing.T) {
		bubble(t, func(p *peer) {
			elapsed(t, 35*time.Second, func() { // 5 of them for a close that nobody takes either
				p.conn.SetWriteDeadline(time.Now().Add(2 * time.Minute))
				p.conn.Write(p.encode(opBinary, true, make([]byte, 1<<20))) // that nobody takes
				io.Copy(io.Discard, p.br)
			})
		}, func(t *testing.T, w *world) {
			w.connected("ws://target.test/", "")
			time.Sleep(2 * time.Minute)
		}, func(o *farwire.Options) { o.Relay.KeepAlive = -1 })
	})
}

// TestRelay_Drain_Closes1001 ends sessions in every state with 1001.
func TestRelay_Drain_Closes1001(t *testing.T) {
	bubble(t, func(p *peer) {
		p.wantWithin(time.Minute, frame{op: opClose, payload: closePayload(1001, "draining")})
		p.close(1001, "")
	}, func(t *testing.T, w *world) {
		waiting := w.open("/ws") // has not asked yet
		relaying := w.connected("ws://target.test/", "")
		done := make(chan error)
		go func() {
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			done <- w.gw.Shutdown(ctx)
		}()
		relaying.wantClose(1001, "draining")
		relaying.close(1001, "")
		waiting.wantError(1001, "draining")
		if err := <-done; err != nil {
			t.Errorf("shutdown: %v", err)
		}
		if p := w.try("/ws"); p.resp.StatusCode != 503 || p.resp.Header.Get("Retry-After") == "" {
			t.Errorf("a new session got %s", p.resp.Status)
		}
	})
}

// TestRelay_DrainTimeoutPasses_IsCut gives a session no time.
func TestRelay_DrainTimeoutPasses_IsCut(t *testing.T) {
	bubble(t, func(p *peer) {
		p.raw(p.encode(opText, true, []byte("half"))[:3]) // inside a frame, and never on
		io.Copy(io.Discard, p.br)
	}, func(t *testing.T, w *world) {
		p := w.connected("ws://target.test/", "")
		b := make([]byte, 3)
		if _, err := io.ReadFull(p.br, b); err != nil {
			t.Fatal(err)
		}
		elapsed(t, 10*time.Second, func() {
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			if err := w.gw.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("shutdown: %v", err)
			}
		})
		p.wantEnd() // and no close frame inside the frame
	})
}
