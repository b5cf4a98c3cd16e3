package services

import (
	"net"
	"os/exec"
	"testing"
)

// Redis starts a Redis server without a password.
func Redis(t testing.TB) *Server {
	t.Helper()
	addr, dir := freeAddr(t), t.TempDir()
	host, port, err := net.SplitHostPort(addr)
	if err != nil {
		t.Fatal(err)
	}
	command := func() *exec.Cmd {
		return exec.Command("redis-server", "--bind", host, "--port", port, "--dir", dir, "--save", "", "--appendonly", "no")
	}
	return start(t, addr, command, func() error { return answers(addr) })
}
