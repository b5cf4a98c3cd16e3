package forward_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httptrace"
	"net/textproto"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/farwire/farwire/internal/forward"
)

const testTimeout = 30 * time.Second

// A transportFunc stands for a transport and its target.
type transportFunc func(*http.Request, *httptrace.ClientTrace) (*http.Response, error)

func (f transportFunc) RoundTrip(r *http.Request) (*http.Response, error) {
	return f(r, httptrace.ContextClientTrace(r.Context()))
}

// through sends a request through a transport.
func through(t transportFunc, w http.ResponseWriter, r *http.Request, begin func()) bool {
	p := passage{
		RoundTripper: t, host: "a.test",
		modify: func(*http.Response) error { begin(); return nil },
		fail:   func(error) { w.WriteHeader(http.StatusServiceUnavailable) },
	}
	return forward.Serve(r.Context(), p, w, r, r.Header.Clone())
}

var ok = &http.Response{StatusCode: http.StatusOK, Header: http.Header{"Content-Length": {"0"}}, Body: http.NoBody}

func early(status int, trace *httptrace.ClientTrace) {
	_ = trace.Got1xxResponse(status, textproto.MIMEHeader{"Link": {"</a>"}}) // it has none
}

// ask sends a request as it is written and returns all that comes back.
func ask(t *testing.T, at, request string) string {
	t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(at, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(testTimeout))
	io.WriteString(conn, request)
	b, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// While a body is read net/http says 100 itself, and nothing else may be written then.
func TestServe_ExpectAndInterimAnswersAtOnce_AreNotMixed(t *testing.T) {
	for name, c := range map[string]struct{ before, during []int }{ // of the body's first byte
		"hints meanwhile":         {nil, []int{103, 103, 103, 102}},
		"a 100 and hints":         {[]int{100}, []int{103, 103}},
		"hints and then a 100":    {[]int{103, 100}, []int{103}},
		"hints alone":             {[]int{103, 102}, nil},
		"an ordinary 100":         {[]int{100}, nil},
		"a target that says none": {nil, nil},
	} {
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("X-Host", "1")
			through(func(r *http.Request, trace *httptrace.ClientTrace) (*http.Response, error) {
				for _, status := range c.before {
					early(status, trace)
				}
				hinted := make(chan struct{})
				go func() {
					defer close(hinted)
					for _, status := range c.during {
						early(status, trace)
					}
				}()
				b, err := io.ReadAll(r.Body)
				<-hinted
				if string(b) != "data" {
					t.Errorf("%s: body %q, %v", name, b, err)
				}
				return ok, nil
			}, w, r, func() {})
		}))
		want := []int{100, 200}
		for _, status := range slices.Concat(c.before, c.during) {
			if status != 100 {
				want = append(want, status)
			}
		}
		slices.Sort(want)
		for range 20 {
			got := ask(t, server.URL, "PUT / HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\nConnection: close\r\n\r\ndata")
			var statuses []int
			for head := range strings.SplitSeq(strings.TrimSuffix(got, "\r\n\r\n"), "\r\n\r\n") {
				var status int
				if _, err := fmt.Sscanf(head, "HTTP/1.1 %d ", &status); err != nil || strings.Contains(head, "X-Host") != (status == 200) ||
					strings.Contains(head, "Link") != (status == 102 || status == 103 || status == 100 && slices.Contains(c.before, 100)) {
					t.Errorf("%s: %q is in %q; %v", name, head, got, err)
				}
				statuses = append(statuses, status)
			}
			if slices.Sort(statuses); !slices.Equal(statuses, want) {
				t.Errorf("%s: %v, want %v", name, statuses, want)
			}
		}
		server.Close()
	}
}

// A client that expects a 100 gets one, whenever the target says it and how often: Node's
// "continue" event, for one, comes with each, and sends the body.
func TestServe_SeveralContinues_AreOne(t *testing.T) {
	for name, c := range map[string]struct{ before, behind int }{
		"late": {0, 1}, "twice": {2, 0}, "before and behind the body": {1, 1}, "never": {0, 0},
	} {
		for _, proto := range []int{1, 2} {
			server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				through(func(r *http.Request, trace *httptrace.ClientTrace) (*http.Response, error) {
					for range c.before {
						early(http.StatusContinue, trace)
					}
					if b, err := io.ReadAll(r.Body); string(b) != "data" {
						t.Errorf("%s: body %q, %v", name, b, err)
					}
					for range c.behind {
						early(http.StatusContinue, trace)
					}
					return ok, nil
				}, w, r, func() {})
			}))
			resp, said := expecting(t, server, proto, http.StatusContinue)
			if resp.ProtoMajor != proto || resp.StatusCode != http.StatusOK || said != 1 {
				t.Errorf("%s: %s %d, 100 was said %d times", name, resp.Proto, resp.StatusCode, said)
			}
			server.Close()
		}
	}
}

// A client that expects no 100 gets those that the target says, as it gets other answers that
// come before the one that counts (RFC 9110, section 15.2).
func TestServe_ContinueNotExpected_Passes(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		through(func(r *http.Request, trace *httptrace.ClientTrace) (*http.Response, error) {
			early(http.StatusContinue, trace)
			_, err := io.Copy(io.Discard, r.Body)
			early(http.StatusContinue, trace)
			return ok, err
		}, w, r, func() {})
	}))
	defer server.Close()
	got := ask(t, server.URL, "PUT / HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\nConnection: close\r\n\r\ndata")
	if strings.Count(got, "HTTP/1.1 100 Continue\r\n") != 2 || !strings.Contains(got, "HTTP/1.1 200 OK\r\n") {
		t.Errorf("%q", got)
	}
}

