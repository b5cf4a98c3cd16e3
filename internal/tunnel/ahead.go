package tunnel

import (
	"errors"
	"io"
	"net"
	"os"
	"time"

	"github.com/farwire/farwire/internal/hostcall"
)

// maxAhead is how many bytes a client may send ahead of its answer; further ones wait in
// the network.
const maxAhead = 64 << 10

// aheadAfter is how long a dial takes until its client is read. Targets nearby are reached
// by then.
const aheadAfter = 20 * time.Millisecond

// An Ahead reads a client's connection while its target is dialled, once that takes long: it
// keeps what is for the target and notices a client that leaves.
type Ahead struct {
	conn  net.Conn
	begin *time.Timer
	kept  []byte
	err   error
	done  chan struct{}
}

// ReadAhead reads the connection, which has no deadline, in a goroutine that begins after
// aheadAfter and that Stop ends. It calls gone when the client has left.
func ReadAhead(conn net.Conn, gone func()) *Ahead {
	a := &Ahead{conn: conn, done: make(chan struct{})}
	a.begin = time.AfterFunc(aheadAfter, func() {
		defer close(a.done)
		// The connection may be a host's, and nobody else recovers here.
		a.kept, a.err = hostcall.Get(func() ([]byte, error) { return io.ReadAll(io.LimitReader(conn, maxAhead)) })
		switch {
		case errors.Is(a.err, os.ErrDeadlineExceeded): // by Stop
			a.err = nil
		case a.err == nil && len(a.kept) < maxAhead:
			a.err = io.ErrUnexpectedEOF
		}
		if a.err != nil {
			gone()
		}
	})
	return a
}

// Stop returns what was read, which the target gets first, or why the client is gone.
// The connection is the caller's again.
func (a *Ahead) Stop() ([]byte, error) {
	if a.begin.Stop() {
		return nil, nil
	}
	a.conn.SetReadDeadline(time.Unix(1, 0)) // fails only when it is closed: its reader knows
	<-a.done
	if a.err != nil {
		return nil, a.err
	}
	return a.kept, a.conn.SetReadDeadline(time.Time{})
}
