package hosttest_test

import (
	"bytes"
	"context"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/farwire/farwire/hosttest"
	"github.com/farwire/farwire/internal/harness"
	"github.com/farwire/farwire/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

// hidesAll is a wrapper that leads nowhere.
type hidesAll struct{ http.ResponseWriter }

// keepsBody holds the body back until the handler has returned.
type keepsBody struct {
	harness.OnlyUnwrap
	body *bytes.Buffer
}

func (w keepsBody) Write(b []byte) (int, error) { return w.body.Write(b) }

func wrapping(wrap func(http.ResponseWriter) http.ResponseWriter) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { next.ServeHTTP(wrap(w), r) })
	}
}

func TestRun_NoMiddleware_Passes(t *testing.T) {
	hosttest.Run(t, hosttest.Host{Handlers: hosttest.Handlers()})
}

func TestCheck_HandlerUnknown_IsReported(t *testing.T) {
	err := hosttest.Check(t.Context(), hosttest.Host{Handlers: []hosttest.Handler{"relais"}})
	if err == nil || !strings.Contains(err.Error(), "relais") || !strings.Contains(err.Error(), "forward proxy") {
		t.Errorf("the error is %v", err)
	}
}

// A middleware that cleans paths is found out.
func TestCheck_PathCleaned_IsReported(t *testing.T) {
	err := hosttest.Check(t.Context(), hosttest.Host{Handlers: []hosttest.Handler{hosttest.PathForm, hosttest.ForwardProxy}, Middleware: func(next http.Handler) http.Handler {
		mux := http.NewServeMux()
		mux.Handle("/", next)
		return mux
	}})
	if err == nil || !strings.Contains(err.Error(), "path form: a request: ") || !strings.Contains(err.Error(), "forward proxy: by ") {
		t.Errorf("the error is %v", err)
	}
}

// A middleware that keeps the body until the handler returns holds back an answer
// without an end.
func TestCheck_AnswerHeldBack_IsReported(t *testing.T) {
	host := hosttest.Host{Handlers: []hosttest.Handler{hosttest.PathForm}, Middleware: func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			var kept bytes.Buffer
			next.ServeHTTP(keepsBody{harness.OnlyUnwrap{Inner: w}, &kept}, r)
			w.Write(kept.Bytes())
		})
	}}
	// The answer before that one, and the head of that one, have to arrive in the same
	// time, for which a busy machine may be too slow.
	const want = "path form: of an answer without an end"
	var err error
	for host.Timeout = time.Second; host.Timeout < 2*time.Minute; host.Timeout *= 2 {
		if err = hosttest.Check(t.Context(), host); err == nil || strings.Contains(err.Error(), want) {
			break
		}
	}
	if err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("the error is %v", err)
	}
}

// keepsHead holds the status back until the body begins, and has no Flush of its own: what
// is flushed below it is another head.
type keepsHead struct {
	harness.OnlyUnwrap
	status int
}

func (w *keepsHead) WriteHeader(status int) { w.status = status }

func (w *keepsHead) Write(b []byte) (int, error) {
	if w.status != 0 {
		w.OnlyUnwrap.WriteHeader(w.status)
		w.status = 0
	}
	return w.OnlyUnwrap.Write(b)
}

// A middleware that holds the head back is found out, unless it has a Flush.
func TestCheck_HeadHeldBack_IsReported(t *testing.T) {
	host := hosttest.Host{Handlers: []hosttest.Handler{hosttest.PathForm}}
	host.Middleware = wrapping(func(w http.ResponseWriter) http.ResponseWriter {
		return &keepsHead{OnlyUnwrap: harness.OnlyUnwrap{Inner: w}}
	})
	err := hosttest.Check(t.Context(), host)
	if err == nil || !strings.Contains(err.Error(), "path form: an answer whose body comes later than its head: the answer is 200") {
		t.Errorf("the error is %v", err)
	}
	host.Middleware = wrapping(func(w http.ResponseWriter) http.ResponseWriter {
		return flushesHead{&keepsHead{OnlyUnwrap: harness.OnlyUnwrap{Inner: w}}}
	})
	if err := hosttest.Check(t.Context(), host); err != nil {
		t.Errorf("with a Flush of its own: %v", err)
	}
}

type flushesHead struct{ *keepsHead }

func (w flushesHead) FlushError() error {
	if w.status != 0 {
		return nil // the body will flush it
	}
	return http.NewResponseController(w.Inner).Flush()
}

// A limit of bodies below what AMQP takes is found out, and the answer names it.
func TestCheck_BodyLimitTooSmall_IsReported(t *testing.T) {
	for limit, small := range map[int64]bool{1 << 10: true, 64<<10 - 1: true, 64 << 10: false} {
		middleware := func(next http.Handler) http.Handler { return http.MaxBytesHandler(next, limit) }
		err := hosttest.Check(t.Context(), hosttest.Host{Middleware: middleware})
		if small != (err != nil) || small && (strings.Count(err.Error(), "not 200") != 1 || !strings.Contains(err.Error(), "AMQP: the answer to a body of 64 KiB, the largest, is 413")) {
			t.Errorf("%d bytes: the error is %v", limit, err)
		}
	}
}

