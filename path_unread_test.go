package farwire_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farwire/farwire"
)

// serveBoth also serves the gateway through h, over HTTP/1.1 and HTTP/2 in clear, in
// memory.
func (w *world) serveBoth(h http.Handler) *world {
	ln := newMemoryListener()
	srv := &http.Server{Handler: h, Protocols: new(http.Protocols)}
	srv.Protocols.SetHTTP1(true)
	srv.Protocols.SetUnencryptedHTTP2(true)
	done := make(chan struct{})
	go func() {
		defer close(done)
		srv.Serve(ln)
	}()
	w.t.Cleanup(func() {
		srv.Close()
		<-done
	})
	sub := *w
	sub.ln, sub.dialIn = ln, ln.dial
	return &sub
}

// An unreadForm asks for a download, reads its head and nothing more.
type unreadForm func(t *testing.T, w *world, options string)

// overHTTP1 asks with a head on a connection of its own.
func overHTTP1(head string) unreadForm {
	return func(t *testing.T, w *world, options string) {
		conn := must(w.dialIn())
		t.Cleanup(func() { conn.Close() })
		io.WriteString(conn, strings.ReplaceAll(head, "OPTIONS", options))
		if answer := readHead(t, conn); !strings.HasPrefix(answer, "HTTP/1.1 200 ") {
			t.Fatalf("%q", answer)
		}
	}
}

// overHTTP2 is a client whose connection goes on taking what its windows allow.
func overHTTP2(t *testing.T, w *world, options string) {
	tr := &http.Transport{Protocols: new(http.Protocols), DisableCompression: true,
		DialContext: func(context.Context, string, string) (net.Conn, error) { return w.dialIn() }}
	tr.Protocols.SetUnencryptedHTTP2(true)
	t.Cleanup(tr.CloseIdleConnections)
	req := must(http.NewRequest("GET", "http://gw.test/to/"+options+"/http/a.test/", nil))
	req.Header.Set("X-API-Key", testKey)
	resp, err := tr.RoundTrip(req)
	if err != nil || resp.StatusCode != http.StatusOK || resp.ProtoMajor != 2 {
		t.Fatalf("%v %v", resp, err)
	}
	t.Cleanup(func() { resp.Body.Close() })
}

// A client that does not read its answer keeps its session no longer than one that does.
func TestPathForm_ClientDoesNotRead_SessionEndsWithItsCause(t *testing.T) {
	forms := map[string]unreadForm{
		"HTTP/1.1": overHTTP1("GET /to/OPTIONS/http/a.test/ HTTP/1.1\r\nHost: gw.test\r\nX-API-Key: " + testKey + "\r\n\r\n"),
		"HTTP/2":   overHTTP2,
		"the forward proxy": func(t *testing.T, w *world, options string) {
			overHTTP1("GET http://a.test/ HTTP/1.1\r\nHost: a.test\r\nProxy-Authorization: "+proxyBasic(options, testKey)+"\r\n\r\n")(t, w, "")
		},
	}
	for cause, c := range map[string]struct {
		limits  farwire.Limits
		options string
		after   time.Duration
		end     func(*farwire.Gateway, *farwire.KeySet)
	}{
		"ended by request": {end: func(gw *farwire.Gateway, _ *farwire.KeySet) {
			gw.EndWhere(func(farwire.Session) bool { return true }, "ended by request")
		}},
		"key revoked": {end: func(gw *farwire.Gateway, keys *farwire.KeySet) {
			if err := keys.Replace(map[string]farwire.Principal{otherKey: {Subject: "bob"}}); err != nil {
				t.Error(err)
			}
			gw.EndRevoked(context.Background())
		}},
		"draining": {end: func(gw *farwire.Gateway, _ *farwire.KeySet) {
			ctx, cancel := context.WithCancel(context.Background())
			cancel()
			if err := gw.Shutdown(ctx); err == nil {
				t.Error("a drain without time ends everything in time")
			}
		}},
		"session's time":  {limits: farwire.Limits{SessionTime: 10 * time.Second}, after: 10 * time.Second},
		"session's bytes": {limits: farwire.Limits{SessionBytes: 1}},
		"idle timeout":    {options: "idle_timeout=6", after: 6 * time.Second},
	} {
		for form, ask := range forms {
			t.Run(cause+" over "+form, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					limits := c.limits
					limits.Rate = -1
					keys := must(farwire.NewKeySet(map[string]farwire.Principal{testKey: {Subject: "alice", Limits: limits}, otherKey: {Subject: "bob"}}))
					w := newBubble(t, func(conn net.Conn) {
						defer conn.Close()
						if _, err := http.ReadRequest(bufio.NewReader(conn)); err == nil {
							io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
							io.Copy(conn, zeros{})
						}
					}, func(o *farwire.Options) { o.Auth = keys })
					options := "-"
					if c.options != "" {
						options = c.options
					}
					ask(t, w.serveBoth(w.gw.ForwardProxy(w.gw.PathForm())), options)
					synctest.Wait() // until the answer cannot go on
					if c.end != nil {
						c.end(w.gw, keys)
					}
					time.Sleep(c.after + 2*time.Second) // it has one
					synctest.Wait()
					for s := range w.gw.Sessions() {
						t.Errorf("%+v still runs", s)
					}
					if line := w.log.String(); !strings.Contains(line, "ended_by=gateway code=200") || !strings.Contains(line, cause) {
						t.Errorf("%s is not in %s", cause, line)
					}
				})
			})
		}
	}
}
