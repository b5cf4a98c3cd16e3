package netio_test

import (
	"net"
	"runtime"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farwire/farwire/internal/netio"
)

// A wrapped connection has a TCP connection below.
type wrapped struct{ tcp *net.TCPConn }

func (w wrapped) NetConn() net.Conn { return w.tcp }

func TestWatchLater_ConnectionOutOfUse_IsNotKept(t *testing.T) {
	for name, wrap := range map[string]func(*net.TCPConn) net.Conn{
		"a socket": func(c *net.TCPConn) net.Conn { return c },
		"below a wrapper": func(c *net.TCPConn) net.Conn {
			return struct {
				net.Conn
				wrapped
			}{c, wrapped{c}}
		},
	} {
		t.Run(name, func(t *testing.T) {
			// The bubble's time stands still while this goroutine runs: no timer fires.
			synctest.Test(t, func(t *testing.T) {
				var freed atomic.Bool
				func() {
					c := new(net.TCPConn)
					runtime.AddCleanup(c, func(freed *atomic.Bool) { freed.Store(true) }, &freed)
					netio.WatchLater(wrap(c), time.Minute)
				}()
				for range 100 {
					if runtime.GC(); freed.Load() {
						return
					}
					runtime.Gosched()
				}
				t.Error("kept although nobody uses it")
			})
		})
	}
}

func TestWatchLater_NoSocket_NothingHappens(t *testing.T) {
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	netio.WatchLater(a, time.Minute)
}
