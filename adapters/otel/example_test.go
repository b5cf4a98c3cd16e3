package otel_test

import (
	"context"
	"fmt"
	"log"
	"log/slog"

	sdk "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/adapters/otel"
)

// A span for each session, and below it one for each dial.
func ExampleTrace() {
	spans := tracetest.NewInMemoryExporter() // in the place of an exporter to a collector
	provider := sdk.NewTracerProvider(sdk.WithSyncer(spans))
	defer provider.Shutdown(context.Background())
	gw, err := farwire.New(farwire.Options{Trace: otel.Trace(provider.Tracer("gateway")), Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		log.Fatal(err)
	}
	// The guard refuses an address of this machine.
	_, err = gw.Open(context.Background(), farwire.OpenOptions{Addr: "127.0.0.1:80", Principal: farwire.Principal{Subject: "alice"}})
	fmt.Println(err != nil)
	for _, s := range spans.GetSpans() {
		fmt.Println(s.Name, s.SpanKind, s.Status.Code)
	}
	// Output:
	// true
	// dial client Error
	// farwire tunnel server Error
}
