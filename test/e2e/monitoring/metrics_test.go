package monitoring

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	amqp091 "github.com/rabbitmq/amqp091-go"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/farwire/farwire/internal/harness"
	"github.com/farwire/farwire/test/internal/rabbitmq"
)

// A scrape is what Prometheus would see, by name.
type scrape map[string]*dto.MetricFamily

// start starts a gateway with metrics and returns their address, too.
func start(t *testing.T, args ...string) (*harness.Gateway, string) {
	t.Helper()
	g := harness.Serve(t, append([]string{"--admin-listen", "127.0.0.1:0", "--allow-private"}, args...)...)
	return g, g.Await(g.Stderr, metricsLine)[1]
}

// metricsLine is where serve says what address they are at.
const metricsLine = `(?m)^metrics at (http://\S+)$`

func read(t *testing.T, url string) scrape {
	t.Helper()
	resp, err := client.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("GET %s: %s", url, resp.Status)
	}
	parser := expfmt.NewTextParser(model.UTF8Validation)
	families, err := parser.TextToMetricFamilies(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return families
}

var client = &http.Client{Timeout: harness.Timeout, Transport: &http.Transport{DisableKeepAlives: true}}

// value returns the value of the series with exactly these labels, written
// name="value" each; a histogram's is its count.
func (s scrape) value(name string, labels ...string) (float64, bool) {
	f := s[name]
	if f == nil {
		return 0, false
	}
	for _, m := range f.GetMetric() {
		same := len(m.GetLabel()) == len(labels)
		for _, l := range m.GetLabel() {
			found := false
			for _, want := range labels {
				found = found || want == fmt.Sprintf("%s=%q", l.GetName(), l.GetValue())
			}
			same = same && found
		}
		if !same {
			continue
		}
		switch {
		case m.Counter != nil:
			return m.Counter.GetValue(), true
		case m.Gauge != nil:
			return m.Gauge.GetValue(), true
		case m.Histogram != nil:
			return float64(m.Histogram.GetSampleCount()), true
		}
	}
	return 0, false
}

// An expectation is the value of a series.
type expectation struct {
	series string // name{label="value",…}
	want   float64
}

func (s scrape) holds(e expectation) (float64, bool) {
	name, rest, _ := strings.Cut(strings.TrimSuffix(e.series, "}"), "{")
	var labels []string
	if rest != "" {
		labels = strings.Split(rest, ",")
	}
	got, there := s.value(name, labels...)
	return got, there && got == e.want
}

// await scrapes until all expectations hold.
func await(t *testing.T, url string, all ...expectation) scrape {
	t.Helper()
	for deadline := time.Now().Add(harness.Timeout); ; time.Sleep(20 * time.Millisecond) {
		s := read(t, url)
		var wrong []string
		for _, e := range all {
			if got, ok := s.holds(e); !ok {
				wrong = append(wrong, fmt.Sprintf("%s is %v, want %v", e.series, got, e.want))
			}
		}
		if len(wrong) == 0 {
			return s
		}
		if time.Now().After(deadline) {
			t.Fatal(strings.Join(wrong, "\n"))
		}
	}
}

// relay opens a relay and returns it with the gateway's answer.
func relay(t *testing.T, g *harness.Gateway, target string) (*websocket.Conn, string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), harness.Timeout)
	defer cancel()
	c, _, err := websocket.Dial(ctx, g.WS("/ws"), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.CloseNow() })
	ask, err := json.Marshal(map[string]string{"apiKey": g.Key, "url": target})
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Write(ctx, websocket.MessageText, ask); err != nil {
		t.Fatal(err)
	}
	_, answer, err := c.Read(ctx)
	if err != nil {
		t.Fatal(err)
	}
	return c, string(answer)
}

