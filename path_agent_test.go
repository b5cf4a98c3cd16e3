package farwire_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/agent"
)

// A target's connection that no request uses is a session of the agent's nevertheless.
func TestPathForm_AgentTakesFewSessions_IdleConnectionsMakeRoom(t *testing.T) {
	const atATime = 2
	for _, hop := range []bool{false, true} {
		t.Run(fmt.Sprintf("hop=%v", hop), func(t *testing.T) {
			pool, near := attachedPools(t, agent.RunOptions{AllowPrivate: true, MaxSessions: atATime})
			if hop {
				pool = near
			}
			w := newPathWorld(t, http.NotFoundHandler(), func(o *farwire.Options) { o.Agents = pool })
			waitUntil(t, "the agent to be rid of what has made the hop", func() bool {
				resp, _ := w.fetch(w.request("GET", "/", nil))
				return resp.StatusCode == http.StatusNotFound
			})
			for i := range 6 {
				var asked sync.WaitGroup
				for range atATime { // they need room at the same time
					target := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
						if i%2 > 0 { // the agent may have yet to hear that its connection is closed
							rw.Header().Set("Connection", "close")
						}
						io.WriteString(rw, "fine")
					}))
					defer target.Close()
					asked.Go(func() {
						req := w.request("POST", "/", strings.NewReader("a body"))
						req.URL.Opaque = "/to/key=" + testKey + "/http/" + strings.TrimPrefix(target.URL, "http://") + "/"
						resp, err := plainClient.Do(req)
						if err != nil {
							t.Error(err)
							return
						}
						defer resp.Body.Close()
						if body, err := io.ReadAll(resp.Body); resp.StatusCode != 200 || string(body) != "fine" {
							t.Errorf("in turn %d: %s %s %v", i, resp.Status, body, err)
						}
					})
				}
				asked.Wait()
				waitUntil(t, "the end of the sessions", func() bool {
					for range w.gw.Sessions() {
						return false
					}
					return true
				})
			}
			// Of another kind of session, too.
			conn, err := w.gw.Open(t.Context(), farwire.OpenOptions{Addr: w.host(), Principal: farwire.Principal{Subject: "carol"}})
			if err != nil {
				t.Fatal(err)
			}
			conn.Close()
		})
	}
}

// A connection that no request uses is closed before a caller is refused for want of
// descriptors.
func TestPathForm_FewDescriptorsLeft_IdleConnectionsAreClosed(t *testing.T) {
	var open atomic.Int64
	exit := direct(t, agent.DirectOptions{AllowPrivate: true})
	dial := exit.DialContext
	exit.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		conn, err := dial(ctx, network, addr)
		if err == nil {
			open.Add(1)
			conn = &toldClose{Conn: conn, told: func() { open.Add(-1) }}
		}
		return conn, err
	}
	w := newPathWorld(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) { io.WriteString(rw, "fine") }), func(o *farwire.Options) { o.Agents = exit })
	held, err := w.gw.Open(t.Context(), farwire.OpenOptions{Addr: w.host(), Principal: farwire.Principal{Subject: "alice"}})
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	for _, session := range []string{"a", "b", "c"} {
		req := w.request("GET", "/", nil)
		req.URL.Opaque = "/to/session=" + session + ";key=" + testKey + "/http/" + w.host() + "/"
		if resp, body := w.fetch(req); resp.StatusCode != 200 {
			t.Fatalf("%s %s", resp.Status, body)
		}
	}
	if n := open.Load(); n != 4 {
		t.Fatalf("%d connections are open, want the tunnel's and 3 that are kept", n)
	}
	w.gw.SetDescriptors(func() (int, int) { return 78 + int(open.Load()), 100 })
	if resp, body := w.fetch(w.request("GET", "/", nil)); resp.StatusCode != 200 {
		t.Errorf("%s %s", resp.Status, body)
	}
	w.gw.SetDescriptors(func() (int, int) { return 99, 100 })
	if resp, body := w.fetch(w.request("GET", "/", nil)); resp.StatusCode != http.StatusTooManyRequests {
		t.Errorf("when sessions hold them: %s %s", resp.Status, body)
	}
}

// A toldClose calls told when it is closed.
type toldClose struct {
	net.Conn
	once sync.Once
	told func()
}

func (c *toldClose) Close() error      { c.once.Do(c.told); return c.Conn.Close() }
func (c *toldClose) NetConn() net.Conn { return c.Conn }

// A target may answer and close without reading the whole request (RFC 9112, section 9.6).
func TestPathForm_TargetAnswersBeforeTheBodyEnds_AnswerArrives(t *testing.T) {
	const length = 4 << 20
	target := newRawTarget(t, func(conn net.Conn, head string) {
		io.WriteString(conn, "HTTP/1.1 401 Unauthorized\r\nContent-Length: 7\r\nConnection: close\r\n\r\nrefused")
	})
	host := strings.Trim(target, "ws:/")
	holder, near := attachedPools(t, agent.RunOptions{AllowPrivate: true})
	for name, agents := range map[string]farwire.AgentSelector{"direct": direct(t, agent.DirectOptions{AllowPrivate: true}), "agent": holder, "hop": near} {
		t.Run(name, func(t *testing.T) {
			w := newPathWorld(t, http.NotFoundHandler(), func(o *farwire.Options) { o.Agents = agents })
			for range 20 {
				conn, err := net.Dial("tcp", strings.TrimPrefix(w.server.URL, "http://"))
				if err != nil {
					t.Fatal(err)
				}
				conn.SetDeadline(time.Now().Add(testTimeout))
				fmt.Fprintf(conn, "PUT /to/key=%s/http/%s/ HTTP/1.1\r\nHost: gw\r\nContent-Length: %d\r\n\r\n", testKey, host, length)
				sent := make(chan struct{})
				go func() {
					defer close(sent)
					io.Copy(conn, io.LimitReader(zeros{}, length)) // fails when the gateway has answered
				}()
				resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
				if err != nil {
					t.Fatal(err)
				}
				body, err := io.ReadAll(resp.Body)
				if resp.StatusCode != 401 || string(body) != "refused" || err != nil {
					t.Errorf("%s %s %v", resp.Status, body, err)
				}
				conn.Close()
				<-sent
			}
		})
	}
}
