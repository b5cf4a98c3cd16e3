package farwire_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/internal/brokertest"
)

// The clocks of a stream, in fake time.
func TestAMQP_Clocks_HoldInFakeTime(t *testing.T) {
	t.Run("comments", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			broker := &brokertest.Broker{Serve: func(c *brokertest.Conn) {
				go func() {
					for range 4 {
						select {
						case <-time.After(20 * time.Second):
							c.Frame(8, 0, nil)
						case <-t.Context().Done():
							return
						}
					}
				}()
			}}
			w := newBubble(t, broker.Talk)
			s := w.subscribe(subscription)
			s.connected()
			begin := time.Now()
			for i := range 5 {
				s.want(stillHere)
				if d := time.Since(begin); d != time.Duration(i+1)*15*time.Second {
					t.Errorf("comment %d after %v", i, d)
				}
			}
			s.conn.Close()
		})
	})
	t.Run("heartbeats", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			beats := make(chan time.Duration, 10)
			broker := &brokertest.Broker{Heartbeat: 10, Serve: func(c *brokertest.Conn) {
				begin := time.Now()
				for range 4 {
					if m, _, err := c.Next(); err == nil && m == brokertest.Heartbeat {
						beats <- time.Since(begin)
					}
				}
			}}
			w := newBubble(t, broker.Talk)
			s := w.subscribe(subscription)
			s.connected()
			begin := time.Now()
			for i := range 3 {
				if d := <-beats; d != time.Duration(i+1)*5*time.Second {
					t.Errorf("heartbeat %d after %v", i, d)
				}
			}
			// The broker itself says nothing: after two intervals it is lost.
			s.want(stillHere)
			s.want("event: error", `data: {"message": "agent error: the broker stopped answering", "code": 1011, "reason": "target_lost"}`)
			if d := time.Since(begin); d != 20*time.Second {
				t.Errorf("noticed after %v", d)
			}
			s.ends()
		})
	})
	t.Run("a silent broker", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newBubble(t, func(c net.Conn) { io.Copy(io.Discard, c); c.Close() })
			begin := time.Now()
			s := w.subscribe(subscription)
			s.want(stillHere)
			s.want("event: error", `data: {"message": "agent error: timed out", "code": 1011, "reason": "target_timeout"}`)
			if d := time.Since(begin); d != 20*time.Second {
				t.Errorf("after %v", d)
			}
			s.ends()
		})
	})
	t.Run("a slow body", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := newBubble(t, func(c net.Conn) { c.Close() })
			conn, err := w.dialIn()
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			begin := time.Now()
			io.WriteString(conn, "POST /amqp HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
			resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			b, _ := io.ReadAll(resp.Body)
			if resp.StatusCode != 400 || !strings.Contains(string(b), "did not come within 10s") || time.Since(begin) != 10*time.Second {
				t.Errorf("%s %s after %v", resp.Status, b, time.Since(begin))
			}
		})
	})
}

// A message is acknowledged once its event has been taken, the last for all.
func TestAMQP_Acknowledgement_FollowsTheFlush(t *testing.T) {
	type ack struct {
		tag uint64
		at  time.Time
	}
	synctest.Test(t, func(t *testing.T) {
		acks := make(chan ack, 10)
		broker := &brokertest.Broker{Serve: func(c *brokertest.Conn) {
			c.Deliver(1, "k", "one")
			go func() {
				time.Sleep(time.Second)
				for tag := uint64(2); tag <= 9; tag++ {
					c.Deliver(tag, "k", "more")
				}
			}()
			for {
				m, args, err := c.Next()
				if err != nil || m == brokertest.Close {
					return
				}
				if m == brokertest.Ack {
					if args[8] != 1 {
						t.Error("an ack of one message")
					}
					acks <- ack{uint64(args[7]), time.Now()}
				}
			}
		}}
		w := newBubble(t, broker.Talk)
		s := w.subscribe(subscription)
		s.connected()
		// The pipe holds nothing: until the client reads, nothing is flushed.
		time.Sleep(10 * time.Second)
		select {
		case a := <-acks:
			t.Errorf("acknowledged %d before it was read", a.tag)
		default:
		}
		for tag := 1; tag <= 9; tag++ {
			if e := s.event(); !strings.HasSuffix(e, fmt.Sprintf("}\nid: %d", tag)) {
				t.Errorf("event %d: %s", tag, e)
			}
		}
		if a := <-acks; a.tag != 1 {
			t.Errorf("first ack %d", a.tag)
		}
		if a := <-acks; a.tag != 9 {
			t.Errorf("second ack %d: what came meanwhile is one batch", a.tag)
		}
		s.conn.Close()
	})
}

