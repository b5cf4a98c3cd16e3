package hosttest_test

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/farwire/farwire/hosttest"
)

// changing is a middleware that calls the handler with another request.
func changing(change func(*http.Request)) func(http.Handler) http.Handler {
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			change(r)
			next.ServeHTTP(w, r)
		})
	}
}

// What a middleware does to a request is reported with its cause, where the target notices it.
func TestCheck_RequestChanged_IsReportedWithCause(t *testing.T) {
	for name, tc := range map[string]struct {
		change func(*http.Request)
		want   []string
	}{
		"lower case": {func(r *http.Request) {
			r.URL.Path, r.URL.RawPath = strings.ToLower(r.URL.Path), strings.ToLower(r.URL.RawPath)
			r.RequestURI = r.URL.RequestURI()
		}, []string{"path form: a request: the target was asked for ", "; a middleware writes paths in lower or upper case"}},
		"no query": {func(r *http.Request) { r.URL.RawQuery = "" }, []string{"relay: a middleware drops the query: "}},
		"no query in RequestURI either": {func(r *http.Request) {
			r.URL.RawQuery = ""
			r.RequestURI, _, _ = strings.Cut(r.RequestURI, "?")
		}, []string{"relay: a middleware drops the query: ", "path form: a request: the target was asked for ", "; a middleware drops the query; "}},
		"body read whole": {func(r *http.Request) {
			body, err := io.ReadAll(r.Body)
			if err != nil {
				t.Error(err)
			}
			r.Body = io.NopCloser(bytes.NewReader(body))
		}, []string{"path form: a body whose end comes later than its beginning: ", "a middleware reads the whole body before it calls the handler"}},
	} {
		t.Run(name, func(t *testing.T) {
			handlers := []hosttest.Handler{hosttest.Relay, hosttest.PathForm}
			lacks := func(err error) (lacking []string) {
				for _, want := range tc.want {
					if err == nil || !strings.Contains(err.Error(), want) {
						lacking = append(lacking, want)
					}
				}
				return lacking
			}
			// A body is waited for during half of the time, the rest of which a busy machine
			// may need for what comes before.
			var err error
			for timeout := 2 * time.Second; timeout < 2*time.Minute; timeout *= 2 {
				err = hosttest.Check(t.Context(), hosttest.Host{Handlers: handlers, Middleware: changing(tc.change), Timeout: timeout})
				if err == nil || len(lacks(err)) == 0 {
					break
				}
			}
			if lacking := lacks(err); len(lacking) > 0 {
				t.Errorf("the error is %v, want %q in it", err, lacking)
			}
		})
	}
}

// countsBody reads a body as the handler does, as a middleware that logs sizes.
type countsBody struct {
	io.ReadCloser
	n int
}

func (b *countsBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.n += n
	return n, err
}

func TestRun_BodyReadAsItComes_Passes(t *testing.T) {
	hosttest.Run(t, hosttest.Host{Handlers: hosttest.Handlers(), Middleware: changing(func(r *http.Request) { r.Body = &countsBody{ReadCloser: r.Body} })})
}
