package agent_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/farwire/farwire/agent"
)

// unanswered returns an address that answers no attempt to connect: its backlog is full.
func unanswered(t *testing.T) string {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(fd) })
	if err := errors.Join(syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), syscall.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	own, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	addr := fmt.Sprintf("127.0.0.1:%d", own.(*syscall.SockaddrInet4).Port)
	for {
		c, err := net.DialTimeout("tcp", addr, 200*time.Millisecond)
		if err != nil {
			return addr
		}
		t.Cleanup(func() { c.Close() })
	}
}

// An attempt to reach an address ends with DialTimeout, with the context's deadline or with
// the context, whichever is first, and is a timeout of the target's unless the context
// was cancelled.
func TestDirect_TargetUnanswered_EndsInTime(t *testing.T) {
	addr := unanswered(t)
	long, short := time.Hour, 100*time.Millisecond
	canceled := func(ctx context.Context) (context.Context, context.CancelFunc) {
		ctx, cancel := context.WithCancel(ctx)
		time.AfterFunc(short, cancel)
		return ctx, cancel
	}
	for name, c := range map[string]struct {
		timeout time.Duration
		bound   func(context.Context) (context.Context, context.CancelFunc)
		cause   error // of the context's, which is no timeout
	}{
		"by DialTimeout": {short, context.WithCancel, nil},
		"by DialTimeout before the deadline": {short, func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, long)
		}, nil},
		"by the deadline": {long, func(ctx context.Context) (context.Context, context.CancelFunc) {
			return context.WithTimeout(ctx, short)
		}, nil},
		"by the context": {long, canceled, context.Canceled},
	} {
		exit, err := agent.Direct(agent.DirectOptions{AllowPrivate: true, DialTimeout: c.timeout})
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := c.bound(context.Background())
		conn, err := exit.DialContext(ctx, "tcp", addr)
		cancel()
		var network net.Error
		var dial *agent.DialError
		switch {
		case err == nil:
			conn.Close()
			t.Errorf("%s: it was reached", name)
		case c.cause != nil && !errors.Is(err, c.cause):
			t.Errorf("%s: %v", name, err)
		case c.cause == nil && (!errors.As(err, &network) || !network.Timeout() || !errors.As(err, &dial) || dial.Fault != agent.FaultTarget):
			t.Errorf("%s: %v is no timeout of the target's", name, err)
		}
	}
}