// What was read before a drain is sent and acknowledged although its client is slow; what
// comes after is not.
func TestAMQP_DrainWhileEventsWait_SendsThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		next := make(chan struct{})
		broker := &brokertest.Broker{Serve: func(c *brokertest.Conn) {
			go func() {
				for _, tags := range [][]uint64{{1, 2}, {3, 4, 5}, {6}} {
					<-next
					for _, tag := range tags {
						c.Deliver(tag, "k", "x")
					}
				}
			}()
		}}
		w := newBubble(t, broker.Talk)
		s := w.subscribe(subscription)
		s.connected()
		// The pipe to the client holds nothing: the first batch is being written, the
		// second one waits behind it.
		for range 2 {
			next <- struct{}{}
			synctest.Wait()
		}
		go w.gw.Shutdown(context.Background())
		synctest.Wait()
		next <- struct{}{}
		synctest.Wait()
		for tag := 1; tag <= 5; tag++ {
			if e := s.event(); !strings.HasSuffix(e, fmt.Sprintf("}\nid: %d", tag)) {
				t.Errorf("event %d: %s", tag, e)
			}
		}
		s.want("event: error", `data: {"message": "the gateway is draining", "code": 1001, "reason": "draining"}`)
		s.ends()
		synctest.Wait()
		acks := broker.Asked(brokertest.Ack)
		if len(acks) == 0 || acks[len(acks)-1].Args[7] != 5 {
			t.Errorf("acknowledged %v", acks)
		}
	})
}

// A client that does not read its events keeps its session no longer than the grace,
// whatever the limit for stalls.
func TestAMQP_ClientDoesNotRead_SessionEndsWithItsCause(t *testing.T) {
	for cause, c := range map[string]struct {
		limits farwire.Limits
		after  time.Duration
		end    func(*farwire.Gateway, *farwire.KeySet)
	}{
		"ended by request": {end: func(gw *farwire.Gateway, _ *farwire.KeySet) {
			gw.EndWhere(func(farwire.Session) bool { return true }, "ended by request")
		}},
		"key revoked": {end: func(gw *farwire.Gateway, keys *farwire.KeySet) {
			if err := keys.Replace(map[string]farwire.Principal{otherKey: {Subject: "bob"}}); err != nil {
				t.Error(err)
			}
			gw.EndRevoked(t.Context())
		}},
		"session's time": {limits: farwire.Limits{SessionTime: 10 * time.Second}, after: 10 * time.Second},
	} {
		t.Run(cause, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				broker := &brokertest.Broker{Serve: func(conn *brokertest.Conn) {
					for tag := range uint64(3) {
						conn.Deliver(tag+1, "key", strings.Repeat("x", 1<<20))
					}
				}}
				c.limits.Rate = -1
				keys := must(farwire.NewKeySet(map[string]farwire.Principal{testKey: {Subject: "alice", Limits: c.limits}, otherKey: {Subject: "bob"}}))
				w := newBubble(t, broker.Talk, func(o *farwire.Options) { o.Auth, o.AMQP.StallTimeout = keys, -1 })
				w.subscribe(subscription).connected()
				synctest.Wait() // until the first event cannot go on
				if c.end != nil {
					c.end(w.gw, keys)
				}
				time.Sleep(c.after + 6*time.Second) // the grace is 5 s
				synctest.Wait()
				for s := range w.gw.Sessions() {
					t.Errorf("%+v still runs", s)
				}
				if line := w.log.String(); !strings.Contains(line, "ended_by=gateway code=1008") || !strings.Contains(line, cause) {
					t.Errorf("%s is not in %s", cause, line)
				}
			})
		})
	}
}

// A reader that takes nothing is lost after a minute, unless the host says otherwise.
func TestAMQP_ReaderTakesNothing_LostAfter60Seconds(t *testing.T) {
	for stall, lost := range map[time.Duration]time.Duration{0: 60 * time.Second, 10 * time.Second: 10 * time.Second, 5 * time.Minute: 5 * time.Minute} {
		t.Run(fmt.Sprint(stall), func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				broker := &brokertest.Broker{Serve: func(conn *brokertest.Conn) {
					for tag := range uint64(3) {
						conn.Deliver(tag+1, "key", strings.Repeat("x", 1<<20))
					}
				}}
				w := newBubble(t, broker.Talk, func(o *farwire.Options) { o.AMQP.StallTimeout = stall })
				w.subscribe(subscription).connected()
				synctest.Wait() // until the first event cannot go on
				time.Sleep(lost - time.Second)
				synctest.Wait()
				if n := len(slices.Collect(w.gw.Sessions())); n != 1 {
					t.Errorf("%d sessions run after %v, want 1", n, lost-time.Second)
				}
				time.Sleep(7 * time.Second) // the grace is 5 s
				synctest.Wait()
				if n := len(slices.Collect(w.gw.Sessions())); n != 0 {
					t.Errorf("%d sessions run", n)
				}
				if line := w.log.String(); !strings.Contains(line, "stalled") {
					t.Error(line)
				}
			})
		})
	}
}
