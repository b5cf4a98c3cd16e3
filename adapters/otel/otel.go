// Package otel makes OpenTelemetry spans of a gateway's sessions and dials.
//
// A session is a span of kind server, a child of whatever span the host's own
// middleware has put into the request's context, and each attempt to reach the
// target is a span of kind client below it. Attributes are those of the
// semantic conventions where there are any: server.address and server.port are
// the target's, error.type the class of a failed dial, enduser.pseudo.id the
// subject.
package otel

import (
	"context"
	"net"
	"strconv"

	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/codes"
	"go.opentelemetry.io/otel/trace"

	"github.com/farwire/farwire"
)

// Trace returns a Trace for [farwire.Options]. It is safe for concurrent use. The tracer
// must not be nil; whoever made its provider shuts that down after [farwire.Gateway.Shutdown],
// so that the last spans leave, too.
func Trace(tracer trace.Tracer) *farwire.Trace {
	return &farwire.Trace{
		SessionStart: func(ctx context.Context, i farwire.SessionInfo) context.Context {
			ctx, _ = tracer.Start(ctx, "farwire "+i.Kind.String(), trace.WithSpanKind(trace.SpanKindServer), trace.WithTimestamp(i.Start),
				trace.WithAttributes(
					attribute.String("session.id", i.ID),
					attribute.String("enduser.pseudo.id", i.Subject),
					attribute.String("farwire.kind", i.Kind.String()),
				))
			return ctx
		},
		SessionEnd: func(ctx context.Context, i farwire.SessionInfo, r farwire.SessionResult) {
			span := trace.SpanFromContext(ctx)
			span.SetAttributes(server(r.Target)...)
			span.SetAttributes(
				attribute.String("farwire.agent", r.Agent),
				attribute.String("farwire.ended_by", r.EndedBy.String()),
				attribute.Int("farwire.close_code", r.Code),
				attribute.Int64("farwire.bytes_to_target", r.BytesToTarget),
				attribute.Int64("farwire.bytes_to_client", r.BytesToClient),
			)
			if r.Err != nil {
				// The error in full may name addresses inside an agent's network.
				span.SetStatus(codes.Error, "ended by "+r.EndedBy.String())
			}
			span.End(trace.WithTimestamp(i.Start.Add(r.Duration)))
		},
		DialStart: func(ctx context.Context, i farwire.DialInfo) context.Context {
			ctx, _ = tracer.Start(ctx, "dial", trace.WithSpanKind(trace.SpanKindClient), trace.WithAttributes(
				attribute.String("server.address", i.Host),
				attribute.String("farwire.agent", i.Agent),
			))
			return ctx
		},
		DialEnd: func(ctx context.Context, _ farwire.DialInfo, r farwire.DialResult) {
			span := trace.SpanFromContext(ctx)
			if r.Class != farwire.DialOK {
				span.SetAttributes(attribute.String("error.type", string(r.Class)))
				span.SetStatus(codes.Error, "")
			}
			span.End()
		},
		Refused: func(ctx context.Context, i farwire.RefusedInfo) {
			trace.SpanFromContext(ctx).AddEvent("farwire refused", trace.WithAttributes(
				attribute.String("farwire.kind", i.Kind.String()), attribute.Int("http.response.status_code", i.Status)))
		},
	}
}

// server describes a target, whose port is left out where the session has none.
func server(target string) []attribute.KeyValue {
	host, port, err := net.SplitHostPort(target)
	if err != nil {
		return []attribute.KeyValue{attribute.String("server.address", target)}
	}
	kv := []attribute.KeyValue{attribute.String("server.address", host)}
	if n, err := strconv.Atoi(port); err == nil {
		kv = append(kv, attribute.Int("server.port", n))
	}
	return kv
}