// A deadline of the request's context ends what streams, and no socket.
func TestCheck_ContextWithDeadline_IsReported(t *testing.T) {
	timeout := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			ctx, cancel := context.WithTimeout(r.Context(), time.Hour)
			defer cancel()
			next.ServeHTTP(w, r.WithContext(ctx))
		})
	}
	for _, handler := range hosttest.Handlers() {
		streams := handler == hosttest.AMQP || handler == hosttest.PathForm || handler == hosttest.ForwardProxy
		err := hosttest.Check(t.Context(), hosttest.Host{Middleware: timeout, Handlers: []hosttest.Handler{handler}})
		if streams != (err != nil) || streams && !strings.Contains(err.Error(), "ends the request's context after ") {
			t.Errorf("%s: the error is %v", handler, err)
		}
	}
}

// Another status than the target's is not told as a head that was held back.
func TestCheck_StatusOfAMiddleware_IsReportedAsItIs(t *testing.T) {
	var n atomic.Int64
	third := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if n.Add(1) == 3 {
				http.Error(w, "busy", http.StatusTooManyRequests)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
	err := hosttest.Check(t.Context(), hosttest.Host{Middleware: third, Handlers: []hosttest.Handler{hosttest.PathForm}})
	if err == nil || !strings.Contains(err.Error(), "the answer is 429") || strings.Contains(err.Error(), "Flush") {
		t.Errorf("the error is %v", err)
	}
}

func TestRun_OnlyUnwrap_Passes(t *testing.T) {
	hosttest.Run(t, hosttest.Host{Handlers: hosttest.Handlers(), Middleware: wrapping(func(w http.ResponseWriter) http.ResponseWriter { return harness.OnlyUnwrap{Inner: w} })})
}

func TestRun_MiddlewareAsksForAHeader_ItIsSent(t *testing.T) {
	guarded := func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if cookie, err := r.Cookie("session"); err != nil || cookie.Value != "of-the-host" {
				http.Error(w, "log in first", http.StatusUnauthorized)
				return
			}
			next.ServeHTTP(w, r)
		})
	}
	hosttest.Run(t, hosttest.Host{Middleware: guarded, Header: http.Header{"Cookie": {"session=of-the-host"}}})
	err := hosttest.Check(t.Context(), hosttest.Host{Middleware: guarded})
	if err == nil || strings.Count(err.Error(), "401 Unauthorized") != 4 {
		t.Errorf("without the cookie: %v", err)
	}
}

func TestCheck_ConnectionHidden_NamesTheWrapper(t *testing.T) {
	for name, c := range map[string]struct {
		middleware func(http.Handler) http.Handler
		wrapper    string
	}{
		"a wrapper of the host": {wrapping(func(w http.ResponseWriter) http.ResponseWriter { return hidesAll{w} }), "hosttest_test.hidesAll"},
		"http.TimeoutHandler":   {func(next http.Handler) http.Handler { return http.TimeoutHandler(next, time.Minute, "") }, "http.timeoutWriter"},
	} {
		t.Run(name, func(t *testing.T) {
			err := hosttest.Check(t.Context(), hosttest.Host{Middleware: c.middleware})
			if err == nil {
				t.Fatal("no error")
			}
			errs := err.(interface{ Unwrap() []error }).Unwrap()
			if len(errs) != 4 {
				t.Fatalf("%d errors, want one for each handler: %v", len(errs), err)
			}
			for i, handler := range []string{"relay", "AMQP", "crawl", "agents"} {
				if got := errs[i].Error(); !strings.HasPrefix(got, handler+": ") || !strings.Contains(got, "500") || !strings.Contains(got, c.wrapper) {
					t.Errorf("%s: the error does not name %s and 500: %s", handler, c.wrapper, got)
				}
			}
		})
	}
}

func TestCheck_EventsHeldBack_SaysSo(t *testing.T) {
	host := hosttest.Host{Middleware: wrapping(func(w http.ResponseWriter) http.ResponseWriter {
		return keepsBody{harness.OnlyUnwrap{Inner: w}, new(bytes.Buffer)}
	})}
	host.Handlers = []hosttest.Handler{hosttest.Relay, hosttest.Crawl, hosttest.Agents} // which take the connection over
	if err := hosttest.Check(t.Context(), host); err != nil {
		t.Error(err)
	}
	host.Handlers, host.Timeout = []hosttest.Handler{hosttest.AMQP}, 2*time.Second
	err := hosttest.Check(t.Context(), host)
	if err == nil || !strings.HasPrefix(err.Error(), "AMQP: ") || !strings.Contains(err.Error(), "held back") {
		t.Errorf("events that are not flushed: %v", err)
	}
}
