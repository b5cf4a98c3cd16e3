package main

import (
	"compress/gzip"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	collector "go.opentelemetry.io/proto/otlp/collector/trace/v1"
	common "go.opentelemetry.io/proto/otlp/common/v1"
	trace "go.opentelemetry.io/proto/otlp/trace/v1"
	"google.golang.org/protobuf/proto"

	"github.com/farwire/farwire/internal/harness"
)

// An otlpReceiver keeps the spans that it is sent.
type otlpReceiver struct {
	*httptest.Server

	mu     sync.Mutex
	header http.Header // of the last request
	about  map[string]string
	spans  []*trace.Span
}

func newOTLPReceiver(t *testing.T) *otlpReceiver {
	t.Helper()
	r := &otlpReceiver{}
	r.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, req *http.Request) {
		if err := r.take(req); err != nil || req.URL.Path != "/v1/traces" {
			t.Errorf("%s %s: %v", req.Method, req.URL, err)
			w.WriteHeader(http.StatusBadRequest)
			return
		}
		w.Header().Set("Content-Type", "application/x-protobuf")
	}))
	t.Cleanup(r.Close)
	return r
}

func (r *otlpReceiver) take(req *http.Request) error {
	body := io.Reader(req.Body)
	if req.Header.Get("Content-Encoding") == "gzip" {
		unpacked, err := gzip.NewReader(body)
		if err != nil {
			return err
		}
		body = unpacked
	}
	b, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	var batch collector.ExportTraceServiceRequest
	if err := proto.Unmarshal(b, &batch); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.header = req.Header
	for _, of := range batch.ResourceSpans {
		r.about = attributes(of.Resource.Attributes)
		for _, scope := range of.ScopeSpans {
			r.spans = append(r.spans, scope.Spans...)
		}
	}
	return nil
}

func attributes(list []*common.KeyValue) map[string]string {
	m := make(map[string]string)
	for _, kv := range list {
		m[kv.Key] = kv.Value.GetStringValue()
	}
	return m
}

// The spans of a session reach the receiver that OpenTelemetry's variables name, as
// part of the trace that the client began, at the latest when the gateway has drained.
func TestServe_OTLPEndpointGiven_SendsSpans(t *testing.T) {
	receiver := newOTLPReceiver(t)
	cmd := program(t, "serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0")
	cmd.Env = append(cmd.Env, "OTEL_EXPORTER_OTLP_ENDPOINT="+receiver.URL, "OTEL_EXPORTER_OTLP_HEADERS=x-tenant=blue",
		"OTEL_EXPORTER_OTLP_COMPRESSION=gzip", "OTEL_RESOURCE_ATTRIBUTES=deployment.environment=test")
	g := harness.StartGateway(t, cmd)
	if used := g.Await(g.Stderr, `(?m)^using: .*`)[0]; !strings.HasSuffix(used, "; traces to "+strings.TrimPrefix(receiver.URL, "http://")) {
		t.Errorf("it says %q", used)
	}
	const traceID, parent = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
	req, err := http.NewRequest(http.MethodGet, g.HTTP("/to/-/http/echo.farwire.alt/"), nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("X-API-Key", g.Key)
	req.Header.Set("Traceparent", "00-"+traceID+"-"+parent+"-01")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("the echo answers %s", resp.Status)
	}
	g.Stop()

	receiver.mu.Lock()
	defer receiver.mu.Unlock()
	var session, dial *trace.Span
	for _, s := range receiver.spans {
		switch s.Name {
		case "farwire http":
			session = s
		case "dial":
			dial = s
		}
	}
	if session == nil || dial == nil {
		t.Fatalf("the spans are %v", receiver.spans)
	}
	if hex.EncodeToString(session.TraceId) != traceID || hex.EncodeToString(session.ParentSpanId) != parent {
		t.Errorf("the session is not part of the client's trace: %v", session)
	}
	if string(dial.ParentSpanId) != string(session.SpanId) {
		t.Error("the dial is not below its session")
	}
	if a := attributes(session.Attributes); a["farwire.agent"] != "farwire-local" || a["server.address"] != "echo.farwire.alt" {
		t.Errorf("the session has %v", a)
	}
	if receiver.about["service.name"] != "farwire" || receiver.about["deployment.environment"] != "test" || receiver.about["service.version"] == "" {
		t.Errorf("the resource is %v", receiver.about)
	}
	if receiver.header.Get("X-Tenant") != "blue" {
		t.Errorf("the headers are %v", receiver.header)
	}
}

