// Package harness starts what tests run beside themselves: the program farwire,
// PostgreSQL, Redis, an S3 server, nginx, and scripts for Python and Node.js.
// Each keeps its data in a folder of the test's own, listens on a port of its
// own, and ends with the test. A program that the machine lacks fails the test,
// with a message that names scripts/deps. Only tests and the programs of module
// test import this package.
package harness

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Timeout is how long a test waits for what ought to happen at once, and how
// long a process may take to end after it was asked to.
const Timeout = time.Minute

// The signals that a service manager sends: to ask, and to insist.
const (
	Terminate = syscall.SIGTERM
	Kill      = syscall.SIGKILL
)

// A Process is a running program. Its methods are safe for concurrent use.
type Process struct {
	Stdout, Stderr *Output

	cmd  *exec.Cmd
	done chan struct{}
}

// Launch starts cmd. Output that cmd directs nowhere is kept. The caller ends
// the process with Stop or Kill; on Linux it also ends with this one.
func Launch(cmd *exec.Cmd) (*Process, error) {
	p := &Process{Stdout: new(Output), Stderr: new(Output), cmd: cmd, done: make(chan struct{})}
	if cmd.Stdout == nil {
		cmd.Stdout = p.Stdout
	}
	if cmd.Stderr == nil {
		cmd.Stderr = p.Stderr
	}
	cmd.WaitDelay = 5 * time.Second // for children that hold its output open
	endsWithUs(cmd)
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("%s: %w; scripts/deps installs what the tests need", cmd.Path, err)
	}
	go func() {
		defer close(p.done)
		cmd.Wait() // its state tells
		p.Stdout.end()
		p.Stderr.end()
	}()
	return p, nil
}

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Pid returns the number of the process.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Log returns what the process has written to its standard error so far.
func (p *Process) Log() string { return p.Stderr.String() }

// Send sends a signal to the process, and to the processes that it has started
// when the signal stops or continues it. One that has ended is left alone.
func (p *Process) Send(s syscall.Signal) {
	_ = p.cmd.Process.Signal(s) // it has ended
	if s == Freeze || s == Thaw {
		p.sendToChildren(s)
	}
}

// sendToChildren reaches the processes that p has started, which need not be
// of its process group. They may have ended by themselves.
func (p *Process) sendToChildren(s syscall.Signal) {
	table, err := exec.Command("ps", "-A", "-o", "pid=,ppid=").Output()
	if err != nil {
		panic(fmt.Sprintf("ps: %v", err)) // without it a test would judge what it has not done
	}
	for line := range strings.Lines(string(table)) {
		var pid, parent int
		if _, err := fmt.Sscan(line, &pid, &parent); err == nil && parent == p.Pid() {
			signalPid(pid, s)
		}
	}
}

// Kill ends the process at once, as a crash would, and waits for its end. Its
// children may live on; see KillAll.
func (p *Process) Kill() {
	p.Send(syscall.SIGKILL)
	<-p.done
}

// KillAll ends the process and its children at once, and waits for its end.
func (p *Process) KillAll() {
	_ = p.cmd.Process.Signal(Freeze) // so that it starts no more of them
	p.sendToChildren(syscall.SIGKILL)
	p.Kill()
}

// End asks the process to end with s, lets a frozen one go on, and waits for
// its end. One that takes longer than Timeout is killed.
func (p *Process) End(s syscall.Signal) {
	p.Send(s)
	p.Send(Thaw)
	late := time.AfterFunc(Timeout, func() { p.Send(syscall.SIGKILL) })
	defer late.Stop()
	<-p.done
}

// Stop asks the process to end and waits for its end. It returns an error when
// the process was killed, or did not end with status 0.
func (p *Process) Stop() error {
	p.End(Terminate)
	if !p.cmd.ProcessState.Success() {
		return fmt.Errorf("%s: %s\n%s", p.cmd, p.cmd.ProcessState, p.Log())
	}
	return nil
}

var crash = regexp.MustCompile(`(?s)(WARNING: DATA RACE|panic:|fatal error:|panicked).{0,1000}`)

// Crashed returns an error when the process has written of a race or a panic.
func (p *Process) Crashed() error {
	if m := crash.FindString(p.Log()); m != "" {
		return fmt.Errorf("%s: %s", p.cmd, m)
	}
	return nil
}

// Await waits for a match in what the process has written to o, at most for
// Timeout, and returns its groups, the whole match first.
func (p *Process) Await(ctx context.Context, o *Output, pattern *regexp.Regexp) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, Timeout)
	defer cancel()
	m, err := o.await(ctx, pattern)
	if err != nil {
		return nil, fmt.Errorf("%s: %w: %s; its output:\n%s%s", p.cmd.Path, err, pattern, p.Stdout, p.Stderr)
	}
	return m, nil
}

// A TestProcess is a Process of a test: what goes wrong with it fails the test.
type TestProcess struct {
	*Process
	t testing.TB
}

// Start starts cmd, and ends it with the test if it still runs.
func Start(t testing.TB, cmd *exec.Cmd) *TestProcess {
	t.Helper()
	process, err := Launch(cmd)
	if err != nil {
		t.Fatal(err)
	}
	p := &TestProcess{process, t}
	t.Cleanup(func() {
		select {
		case <-p.done:
		default:
			p.End(Terminate) // nginx ends its workers only when it is asked
		}
		if t.Failed() {
			t.Logf("standard error of %s:\n%s", cmd.Path, p.Stderr)
		}
	})
	return p
}

// Signal sends s to the process, which must run.
func (p *TestProcess) Signal(s os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatalf("signal %v: %v", s, err)
	}
}

// SignalUntilEnd sends s again and again until the process has ended: one that comes too
// soon behind an earlier one counts as the same.
func (p *TestProcess) SignalUntilEnd(s syscall.Signal) {
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	late := time.After(Timeout)
	for {
		p.Send(s)
		select {
		case <-p.done:
			return
		case <-late:
			p.t.Fatalf("%s is still running; its standard error:\n%s", p.cmd.Path, p.Stderr)
		case <-again.C:
		}
	}
}

// Status waits for the end of the process and returns its exit status, or -1
// when a signal ended it.
func (p *TestProcess) Status() int {
	p.t.Helper()
	select {
	case <-p.done:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(Timeout):
		p.t.Fatalf("%s is still running; its standard error:\n%s", p.cmd.Path, p.Stderr)
		return 0
	}
}

// Await waits for a match in the output and returns its groups, the whole
// match first.
func (p *TestProcess) Await(o *Output, pattern string) []string {
	p.t.Helper()
	m, err := p.Process.Await(context.Background(), o, regexp.MustCompile(pattern))
	if err != nil {
		p.t.Fatal(err)
	}
	return m
}

var variables = []string{"FARWIRE_", "DATABASE_URL=", "REDIS_URL=", "NATS_", "S3_", "BRIGHTDATA_", "OPENROUTER_", "LLM_"}

// Environ is the environment of this process without farwire's variables, those
// of its services included, and with the given ones.
func Environ(extra ...string) []string {
	var env []string
	for _, v := range os.Environ() {
		ours := slices.ContainsFunc(variables, func(prefix string) bool { return strings.HasPrefix(v, prefix) })
		if !ours {
			env = append(env, v)
		}
	}
	return append(env, extra...)
}

// Look finds a program that scripts/deps installs.
func Look(t testing.TB, name string) string {
	t.Helper()
	for _, candidate := range []string{name, "/usr/sbin/" + name} {
		if path, err := exec.LookPath(candidate); err == nil {
			return path
		}
	}
	t.Fatalf("%s is not installed; scripts/deps does that", name)
	return ""
}
