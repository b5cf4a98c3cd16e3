package main

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	sdk "go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp"
	"go.opentelemetry.io/otel/propagation"
	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"golang.org/x/net/http/httpguts"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/adapters/otel"
)

// tracingVariables are what turns traces on and off. OpenTelemetry's library reads
// the others of its specification itself: headers, timeouts, sampler, batches.
const (
	otelDisabled       = "OTEL_SDK_DISABLED"
	otelExporter       = "OTEL_TRACES_EXPORTER"
	otelEndpoint       = "OTEL_EXPORTER_OTLP_ENDPOINT"
	otelTracesEndpoint = "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT"
	otelProtocol       = "OTEL_EXPORTER_OTLP_PROTOCOL"
	otelTracesProtocol = "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"
)

// tracing sends the spans of sessions and dials to an OTLP receiver. Its methods do
// nothing when it is nil: nobody has asked for traces.
type tracing struct {
	provider *sdktrace.TracerProvider
	to       string
	log      *slog.Logger
	told     atomic.Int64 // when trouble was logged last, in Unix seconds
}

const (
	flushTimeout = 5 * time.Second
	tellEvery    = time.Minute
)

// openTracing returns what the variables ask for; nil: no traces.
func openTracing(ctx context.Context, name string, log *slog.Logger) (*tracing, error) {
	wanted, endpoint, err := tracesWanted()
	if err != nil || !wanted {
		return nil, err
	}
	t := &tracing{to: endpoint, log: log}
	sdk.SetErrorHandler(sdk.ErrorHandlerFunc(t.trouble))
	sdk.SetLogger(logr.FromSlogHandler(log.Handler()))
	exporter, err := otlptracehttp.New(ctx)
	if err != nil {
		return nil, misusef("%s: %v", otelEndpoint, err)
	}
	about, err := resource.New(ctx,
		resource.WithAttributes(attribute.String("service.name", "farwire"), attribute.String("service.version", build().version),
			attribute.String("service.instance.id", name)),
		resource.WithTelemetrySDK(),
		resource.WithFromEnv(), // OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES, which count
	)
	if err != nil {
		return nil, misusef("OTEL_RESOURCE_ATTRIBUTES: %v; write it as name=value,name=value", err)
	}
	t.provider = sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter), sdktrace.WithResource(about))
	return t, nil
}

// tracesWanted reads the variables that turn traces on.
func tracesWanted() (wanted bool, endpoint string, err error) {
	endpoint = cmp.Or(os.Getenv(otelTracesEndpoint), os.Getenv(otelEndpoint))
	switch exporter := os.Getenv(otelExporter); {
	case strings.EqualFold(os.Getenv(otelDisabled), "true"), exporter == "none", exporter == "" && endpoint == "":
		return false, "", nil
	case exporter != "" && exporter != "otlp":
		return false, "", misusef("%s: %q is not an exporter of this program; give otlp or none", otelExporter, exporter)
	}
	if protocol := cmp.Or(os.Getenv(otelTracesProtocol), os.Getenv(otelProtocol)); protocol != "" && protocol != "http/protobuf" {
		return false, "", misusef("%s: %q is not supported; give http/protobuf, usually at port 4318", otelProtocol, protocol)
	}
	endpoint = cmp.Or(endpoint, "https://localhost:4318") // the library's own
	u, err := url.Parse(endpoint)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" {
		return false, "", misusef("%s: not a URL; give one such as http://collector:4318", otelEndpoint)
	}
	return true, u.Host, checkTracing()
}

// checkTracing refuses what OpenTelemetry's library would leave out with a line that
// names no variable.
func checkTracing() error {
	switch sampler := os.Getenv("OTEL_TRACES_SAMPLER"); strings.TrimPrefix(sampler, "parentbased_") {
	case "", "always_on", "always_off", "traceidratio":
	default:
		return misusef("OTEL_TRACES_SAMPLER: %q is not a sampler of this program; give always_on, always_off or traceidratio, or one of them behind parentbased_", sampler)
	}
	for _, name := range []string{"OTEL_EXPORTER_OTLP_HEADERS", "OTEL_EXPORTER_OTLP_TRACES_HEADERS"} {
		value := os.Getenv(name)
		for i, header := range strings.Split(value, ",") {
			if key, _, found := strings.Cut(header, "="); value != "" && (!found || !httpguts.ValidHeaderFieldName(strings.TrimSpace(key))) {
				return misusef("%s: entry %d is not a header; write it as name=value,name=value", name, i+1)
			}
		}
	}
	for _, name := range []string{"OTEL_EXPORTER_OTLP_TIMEOUT", "OTEL_EXPORTER_OTLP_TRACES_TIMEOUT", "OTEL_BSP_SCHEDULE_DELAY", "OTEL_BSP_EXPORT_TIMEOUT",
		"OTEL_BSP_MAX_QUEUE_SIZE", "OTEL_BSP_MAX_EXPORT_BATCH_SIZE"} {
		if value := os.Getenv(name); value != "" {
			if n, err := strconv.Atoi(value); err != nil || n < 0 {
				return misusef("%s: %q is not a whole number; times are in milliseconds, such as 10000", name, value)
			}
		}
	}
	return nil
}

// trouble logs that spans are lost, at most once a minute.
func (t *tracing) trouble(err error) {
	now := time.Now().Unix()
	if last := t.told.Load(); now-last >= int64(tellEvery/time.Second) && t.told.CompareAndSwap(last, now) {
		t.log.Warn("traces cannot be sent; some are lost", "to", t.to, "err", err)
	}
}

// join adds the spans to what else is told of sessions, if anything is.
func (t *tracing) join(others *farwire.Trace) *farwire.Trace {
	if t == nil {
		return others
	}
	return farwire.JoinTraces(others, otel.Trace(t.provider.Tracer("github.com/farwire/farwire")))
}

// handler continues a trace that a request names (W3C Trace Context).
func (t *tracing) handler(next http.Handler) http.Handler {
	if t == nil {
		return next
	}
	var format propagation.TraceContext
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		next.ServeHTTP(w, r.WithContext(format.Extract(r.Context(), propagation.HeaderCarrier(r.Header))))
	})
}

// String says where traces go, for the line of what is used.
func (t *tracing) String() string {
	if t == nil {
		return ""
	}
	return "; traces to " + t.to
}

// close sends what is left.
func (t *tracing) close() {
	if t == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), flushTimeout)
	defer cancel()
	if err := t.provider.Shutdown(ctx); err != nil {
		t.trouble(fmt.Errorf("the last of them: %w", err))
	}
}
