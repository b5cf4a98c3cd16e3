package main

import (
	"bufio"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/farwire/farwire/internal/harness"
)

// startUntil starts a command and has its log read up to a line, and by nobody from then on.
func startUntil(t *testing.T, cmd *exec.Cmd, line string) {
	t.Helper()
	log, stderr, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	stderr.Close()
	defer log.Close()
	for lines := bufio.NewScanner(log); lines.Scan(); {
		if strings.Contains(lines.Text(), line) {
			return
		}
	}
	t.Fatalf("%v ended without %q", cmd.Args, line)
}

// TestCommands_NobodyReadsTheLog_GoOn has each command that runs until it is stopped write
// into a log of which the reader is gone.
func TestCommands_NobodyReadsTheLog_GoOn(t *testing.T) {
	t.Parallel()
	const secret = "the-secret-of-all-agents"
	gateway := func(addr string) *harness.Gateway {
		return harness.StartGateway(t, program(t, "serve", "--listen", addr, "--agent-secret", secret))
	}
	g := gateway("127.0.0.1:0")
	agent := program(t, "agent", "--gateway", g.HTTP(""), "--secret", secret, "--slug", "de1", "--country", "DE")
	startUntil(t, agent, "msg=attached")
	g.Signal(harness.Terminate)
	g.Status()
	g = gateway(g.Addr)
	g.Await(g.Stderr, `msg="agent attached" agent=farwire-de1`) // it has logged that it lost its link

	serve, work := program(t, "serve", "--listen", "127.0.0.1:0"), program(t, "work")
	startUntil(t, serve, "listening on ")
	startUntil(t, work, "recrawling due sites")
	for _, cmd := range []*exec.Cmd{agent, serve, work} {
		if err := cmd.Process.Signal(harness.Terminate); err != nil {
			t.Fatal(err)
		}
		if err := cmd.Wait(); err != nil { // the last two log that they drain
			t.Errorf("%v: %v", cmd.Args[1], err)
		}
	}
}
