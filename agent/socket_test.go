//go:build unix

package agent_test

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/farwire/farwire/agent"
)

// ends are the two ends of a connection over loopback, and the first of them
// bare.
func ends(t *testing.T) (bare net.Conn, near, far *net.TCPConn) {
	t.Helper()
	accepted := make(chan *net.TCPConn, 1)
	c, err := net.Dial("tcp", target(t, func(c *net.TCPConn) {
		accepted <- c
		<-t.Context().Done()
	}))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	bare = agent.Bare(c)
	if bare == c {
		t.Fatal("a TCP connection is not taken for a socket")
	}
	return bare, c.(*net.TCPConn), <-accepted
}

func TestSocketCarriesBytes(t *testing.T) {
	bare, near, far := ends(t)
	much := make([]byte, 16<<20)
	for i := range much {
		much[i] = byte(rand.Uint32())
	}
	go func() { // in pieces, so that both directions have to wait
		io.CopyBuffer(struct{ io.Writer }{far}, struct{ io.Reader }{far}, make([]byte, 10_000))
		far.CloseWrite()
	}()
	wrote := make(chan error, 1)
	go func() {
		_, err := bare.Write(much)
		near.CloseWrite()
		wrote <- err
	}()
	got, err := io.ReadAll(bare)
	if err != nil || !bytes.Equal(got, much) {
		t.Errorf("%d of %d bytes came back, %v", len(got), len(much), err)
	}
	if err := <-wrote; err != nil {
		t.Error(err)
	}
	if n, err := bare.Read(nil); n != 0 || err != nil {
		t.Errorf("reading nothing: %d, %v", n, err)
	}
}

// The errors are those of a connection of package net.
func TestSocketErrors(t *testing.T) {
	one := make([]byte, 1)

	bare, near, _ := ends(t)
	bare.SetReadDeadline(time.Now().Add(10 * time.Millisecond))
	if _, err := bare.Read(one); !errors.Is(err, os.ErrDeadlineExceeded) || !os.IsTimeout(err) {
		t.Errorf("reading beyond the deadline: %v", err)
	}
	much := make([]byte, 64<<20)
	bare.SetWriteDeadline(time.Now().Add(500 * time.Millisecond))
	if n, err := bare.Write(much); !errors.Is(err, os.ErrDeadlineExceeded) || !os.IsTimeout(err) || n == 0 || n == len(much) {
		t.Errorf("writing beyond the deadline to one who does not read: %d, %v", n, err)
	}
	near.Close()
	if _, err := bare.Read(one); !errors.Is(err, net.ErrClosed) {
		t.Errorf("reading when closed: %v", err)
	}
	if _, err := bare.Write(one); !errors.Is(err, net.ErrClosed) {
		t.Errorf("writing when closed: %v", err)
	}

	bare, _, far := ends(t)
	far.SetLinger(0)
	far.Close()
	_, err := bare.Read(one)
	var op *net.OpError
	if !errors.Is(err, syscall.ECONNRESET) || !errors.As(err, &op) || op.Op != "read" || op.Addr == nil {
		t.Errorf("reading what was reset: %v", err)
	}
	if _, err := bare.Write(one); !errors.Is(err, syscall.EPIPE) || !errors.As(err, &op) || op.Op != "write" {
		t.Errorf("writing to what was reset: %v", err)
	}
}

func TestSocketAllocatesNothing(t *testing.T) {
	bare, _, far := ends(t)
	b := make([]byte, 100)
	if n := testing.AllocsPerRun(1000, func() {
		if _, err := bare.Write(b); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(far, b); err != nil {
			t.Fatal(err)
		}
		if _, err := far.Write(b); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(bare, b); err != nil {
			t.Fatal(err)
		}
	}); n > 0 {
		t.Errorf("%v allocations for a write and a read", n)
	}
}

func TestOthersStayAsTheyAre(t *testing.T) {
	c, other := net.Pipe()
	defer c.Close()
	defer other.Close()
	if agent.Bare(c) != c {
		t.Error("a pipe is taken for a socket")
	}
}
