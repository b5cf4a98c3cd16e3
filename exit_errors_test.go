package farwire_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/agent"
)

// TestExit_ErrorOfPackageNet_IsTheTargets has an exit fail as a net.Dialer does: every
// kind of session says the same of it, and no address.
func TestExit_ErrorOfPackageNet_IsTheTargets(t *testing.T) {
	dial := func(err error) error {
		return &net.OpError{Op: "dial", Net: "tcp", Addr: &net.TCPAddr{IP: net.IPv4(10, 1, 2, 3), Port: 80}, Err: err}
	}
	for name, c := range map[string]struct {
		err          error
		status       int
		code, detail string
	}{
		"refused":       {dial(os.NewSyscallError("connect", syscall.ECONNREFUSED)), 502, "target_unreachable", "connection refused"},
		"wrapped":       {fmt.Errorf("exit 7: %w", dial(os.NewSyscallError("connect", syscall.ECONNREFUSED))), 502, "target_unreachable", "connection refused"},
		"number":        {syscall.EHOSTUNREACH, 502, "target_unreachable", "host unreachable"},
		"no such host":  {&net.DNSError{Err: "no such host", Name: "a.test", Server: "10.1.2.3:53", IsNotFound: true}, 502, "target_unreachable", "no such host"},
		"time runs out": {dial(context.DeadlineExceeded), 504, "target_timeout", "time"},
		"timeout":       {dial(os.ErrDeadlineExceeded), 504, "target_timeout", "time"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(o *farwire.Options) {
				o.Agents = agent.Exit{ID: "x", Slug: "x", Country: "ZZ",
					DialContext: func(context.Context, string, string) (net.Conn, error) { return nil, c.err }}
			})
			for _, got := range w.refusals() {
				if got.status != 0 && got.status != c.status || got.close != 0 && got.close != 1011 || got.code != c.code ||
					!strings.Contains(strings.ToLower(got.text), c.detail) || strings.Contains(got.text, "10.1.2.3") {
					t.Errorf("got %+v, want %d, 1011, %s and %q", got, c.status, c.code, c.detail)
				}
			}
		})
	}
}

// TestExit_ErrorWithoutClass_WholeInTheLog has an exit fail in a way that only its host
// understands.
func TestExit_ErrorWithoutClass_WholeInTheLog(t *testing.T) {
	w := newWorld(t, func(o *farwire.Options) {
		o.Agents = agent.Exit{ID: "x", Slug: "x", Country: "ZZ",
			DialContext: func(context.Context, string, string) (net.Conn, error) {
				return nil, errors.New("table 7 at 10.0.0.7")
			}}
	})
	for _, got := range w.refusals() {
		if got.code != "internal" || got.text != "internal error" {
			t.Errorf("got %+v, want an internal error", got)
		}
	}
	for _, kind := range []string{"relay", "crawl", "amqp", "http", "tunnel"} {
		w.wantLog(`kind=` + kind + ` .*exit: table 7 at 10\.0\.0\.7`)
	}
}

// TestExit_AgentOverloaded_IsUnavailable has an agent carry as many sessions as it can. It is
// not lost, and every kind of session says so.
func TestExit_AgentOverloaded_IsUnavailable(t *testing.T) {
	full := make(map[string]error)
	for name, err := range map[string]error{"descriptors": syscall.EMFILE, "those of the system": syscall.ENFILE, "buffers": syscall.ENOBUFS, "memory": syscall.ENOMEM} {
		full[name] = agent.Classify(&net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("socket", err)})
	}
	full["wrapped"] = fmt.Errorf("exit 7: %w", full["descriptors"])
	for name, err := range full {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := newWorld(t, func(o *farwire.Options) {
				o.Agents = agent.Exit{ID: "x", Slug: "x", Country: "ZZ",
					DialContext: func(context.Context, string, string) (net.Conn, error) { return nil, err }}
			})
			for _, got := range w.refusals() {
				if got.status != 0 && got.status != 502 || got.close != 0 && got.close != 1011 || got.code != "agent_unavailable" ||
					!strings.HasSuffix(got.text, "gent overloaded") || strings.Contains(got.text, "target") {
					t.Errorf("got %+v, want 502, 1011, agent_unavailable and agent overloaded", got)
				}
			}
			for _, kind := range []string{"crawl", "amqp", "http", "tunnel"} {
				w.wantLog(`kind=` + kind + ` .*ended_by=agent`)
			}
		})
	}
}
