// Package services starts the servers that tests need beside farwire, each
// with its data in a folder of the test's own and on a port of its own, and
// ends them with the test. A server that the machine lacks fails the test and
// says that scripts/deps installs it. Only tests import this package.
package services

import (
	"bytes"
	"cmp"
	"fmt"
	"math/rand/v2"
	"net"
	"os/exec"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// Patience is how long a test waits for a server to start or to end.
const Patience = 30 * time.Second

// A Server is a process that serves on a port of loopback. It can be stopped
// and started again with its data; the port stays.
type Server struct {
	Addr string // host:port
	URL  string // as clients take it; empty where the address is all

	t       testing.TB
	command func() *exec.Cmd // makes the process anew
	ready   func() error     // says whether it serves
	stop    syscall.Signal   // asks it to end; 0: SIGTERM

	mu   sync.Mutex
	cmd  *exec.Cmd
	done chan struct{}
	said *bytes.Buffer
}

// start runs a server for the length of the test.
func start(t testing.TB, addr string, command func() *exec.Cmd, ready func() error) *Server {
	t.Helper()
	s := &Server{Addr: addr, t: t, command: command, ready: ready}
	t.Cleanup(s.Kill)
	s.Start()
	return s
}

// Start runs the server, if it does not run, and waits until it serves.
func (s *Server) Start() {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd != nil {
		return
	}
	cmd, said := s.command(), new(bytes.Buffer)
	cmd.Stdout, cmd.Stderr = said, said
	endsWithUs(cmd)
	if err := cmd.Start(); err != nil {
		s.t.Fatalf("%s: %v; scripts/deps installs what the tests need", cmd.Path, err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		cmd.Wait()
	}()
	s.cmd, s.done, s.said = cmd, done, said
	var err error
	for deadline := time.Now().Add(Patience); time.Now().Before(deadline); {
		if err = s.ready(); err == nil {
			return
		}
		select {
		case <-done:
			s.t.Fatalf("%s ended: %s", cmd.Path, said)
		case <-time.After(20 * time.Millisecond):
		}
	}
	s.t.Fatalf("%s does not serve: %v", cmd.Path, err)
}

// Stop asks the server to end and waits until it has.
func (s *Server) Stop() { s.end(cmp.Or(s.stop, syscall.SIGTERM)) }

// Kill ends the server and its children at once, as a crash does.
func (s *Server) Kill() { s.end(syscall.SIGKILL) }

func (s *Server) end(sig syscall.Signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd == nil {
		return
	}
	if sig == syscall.SIGKILL {
		s.cmd.Process.Signal(syscall.SIGSTOP) // lest it starts more of them
		s.signalChildren(sig)
	}
	s.cmd.Process.Signal(sig)
	if sig != syscall.SIGKILL { // which alone reaches who is frozen
		s.cmd.Process.Signal(syscall.SIGCONT)
		s.signalChildren(syscall.SIGCONT)
	}
	kill := time.AfterFunc(Patience, func() { s.cmd.Process.Kill() })
	<-s.done
	kill.Stop()
	s.cmd = nil
}

// Freeze stops the server and its children in the midst of what they do; their
// connections stay.
func (s *Server) Freeze() {
	s.t.Helper()
	s.signal(syscall.SIGSTOP)
	// On a busy machine a thread may go on for a while after the signal.
	for deadline := time.Now().Add(Patience); !s.isFrozen(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatal("the server does not freeze")
		}
	}
}

// isFrozen reports whether each thread of the server and its children is
// stopped.
func (s *Server) isFrozen() bool {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	table, err := exec.Command("ps", "-A", "-L", "-o", "pid=,ppid=,stat=").Output()
	if err != nil {
		s.t.Fatalf("ps: %v", err)
	}
	for line := range strings.Lines(string(table)) {
		var pid, parent int
		var state string
		if _, err := fmt.Sscan(line, &pid, &parent, &state); err != nil {
			s.t.Fatalf("ps: %q: %v", line, err)
		}
		if us := s.cmd.Process.Pid; (pid == us || parent == us) && !strings.HasPrefix(state, "T") && !strings.HasPrefix(state, "Z") {
			return false
		}
	}
	return true
}

// Thaw lets a frozen server go on.
func (s *Server) Thaw() { s.signal(syscall.SIGCONT) }

func (s *Server) signal(sig syscall.Signal) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.cmd == nil {
		s.t.Fatal("the server does not run")
	}
	if err := s.cmd.Process.Signal(sig); err != nil {
		s.t.Fatal(err)
	}
	s.signalChildren(sig)
}

// signalChildren reaches the processes that the server has started, which need
// not be of its process group. They may have ended by themselves.
func (s *Server) signalChildren(sig syscall.Signal) {
	table, err := exec.Command("ps", "-A", "-o", "pid=,ppid=").Output()
	if err != nil {
		s.t.Errorf("ps: %v", err)
		return
	}
	for line := range strings.Lines(string(table)) {
		var pid, parent int
		if _, err := fmt.Sscan(line, &pid, &parent); err == nil && parent == s.cmd.Process.Pid {
			syscall.Kill(pid, sig)
		}
	}
}

// FreeAddr returns an address of loopback that nobody listens on: a place for a
// server that is to be told where to listen, or one that refuses connections.
func FreeAddr(t testing.TB) string {
	t.Helper()
	ports, err := FreePorts(1)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("127.0.0.1:%d", ports[0])
}

// FreePorts is for those who need several or have no test. The ports are below
// those that systems give to whoever asks for any, so nobody is given one
// meanwhile.
func FreePorts(n int) (ports []int, err error) {
	for tries := 0; len(ports) < n; tries++ {
		port := 10_000 + rand.N(22_000)
		ln, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port))
		switch {
		case err == nil:
			defer ln.Close() // all are held until all are found
			ports = append(ports, port)
		case tries > 1000:
			return nil, err
		}
	}
	return ports, nil
}

// answers reports whether something accepts connections at the address.
func answers(addr string) error {
	conn, err := net.DialTimeout("tcp", addr, time.Second)
	if err != nil {
		return fmt.Errorf("not up yet: %w", err)
	}
	return conn.Close()
}
