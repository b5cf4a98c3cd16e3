//go:build unix

package netio_test

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

	"github.com/farwire/farwire/internal/netio"
)

// ends are the two ends of a connection over loopback, and the first of them
// as a Socket.
func ends(t *testing.T) (bare net.Conn, near, far *net.TCPConn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	c, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	accepted, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { accepted.Close() })
	bare = netio.Socket(c)
	if bare == c {
		t.Fatal("a TCP connection is not taken for a socket")
	}
	return bare, c.(*net.TCPConn), accepted.(*net.TCPConn)
}

func TestSocket_BothWays_CarriesBytes(t *testing.T) {
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
func TestSocket_EndsAndDeadlines_FailAsPackageNetDoes(t *testing.T) {
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

func TestSocket_ReadAndWrite_AllocateNothing(t *testing.T) {
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

func TestSocket_NoTCPConnection_IsReturnedAsItIs(t *testing.T) {
	c, other := net.Pipe()
	defer c.Close()
	defer other.Close()
	if netio.Socket(c) != c {
		t.Error("a pipe is taken for a socket")
	}
}

// A loop of one's own can drive many descriptors: what is not ready says so at
// once, in both directions, and an end is io.EOF.
func TestReadWrite_NotReady_SaysSoAtOnce(t *testing.T) {
	_, near, far := ends(t)
	on := func(c net.Conn, do func(fd uintptr)) {
		t.Helper()
		if err := netio.Raw(c).Control(do); err != nil {
			t.Fatal(err)
		}
	}
	b := make([]byte, 64<<10)
	on(near, func(fd uintptr) {
		if n, err := netio.Read(fd, b); n != 0 || err != netio.ErrNotReady {
			t.Errorf("nothing to read: %d, %v", n, err)
		}
	})
	total := 0
	on(far, func(fd uintptr) {
		for {
			n, err := netio.Write(fd, b)
			total += n
			if err != nil {
				if n != 0 || err != netio.ErrNotReady {
					t.Errorf("no room: %d, %v", n, err)
				}
				return
			}
		}
	})
	if queued, known := netio.Queued(far); known && (queued == 0 || queued > total) {
		t.Errorf("%d of %d bytes are queued", queued, total)
	}
	if err := far.CloseWrite(); err != nil {
		t.Fatal(err)
	}
	got := 0
	held := false
	read := netio.Reader(near, func() []byte { held = true; return b }, func() { held = false })
	for {
		n, err := read()
		if got += n; err != nil {
			if err != io.EOF || got != total || !held {
				t.Errorf("read %d of %d, %v, held %v", got, total, err, held)
			}
			return
		}
	}
}
