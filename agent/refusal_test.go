package agent_test

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/farwire/farwire/agent"
)

// ownAddress is a resolver that gives every name the address of this machine.
type ownAddress struct{}

func (ownAddress) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
}

// What a caller sent is cut between letters, wherever the cut falls.
func TestDirect_LongTarget_IsCutBetweenLetters(t *testing.T) {
	e, err := agent.Direct(agent.DirectOptions{Resolver: ownAddress{}})
	if err != nil {
		t.Fatal(err)
	}
	for before := range 4 {
		name := strings.Repeat("a", before) + strings.Repeat("€", 80)
		_, err := e.DialContext(t.Context(), "tcp", name+":80")
		if err == nil || !strings.Contains(err.Error(), `€…"`) || strings.Contains(err.Error(), `\x`) {
			t.Errorf("after %d letters: %v", before, err)
		}
	}
}

// panicking is a slog.Handler of a host that panics.
type panicking struct{ slog.Handler }

func (panicking) Enabled(context.Context, slog.Level) bool  { return true }
func (panicking) Handle(context.Context, slog.Record) error { panic("boom") }

// The lines of links are written in goroutines in which nobody else recovers.
func TestLogger_Panics_LinksAndHopsWork(t *testing.T) {
	log := slog.New(panicking{slog.DiscardHandler})
	d := new(agent.LocalDirectory)
	pools, servers := make([]*agent.Pool, 2), make([]*httptest.Server, 2)
	for i, name := range []string{"near", "holder"} {
		p, err := agent.NewPool(agent.PoolOptions{Secret: secret, Logger: log})
		if err != nil {
			t.Fatal(err)
		}
		srv := httptest.NewServer(p)
		pools[i], servers[i] = p, srv
		t.Cleanup(func() {
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			p.Shutdown(ctx)
			srv.Close()
		})
		if err := p.Join(agent.ClusterOptions{Name: name, URL: func() string { return srv.URL }, Directory: d,
			Secrets: func() [][]byte { return [][]byte{[]byte(clusterSecret)} }}); err != nil {
			t.Fatal(err)
		}
	}
	stop, _ := run(t, agent.RunOptions{Gateways: []string{servers[1].URL}, AllowPrivate: true, Logger: log})
	attached(t, pools[0], 1)
	for _, p := range pools { // over a hop, and over the link itself
		c := dial(t, selectOne(t, p, agent.Query{}), target(t, echo))
		wantEcho(t, c, "there")
		c.Close()
	}
	stop()
}
