package hostcall_test

import (
	"bytes"
	"context"
	"log/slog"
	"os"
	"strings"
	"testing"

	"github.com/farwire/farwire/internal/hostcall"
)

// panicsIn is a Handler with one method that panics.
type panicsIn struct {
	slog.Handler
	method string
}

func (p panicsIn) in(method string) {
	if p.method == method {
		panic("boom")
	}
}

func (p panicsIn) Enabled(ctx context.Context, l slog.Level) bool {
	p.in("Enabled")
	return p.Handler.Enabled(ctx, l)
}

func (p panicsIn) Handle(ctx context.Context, r slog.Record) error {
	p.in("Handle")
	return p.Handler.Handle(ctx, r)
}

func (p panicsIn) WithAttrs(attrs []slog.Attr) slog.Handler {
	p.in("WithAttrs")
	return panicsIn{p.Handler.WithAttrs(attrs), p.method}
}

func (p panicsIn) WithGroup(name string) slog.Handler {
	p.in("WithGroup")
	return panicsIn{p.Handler.WithGroup(name), p.method}
}

// stderr returns what f writes to standard error.
func stderr(t *testing.T, f func()) string {
	t.Helper()
	file, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	before := os.Stderr
	os.Stderr = file
	defer func() { os.Stderr = before }()
	f()
	b, err := os.ReadFile(file.Name())
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestLogger_HandlerPanics_CallerGoesOnAndIsToldOnce(t *testing.T) {
	for _, method := range []string{"Enabled", "Handle", "WithAttrs", "WithGroup"} {
		t.Run(method, func(t *testing.T) {
			var out bytes.Buffer
			told := stderr(t, func() {
				log := hostcall.Logger(slog.New(panicsIn{slog.NewTextHandler(&out, nil), method}))
				for range 3 {
					log.WithGroup("g").With("a", 1).Info("hello", "b", 2)
				}
			})
			if strings.Count(told, "\n") != 1 || !strings.Contains(told, "panicked: boom") {
				t.Errorf("standard error: %q", told)
			}
			lost := method == "Enabled" || method == "Handle"
			if got := strings.Count(out.String(), "msg=hello"); (got == 0) != lost || got > 3 {
				t.Errorf("%d lines: %s", got, &out)
			}
		})
	}
}

func TestLogger_HandlerWorks_WritesTheSame(t *testing.T) {
	var out bytes.Buffer
	log := hostcall.Logger(slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelWarn})))
	told := stderr(t, func() {
		log.Info("too low")
		log.WithGroup("g").With("a", 1).Warn("hello", "b", 2)
	})
	if told != "" || !strings.HasSuffix(out.String(), " level=WARN msg=hello g.a=1 g.b=2\n") || strings.Contains(out.String(), "too low") {
		t.Errorf("got %q, %q", &out, told)
	}
}
