package agent_test

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/farwire/farwire/agent"
)

// holdsLine is a Handler that does not return from the first line of a message, as one whose
// reader has stopped.
type holdsLine struct {
	slog.Handler
	message       string
	held, release chan struct{}
}

func (h holdsLine) Handle(ctx context.Context, r slog.Record) error {
	if strings.Contains(r.Message, h.message) {
		select {
		case h.held <- struct{}{}:
			<-h.release
		default:
		}
	}
	return h.Handler.Handle(ctx, r)
}

func (h holdsLine) WithAttrs(attrs []slog.Attr) slog.Handler {
	h.Handler = h.Handler.WithAttrs(attrs)
	return h
}

// knowsAddresses is a Resolver that knows no name.
type knowsAddresses struct{}

func (knowsAddresses) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	a, err := netip.ParseAddr(host)
	if err != nil {
		return nil, errors.New("no such name")
	}
	return []netip.Addr{a}, nil
}

// A log that is slow to take what is said of one gateway does not keep the sessions of
// another waiting.
func TestRun_LogHoldsALine_OtherGatewaysServe(t *testing.T) {
	names, _, _ := newPool(t, agent.PoolOptions{Peers: []string{"http://192.0.2.1:80"}})
	secure := httptest.NewTLSServer(names)
	defer secure.Close()
	for message, gateway := range map[string]string{
		"gateway has no address":                       "http://gateway.test",
		"gateway names a peer with an invalid address": secure.URL, // whose peer is not on TLS
	} {
		t.Run(message, func(t *testing.T) {
			p, srv, _ := newPool(t, agent.PoolOptions{})
			log, _ := newLog(t)
			h := holdsLine{log.Handler(), message, make(chan struct{}, 1), make(chan struct{})}
			run(t, agent.RunOptions{
				Gateways: []string{gateway, srv.URL}, AllowPrivate: true, Resolver: knowsAddresses{}, Logger: slog.New(h),
				TLS: secure.Client().Transport.(*http.Transport).TLSClientConfig,
			})
			defer close(h.release) // before the agent is stopped
			select {
			case <-h.held:
			case <-time.After(30 * time.Second):
				t.Fatal("nothing is said of the gateway")
			}
			attached(t, p, 1)
			wantEcho(t, dial(t, selectOne(t, p, agent.Query{}), target(t, echo)), "served")
		})
	}
}
