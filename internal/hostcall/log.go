package hostcall

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"sync"
)

// Logger returns a logger that writes to that of a host, and recovers from a panic of its
// Handler: the line is lost, and the first panic is a line on standard error, since the
// log cannot tell of itself. Lines are written in goroutines in which nobody else
// recovers.
func Logger(l *slog.Logger) *slog.Logger {
	return slog.New(handler{l.Handler(), new(sync.Once)})
}

type handler struct {
	slog.Handler
	told *sync.Once // of all that were derived from one
}

// recovered is deferred around a call of the host's Handler.
func (h handler) recovered(err *error) {
	if v := recover(); v != nil {
		*err = fmt.Errorf("the slog.Handler %T panicked: %v", h.Handler, v)
		h.told.Do(func() { fmt.Fprintf(os.Stderr, "farwire: %v; its lines are lost\n", *err) })
	}
}

func (h handler) Enabled(ctx context.Context, level slog.Level) (enabled bool) {
	var err error
	defer h.recovered(&err)
	return h.Handler.Enabled(ctx, level)
}

func (h handler) Handle(ctx context.Context, r slog.Record) (err error) {
	defer h.recovered(&err)
	return h.Handler.Handle(ctx, r)
}

func (h handler) WithAttrs(attrs []slog.Attr) (derived slog.Handler) {
	var err error
	derived = h // when it panics
	defer h.recovered(&err)
	return handler{h.Handler.WithAttrs(attrs), h.told}
}

func (h handler) WithGroup(name string) (derived slog.Handler) {
	var err error
	derived = h
	defer h.recovered(&err)
	return handler{h.Handler.WithGroup(name), h.told}
}