// A receiver that is not there costs a warning and no session.
func TestServe_OTLPReceiverUnreachable_WarnsAndServes(t *testing.T) {
	cmd := program(t, "serve", "--listen", "127.0.0.1:0", "--log-format", "json")
	cmd.Env = append(cmd.Env, "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT=http://127.0.0.1:1/v1/traces", "OTEL_BSP_SCHEDULE_DELAY=50",
		"OTEL_EXPORTER_OTLP_TIMEOUT=500", "OTEL_SERVICE_NAME=exits")
	g := harness.StartGateway(t, cmd)
	if status, body := harness.Get(t, g.HTTP("/to/key="+g.Key+"/http/echo.farwire.alt/")); status != http.StatusOK {
		t.Errorf("the echo answers %d %s", status, body)
	}
	g.Await(g.Stderr, `"level":"WARN","msg":"traces cannot be sent; some are lost","to":"127.0.0.1:1"`)
	g.Stop()
	wantJSONLines(t, g.Stderr.String())
}

func TestServe_OTELVariables_Judged(t *testing.T) {
	for _, c := range []struct{ env, want string }{ // what the line must say, separated by |; empty: no traces, and no error
		{"OTEL_TRACES_EXPORTER=none OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:1", ""},
		{"OTEL_SDK_DISABLED=true OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:1", ""},
		{"OTEL_SERVICE_NAME=x", ""},
		{"OTEL_TRACES_EXPORTER=zipkin", "OTEL_TRACES_EXPORTER|zipkin|otlp or none"},
		{"OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:1 OTEL_EXPORTER_OTLP_PROTOCOL=grpc", "OTEL_EXPORTER_OTLP_PROTOCOL|grpc|http/protobuf"},
		{"OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:1 OTEL_TRACES_SAMPLER=sometimes", "OTEL_TRACES_SAMPLER|sometimes|traceidratio"},
		{"OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:1 OTEL_EXPORTER_OTLP_HEADERS=a=1,secret", "OTEL_EXPORTER_OTLP_HEADERS|entry 2|name=value"},
		{"OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:1 OTEL_EXPORTER_OTLP_TIMEOUT=10s", "OTEL_EXPORTER_OTLP_TIMEOUT|10s|10000"},
		{"OTEL_EXPORTER_OTLP_ENDPOINT=http://127.0.0.1:1 OTEL_BSP_SCHEDULE_DELAY=x", "OTEL_BSP_SCHEDULE_DELAY|whole number"},
		{"OTEL_EXPORTER_OTLP_ENDPOINT=collector:4318", "OTEL_EXPORTER_OTLP_ENDPOINT|http://collector:4318"},
	} {
		cmd := program(t, "serve", "--listen", "127.0.0.1:0")
		cmd.Env = append(cmd.Env, strings.Fields(c.env)...)
		if c.want == "" {
			g := harness.StartGateway(t, cmd)
			if used := g.Await(g.Stderr, `(?m)^using: .*`)[0]; strings.Contains(used, "traces") {
				t.Errorf("with %s it says %q", c.env, used)
			}
			g.Stop()
			continue
		}
		p := harness.Start(t, cmd)
		if status := p.Status(); status != statusMisuse {
			t.Errorf("with %s the status is %d", c.env, status)
		}
		for part := range strings.SplitSeq(c.want, "|") {
			if !strings.Contains(p.Stderr.String(), part) {
				t.Errorf("with %s it does not say %q: %s", c.env, part, p.Stderr)
			}
		}
	}
}
