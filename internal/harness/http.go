package harness

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"slices"
	"testing"
)

// OnlyUnwrap is a middleware's ResponseWriter as the documentation of
// http.ResponseController asks for it, and no more.
type OnlyUnwrap struct{ Inner http.ResponseWriter }

// Header returns the inner one's.
func (w OnlyUnwrap) Header() http.Header { return w.Inner.Header() }

// Write writes to the inner one.
func (w OnlyUnwrap) Write(b []byte) (int, error) { return w.Inner.Write(b) }

// WriteHeader writes to the inner one.
func (w OnlyUnwrap) WriteHeader(status int) { w.Inner.WriteHeader(status) }

// Unwrap returns the inner one.
func (w OnlyUnwrap) Unwrap() http.ResponseWriter { return w.Inner }

// QuietServer starts a server whose complaints about clients are not logged.
// The caller closes it.
func QuietServer(h http.Handler) *httptest.Server {
	s := httptest.NewUnstartedServer(h)
	s.Config.ErrorLog = log.New(io.Discard, "", 0)
	s.Start()
	return s
}

// Get asks for a URL with the headers, a name and its value in turns, and returns the
// whole answer.
func Get(t testing.TB, url string, header ...string) (status int, body string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	for pair := range slices.Chunk(header, 2) {
		req.Header.Set(pair[0], pair[1])
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}
