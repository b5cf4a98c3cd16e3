package harness

import (
	"context"
	"io"
	"log"
	"net/http"
	"net/http/httptest"

	"github.com/coder/websocket"
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

// Echo sends every message of a WebSocket back until it ends, and answers the
// close frame.
func Echo(ctx context.Context, c *websocket.Conn, _ *http.Request) {
	for {
		kind, message, err := c.Read(ctx)
		if err != nil {
			return
		}
		if err := c.Write(ctx, kind, message); err != nil {
			return
		}
	}
}
