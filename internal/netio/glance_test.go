package netio_test

import (
	"crypto/tls"
	"net"
	"testing"

	"github.com/farwire/farwire/internal/netio"
)

// A teller tells that bytes wait in it.
type teller struct{ net.Conn }

func (teller) Silent() bool { return false }

// What waits below TLS counts, although TLS has not read it yet.
func TestGlance_BytesWaitBelowTLS_Ready(t *testing.T) {
	near, far := net.Pipe()
	far.Close()
	defer near.Close()
	g := netio.NewGlance(teller{near})
	if err := g.Look(tls.Client(near, nil)); err != netio.ErrReady {
		t.Errorf("got %v, want %v", err, netio.ErrReady)
	}
}
