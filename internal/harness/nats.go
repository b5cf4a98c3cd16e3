package harness

import (
	"fmt"
	"io"
	"net"
	"os/exec"
	"strings"
	"testing"
	"time"
)

// NATS starts a NATS server without a password, with further arguments if there
// are any.
func NATS(t testing.TB, args ...string) *Server {
	t.Helper()
	addr := FreeAddr(t)
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	command := func() *exec.Cmd {
		return exec.Command("nats-server", append([]string{"--addr", host, "--port", port}, args...)...)
	}
	s := start(t, addr, command, func() error { return greets(addr, "INFO ") })
	s.URL = "nats://" + addr
	return s
}

// greets reports whether what listens at the address says something at once.
func greets(addr, greeting string) error {
	conn, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return fmt.Errorf("not up yet: %w", err)
	}
	defer conn.Close()
	said := make([]byte, len(greeting))
	if err := conn.SetReadDeadline(time.Now().Add(time.Second)); err != nil {
		return err
	}
	if _, err := io.ReadFull(conn, said); err != nil || !strings.EqualFold(string(said), greeting) {
		return fmt.Errorf("said %q: %w", said, err)
	}
	return nil
}
