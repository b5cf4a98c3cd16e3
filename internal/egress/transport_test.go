package egress_test

import (
	"bufio"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/egress"
	"github.com/farwire/farwire/internal/fault"
)

// A scripted target reads requests from one connection after the other, and answers the
// n-th of a connection with the n-th text; behind the last it closes.
func scripted(conns ...[]string) (exit agent.Exit, dialled *int) {
	dialled = new(int)
	return agent.Exit{ID: "farwire-de1", Slug: "de1", Country: "DE", DialContext: func(context.Context, string, string) (net.Conn, error) {
		if *dialled == len(conns) {
			return nil, &agent.DialError{Fault: agent.FaultTarget, Err: errors.New("dialled too often")}
		}
		near, far := net.Pipe()
		answers := conns[*dialled]
		*dialled++
		go func() {
			defer far.Close()
			br := bufio.NewReader(far)
			for _, answer := range answers {
				req, err := http.ReadRequest(br)
				if err != nil {
					return
				}
				if _, err := io.Copy(io.Discard, req.Body); err != nil {
					return
				}
				if _, err := io.WriteString(far, answer); err != nil {
					return
				}
			}
		}()
		return near, nil
	}}, dialled
}

func request(t *testing.T, ctx context.Context, method string, body io.Reader) *http.Request {
	t.Helper()
	req, err := http.NewRequestWithContext(ctx, method, "http://a.test/", body)
	if err != nil {
		t.Fatal(err)
	}
	return req
}

func egressOf(exits exits) *egress.Egress {
	return &egress.Egress{Agents: exits, Logger: slog.New(slog.DiscardHandler)}
}

// The exit is told how its first request went, where it cannot know that by itself.
func TestTransport_FirstRequest_IsReported(t *testing.T) {
	type report struct{ host, err string }
	for name, tt := range map[string]struct {
		answer string
		want   []report
	}{
		"whole":     {"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", []report{{"a.test", ""}}},
		"not found": {"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", []report{{"a.test", ""}}},
		"broken":    {"HTTP/1.1 500 Broken\r\nContent-Length: 0\r\n\r\n", []report{{"a.test", ""}}},
		"forbidden": {"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n", []report{{"a.test", "403 Forbidden"}}},
		"a proxy's": {"HTTP/1.1 407 Who\r\nContent-Length: 0\r\n\r\n", []report{{"a.test", "407 Who"}}},
		"too many":  {"HTTP/1.1 429 Slow\r\nContent-Length: 0\r\n\r\n", []report{{"a.test", "429 Slow"}}},
		"none":      {"", []report{{"a.test", "lost"}}},
		"no dial":   {"dial", nil},
	} {
		synctest.Test(t, func(t *testing.T) {
			exit, _ := scripted([]string{tt.answer, tt.answer})
			if tt.answer == "dial" {
				exit, _ = scripted()
			} else if tt.answer == "" {
				exit, _ = scripted([]string{})
			}
			var got []report
			exit.Report = func(host string, err error) {
				r := report{host: host}
				if err != nil {
					r.err = err.Error()
				}
				if err != nil && tt.answer == "" {
					r.err = "lost" // net/http has several words for it
				}
				got = append(got, r)
			}
			tr := egress.NewTransport(t.Context(), egress.Options{Egress: egressOf(exits{exit}), Query: agent.Query{Host: "a.test"}})
			defer tr.Close()
			for range 2 {
				resp, err := tr.RoundTrip(request(t, t.Context(), "GET", nil))
				if err != nil {
					break
				}
				resp.Body.Close()
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("%s: reported %q, want %q", name, got, tt.want)
			}
		})
	}
}

// What dials for a request ends with the Transport's own context, whatever the request's does.
func TestTransport_ItsContextEnds_SoDoDials(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		exit := exit("de1", nil)
		exit.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			<-ctx.Done()
			return nil, ctx.Err()
		}
		own, cancel := context.WithCancel(t.Context())
		tr := egress.NewTransport(own, egress.Options{Egress: egressOf(exits{exit})})
		defer tr.Close()
		left := make(chan error, 1)
		go func() {
			_, err := tr.RoundTrip(request(t, context.Background(), "GET", nil))
			left <- err
		}()
		synctest.Wait()
		cancel()
		if err := <-left; !errors.Is(err, context.Canceled) {
			t.Errorf("%v", err)
		}
	})
}

