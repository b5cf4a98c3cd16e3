package harness

import (
	"net"
	"os/exec"
	"testing"
)

// Redis starts a Redis server without a password, with further arguments if
// there are any.
func Redis(t testing.TB, args ...string) *Server {
	t.Helper()
	addr, dir := FreeAddr(t), t.TempDir()
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	command := func() *exec.Cmd {
		own := []string{"--bind", host, "--port", port, "--dir", dir, "--save", "", "--appendonly", "no"}
		return exec.Command("redis-server", append(own, args...)...)
	}
	return start(t, addr, command, func() error { return answers(addr) })
}
