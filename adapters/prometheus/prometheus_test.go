package prometheus_test

import (
	"bufio"
	"context"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	client "github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/adapters/natscluster"
	"github.com/farwire/farwire/adapters/prometheus"
	"github.com/farwire/farwire/adapters/redislimit"
	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/harness"
	"github.com/farwire/farwire/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

// listing is a selector that lists what it is told to.
type listing struct {
	agent.Exit
	list []agent.Info
}

func (l listing) Agents() []agent.Info { return l.list }

// watched starts a gateway with metrics.
func watched(t *testing.T, o prometheus.Options, list ...agent.Info) (*prometheus.Metrics, *farwire.Gateway, *client.Registry) {
	t.Helper()
	exit, err := agent.Direct(agent.DirectOptions{Slug: "de1", Country: "DE", AllowPrivate: true})
	if err != nil {
		t.Fatal(err)
	}
	m := prometheus.New(o)
	g, err := farwire.New(farwire.Options{
		Agents: listing{exit, list}, Trace: m.Trace(), Limits: farwire.Limits{Rate: 0.001, Burst: 3},
		Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		t.Fatal(err)
	}
	m.Watch(g)
	r := client.NewPedanticRegistry()
	if err := r.Register(m); err != nil {
		t.Fatal(err)
	}
	return m, g, r
}

func compare(t *testing.T, r client.Gatherer, want string, names ...string) {
	t.Helper()
	if err := testutil.GatherAndCompare(r, strings.NewReader(want), names...); err != nil {
		t.Error(err)
	}
}

// TestMetrics_Lint_FindsNothing asks Prometheus's own linter, and the pedantic registry whether
// what is collected is what was described.
func TestMetrics_Lint_FindsNothing(t *testing.T) {
	m, _, r := watched(t, prometheus.Options{}, agent.Info{ID: "farwire-de1", Country: "DE", State: agent.Available, RTT: time.Millisecond})
	m.WatchLimiter(func() prometheus.LimiterStats { return prometheus.LimiterStats{} })
	m.WatchCluster(func() prometheus.ClusterStats { return prometheus.ClusterStats{} })
	problems, err := testutil.GatherAndLint(r)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	described := make(chan *client.Desc, 100)
	m.Describe(described)
	if len(families) != len(described) {
		t.Errorf("%d families of %d are there after one look", len(families), len(described))
	}
	for _, f := range families {
		if !strings.HasPrefix(f.GetName(), "farwire_") {
			t.Errorf("%s is not named after the program", f.GetName())
		}
	}
}

func TestBuildInfo_VersionGiven_IsALabel(t *testing.T) {
	r := client.NewPedanticRegistry()
	r.MustRegister(prometheus.New(prometheus.Options{Version: "1.2.3", Commit: "abc"}))
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range families {
		if f.GetName() == "farwire_build_info" && strings.Contains(f.GetMetric()[0].String(), `value:"1.2.3"`) {
			return
		}
	}
	t.Errorf("no version in %v", families)
}

// TestAgents_ListedTwice_AreCountedOnce counts agents and shows each once, whatever a selector lists.
func TestAgents_ListedTwice_AreCountedOnce(t *testing.T) {
	_, _, r := watched(t, prometheus.Options{MaxAgents: 2},
		agent.Info{ID: "a", Country: "AT", State: agent.Available, Links: 1, Sessions: 4, RTT: 20 * time.Millisecond},
		agent.Info{ID: "a", Country: "AT", State: agent.Available},
		agent.Info{ID: "b\xff", Country: "DE", State: agent.Limited},
		agent.Info{ID: "c", Country: "DE", State: agent.Limited})
	compare(t, r, `
# HELP farwire_agent_links Tunnels to an agent; zero for one of this process.
# TYPE farwire_agent_links gauge
farwire_agent_links{agent="a",country="AT"} 1
farwire_agent_links{agent="b?",country="DE"} 0
# HELP farwire_agent_rtt_seconds Shortest round trip to an agent.
# TYPE farwire_agent_rtt_seconds gauge
farwire_agent_rtt_seconds{agent="a",country="AT"} 0.02
# HELP farwire_agent_sessions Connections open through an agent.
# TYPE farwire_agent_sessions gauge
farwire_agent_sessions{agent="a",country="AT"} 4
farwire_agent_sessions{agent="b?",country="DE"} 0
# HELP farwire_agent_state The state that an agent is in.
# TYPE farwire_agent_state gauge
farwire_agent_state{agent="a",country="AT",state="available"} 1
farwire_agent_state{agent="b?",country="DE",state="limited"} 1
# HELP farwire_agents Agents that are attached.
# TYPE farwire_agents gauge
farwire_agents{country="AT",state="available"} 2
farwire_agents{country="DE",state="limited"} 2
# HELP farwire_agents_unlisted Agents without series of their own, because there are too many.
# TYPE farwire_agents_unlisted gauge
farwire_agents_unlisted 2
`, "farwire_agent_links", "farwire_agent_rtt_seconds", "farwire_agent_sessions", "farwire_agent_state", "farwire_agents", "farwire_agents_unlisted")
}

// TestTrace_EachEvent_IsCounted gives the Trace what a gateway would.
func TestTrace_EachEvent_IsCounted(t *testing.T) {
	m, _, r := watched(t, prometheus.Options{})
	trace, ctx := m.Trace(), context.Background()
	end := func(by farwire.EndedBy, code int, err error) {
		trace.SessionEnd(ctx, farwire.SessionInfo{Kind: "amqp"}, farwire.SessionResult{EndedBy: by, Code: code, Err: err, Duration: 5 * time.Second})
	}
	end("client", 0, nil)
	end("gateway", 1001, errors.New("draining"))
	end("target", 1001, nil) // its own code is no drain
	end("agent", 1011, errors.New("lost"))
	trace.DialEnd(ctx, farwire.DialInfo{Kind: "crawl"}, farwire.DialResult{Class: farwire.DialPolicy, Duration: time.Second})
	trace.DialEnd(ctx, farwire.DialInfo{Kind: "crawl"}, farwire.DialResult{Class: farwire.DialOK, Duration: 2 * time.Second})
	trace.Refused(ctx, farwire.RefusedInfo{Kind: "token", Status: 429})
	trace.SessionEnd(ctx, farwire.SessionInfo{Kind: "recrawl"}, farwire.SessionResult{EndedBy: "gateway", Outcome: farwire.RecrawlChanged, Late: 7 * time.Second})
	m.WatchLimiter(func() prometheus.LimiterStats {
		return prometheus.LimiterStats(redislimit.Stats{Shared: 5, Fallbacks: 2, Unavailable: true})
	})
	m.WatchCluster(func() prometheus.ClusterStats {
		return prometheus.ClusterStats(natscluster.Stats{Connected: true, Gateways: 3, Published: 7, Received: 8, Dropped: 9})
	})
	for name, want := range map[string]float64{
		`farwire_cluster_connected`:                                                     1,
		`farwire_cluster_gateways`:                                                      3,
		`farwire_cluster_messages_total{what="dropped"}`:                                9,
		`farwire_sessions_ended_total{ended_by="client",kind="amqp",result="ok"}`:       1,
		`farwire_sessions_ended_total{ended_by="gateway",kind="amqp",result="drained"}`: 1,
		`farwire_sessions_ended_total{ended_by="target",kind="amqp",result="ok"}`:       1,
		`farwire_sessions_ended_total{ended_by="agent",kind="amqp",result="error"}`:     1,
		`farwire_sessions_ended_total{ended_by="client",kind="relay",result="ok"}`:      0,
		`farwire_session_duration_seconds_sum{kind="amqp"}`:                             20,
		`farwire_dials_total{class="policy",kind="crawl"}`:                              1,
		`farwire_dial_duration_seconds_sum{kind="crawl"}`:                               2,
		`farwire_recrawls_total{outcome="changed"}`:                                     1,
		`farwire_recrawls_total{outcome="failed"}`:                                      0,
		`farwire_recrawl_lateness_seconds_sum`:                                          7,
		`farwire_limiter_answers_total{source="shared"}`:                                5,
		`farwire_limiter_answers_total{source="fallback"}`:                              2,
		`farwire_limiter_unavailable`:                                                   1,
		`farwire_requests_refused_total{kind="token",status="429"}`:                     1,
	} {
		if got := scrape(t, r); !strings.Contains(got, fmt.Sprintf("\n%s %v\n", name, want)) {
			t.Errorf("%s is not %v in\n%s", name, want, got)
		}
	}
}

// TestMetrics_RelayThenLimit_AreCounted relays for a caller that the host named, until its limit refuses
// it, and looks at the numbers while the session runs and after.
func TestMetrics_RelayThenLimit_AreCounted(t *testing.T) {
	_, g, r := watched(t, prometheus.Options{})
	target := httptest.NewServer(http.HandlerFunc(echoOne))
	defer target.Close()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		g.Relay().ServeHTTP(w, r.WithContext(farwire.WithPrincipal(r.Context(), farwire.Principal{Subject: "alice"})))
	}))
	defer server.Close()

	conn := dial(t, server, target)
	defer conn.Close()
	frame := []byte{0x81, 0x83, 0, 0, 0, 0, 'o', 'n', 'e'} // text, masked
	if _, err := conn.Write(frame); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(conn, make([]byte, 5)); err != nil {
		t.Fatal(err)
	}
	await(t, r, `farwire_relay_frames_total{direction="to_client"} 1`, `farwire_relay_bytes_total{direction="to_client"} 3`,
		`farwire_relay_frames_total{direction="to_target"} 1`, `farwire_relay_bytes_total{direction="to_target"} 3`,
		`farwire_sessions_active{kind="relay"} 1`, `farwire_dials_total{class="ok",kind="relay"} 1`, `farwire_draining 0`)

	ctx, cancel := context.WithTimeout(context.Background(), harness.Timeout)
	defer cancel()
	drained := make(chan error, 1)
	go func() { drained <- g.Shutdown(ctx) }()
	go io.Copy(io.Discard, conn) // until the gateway closes it
	if _, err := conn.Write([]byte{0x88, 0x82, 0, 0, 0, 0, 0x03, 0xe9}); err != nil {
		t.Fatal(err)
	}
	if err := <-drained; err != nil {
		t.Fatal(err)
	}
	await(t, r, `farwire_sessions_active{kind="relay"} 0`, `farwire_sessions_started_total{kind="relay"} 1`,
		`farwire_session_duration_seconds_count{kind="relay"} 1`, `farwire_draining 1`)
}