// A pinned exit that is lost may come back; who asks need not wait for it.
func TestTransport_ContextEndsWhileTheExitIsLost_SaysItsCause(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		exit, _ := scripted([]string{"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"})
		dial, lost := exit.DialContext, false
		exit.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
			if lost {
				return nil, classOf(agent.FaultAgent)
			}
			return dial(ctx, network, addr)
		}
		tr := egress.NewTransport(t.Context(), egress.Options{Egress: egressOf(exits{exit})})
		defer tr.Close()
		resp, err := tr.RoundTrip(request(t, t.Context(), "GET", nil))
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		lost = true
		ctx, cancel := context.WithCancelCause(t.Context())
		gone := errors.New("the client is gone")
		time.AfterFunc(100*time.Millisecond, func() { cancel(gone) })
		began := time.Now()
		if _, err := tr.RoundTrip(request(t, ctx, "GET", nil)); err != gone || time.Since(began) != 100*time.Millisecond {
			t.Errorf("%v after %v", err, time.Since(began))
		}
	})
}

func TestTransport_BodyCannotBeHadAgain_SaysWhy(t *testing.T) {
	tr := egress.NewTransport(t.Context(), egress.Options{Egress: egressOf(exits{exit("de1", classOf(agent.FaultAgent)), exit("de2", nil)})})
	defer tr.Close()
	gone := errors.New("the body is gone")
	req := request(t, t.Context(), "POST", strings.NewReader("body"))
	req.GetBody = func() (io.ReadCloser, error) { return nil, gone }
	if _, err := tr.RoundTrip(req); err != gone {
		t.Errorf("%v", err)
	}
}

// Rules that a context has hold for an exit that knows of none itself.
func TestRules_OfTheContext_HoldForAnyExit(t *testing.T) {
	plain := agent.Exit{ID: "farwire-de1", Slug: "de1", Country: "DE", DialContext: func(context.Context, string, string) (net.Conn, error) {
		return nil, errors.New("dialled")
	}}
	ctx := agent.WithRules(t.Context(), agent.Rules{Deny: []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}})
	for addr, refused := range map[string]bool{"192.0.2.1:80": true, "198.51.100.1:80": false} {
		_, err := egressOf(exits{plain}).Do(ctx, agent.Query{}, func(ctx context.Context, e agent.Exit) error {
			_, err := e.DialContext(ctx, "tcp", addr)
			return err
		})
		if agent.RefusedByRules(err) != refused || err == nil {
			t.Errorf("Do, %s: %v", addr, err)
		}
		tr := egress.NewTransport(t.Context(), egress.Options{Egress: egressOf(exits{plain})})
		req := request(t, ctx, "GET", nil)
		req.URL.Host = addr
		if _, err := tr.RoundTrip(req); agent.RefusedByRules(err) != refused || err == nil {
			t.Errorf("Transport, %s: %v", addr, err)
		}
		tr.Close()
	}
}

// A target may end a kept connection while a request is on its way: one that may be sent
// twice is, when nothing of an answer came.
func TestConns_KeptConnectionEnds_RepeatableRequestIsSentAgain(t *testing.T) {
	const ok = "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody"
	for name, tt := range map[string]struct {
		method, header string
		second         string // that comes over the kept connection
		dialled        int
		class          fault.Class // of the error; zero: none
	}{
		"GET":                      {"GET", "", "", 2, 0},
		"PUT":                      {"PUT", "", "", 2, 0},
		"POST":                     {"POST", "", "", 1, fault.TargetLost},
		"POST with a key":          {"POST", "Idempotency-Key", "", 2, 0},
		"a part of an answer came": {"GET", "", "HTTP/1.1 200 O", 1, fault.TargetLost},
		"something else came":      {"GET", "", "no answer\r\n\r\n", 1, fault.TargetRefused},
	} {
		synctest.Test(t, func(t *testing.T) {
			exit, dialled := scripted([]string{ok, tt.second}, []string{ok})
			conns := new(egress.Conns)
			defer conns.Close()
			for n := range 2 {
				req := request(t, t.Context(), tt.method, nil)
				if n == 1 && tt.header != "" {
					req.Header.Set(tt.header, "a")
				}
				resp, err := conns.RoundTrip(req, egress.ConnOptions{Key: "k", Exit: exit, Deadline: time.Now().Add(time.Minute)})
				if n == 0 && err != nil {
					t.Fatal(err)
				}
				if n == 1 && (*dialled != tt.dialled || (err != nil) != (tt.class != 0) || err != nil && fault.ClassOf(err) != tt.class) {
					t.Errorf("%s: %v, class %v, dialled %d times", name, err, fault.ClassOf(err), *dialled)
				}
				if err != nil {
					break
				}
				if b, err := io.ReadAll(resp.Body); string(b) != "body" || err != nil {
					t.Errorf("%s: %q, %v", name, b, err)
				}
				resp.Body.Close()
			}
		})
	}
}
