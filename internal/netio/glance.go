package netio

import (
	"crypto/tls"
	"net"
	"syscall"
)

// A Silencer is no socket and tells without waiting whether anything has come.
type Silencer interface {
	// Silent reports that no bytes, no end and no error have come that were not read.
	Silent() bool
}

// A Glance stands between a tls.Conn and its socket, or a Silencer, and tells without waiting
// whether anything has come on a connection that is idle. It keeps to the way of a Loop:
// crypto/tls goes on after a read that fails because nothing has come.
type Glance struct {
	raw     syscall.RawConn
	source  Silencer // nil: it is a socket
	records records
	looking bool
}

// NewGlance returns nil where conn is neither a socket and nothing else nor a Silencer.
func NewGlance(conn net.Conn) *Glance {
	raw := Raw(conn)
	source, _ := conn.(Silencer)
	switch {
	case raw != nil:
		return &Glance{raw: raw}
	case source != nil:
		return &Glance{source: source}
	}
	return nil
}

// Read reads conn for crypto/tls.
func (g *Glance) Read(conn net.Conn, b []byte) (n int, err error) {
	if !g.looking {
		n, err = conn.Read(b)
	} else if g.source != nil {
		return 0, errNotYet // Look has asked it
	} else if failed := g.raw.Read(func(fd uintptr) bool { n, err = Read(fd, b); return true }); failed != nil {
		return 0, failed
	}
	if err == ErrNotReady {
		return 0, errNotYet
	}
	g.records.add(b[:n])
	return n, err
}

// Look returns nil when nothing has come but what TLS itself has to say. The error is
// ErrReady when there are bytes, or a part of a record, io.EOF or another. Of a Silencer it
// is ErrReady whatever has come, which may be a part of a record that is still under way. The
// connection must not be used again after an error, and nobody may read it meanwhile.
func (g *Glance) Look(conn *tls.Conn) error {
	if g.source != nil && !g.source.Silent() {
		return ErrReady
	}
	g.looking = true
	defer func() { g.looking = false }()
	var b [1]byte
	n, err := conn.Read(b[:])
	switch {
	case n > 0, err == errNotYet && g.records.head > 0:
		return ErrReady
	case err == errNotYet:
		return nil
	}
	return err
}