// dial opens a relay in its direct form and reads the head of the answer.
func dial(t *testing.T, gateway, target *httptest.Server) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", gateway.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "GET /?url=ws://%s/ HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", target.Listener.Addr())
	br := bufio.NewReader(io.LimitReader(conn, 4096))
	resp, err := http.ReadResponse(br, nil)
	if err != nil || resp.StatusCode != http.StatusSwitchingProtocols || br.Buffered() > 0 {
		t.Fatalf("answered with %v, %v", resp, err)
	}
	return conn
}

// echoOne is a WebSocket server that answers the one frame it gets, unmasked,
// and whatever comes then with a close frame.
func echoOne(w http.ResponseWriter, r *http.Request) {
	sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	conn, brw, err := http.NewResponseController(w).Hijack()
	if err != nil {
		return
	}
	defer conn.Close()
	fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n\r\n",
		base64.StdEncoding.EncodeToString(sum[:]))
	frame := make([]byte, 9)
	if _, err := io.ReadFull(brw, frame); err != nil {
		return
	}
	conn.Write(append([]byte{0x81, 3}, "one"...))
	brw.ReadByte()
	conn.Write([]byte{0x88, 2, 0x03, 0xe9})
	io.Copy(io.Discard, brw)
}

func scrape(t *testing.T, r *client.Registry) string {
	t.Helper()
	families, err := r.Gather()
	if err != nil {
		t.Fatal(err)
	}
	return "\n" + text(t, families)
}

// await waits until all lines are in a scrape.
func await(t *testing.T, r *client.Registry, lines ...string) {
	t.Helper()
	var got string
	for deadline := time.Now().Add(harness.Timeout); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		got = scrape(t, r)
		missing := false
		for _, l := range lines {
			missing = missing || !strings.Contains(got, "\n"+l+"\n")
		}
		if !missing {
			return
		}
	}
	t.Fatalf("%q are not all in\n%s", lines, got)
}