// Over HTTP/2 both have frames of their own.
func TestServe_ExpectOverHTTP2_HintsPass(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		through(func(r *http.Request, trace *httptrace.ClientTrace) (*http.Response, error) {
			early(http.StatusEarlyHints, trace)
			_, err := io.Copy(io.Discard, r.Body)
			return ok, err
		}, w, r, func() {})
	}))
	defer server.Close()
	resp, hints := expecting(t, server, 2, http.StatusEarlyHints)
	if resp.ProtoMajor != 2 || resp.StatusCode != http.StatusOK || hints != 1 {
		t.Errorf("%s %d, %d hints", resp.Proto, resp.StatusCode, hints)
	}
}

// HTTP/1.0 knows neither interim answers nor Expect (RFC 9110, sections 15.2 and 10.1.1).
func TestServe_OldClient_GetsNoInterimAnswer(t *testing.T) {
	for version, sees := range map[string]string{"HTTP/1.0": "", "HTTP/1.1": "100-continue"} {
		expects := make(chan string, 1)
		server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			through(func(r *http.Request, trace *httptrace.ClientTrace) (*http.Response, error) {
				expects <- r.Header.Get("Expect")
				for _, status := range []int{100, 102, 103} {
					early(status, trace)
				}
				return ok, nil
			}, w, r, func() {})
		}))
		got := ask(t, server.URL, "PUT / "+version+"\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: 4\r\nConnection: close\r\n\r\ndata")
		if seen := <-expects; seen != sees || strings.Contains(got, " 100 ") != (sees != "") || !strings.Contains(got, " 200 OK\r\n") {
			t.Errorf("%s: the target sees %q, the client %q", version, seen, got)
		}
		server.Close()
	}
}

// A oneConn is a listener with one connection.
type oneConn struct {
	conns chan net.Conn
	done  chan struct{}
}

func (l oneConn) Accept() (net.Conn, error) {
	select {
	case conn := <-l.conns:
		return conn, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

func (l oneConn) Close() error   { close(l.done); return nil }
func (l oneConn) Addr() net.Addr { return &net.TCPAddr{} }

// A target may send interim answers for ever to a client that does not read them. The
// request ends with its context nevertheless, and its error still reaches a client that
// reads again.
func TestLimit_InterimAnswersUnread_HandlerReturns(t *testing.T) {
	for name, c := range map[string]struct {
		grace time.Duration
		reads bool
	}{
		"never read": {time.Millisecond, false},
		"read again": {testTimeout, true},
	} {
		t.Run(name, func(t *testing.T) {
			near, far := net.Pipe()
			defer near.Close()
			l := oneConn{make(chan net.Conn, 1), make(chan struct{})}
			l.conns <- far
			begun, returned := make(chan context.CancelFunc, 1), make(chan struct{})
			server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				defer close(returned)
				ctx, cut := context.WithCancel(r.Context())
				defer cut()
				limit := new(forward.Limit)
				limit.Start(ctx, w, c.grace)
				begun <- cut
				hinted := make(chan struct{})
				defer func() { <-hinted }()
				limit.Release(through(func(r *http.Request, trace *httptrace.ClientTrace) (*http.Response, error) {
					go func() {
						defer close(hinted)
						for r.Context().Err() == nil {
							early(http.StatusEarlyHints, trace)
						}
					}()
					<-r.Context().Done()
					return nil, r.Context().Err()
				}, w, r.WithContext(ctx), limit.Begin))
			})}
			served := make(chan error, 1)
			go func() { served <- server.Serve(l) }()
			io.WriteString(near, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
			in := bufio.NewReaderSize(near, 16)
			if _, err := in.Peek(1); err != nil { // the rest of the hint waits for us
				t.Fatal(err)
			}
			(<-begun)()
			if c.reads {
				near.SetReadDeadline(time.Now().Add(testTimeout))
				if b, err := io.ReadAll(in); err != nil || !strings.Contains(string(b), "HTTP/1.1 503 ") {
					t.Errorf("%d bytes, %v: …%q", len(b), err, b[max(0, len(b)-200):])
				}
			}
			select {
			case <-returned:
			case <-time.After(testTimeout):
				t.Error("the handler stands in a write")
			}
			near.Close()
			server.Close()
			if err := <-served; !errors.Is(err, http.ErrServerClosed) {
				t.Error(fmt.Errorf("served: %w", err))
			}
		})
	}
}

// expecting starts the server, sends it a body that waits for a 100, and counts the interim
// answers of a status.
func expecting(t *testing.T, server *httptest.Server, proto, status int) (resp *http.Response, said int) {
	t.Helper()
	server.EnableHTTP2 = proto == 2
	server.StartTLS()
	ctx := httptrace.WithClientTrace(t.Context(), &httptrace.ClientTrace{Got1xxResponse: func(got int, _ textproto.MIMEHeader) error {
		if got == status {
			said++
		}
		return nil
	}})
	req, err := http.NewRequestWithContext(ctx, "PUT", server.URL, strings.NewReader("data"))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Expect", "100-continue")
	resp, err = server.Client().Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	return resp, said
}
