package harness

import (
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

// A Server is a process that serves on a port of loopback. It can be stopped
// and started again with its data; the port stays.
type Server struct {
	Addr string // host:port
	URL  string // as clients take it; empty where the address is all

	t       testing.TB
	command func() *exec.Cmd // makes the process anew
	ready   func() error     // says whether it serves
	stop    syscall.Signal   // asks it to end; 0: SIGTERM

	mu      sync.Mutex
	process *Process // nil while it is stopped
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
	if s.process != nil {
		return
	}
	var err error
	if s.process, err = Launch(s.command()); err != nil {
		s.t.Fatal(err)
	}
	for deadline := time.Now().Add(Timeout); time.Now().Before(deadline); {
		if err = s.ready(); err == nil {
			return
		}
		select {
		case <-s.process.Done():
			s.t.Fatalf("%s ended: %s%s", s.process.cmd.Path, s.process.Stdout, s.process.Stderr)
		case <-time.After(20 * time.Millisecond):
		}
	}
	s.t.Fatalf("%s does not serve: %v", s.process.cmd.Path, err)
}

// Stop asks the server to end and waits until it has.
func (s *Server) Stop() { s.end(cmp.Or(s.stop, syscall.SIGTERM)) }

// Kill ends the server and its children at once, as a crash does.
func (s *Server) Kill() { s.end(syscall.SIGKILL) }

func (s *Server) end(sig syscall.Signal) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process == nil {
		return
	}
	if sig == syscall.SIGKILL {
		s.process.KillAll()
	} else {
		s.process.End(sig)
	}
	s.process = nil
}

// Freeze stops the server and its children in the midst of what they do; their
// connections stay.
func (s *Server) Freeze() {
	s.t.Helper()
	s.signal(Freeze)
	// On a busy machine a thread may go on for a while after the signal.
	for deadline := time.Now().Add(Timeout); !s.isFrozen(); time.Sleep(5 * time.Millisecond) {
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
		if us := s.process.Pid(); (pid == us || parent == us) && !strings.HasPrefix(state, "T") && !strings.HasPrefix(state, "Z") {
			return false
		}
	}
	return true
}

// Thaw lets a frozen server go on.
func (s *Server) Thaw() { s.signal(Thaw) }

func (s *Server) signal(sig syscall.Signal) {
	s.t.Helper()
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.process == nil {
		s.t.Fatal("the server does not run")
	}
	s.process.Send(sig)
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
