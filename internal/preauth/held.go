package preauth

import (
	"errors"
	"io"
	"maps"
	"net/http"
	"sync"
)

// What the head of a request takes once it is read: a short field takes many times its
// length. Servers bound the length alone.
const (
	nameCost  = 96 // of a field's name, beside its length: its place in the map
	valueCost = 48 // of each value, beside its length

	// maxHead is what the head of one request may take. Heads of 64 KiB pass, if they
	// have no more than some hundred fields.
	maxHead = 128 << 10

	// streamCost is what a request over HTTP/2 takes beside its head, until the client has
	// read the answer, and maxHeld what all those of one connection may take together that
	// have shown no key. A hundred of a browser's pass.
	streamCost = 6 << 10
	maxHeld    = 1 << 20
)

// headCost is what the head of a request takes.
func headCost(r *http.Request) int {
	n := len(r.RequestURI) + len(r.Host)
	for name, values := range r.Header {
		n += nameCost + len(name)
		for _, v := range values {
			n += valueCost + len(v)
		}
	}
	return n
}

// tooManyFields is what the client is told.
const tooManyFields = `{"detail":"the request has too many header fields","code":"bad_request"}` + "\n"

// refuseHead answers a request whose head is too large.
func refuseHead(w http.ResponseWriter) {
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("X-Farwire-From", "gateway")
	w.WriteHeader(http.StatusRequestHeaderFieldsTooLarge)
	// A client that has gone needs no answer.
	io.WriteString(w, tooManyFields)
}

// A heldRequest is what one request without a key takes of what its connection may hold.
type heldRequest struct {
	conn *Conn

	mu   sync.Mutex
	cost int  // 0: it is given back
	over bool // its body found no room
}

// hold counts a request over HTTP/2 from its head until it shows a key, or until its
// stream is over: an answer that is not read takes as much. It reports whether there is
// room. Of a connection that has shown a key before nothing is counted, and of a trusted
// proxy, which has many clients.
func (c *Conn) hold(r *http.Request) (*heldRequest, bool) {
	h := &heldRequest{conn: c}
	if c.trusted {
		return h, true
	}
	cost := streamCost + headCost(r)
	c.guard.mu.Lock()
	defer c.guard.mu.Unlock()
	switch {
	case c.inAll == nil:
		return h, true
	case c.held+cost > maxHeld:
		return nil, false
	}
	h.cost = cost
	c.held += cost
	return h, true
}

// releaseAfter gives it back when the stream is over. The handler calls it when it returns;
// what is left of its answer is written later, and the request's context has ended by then.
func (h *heldRequest) releaseAfter(w http.ResponseWriter) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.cost == 0 {
		return
	}
	//lint:ignore SA1019 nothing else tells when a stream of HTTP/2 is over
	n, ok := w.(http.CloseNotifier)
	if !ok {
		return
	}
	over := n.CloseNotify()
	g := h.conn.guard
	g.mu.Lock()
	if g.tails == nil {
		g.tails = make(map[*heldRequest]struct{})
	}
	g.tails[h] = struct{}{}
	g.mu.Unlock()
	go func() {
		<-over // it comes at the connection's end, too
		h.release()
		g.mu.Lock()
		defer g.mu.Unlock()
		delete(g.tails, h)
	}()
}

// cutTails closes the connections of those of some streams that are not over yet.
func (g *Guard) cutTails(before map[*heldRequest]struct{}) {
	g.mu.Lock()
	maps.DeleteFunc(before, func(h *heldRequest, _ struct{}) bool { _, still := g.tails[h]; return !still })
	g.mu.Unlock()
	for h := range before {
		h.conn.cut()
	}
}

// release gives back what the request has taken.
func (h *heldRequest) release() {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.conn.guard.mu.Lock()
	defer h.conn.guard.mu.Unlock()
	h.conn.held -= h.cost
	h.cost = 0
}

// grow counts bytes of the request's body that a handler has read: until the request shows
// a key it may keep them. It reports whether there is room.
func (h *heldRequest) grow(n int) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.cost == 0 {
		return true
	}
	h.conn.guard.mu.Lock()
	defer h.conn.guard.mu.Unlock()
	if h.conn.inAll != nil && h.conn.held+n > maxHeld {
		h.over = true
		return false
	}
	h.conn.held += n
	h.cost += n
	return true
}

// abortOver resets the stream of a request whose body found no room.
func (h *heldRequest) abortOver() {
	h.mu.Lock()
	over := h.over
	h.mu.Unlock()
	if over {
		panic(http.ErrAbortHandler)
	}
}

// A heldBody counts what is read of a body.
type heldBody struct {
	io.ReadCloser
	held *heldRequest
}

var errNoRoom = errors.New("requests without a key of this connection hold too much")

func (b *heldBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if !b.held.grow(n) {
		return 0, errNoRoom
	}
	return n, err
}
