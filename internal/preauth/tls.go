package preauth

import (
	"crypto/tls"
	"io"
	"log"
	"net"
	"runtime/debug"
	"sync"
	"time"

	"github.com/farwire/farwire/internal/netio"
)

// ListenTLS returns a listener whose connections have shaken hands by TLS, within the
// timeout. They count as those of Listen do. Those of HTTP/2 are *tls.Conn, as net/http
// wants them; others count the heads that arrive, which nothing below TLS can see:
//
//	Accept ──▶ handshake ──┬─ h2 ────▶ *tls.Conn
//	                       └─ else ──▶ *secureConn, which net/http reads
//
// What fails is one line of the logger. Close ends the handshakes that run, too.
func (g *Guard) ListenTLS(l net.Listener, config *tls.Config, timeout time.Duration, logger *log.Logger) net.Listener {
	s := &secureListener{
		Listener: g.Listen(l), config: config, timeout: timeout, logger: logger,
		results: make(chan result), closed: make(chan struct{}), shaking: make(map[net.Conn]struct{}),
	}
	s.running.Go(s.run)
	return s
}

type secureListener struct {
	net.Listener
	config  *tls.Config
	timeout time.Duration
	logger  *log.Logger
	results chan result
	running sync.WaitGroup

	mu      sync.Mutex
	ended   bool
	closed  chan struct{}
	shaking map[net.Conn]struct{}
}

type result struct {
	conn net.Conn
	err  error
}

func (l *secureListener) Accept() (net.Conn, error) {
	select {
	case r := <-l.results:
		return r.conn, r.err
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close closes the listener and what has not been returned by Accept.
func (l *secureListener) Close() error {
	l.mu.Lock()
	if !l.ended {
		l.ended = true
		close(l.closed)
	}
	err := l.Listener.Close()
	for c := range l.shaking {
		c.Close()
	}
	l.mu.Unlock()
	l.running.Wait()
	return err
}

// run accepts connections. Its errors are Accept's, and it goes on when they are told.
func (l *secureListener) run() {
	for {
		conn, err := l.Listener.Accept()
		switch {
		case err != nil && !l.deliver(result{err: err}):
			return
		case err == nil && l.begin(conn):
			l.running.Go(func() { l.shake(conn) })
		}
	}
}

// begin reports whether a handshake may begin. Close waits for it then.
func (l *secureListener) begin(conn net.Conn) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.ended {
		conn.Close()
		return false
	}
	l.shaking[conn] = struct{}{}
	return true
}

// deliver hands a result to Accept, and reports whether it could.
func (l *secureListener) deliver(r result) bool {
	select {
	case l.results <- r:
		return true
	case <-l.closed:
		return false
	}
}

// shake shakes hands. A panic of it is that connection's alone, as in net/http.
func (l *secureListener) shake(conn net.Conn) {
	delivered := false
	defer func() {
		if v := recover(); v != nil {
			l.logger.Printf("http: panic serving %v: %v\n%s", conn.RemoteAddr(), v, debug.Stack())
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		delete(l.shaking, conn)
		if !delivered {
			conn.Close()
		}
	}()
	c, _ := conn.(*Conn)
	if c != nil {
		c.secured = true
	}
	secure := tls.Server(netio.ForTLS(conn), l.config)
	_ = conn.SetDeadline(time.Now().Add(l.timeout)) // fails only when it is closed
	err := secure.Handshake()
	if err != nil {
		l.logger.Printf("http: TLS handshake error from %v: %v", conn.RemoteAddr(), explain(err))
		return
	}
	_ = conn.SetDeadline(time.Time{})
	if c == nil || secure.ConnectionState().NegotiatedProtocol == "h2" {
		delivered = l.deliver(result{conn: secure})
	} else {
		delivered = l.deliver(result{conn: &secureConn{secure, c}})
	}
}

// explain says what an error of a handshake means. A client that speaks HTTP is told so,
// in the words of net/http.
func explain(err error) string {
	header, ok := err.(tls.RecordHeaderError)
	if !ok || header.Conn == nil {
		return err.Error()
	}
	switch string(header.RecordHeader[:]) {
	case "GET /", "HEAD ", "POST ", "PUT /", "OPTIO":
		_, _ = io.WriteString(header.Conn, "HTTP/1.0 400 Bad Request\r\n\r\nClient sent an HTTP request to an HTTPS server.\n")
		return "client sent an HTTP request to an HTTPS server"
	}
	return err.Error()
}

// A secureConn is TLS for HTTP/1.1. It is no *tls.Conn for net/http, which takes the TLS
// connection's state from ConnectionState.
type secureConn struct {
	*tls.Conn
	below *Conn
}

// Read counts what arrives of a head.
func (c *secureConn) Read(b []byte) (int, error) { return c.below.readHead(c.Conn, b) }

// TakenOver returns the connection for who takes it over from net/http, and asks whether it
// is TLS.
func (c *secureConn) TakenOver() net.Conn { return c.Conn }
