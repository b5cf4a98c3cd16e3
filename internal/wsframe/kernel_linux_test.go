package wsframe_test

import (
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/farwire/farwire/internal/netio"
	. "github.com/farwire/farwire/internal/wsframe"
)

// The kernel notices a vanished peer within a minute: a silent one by probes, 15 s
// and three times 10 s, one that owes acknowledgements after 45 s. It is told once a
// session has lasted: the probes of Go itself begin no earlier.
func TestKeepAlive_PeerVanishes_ConnectionEnds(t *testing.T) {
	test := func(t *testing.T, pair func(testing.TB) (near, far net.Conn)) {
		t.Parallel()         // each waits for some seconds
		var sides []*os.File // the same sockets, whoever has them
		s := start(t, pair, func(c *Config) {
			for _, conn := range []net.Conn{c.Client, c.Target} {
				f, err := netio.TCP(conn).File()
				if err != nil {
					t.Fatal(err)
				}
				sides = append(sides, f)
			}
		})
		s.post(s.client, text("x", true))
		s.want(s.target, text("x", true)) // it runs
		option := func(f *os.File, level, name int) int {
			raw, err := f.SyscallConn()
			if err != nil {
				t.Fatal(err)
			}
			var got int
			var failed error
			err = raw.Control(func(fd uintptr) { got, failed = syscall.GetsockoptInt(int(fd), level, name) })
			if err != nil || failed != nil {
				t.Fatal(err, failed)
			}
			return got
		}
		const tcpUserTimeout = 0x12
		last := sides[len(sides)-1] // it is told of last
		for began := time.Now(); option(last, syscall.IPPROTO_TCP, tcpUserTimeout) == 0 && time.Since(began) < time.Minute; {
			time.Sleep(50 * time.Millisecond)
		}
		for _, f := range sides {
			if option(f, syscall.SOL_SOCKET, syscall.SO_KEEPALIVE) != 1 {
				t.Error("a silent peer is not probed")
			}
			for name, want := range map[int]int{
				tcpUserTimeout:        45_000,
				syscall.TCP_KEEPIDLE:  15,
				syscall.TCP_KEEPINTVL: 10,
				syscall.TCP_KEEPCNT:   3,
			} {
				if got := option(f, syscall.IPPROTO_TCP, name); got != want {
					t.Errorf("option %d is %d, want %d", name, got, want)
				}
			}
			f.Close()
		}
		s.closeBoth()
	}
	sockets(t, test)
	t.Run("counted", func(t *testing.T) { test(t, countedPair) })
}
