package wsframe_test

import (
	"net"
	"os"
	"syscall"
	"testing"

	"github.com/farwire/farwire/internal/netio"
	. "github.com/farwire/farwire/internal/wsframe"
)

// The kernel notices a vanished peer within a minute: a silent one by probes, 15 s
// and three times 10 s, one that owes acknowledgements after 45 s.
func TestKeepAlive_PeerVanishes_ConnectionEnds(t *testing.T) {
	test := func(t *testing.T, pair func(testing.TB) (near, far net.Conn)) {
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
		for _, f := range sides {
			raw, err := f.SyscallConn()
			if err != nil {
				t.Fatal(err)
			}
			for option, want := range map[int]int{
				0x12:                  45_000, // TCP_USER_TIMEOUT
				syscall.TCP_KEEPIDLE:  15,
				syscall.TCP_KEEPINTVL: 10,
				syscall.TCP_KEEPCNT:   3,
			} {
				var got int
				var failed error
				err := raw.Control(func(fd uintptr) {
					got, failed = syscall.GetsockoptInt(int(fd), syscall.IPPROTO_TCP, option)
				})
				if err != nil || failed != nil || got != want {
					t.Errorf("option %d is %d, %v, %v, want %d", option, got, err, failed, want)
				}
			}
			f.Close()
		}
		s.closeBoth()
	}
	sockets(t, test)
	t.Run("counted", func(t *testing.T) { test(t, countedPair) })
}
