package farwire_test

import (
	"context"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/fault"
)

// What is asked for reaches the target as it was written, and its answer the client.
func TestTranscripts_TargetAndClient_SeeEachOther(t *testing.T) {
	w := newWorld(t)
	for name, c := range map[string]struct{ path, more string }{
		"as-written": {"stream/btc%2Fusdt|eth/../x?a=%7e&&{}", ""},
		"headers": {"", `"headers": {"Connection": "Upgrade", "Sec-WebSocket-Key": "x", "Origin": "https://app.example", "host": "virtual.example:8443"}, ` +
			`"cookies": {"s": "{\"a\":1}", "foo[bar]": "a b,c"}, "subprotocols": ["json"]`},
	} {
		t.Run(name, func(t *testing.T) {
			target := newHeadTarget(t, nil, "Set-Cookie: sid=abc; HttpOnly", "Set-Cookie: b=2", "X-Region: eu1")
			tr := w.in(t).transcript("/ws", "Origin: https://page.example", "Cookie: own=1", "User-Agent: Mozilla/5.0")
			tr.ask("  "+strings.Replace(target.url, "ws", "http", 1)+c.path+" ", c.more)
			tr.asked(target)
			tr.receive()
			tr.bye()
			tr.compare(name)
		})
	}
	const limited = "HTTP/1.1 429 Too Many Requests\r\nRetry-After: 30\r\nWWW-Authenticate: Bearer\r\nSet-Cookie: a=1\r\nContent-Type: application/json\r\nContent-Length: 12\r\n\r\n{\"code\":-99}"
	t.Run("target-answers", func(t *testing.T) {
		tr := w.in(t).transcript("/ws")
		tr.ask(answering(t, limited), "")
		tr.receive()
		tr.receive()
		tr.compare("target-answers")
	})
	t.Run("direct-target-answers", func(t *testing.T) {
		tr := w.in(t).transcript("/ws?url=" + escape(answering(t, limited)) + "&api_key=" + testKey)
		tr.body()
		tr.compare("direct-target-answers")
	})
	t.Run("direct-unreachable", func(t *testing.T) {
		tr := w.in(t).transcript("/ws?url=" + escape("ws://127.0.0.1:1/") + "&api_key=" + testKey)
		tr.body()
		tr.compare("direct-unreachable")
	})
	t.Run("redirect", func(t *testing.T) {
		n := 0
		target := newHeadTarget(t, func(conn net.Conn, head string) {
			if n++; n == 1 {
				io.WriteString(conn, "HTTP/1.1 302 Found\r\nLocation: /next%2F?a|b\r\nContent-Length: 0\r\n\r\n")
				return
			}
			answerUpgrade(conn, head)
			echo(&peer{t: t, conn: conn, br: newReader(conn)})
		})
		tr := w.in(t).transcript("/ws")
		tr.ask(target.url, `"follow_redirects": 1, "headers": {"Authorization": "Bearer t"}`)
		tr.asked(target)
		tr.asked(target)
		tr.receive()
		tr.bye()
		tr.compare("redirect")
	})
	t.Run("timeout", func(t *testing.T) {
		tr := w.in(t).transcript("/ws")
		tr.ask(newRawTarget(t, func(conn net.Conn, _ string) { io.Copy(io.Discard, conn) }), `"timeout": 0.1`)
		tr.receive()
		tr.receive()
		tr.compare("timeout")
	})
	t.Run("certificate", func(t *testing.T) {
		known := newAuthority(t)
		w := newWorld(t, func(o *farwire.Options) { o.RootCAs = known.pool })
		ln := known.listen(t, time.Hour, "a.example", "b.example")
		serveTarget(t, ln, echo)
		tr := w.transcript("/ws")
		tr.ask("wss://"+ln.Addr().String()+"/", `"server_name": "c.example"`)
		tr.receive()
		tr.receive()
		tr.compare("certificate")
	})
	t.Run("direct-names", func(t *testing.T) {
		target := newHeadTarget(t, nil)
		tr := w.in(t).transcript("/ws?fw_url="+escape(target.url+"?own=1")+"&fw_agent=de1&agent=mozilla&token=of-the-target&url=x",
			"X-API-Key: "+testKey, "Authorization: Bearer of-the-target", "Cookie: own=1")
		tr.asked(target)
		tr.bye()
		tr.compare("direct-names")
	})
	t.Run("path-form", func(t *testing.T) {
		target := newHeadTarget(t, nil, "Sec-WebSocket-Protocol: b")
		w := w.also(w.gw.PathForm()).in(t)
		tr := w.transcript("/to/key="+testKey+";geo=DE/"+strings.Replace(target.url, "://", "/", 1)+"a%2Fb/?token=of-the-target&url=x",
			"Sec-WebSocket-Protocol: a, b", "Origin: https://page.example", "X-Own: 1", "X-Forwarded-For: 192.0.2.7")
		tr.asked(target)
		tr.bye()
		tr.compare("path-form")
	})
}

