package agent_test

import (
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/farwire/farwire/agent"
)

// The kernel gives a vanished target up within a minute, once its connection has
// lasted for a moment: a silent one after three probes, one that owes
// acknowledgements after 50 s.
func TestDirect_ConnectionLasts_KernelProbesItsPeer(t *testing.T) {
	t.Parallel() // it waits for some seconds
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	exit, err := agent.Direct(agent.DirectOptions{AllowPrivate: true})
	if err != nil {
		t.Fatal(err)
	}
	conn, err := exit.DialContext(t.Context(), "tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	raw, err := conn.(*net.TCPConn).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	option := func(level, name int) (got int) {
		t.Helper()
		var failed error
		if err := raw.Control(func(fd uintptr) { got, failed = syscall.GetsockoptInt(int(fd), level, name) }); err != nil || failed != nil {
			t.Fatal(err, failed)
		}
		return got
	}
	const tcpUserTimeout = 0x12
	for began := time.Now(); option(syscall.IPPROTO_TCP, tcpUserTimeout) == 0 && time.Since(began) < time.Minute; {
		time.Sleep(50 * time.Millisecond)
	}
	for name, want := range map[int]int{
		tcpUserTimeout:        50_000,
		syscall.TCP_KEEPIDLE:  15,
		syscall.TCP_KEEPINTVL: 10,
		syscall.TCP_KEEPCNT:   3,
	} {
		if got := option(syscall.IPPROTO_TCP, name); got != want {
			t.Errorf("option %d is %d, want %d", name, got, want)
		}
	}
	if option(syscall.SOL_SOCKET, syscall.SO_KEEPALIVE) != 1 {
		t.Error("a silent target is not probed")
	}
}
