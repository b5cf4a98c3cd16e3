package otel_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"
	"go.opentelemetry.io/otel/codes"
	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/adapters/otel"
	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/harness"
	"github.com/farwire/farwire/internal/leak"
)

func TestMain(m *testing.M) { leak.Main(m) }

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// TestSpans_RelayAndFailedDial_AreRecorded relays once through a target that is there and fails once to reach
// one that is not, below a span of the host's.
func TestSpans_RelayAndFailedDial_AreRecorded(t *testing.T) {
	spans := tracetest.NewInMemoryExporter()
	provider := sdk.NewTracerProvider(sdk.WithSyncer(spans))
	defer provider.Shutdown(t.Context())
	tracer := provider.Tracer("test")

	exit, err := agent.Direct(agent.DirectOptions{Slug: "de1", Country: "DE", AllowPrivate: true})
	must(t, err)
	gw, err := farwire.New(farwire.Options{Agents: exit, Trace: otel.Trace(tracer), Logger: slog.New(slog.DiscardHandler)})
	must(t, err)
	host := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ctx, span := tracer.Start(r.Context(), "host")
		defer span.End()
		ctx = farwire.WithPrincipal(ctx, farwire.Principal{Subject: "alice"})
		gw.Relay().ServeHTTP(w, r.WithContext(ctx))
	}))
	defer host.Close()
	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, err := websocket.Accept(w, r, nil); err == nil {
			c.CloseRead(context.Background())
			c.Close(websocket.StatusNormalClosure, "")
		}
	}))
	defer target.Close()

	for url, want := range map[string]string{
		"ws" + strings.TrimPrefix(target.URL, "http"): `dial client [farwire.agent=farwire-de1 server.address=127.0.0.1] Unset
farwire relay server [enduser.pseudo.id=alice farwire.agent=farwire-de1 farwire.close_code=1000 farwire.ended_by=target farwire.kind=relay server.address=127.0.0.1 server.port=PORT] Unset`,
		"ws://127.0.0.1:1": `dial client [error.type=target farwire.agent=farwire-de1 server.address=127.0.0.1] Error
farwire relay server [enduser.pseudo.id=alice farwire.agent=farwire-de1 farwire.close_code=1011 farwire.ended_by=gateway farwire.kind=relay server.address=127.0.0.1 server.port=PORT] Error`,
	} {
		want = strings.ReplaceAll(want, "PORT", url[strings.LastIndex(url, ":")+1:])
		spans.Reset()
		talk(t, host, url)
		var got tracetest.SpanStubs
		for deadline := time.Now().Add(harness.Timeout); len(got) < 3 && time.Now().Before(deadline); time.Sleep(time.Millisecond) {
			got = spans.GetSpans()
		}
		var dial, session, parent tracetest.SpanStub
		for _, s := range got {
			switch s.Name {
			case "dial":
				dial = s
			case "host":
				parent = s
			default:
				session = s
			}
		}
		if text := describe(dial) + "\n" + describe(session); text != want {
			t.Errorf("%s: got\n%s\nwant\n%s", url, text, want)
		}
		if dial.Parent.SpanID() != session.SpanContext.SpanID() || session.Parent.SpanID() != parent.SpanContext.SpanID() {
			t.Errorf("%s: the dial is not below the session, or the session not below the host's span", url)
		}
		if session.EndTime.Before(dial.EndTime) {
			t.Errorf("%s: the session ended before its dial", url)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), harness.Timeout)
	defer cancel()
	must(t, gw.Shutdown(ctx))
}

func talk(t *testing.T, host *httptest.Server, url string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), harness.Timeout)
	defer cancel()
	client := &http.Client{Transport: &http.Transport{}}
	defer client.CloseIdleConnections()
	c, _, err := websocket.Dial(ctx, host.URL, &websocket.DialOptions{HTTPClient: client})
	must(t, err)
	defer c.CloseNow()
	must(t, c.Write(ctx, websocket.MessageText, []byte(`{"url":"`+url+`"}`)))
	for err == nil {
		_, _, err = c.Read(ctx)
	}
}

// describe says what a span is in one line, without what differs each time.
func describe(s tracetest.SpanStub) string {
	var attributes []string
	for _, a := range s.Attributes {
		switch a.Key {
		case "session.id", "farwire.bytes_to_target", "farwire.bytes_to_client":
		default:
			attributes = append(attributes, fmt.Sprintf("%s=%s", a.Key, a.Value.String()))
		}
	}
	slices.Sort(attributes)
	kind := map[trace.SpanKind]string{trace.SpanKindServer: "server", trace.SpanKindClient: "client"}[s.SpanKind]
	return fmt.Sprintf("%s %s %v %s", s.Name, kind, attributes, map[codes.Code]string{codes.Unset: "Unset", codes.Error: "Error"}[s.Status.Code])
}
