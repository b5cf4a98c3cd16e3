package farwire_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

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
