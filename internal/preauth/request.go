package preauth

import (
	"context"
	"io"
	"net/http"
	"sync"
	"time"

	"github.com/farwire/farwire/internal/upgrade"
)

// BodyTimeout is how long the body of a request may take that has shown no key, and
// how long after it the client may take to read the end of the answer.
const BodyTimeout = 10 * time.Second

type connKey struct{}

// Handler bounds the requests of the guard's connections. The server's other bounds
// do not hold for a body: net/http reads what a handler has left of it, before the
// answer or after it, for as long as the client likes.
//
// The bound on the body holds for each request, of a connection that has shown a key
// before as well (a proxy's has many clients), until the request itself shows one. A
// connection that is hijacked is its handler's.
func (g *Guard) Handler(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		c, ok := r.Context().Value(connKey{}).(*Conn)
		if !ok {
			next.ServeHTTP(w, r)
			return
		}
		c.headRead()
		rc := http.NewResponseController(w)
		// Not the version alone: the preface of HTTP/2 comes as a request of it over HTTP/1.1
		// (RFC 9113, section 3.4).
		streams := r.ProtoMajor >= 2 && r.TLS != nil && r.TLS.NegotiatedProtocol == "h2"
		if streams {
			held, ok := c.hold(r)
			if !ok {
				panic(http.ErrAbortHandler) // a reset: the client may leave an answer unread as well
			}
			s := g.stream(w, rc)
			defer s.end()
			defer held.releaseAfter(w)
			w, r = s, r.WithContext(upgrade.WithKeyShown(r.Context(), func() { c.KeyShown(); s.lift(); held.release() }))
			if r.ContentLength != 0 {
				r.Body = &heldBody{r.Body, held}
				defer held.abortOver() // not the answer that the handler has for it
			}
		}
		if headCost(r) > maxHead {
			refuseHead(w)
			return
		}
		if r.ContentLength != 0 {
			b := &bodyBound{ReadCloser: r.Body, conn: c, rc: rc, until: time.Now().Add(g.o.BodyTimeout)}
			defer b.end()
			// A writer without deadlines leaves the time to the server's own limits.
			_ = rc.SetReadDeadline(b.until)
			shown := upgrade.KeyShown(r.Context())
			r = r.WithContext(upgrade.WithKeyShown(r.Context(), func() { shown(); b.lift() }))
			if !streams {
				c.unread.Store(b)
				r.Body = b
			}
		}
		whole := false
		defer func() {
			if !whole { // by a panic, which cuts an answer
				c.unread.Store(nil)
			}
		}()
		next.ServeHTTP(w, r)
		whole = true
		if !streams && c.bounded() { // net/http ends it with the request
			// The answer is written when the rest of the body has had its time.
			_ = rc.SetWriteDeadline(time.Now().Add(2 * g.o.BodyTimeout))
		}
	})
}

// bounded reports whether a bound holds for the connection.
func (c *Conn) bounded() bool {
	c.guard.mu.Lock()
	defer c.guard.mu.Unlock()
	return c.inAll != nil && !c.hijacked
}

func (c *Conn) isHijacked() bool {
	c.guard.mu.Lock()
	defer c.guard.mu.Unlock()
	return c.hijacked
}

// A bodyBound is the deadline of one request's body. It is the body of one over HTTP/1.1.
type bodyBound struct {
	io.ReadCloser
	conn  *Conn
	rc    *http.ResponseController
	until time.Time

	mu    sync.Mutex
	known bool // it is lifted
	over  bool // its handler has returned

	reading sync.Mutex // held while the body is read
	left    bool       // and it is not any more
}

// Read notes the end of the body.
func (b *bodyBound) Read(p []byte) (int, error) {
	b.reading.Lock()
	defer b.reading.Unlock()
	if b.left {
		return 0, http.ErrBodyReadAfterClose
	}
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF {
		b.conn.unread.CompareAndSwap(b, nil)
	}
	return n, err
}

// lift ends the deadline, once and while the request is served.
func (b *bodyBound) lift() {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.known && !b.over && !b.conn.isHijacked() { // deadlines of a hijacked connection are its owner's
		_ = b.rc.SetReadDeadline(time.Time{}) // fails only where none could be set
	}
	b.known = true
}

// end bounds what net/http still reads of a body that its handler has left: before it sends
// an answer, or after it. That holds for a request that has shown a key, too.
func (b *bodyBound) end() {
	b.mu.Lock()
	b.over = true
	b.mu.Unlock()
	c := b.conn
	if c.unread.Load() != b || c.isHijacked() {
		return
	}
	b.leave()
	b.mu.Lock()
	defer b.mu.Unlock()
	if c.unread.Load() != b { // what was being read was the end
		_ = b.rc.SetReadDeadline(time.Time{})
		return
	}
	if b.known {
		b.until = time.Now().Add(c.guard.o.BodyTimeout)
	}
	_ = b.rc.SetReadDeadline(b.until) // as in Handler
	if !c.guard.lingers(c) {
		c.endReading()
	}
}

// leave ends a read that somebody whom the handler has started still waits for, the client
// of a target that has answered early above all. net/http would do so, too, and take the
// connection's deadline away with it.
func (b *bodyBound) leave() {
	if !b.reading.TryLock() {
		if b.rc.SetReadDeadline(time.Unix(1, 0)) != nil {
			return // as in Handler
		}
		b.reading.Lock()
	}
	b.left = true
	b.reading.Unlock()
}

// withConn returns a context for the requests of a connection.
func withConn(ctx context.Context, c *Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}
