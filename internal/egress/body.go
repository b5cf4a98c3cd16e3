package egress

import (
	"errors"
	"io"
	"sync"
	"sync/atomic"
	"time"
)

// A Body is the body of a request that can be sent from its beginning until the target
// may have something of it. It is for one request at a time; what it was made of is not
// closed.
type Body struct {
	source  io.Reader
	reading chan struct{} // holds a value while an attempt reads

	mu      sync.Mutex
	current *attemptedBody
	read    []byte // net/http reads ahead of what it sends
	used    bool   // more was read than that
}

// NewBody returns a body that is read from source.
func NewBody(source io.Reader) *Body { return &Body{source: source, reading: make(chan struct{}, 1)} }

// Unsent reports whether the body can still be sent from its beginning. That of no body
// can.
func (b *Body) Unsent() bool {
	if b == nil {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	return !b.used
}

// stopPatience is how long Stop waits for a read under way.
const stopPatience = 50 * time.Millisecond

// Stop ends the reading of the source, which is a server's: what net/http still reads of it
// when the handler has returned may be taken for the next request. A target can answer
// before it has the whole body. It waits for a read under way, but not for a client that
// sends nothing. Of a nil Body nothing is read.
func (b *Body) Stop() {
	if b == nil {
		return
	}
	b.mu.Lock()
	b.current = nil
	b.mu.Unlock()
	late := time.NewTimer(stopPatience)
	defer late.Stop()
	select {
	case b.reading <- struct{}{}:
		<-b.reading
	case <-late.C:
	}
}

// An attemptedBody is a body from its beginning.
type attemptedBody struct {
	*Body
	sent *atomic.Bool // the target may have something of the request
	at   int          // what of Body.read was read here
}

// attempt is an http.Request's GetBody.
func (b *Body) attempt(sent *atomic.Bool) (io.ReadCloser, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.used {
		return nil, io.ErrUnexpectedEOF
	}
	b.current = &attemptedBody{Body: b, sent: sent}
	return b.current, nil
}

// errSuperseded ends the reading of an attempt that another one has followed.
var errSuperseded = errors.New("the request is sent anew")

// Read waits for what an attempt before this one still reads: it is for this one.
func (a *attemptedBody) Read(p []byte) (int, error) {
	a.reading <- struct{}{}
	defer func() { <-a.reading }()
	if n, err := a.again(p); n > 0 || err != nil {
		return n, err
	}
	n, err := a.source.Read(p)
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.current != a: // meanwhile
		a.read = append(a.read, p[:n]...)
		return 0, errSuperseded
	case a.used:
	case n > 0 && a.sent.Load():
		a.used, a.read = true, nil
	default:
		a.read = append(a.read, p[:n]...)
		a.at = len(a.read)
	}
	return n, err
}

// again returns what an attempt before this one has read.
func (a *attemptedBody) again(p []byte) (int, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.current != a {
		return 0, errSuperseded
	}
	n := copy(p, a.read[min(a.at, len(a.read)):])
	a.at += n
	return n, nil
}

func (a *attemptedBody) Close() error { return nil }
