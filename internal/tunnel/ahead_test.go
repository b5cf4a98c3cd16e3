package tunnel_test

import (
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farwire/farwire/internal/tunnel"
)

// A client is read once the dial takes long, and not when its target is reached soon.
func TestReadAhead_SoonOrLate_ReadsOrNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		defer near.Close()
		defer far.Close()
		soon := tunnel.ReadAhead(near, func() { t.Error("gone") })
		far.SetWriteDeadline(time.Now().Add(10 * time.Millisecond))
		if n, err := far.Write([]byte("a")); n > 0 || err == nil {
			t.Errorf("%d bytes were read", n)
		}
		if kept, err := soon.Stop(); kept != nil || err != nil {
			t.Errorf("%q, %v", kept, err)
		}
		time.Sleep(time.Second)
		late := tunnel.ReadAhead(near, func() { t.Error("gone") })
		far.SetWriteDeadline(time.Now().Add(time.Second))
		if _, err := far.Write([]byte("b")); err != nil {
			t.Error(err)
		}
		if kept, err := late.Stop(); string(kept) != "b" || err != nil {
			t.Errorf("%q, %v", kept, err)
		}
	})
}

type panickingConn struct{ net.Conn }

func (panickingConn) Read([]byte) (int, error) { panic("boom") }

// A connection of a host's that panics costs its client, and not the process.
func TestReadAhead_ConnPanics_ClientIsGone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		near, far := net.Pipe()
		defer far.Close()
		defer near.Close()
		gone := false
		a := tunnel.ReadAhead(panickingConn{near}, func() { gone = true })
		time.Sleep(time.Second)
		if _, err := a.Stop(); !gone || err == nil || !strings.Contains(err.Error(), "boom") {
			t.Errorf("gone: %v, %v", gone, err)
		}
	})
}
