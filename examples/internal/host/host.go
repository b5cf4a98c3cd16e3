// Package host is what the examples have in common beside farwire: a gateway
// with an agent in this process, and the life of a server.
package host

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"os/signal"
	"syscall"
	"time"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/agent"
)

// Accounts are the people that the host itself knows, with their passwords. A
// real host has a directory and hashes.
var Accounts = map[string]string{"carol": "carols-password"}

// Sessions are the logins that the host has made, by the value of their cookie.
var Sessions = map[string]string{"session-of-carol": "carol"}

// Origin is where the host's own web pages come from.
const Origin = "https://app.example.com"

// Gateway makes a gateway for the API keys given, which may be empty, and for
// callers that the host names.
func Gateway(keys map[string]string, log *slog.Logger) (*farwire.Gateway, *agent.Pool, error) {
	pool, err := agent.NewPool(agent.PoolOptions{Secret: os.Getenv("AGENT_SECRET"), LocalOnly: os.Getenv("AGENT_SECRET") == "", Logger: log})
	if err != nil {
		return nil, nil, err
	}
	exit, err := agent.Direct(agent.DirectOptions{Slug: "local", Country: "ZZ"})
	if err != nil {
		return nil, nil, err
	}
	if err := pool.Add(exit); err != nil {
		return nil, nil, err
	}
	o := farwire.Options{Agents: pool, Origins: []string{Origin}, Logger: log}
	if len(keys) > 0 {
		if o.Auth, err = farwire.APIKeys(keys); err != nil {
			return nil, nil, err
		}
	}
	gw, err := farwire.New(o)
	return gw, pool, err
}

// Run serves what mount makes of a gateway until a signal comes, and drains.
// The API key of its one caller is in the environment variable API_KEY.
func Run(mount func(*farwire.Gateway, *agent.Pool, *slog.Logger) http.Handler) {
	log := slog.Default()
	keys := map[string]string{}
	if key := os.Getenv("API_KEY"); key != "" {
		keys[key] = "alice"
	}
	gw, pool, err := Gateway(keys, log)
	if err != nil {
		log.Error("no gateway", "err", err)
		os.Exit(1)
	}
	server := &http.Server{Addr: "127.0.0.1:8080", Handler: mount(gw, pool, log), ReadHeaderTimeout: 10 * time.Second}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := Serve(ctx, server, gw, pool); err != nil {
		log.Error("not served to the end", "err", err)
		os.Exit(1)
	}
}

// region shutdown

// Serve serves until ctx ends. Then the gateway ends sockets and streams, of
// which net/http knows nothing, the pool drains its agents, and the server
// finishes what is left.
func Serve(ctx context.Context, server *http.Server, gw *farwire.Gateway, pool *agent.Pool) error {
	failed := make(chan error, 1)
	go func() { failed <- server.ListenAndServe() }()
	select {
	case err := <-failed:
		return err
	case <-ctx.Done():
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	return errors.Join(gw.Shutdown(ctx), pool.Shutdown(ctx), server.Shutdown(ctx))
}

// endregion
