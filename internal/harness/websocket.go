package harness

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/coder/websocket"
)

// WebSockets takes upgrades over, with the subprotocol "chat" where it is offered, and
// hands each socket to serve with a context that ends with ctx.
func WebSockets(ctx context.Context, serve func(context.Context, *websocket.Conn, *http.Request)) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, err := websocket.Accept(w, r, &websocket.AcceptOptions{Subprotocols: []string{"chat"}})
		if err != nil {
			return // Accept has answered
		}
		defer c.CloseNow()
		c.SetReadLimit(-1)
		serve(ctx, c, r)
	})
}

// Target serves WebSockets over loopback until the test ends, and returns its ws URL.
func Target(t testing.TB, serve func(context.Context, *websocket.Conn, *http.Request)) (url string) {
	ctx, cancel := context.WithCancel(context.Background())
	server := QuietServer(WebSockets(ctx, serve))
	t.Cleanup(func() {
		cancel()
		server.CloseClientConnections()
		server.Close()
	})
	return "ws" + strings.TrimPrefix(server.URL, "http")
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
