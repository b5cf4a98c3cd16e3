package farwire_test

import (
	"bufio"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/internal/forward"
	"github.com/farwire/farwire/internal/harness"
)

var errOfMiddleware = errors.New("the middleware's own")

// A panickingWrap is a middleware's writer and body, whose method panics with a value.
type panickingWrap struct {
	http.ResponseWriter
	io.ReadCloser
	method string
	value  any
}

func (w panickingWrap) panics(method string) {
	if w.method == method {
		panic(w.value)
	}
}

func (w panickingWrap) Unwrap() http.ResponseWriter { return w.ResponseWriter }

func (w panickingWrap) Read(p []byte) (int, error) {
	w.panics("Read")
	n, err := w.ReadCloser.Read(p)
	if n > 0 {
		w.panics("Read behind the first byte")
	}
	return n, err
}

func (w panickingWrap) WriteHeader(status int) {
	if status < 200 {
		w.panics("WriteHeader of an early answer")
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w panickingWrap) Flush() {
	w.panics("Flush")
	http.NewResponseController(w.ResponseWriter).Flush()
}

// A middleware's writer and body are used in goroutines of transports and timers, too. A
// panic there is one of the handler's: the request is aborted, and the process goes on.
func TestPathForm_MiddlewarePanicsInAnyGoroutine_HandlerPanics(t *testing.T) {
	target := func(rw http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/early":
			rw.WriteHeader(http.StatusEarlyHints)
		case "/late":
			rw.WriteHeader(http.StatusOK)
			http.NewResponseController(rw).Flush()
			<-r.Context().Done()
		case "/answer":
			http.NewResponseController(rw).EnableFullDuplex()
			io.WriteString(rw, "ok")
			http.NewResponseController(rw).Flush()
		}
		io.Copy(io.Discard, r.Body)
	}
	secure := httptest.NewUnstartedServer(http.HandlerFunc(target))
	secure.EnableHTTP2 = true
	secure.StartTLS()
	defer secure.Close()
	var method string
	var value any
	caught := make(chan any, 1)
	w := newPathWorld(t, http.HandlerFunc(target), func(o *farwire.Options) {
		o.RootCAs = x509.NewCertPool()
		o.RootCAs.AddCert(secure.Certificate())
	})
	form := w.gw.PathForm()
	w.server.Config.Handler = http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		defer func() {
			v := recover()
			caught <- v
			if v != nil {
				panic(http.ErrAbortHandler)
			}
		}()
		wrap := panickingWrap{rw, r.Body, method, value}
		if r.Body != http.NoBody {
			r.Body = wrap
		}
		form.ServeHTTP(wrap, r)
	})
	for _, to := range []string{"http/" + w.host(), "https/" + strings.TrimPrefix(secure.URL, "https://")} {
		for _, c := range []struct{ what, method, path, body string }{
			{"Read", "POST", "/", "body"},
			{"Read", "GET", "/", "body"}, // is looked at before its head is sent
			{"Read", "POST", "/answer", "body"},
			{"Read behind the first byte", "POST", "/answer", strings.Repeat("body", 64<<10)},
			{"WriteHeader of an early answer", "GET", "/early", ""},
			{"Flush", "GET", "/late", ""},
			{"nothing", "POST", "/answer", "body"},
		} {
			for _, value = range []any{"boom", errOfMiddleware, http.ErrAbortHandler} {
				method = c.what
				// A reader of its own has no length that could be told.
				req, err := http.NewRequest(c.method, w.server.URL+"/to/key="+testKey+"/"+to+c.path, io.MultiReader(strings.NewReader(c.body)))
				if err != nil {
					t.Fatal(err)
				}
				if c.body == "" {
					req.Body = nil
				}
				resp, err := plainClient.Do(req)
				if err == nil {
					_, err = io.ReadAll(resp.Body)
					resp.Body.Close()
				}
				if (err == nil) != (c.what == "nothing") {
					t.Errorf("%s of %s %s to %s: the client has %v", c.what, c.method, c.path, to, err)
				}
				wantRaised(t, <-caught, value, c.what)
			}
		}
	}
	w.wantLog(`kind=http .*cause="?panic: boom`)
	if n := w.gw.Stats().Kinds[farwire.KindHTTP].Active; n != 0 {
		t.Errorf("%d sessions stay", n)
	}
}

