package tunnel_test

import (
	"errors"
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/farwire/farwire/internal/tunnel"
)

var errLost = errors.New("target lost")

// joined returns a Conn, the target's end of it, and what it says when it has ended.
func joined(t *testing.T) (*tunnel.Conn, net.Conn, <-chan tunnel.Result) {
	t.Helper()
	ours, theirs := net.Pipe()
	ended := make(chan tunnel.Result, 2)
	c := tunnel.NewConn(ours, func(err error) error { return errors.Join(errLost, err) }, func(r tunnel.Result) { ended <- r })
	t.Cleanup(func() {
		c.Close()
		theirs.Close()
	})
	return c, theirs, ended
}

func TestConn_Closed_CountsAndSaysSoOnce(t *testing.T) {
	c, target, ended := joined(t)
	go func() {
		io.ReadFull(target, make([]byte, 3))
		target.Write([]byte("hello"))
		target.Close()
	}()
	if _, err := c.Write([]byte("abc")); err != nil {
		t.Fatal(err)
	}
	if b, err := io.ReadAll(c); err != nil || string(b) != "hello" {
		t.Fatalf("%q, %v", b, err)
	}
	if err := c.CloseWrite(); !errors.Is(err, errors.ErrUnsupported) {
		t.Errorf("a pipe cannot be half-closed: %v", err)
	}
	c.Close()
	c.Close()
	if r := <-ended; r != (tunnel.Result{By: tunnel.Client, ToTarget: 3, ToClient: 5}) || len(ended) > 0 {
		t.Errorf("%+v, and %d more", r, len(ended))
	}
}

func TestConn_Cut_MethodsReturnTheCause(t *testing.T) {
	c, _, ended := joined(t)
	cause := errors.New("ended by request")
	c.Cut(cause)
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, cause) {
		t.Errorf("read: %v", err)
	}
	if _, err := c.Write([]byte("x")); !errors.Is(err, cause) {
		t.Errorf("write: %v", err)
	}
	c.Close()
	if r := <-ended; r.By != tunnel.Gateway || r.Err != cause || len(ended) > 0 {
		t.Errorf("%+v, and %d more", r, len(ended))
	}
}

func TestConn_TargetLost_IsTheResult(t *testing.T) {
	c, target, ended := joined(t)
	target.Close()
	if _, err := c.Write([]byte("x")); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("write: %v", err)
	}
	c.Close()
	if r := <-ended; r.By != tunnel.Target || !errors.Is(r.Err, errLost) {
		t.Errorf("%+v", r)
	}
}

func TestConn_DeadlinePasses_IsNotALoss(t *testing.T) {
	c, _, ended := joined(t)
	c.SetReadDeadline(time.Unix(1, 0))
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("read: %v", err)
	}
	c.Close()
	if r := <-ended; r.By != tunnel.Client || r.Err != nil {
		t.Errorf("%+v", r)
	}
}
