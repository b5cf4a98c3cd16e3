// Command forwardproxy serves the forward proxy on listeners of its own, apart from the
// host's web server: HTTP on one, SOCKS5 on the other.
package main

import (
	"errors"
	"log/slog"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/examples/internal/host"
)

func main() {
	host.Run(func(gw *farwire.Gateway, _ *agent.Pool, log *slog.Logger) http.Handler {
		for _, serve := range []struct {
			addr string
			on   func(net.Listener) error
		}{{"127.0.0.1:3128", proxy(gw).Serve}, {"127.0.0.1:1080", gw.ServeSOCKS}} {
			l, err := net.Listen("tcp", serve.addr)
			if err != nil {
				log.Error("no listener", "err", err)
				os.Exit(1)
			}
			go func() { // until the process ends: host.Run drains the gateway
				if err := serve.on(l); !errors.Is(err, http.ErrServerClosed) {
					log.Error("the proxy has ended", "err", err)
				}
			}()
		}
		return gw.Health()
	})
}

// region proxy

// proxy is a server that does nothing but this. Who shows no key is asked for one with
// 407, and any other request gets 404.
func proxy(gw *farwire.Gateway) *http.Server {
	return &http.Server{Handler: gw.ForwardProxy(gw.NotFound()), ReadHeaderTimeout: 10 * time.Second}
}

// endregion
