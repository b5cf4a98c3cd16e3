package fire

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"
)

// A Process is a farwire that runs, and what it has written to standard error.
type Process struct {
	cmd  *exec.Cmd
	done chan struct{} // closed when it has ended

	mu      sync.Mutex
	text    bytes.Buffer
	changed chan struct{} // closed and replaced at every write
}

// Start runs a program with none of farwire's variables in its environment but
// those given. End it with Stop or Kill.
func Start(env []string, program string, args ...string) (*Process, error) {
	p := &Process{cmd: exec.Command(program, args...), done: make(chan struct{}), changed: make(chan struct{})}
	p.cmd.Stderr = p
	for _, v := range os.Environ() {
		if !strings.HasPrefix(v, "FARWIRE_") {
			p.cmd.Env = append(p.cmd.Env, v)
		}
	}
	p.cmd.Env = append(p.cmd.Env, env...)
	if err := p.cmd.Start(); err != nil {
		return nil, err
	}
	go func() {
		defer close(p.done)
		p.cmd.Wait() // Stop looks at how it ended
	}()
	return p, nil
}

// Write takes what the process says. It is for the process alone.
func (p *Process) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.changed)
	p.changed = make(chan struct{})
	return p.text.Write(b)
}

// Log returns what the process has written so far.
func (p *Process) Log() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.String()
}

// Await waits until the process has written a match, at most half a minute,
// and returns its groups, the whole match first.
func (p *Process) Await(ctx context.Context, pattern *regexp.Regexp) ([]string, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	for {
		p.mu.Lock()
		m, changed := pattern.FindStringSubmatch(p.text.String()), p.changed
		p.mu.Unlock()
		if m != nil {
			return m, nil
		}
		select {
		case <-changed:
		case <-p.done:
			return nil, fmt.Errorf("%s has ended and never wrote %s:\n%s", p.cmd, pattern, p.Log())
		case <-ctx.Done():
			return nil, fmt.Errorf("%s does not write %s:\n%s", p.cmd, pattern, p.Log())
		}
	}
}

// Pid returns the number of the process.
func (p *Process) Pid() int { return p.cmd.Process.Pid }

// Signal sends s. A process that has ended already is left alone.
func (p *Process) Signal(s syscall.Signal) { _ = p.cmd.Process.Signal(s) }

// Kill ends the process as a crash would, and waits until it is gone.
func (p *Process) Kill() {
	p.Signal(syscall.SIGKILL)
	<-p.done
}

// Stop asks the process to end and waits for it. It returns an error if it had
// to be killed, or did not end with status 0.
func (p *Process) Stop() error {
	p.Signal(syscall.SIGTERM)
	late := time.AfterFunc(30*time.Second, func() { p.Signal(syscall.SIGKILL) })
	defer late.Stop()
	<-p.done
	if !p.cmd.ProcessState.Success() {
		return fmt.Errorf("%s: %s\n%s", p.cmd, p.cmd.ProcessState, p.Log())
	}
	return nil
}

// trouble returns what a process says that must not say it.
var trouble = regexp.MustCompile(`(?s)(WARNING: DATA RACE|panic:|fatal error:|panicked).{0,1000}`)

// Sane returns an error if the process has written of a race or a panic.
func (p *Process) Sane() error {
	if m := trouble.FindString(p.Log()); m != "" {
		return fmt.Errorf("%s: %s", p.cmd, m)
	}
	return nil
}