// TestMetrics_Relay_IsCounted relays, fails to relay and is refused, and finds each in
// the numbers.
func TestMetrics_Relay_IsCounted(t *testing.T) {
	g, metrics := start(t, "--rate", "0.001", "--burst", "3")
	c, _ := relay(t, g, harness.Target(t, harness.Echo))
	ctx, cancel := context.WithTimeout(context.Background(), harness.Timeout)
	defer cancel()
	if err := c.Write(ctx, websocket.MessageText, []byte("12345")); err != nil {
		t.Fatal(err)
	}
	if _, _, err := c.Read(ctx); err != nil {
		t.Fatal(err)
	}
	await(t, metrics,
		expectation{`farwire_sessions_active{kind="relay"}`, 1},
		expectation{`farwire_relay_frames_total{direction="to_target"}`, 1},
		expectation{`farwire_relay_bytes_total{direction="to_target"}`, 5},
		expectation{`farwire_relay_bytes_total{direction="to_client"}`, 5},
		expectation{`farwire_agent_sessions{agent="farwire-local",country="ZZ"}`, 1})
	if err := c.Close(websocket.StatusNormalClosure, ""); err != nil {
		t.Fatal(err)
	}
	if _, answer := relay(t, g, "ws://127.0.0.1:1"); !strings.Contains(answer, "unreachable") {
		t.Errorf("the answer is %s", answer)
	}
	if _, answer := relay(t, g, "ws://127.0.0.1:1"); !strings.Contains(answer, "unreachable") {
		t.Errorf("the answer is %s", answer)
	}
	if _, answer := relay(t, g, "ws://127.0.0.1:1"); !strings.Contains(answer, "rate limit") {
		t.Errorf("the answer is %s", answer)
	}
	s := await(t, metrics,
		expectation{`farwire_sessions_active{kind="relay"}`, 0},
		expectation{`farwire_sessions_started_total{kind="relay"}`, 3},
		expectation{`farwire_sessions_ended_total{kind="relay",ended_by="client",result="ok"}`, 1},
		expectation{`farwire_sessions_ended_total{kind="relay",ended_by="gateway",result="error"}`, 2},
		expectation{`farwire_session_duration_seconds{kind="relay"}`, 3},
		expectation{`farwire_dials_total{kind="relay",class="ok"}`, 1},
		expectation{`farwire_dial_duration_seconds{kind="relay"}`, 1},
		expectation{`farwire_dials_total{kind="relay",class="target"}`, 2},
		expectation{`farwire_requests_refused_total{kind="relay",status="429"}`, 1},
		expectation{`farwire_agents{country="ZZ",state="available"}`, 1},
		expectation{`farwire_draining`, 0})
	if n := len(s["farwire_build_info"].GetMetric()); n != 1 {
		t.Errorf("%d series say what the program is made of", n)
	}
	for name, f := range s {
		for _, m := range f.GetMetric() {
			for _, l := range m.GetLabel() {
				if v := l.GetValue(); strings.Contains(v, g.Key) || strings.Contains(v, "127.0.0.1") || strings.Contains(v, "key-1") || strings.Contains(v, "invalid") {
					t.Errorf("%s has a label %s=%q, which a caller chose", name, l.GetName(), v)
				}
			}
		}
	}
}

// TestMetrics_Crawl_IsCounted crawls a site of which one page is not there.
func TestMetrics_Crawl_IsCounted(t *testing.T) {
	g, metrics := start(t)
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprint(w, `<title>Home</title><main><p>A page that says something about itself, and links to one that is gone.</p><a href="/gone">gone</a></main>`)
	}))
	defer site.Close()
	ctx, cancel := context.WithTimeout(context.Background(), harness.Timeout)
	defer cancel()
	c, _, err := websocket.Dial(ctx, g.WS("/ws/crawl?api_key="+g.Key), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer c.CloseNow()
	c.SetReadLimit(-1)
	if err := c.Write(ctx, websocket.MessageText, []byte(`{"url":"`+site.URL+`"}`)); err != nil {
		t.Fatal(err)
	}
	for err == nil {
		_, _, err = c.Read(ctx)
	}
	if code := websocket.CloseStatus(err); code != websocket.StatusNormalClosure {
		t.Fatalf("the crawl ended with %v", err)
	}
	s := await(t, metrics,
		expectation{`farwire_crawl_pages_total{outcome="written"}`, 1},
		expectation{`farwire_crawl_pages_total{outcome="status"}`, 1},
		expectation{`farwire_crawl_pages_total{outcome="robots"}`, 0},
		expectation{`farwire_dials_total{kind="crawl",class="ok"}`, 1},
		expectation{`farwire_sessions_ended_total{kind="crawl",ended_by="gateway",result="ok"}`, 1})
	// The file is counted a moment after the session's end was told.
	for n, _ := s.value("farwire_crawl_file_bytes_total"); n < 50; n, _ = s.value("farwire_crawl_file_bytes_total") {
		if ctx.Err() != nil {
			t.Fatalf("the file has %v bytes", n)
		}
		s = await(t, metrics)
	}
}

// TestMetrics_AMQPStream_IsCounted streams from a real broker and reads the numbers while the
// stream runs. Then the gateway drains, and goes.
func TestMetrics_AMQPStream_IsCounted(t *testing.T) {
	node, err := rabbitmq.Start(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer node.Close()
	g, metrics := start(t)
	body := fmt.Sprintf(`{"apiKey":%q,"host":"127.0.0.1","port":%d,"username":%q,"password":%q,"exchange":"amq.topic"}`,
		g.Key, node.Port, rabbitmq.Admin, rabbitmq.AdminSecret)
	resp, err := client.Post(g.HTTP("/amqp"), "application/json", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	next := harness.Lines(t, resp.Body)
	next("event: connected")
	for range 3 {
		if err := node.Publish(map[string]amqp091.Publishing{"k": {Body: []byte("12345")}}); err != nil {
			t.Fatal(err)
		}
		next("event: message")
	}
	await(t, metrics,
		expectation{`farwire_sessions_active{kind="amqp"}`, 1},
		expectation{`farwire_amqp_messages_total`, 3},
		expectation{`farwire_amqp_message_bytes_total`, 15},
		expectation{`farwire_amqp_waiting_bytes`, 0},
		expectation{`farwire_dials_total{kind="amqp",class="ok"}`, 1})
}
