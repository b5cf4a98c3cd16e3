// Package rig starts the programs that end-to-end tests are made of: farwire
// itself, nginx, and scripts for Python and Node.js. Whatever it starts, it
// ends when the test does. A program that the machine lacks fails the test and
// says that scripts/deps installs it.
package rig

import (
	"bufio"
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Patience is how long a test waits for what ought to happen at once.
const Patience = 30 * time.Second

// A Process is a program that runs for the length of a test.
type Process struct {
	Stdout, Stderr *Output

	t    testing.TB
	cmd  *exec.Cmd
	done chan struct{}
}

// Start runs cmd, and ends it with the test if it is still there.
func Start(t testing.TB, cmd *exec.Cmd) *Process {
	t.Helper()
	p := &Process{Stdout: newOutput(), Stderr: newOutput(), t: t, cmd: cmd, done: make(chan struct{})}
	cmd.Stdout, cmd.Stderr = p.Stdout, p.Stderr
	cmd.WaitDelay = 5 * time.Second // for children that hold its output open
	if err := cmd.Start(); err != nil {
		t.Fatalf("%s: %v", cmd.Path, err)
	}
	go func() {
		defer close(p.done)
		cmd.Wait() // Status tells
		p.Stdout.end()
		p.Stderr.end()
	}()
	t.Cleanup(func() {
		select {
		case <-p.done:
		default:
			cmd.Process.Signal(Terminate) // nginx ends its workers only when asked
			kill := time.AfterFunc(10*time.Second, func() { cmd.Process.Kill() })
			<-p.done
			kill.Stop()
		}
		if t.Failed() {
			t.Logf("standard error of %s:\n%s", cmd.Path, p.Stderr)
		}
	})
	return p
}

// Signal sends s to the process.
func (p *Process) Signal(s os.Signal) {
	p.t.Helper()
	if err := p.cmd.Process.Signal(s); err != nil {
		p.t.Fatalf("signal %v: %v", s, err)
	}
}

// Done is closed when the process has ended.
func (p *Process) Done() <-chan struct{} { return p.done }

// Status waits for the end of the process and returns its exit status, or -1
// when a signal ended it.
func (p *Process) Status() int {
	p.t.Helper()
	select {
	case <-p.done:
		return p.cmd.ProcessState.ExitCode()
	case <-time.After(Patience):
		p.t.Fatalf("%s is still running; its standard error:\n%s", p.cmd.Path, p.Stderr)
		return 0
	}
}

// Await waits for a match in the output and returns its groups, the whole
// match first.
func (p *Process) Await(o *Output, pattern string) []string {
	p.t.Helper()
	m, err := o.await(regexp.MustCompile(pattern))
	if err != nil {
		p.t.Fatalf("%s: %v: %s; all there is:\n%s%s", p.cmd.Path, err, pattern, p.Stdout, p.Stderr)
	}
	return m
}

// Output keeps what a process writes. It is safe for concurrent use.
type Output struct {
	mu     sync.Mutex
	text   bytes.Buffer
	ended  bool
	change chan struct{} // closed and replaced at every write
}

func newOutput() *Output { return &Output{change: make(chan struct{})} }

// Write appends to the output.
func (o *Output) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.changed()
	return o.text.Write(b)
}

func (o *Output) end() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.ended = true
	o.changed()
}

func (o *Output) changed() {
	close(o.change)
	o.change = make(chan struct{})
}

// String returns all there is so far.
func (o *Output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.text.String()
}

func (o *Output) await(re *regexp.Regexp) ([]string, error) {
	late := time.After(Patience)
	for {
		o.mu.Lock()
		m, ended, change := re.FindStringSubmatch(o.text.String()), o.ended, o.change
		o.mu.Unlock()
		switch {
		case m != nil:
			return m, nil
		case ended:
			return nil, errors.New("it ended and never wrote")
		}
		select {
		case <-change:
		case <-late:
			return nil, errors.New("it does not write")
		}
	}
}

var variables = []string{"FARWIRE_", "DATABASE_URL=", "REDIS_URL=", "S3_", "BRIGHTDATA_", "OPENROUTER_", "LLM_"}

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

// Lines reads an event stream: the function returned waits for a line that
// begins with a text.
func Lines(t testing.TB, r io.Reader) (await func(prefix string)) {
	lines := bufio.NewScanner(r)
	return func(prefix string) {
		t.Helper()
		for lines.Scan() {
			if strings.HasPrefix(lines.Text(), prefix) {
				return
			}
		}
		t.Fatalf("no %q comes: %v", prefix, lines.Err())
	}
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

// Signals: the one that a service manager sends, and the one that nobody is
// asked about.
const (
	Terminate = syscall.SIGTERM
	Kill      = syscall.SIGKILL
)