// Each loss has its code.
func TestTranscripts_SessionEnds_SaysWhy(t *testing.T) {
	w := newWorld(t)
	// A session runs until the function ends it.
	ends := func(w *world, name, more, path string, end func(*transcript)) {
		w.t.Helper()
		tr := w.transcript("/ws")
		tr.ask(path, more)
		tr.receive()
		tr.note("# " + strings.ReplaceAll(name, "-", " "))
		end(tr)
		tr.receive()
		// An answer spares the gateway the wait for one. It may have closed already.
		tr.conn.Write(tr.encode(opClose, true, closePayload(1000, "")))
		tr.compare(name)
	}
	leave := make(chan struct{})
	t.Run("target-lost", func(t *testing.T) {
		url := newTarget(t, func(p *peer) { <-leave; p.conn.Close() })
		ends(w.in(t), "target-lost", "", url, func(*transcript) { close(leave) })
	})
	for name, class := range map[string]fault.Class{"agent-lost": fault.AgentLost, "agent-leaves": fault.AgentLeaving} {
		t.Run(name, func(t *testing.T) {
			lost := &losing{err: fault.New(class, "not for the client")}
			w := newWorld(t, func(o *farwire.Options) {
				o.Agents = agent.Exit{ID: testAgent, Slug: "de1", Country: "DE", DialContext: lost.dial}
			})
			ends(w, name, "", newTarget(t, echo), func(*transcript) { lost.conn.Close() })
		})
	}
	t.Run("idle-timeout", func(t *testing.T) {
		ends(w.in(t), "idle-timeout", `"idle_timeout": 0.1`, newTarget(t, echo), func(*transcript) {})
	})
	t.Run("ended-by-request", func(t *testing.T) {
		ends(w.in(t), "ended-by-request", `"session": "one"`, newTarget(t, echo), func(*transcript) {
			for s := range w.gw.Sessions() {
				if !w.gw.EndSession(s.ID, "ended by request") {
					t.Error("the session is gone")
				}
			}
		})
	})
	t.Run("broken-frame", func(t *testing.T) {
		ends(w.in(t), "broken-frame", "", newTarget(t, echo), func(tr *transcript) {
			tr.note("> a frame without a mask")
			tr.raw([]byte{0x81, 0})
		})
	})
	t.Run("limit-reached", func(t *testing.T) {
		w := newWorld(t, func(o *farwire.Options) { o.Limits.Sessions = 1 })
		w.connected(newTarget(t, echo), "")
		tr := w.transcript("/ws")
		tr.ask(newTarget(t, echo), "")
		tr.receive()
		tr.receive()
		tr.compare("limit-reached")
	})
	t.Run("draining", func(t *testing.T) {
		w := newWorld(t)
		ends(w, "draining", "", newTarget(t, echo), func(*transcript) {
			ctx, cancel := context.WithTimeout(context.Background(), testTimeout)
			t.Cleanup(cancel)
			go w.gw.Shutdown(ctx)
		})
	})
	t.Run("forbidden", func(t *testing.T) {
		w := newWorld(t, func(o *farwire.Options) { o.Agents = direct(t, agent.DirectOptions{Slug: "de1", Country: "DE"}) })
		tr := w.transcript("/ws")
		tr.ask("ws://127.0.0.1:9/", "")
		tr.receive()
		tr.receive()
		tr.compare("forbidden")
	})
}

// losing dials connections that end with an error of the agent.
type losing struct {
	conn net.Conn
	err  error
}

func (l *losing) dial(ctx context.Context, network, addr string) (net.Conn, error) {
	var d net.Dialer
	conn, err := d.DialContext(ctx, network, addr)
	l.conn = conn
	return &lostConn{conn, l.err}, err
}

type lostConn struct {
	net.Conn
	err error
}

func (c *lostConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if err != nil {
		err = c.err
	}
	return n, err
}

// permessage-deflate in the forms that there are.
func TestTranscripts_Compression_StayTheSame(t *testing.T) {
	w := newWorld(t)
	offered := func(name, answer string, then func(*transcript)) {
		t.Run(name, func(t *testing.T) {
			var lines []string
			if answer != "" {
				lines = append(lines, "Sec-WebSocket-Extensions: "+answer)
			}
			target := newHeadTarget(t, func(conn net.Conn, head string) {
				answerUpgrade(conn, head, lines...)
				p := &peer{t: t, conn: conn, br: newReader(conn)}
				if answer != "" {
					want := deflated(t, "from the client")
					io.CopyN(io.Discard, p.br, int64(6+len(want)))
					p.frame(opDeflated, true, deflated(t, "from the target"))
				}
				echo(p)
			}, lines...)
			var tr *transcript
			if strings.HasPrefix(name, "direct") {
				tr = w.in(t).transcript("/ws?url="+escape(target.url)+"&api_key="+testKey, deflateOffer)
				tr.asked(target)
			} else {
				tr = w.in(t).transcript("/ws", deflateOffer)
				tr.ask(target.url, "")
				tr.asked(target)
				tr.receive()
			}
			tr.sendDeflated("from the client")
			then(tr)
			tr.compare(name)
		})
	}
	compressed := func(tr *transcript) { tr.receiveDeflated(); tr.bye() }
	offered("direct-compressed", "permessage-deflate; client_max_window_bits=12; server_no_context_takeover", compressed)
	offered("compressed", "permessage-deflate", compressed)
	offered("compression-declined", "", func(tr *transcript) {
		tr.receive()
		tr.note("> a compressed message that cannot be inflated")
		tr.frame(opDeflated, true, []byte{0xff, 0xff})
		tr.receive()
	})
}