// A writer with Hijack, Flush and no Unwrap hides deadlines.
type hidesDeadlines struct{ http.ResponseWriter }

func (w hidesDeadlines) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return http.NewResponseController(w.ResponseWriter).Hijack()
}
func (w hidesDeadlines) Flush() { http.NewResponseController(w.ResponseWriter).Flush() }

// Many middlewares recover every panic and write an error of their own. That must not have
// an answer that broke off look whole, with their text behind it.
func TestPathForm_AnswerBreaksOff_MiddlewareThatRecoversDoesNotEndIt(t *testing.T) {
	var path http.Handler
	wrap := func(w http.ResponseWriter) http.ResponseWriter { return w }
	recovering := http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		defer func() {
			if recover() != nil {
				http.Error(rw, "oops", http.StatusInternalServerError)
			}
		}()
		path.ServeHTTP(wrap(rw), r)
	})
	w := newPathWorld(t, http.NotFoundHandler())
	path = w.gw.PathForm()
	front := httptest.NewUnstartedServer(recovering)
	front.EnableHTTP2 = true
	front.Config.ErrorLog = log.New(io.Discard, "", 0)
	front.StartTLS()
	defer front.Close()
	for version, client := range map[string]*http.Client{
		"HTTP/1.1": {Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: poolOf(front.Certificate())}}},
		"HTTP/2.0": {Transport: &http.Transport{ForceAttemptHTTP2: true, TLSClientConfig: &tls.Config{RootCAs: poolOf(front.Certificate())}}},
	} {
		for name, c := range map[string]struct {
			wrap func(http.ResponseWriter) http.ResponseWriter
			only string // version; a connection of HTTP/2 cannot be taken over
		}{
			"nothing": {wrap: func(w http.ResponseWriter) http.ResponseWriter { return w }},
			"Unwrap":  {wrap: func(w http.ResponseWriter) http.ResponseWriter { return harness.OnlyUnwrap{Inner: w} }},
			"Hijack":  {wrap: func(w http.ResponseWriter) http.ResponseWriter { return hidesDeadlines{w} }, only: "HTTP/1.1"},
		} {
			if c.only != "" && c.only != version {
				continue
			}
			wrap = c.wrap
			for _, answer := range []string{
				"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\npart\r\n",
				"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\npart",
			} {
				target := newOddTarget(t, answer)
				resp, err := client.Get(front.URL + inPath + "http/" + target.addr + "/")
				<-target.heads
				if err != nil {
					t.Errorf("%s, %s: %v", version, name, err)
					continue
				}
				body, err := io.ReadAll(resp.Body)
				resp.Body.Close()
				if resp.Proto != version || err == nil || string(body) != "part" {
					t.Errorf("%s behind %s: %s, %q, %v; want a part and an error", resp.Proto, name, resp.Status, body, err)
				}
			}
		}
		client.CloseIdleConnections()
	}
}

// wantRaised looks at what a handler has panicked with.
func wantRaised(t *testing.T, got, value any, method string) {
	t.Helper()
	switch p, wrapped := got.(*forward.Panic); {
	case method == "nothing":
		if got != nil {
			t.Errorf("without a panic: %v", got)
		}
	case got == value: // in the handler's own goroutine, too
	case !wrapped || p.Value != value || value == http.ErrAbortHandler:
		t.Errorf("%s: the handler panicked with %v, want %v", method, got, value)
	case !strings.Contains(string(p.Stack), "panickingWrap"):
		t.Errorf("%s: the stack does not say where: %s", method, p.Stack)
	case value == errOfMiddleware && !errors.Is(p, errOfMiddleware):
		t.Errorf("%s: %v does not wrap the error", method, p)
	}
}
