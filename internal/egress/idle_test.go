package egress

import (
	"context"
	"crypto/x509"
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

	"github.com/farwire/farwire/agent"
)

// Connections are given up all the time, while requests take them.
func TestConns_IdleGivenUp_NoRequestIsLost(t *testing.T) {
	for _, protocol := range []string{"HTTP/1.1", "HTTP/1.1 over TLS", "HTTP/2"} {
		t.Run(protocol, func(t *testing.T) {
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				body, err := io.ReadAll(r.Body)
				if err != nil {
					panic(http.ErrAbortHandler)
				}
				w.Write(body)
			}))
			conns := new(Conns)
			if server.EnableHTTP2 = protocol == "HTTP/2"; protocol == "HTTP/1.1" {
				server.Start()
			} else {
				server.StartTLS()
				conns.RootCAs = x509.NewCertPool()
				conns.RootCAs.AddCert(server.Certificate())
			}
			defer server.Close()
			defer conns.Close()
			exit := agent.Exit{DialContext: new(net.Dialer).DialContext}
			ask := func(body string) (string, error) {
				ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
				defer cancel()
				req, err := http.NewRequestWithContext(ctx, "POST", server.URL, nil)
				if err != nil {
					return "", err
				}
				req.ContentLength = int64(len(body))
				resp, err := conns.RoundTrip(req, ConnOptions{Key: "k", Exit: exit, Deadline: time.Now().Add(time.Minute), Body: NewBody(strings.NewReader(body))})
				if err != nil {
					return "", err
				}
				defer resp.Body.Close()
				got, err := io.ReadAll(resp.Body)
				return string(got), err
			}
			var asking, givingUp sync.WaitGroup
			over := make(chan struct{})
			var given atomic.Int64
			givingUp.Go(func() {
				for {
					select {
					case <-over:
						return
					case <-time.After(time.Millisecond):
						given.Add(int64(conns.giveUp(func(*keptConn) bool { return true })))
					}
				}
			})
			atOnce := 4
			if protocol == "HTTP/2" {
				atOnce = 1 // they share a connection, which would never be idle
			}
			for n := range atOnce {
				asking.Go(func() {
					for i := 0; i < 150 || given.Load() == 0 && i < 100_000; i++ {
						want := fmt.Sprintf("request %d of %d", i, n)
						if got, err := ask(want); got != want || err != nil {
							t.Errorf("%q: %q, %v", want, got, err)
							return
						}
					}
				})
			}
			asking.Wait()
			close(over)
			givingUp.Wait()
			if given.Load() == 0 {
				t.Error("none was given up")
			}
		})
	}
}

// A connection that no request came to use is idle as well.
func TestConns_NewConnectionUnclaimed_IsGivenUp(t *testing.T) {
	a, b := net.Pipe()
	defer b.Close()
	o := new(openConns)
	k := &keptConn{exitLossConn: exitLossConn{Conn: a}, conns: o}
	o.add(k)
	all := func(*keptConn) bool { return true }
	if n := o.giveUp(all); n != 0 {
		t.Error("it was given up while it is made")
	}
	handedOver(k)
	if n := o.giveUp(all); n != 0 {
		t.Error("it was given up at once")
	}
	k.made.Store(time.Now().Add(-2 * unclaimed).UnixNano())
	if n := o.giveUp(all); n != 1 || !k.closed.Load() || len(o.open) != 0 {
		t.Errorf("%d were given up", n)
	}
	if u := useOf(k); !u.isGone() {
		t.Error("who takes it is not told")
	}
}
