package tunnel

import (
	"net/http"
	"sync"
	"time"

	"github.com/farwire/farwire/internal/hostcall"
)

// A Stream is the client's side of a tunnel over HTTP/2: the request's body and the
// answer's. It cannot be half-closed: net/http ends the answer when the handler returns.
type Stream struct {
	r  *http.Request
	w  http.ResponseWriter
	rc *http.ResponseController

	mu   sync.Mutex
	gone bool // the handler has returned: the writer is nobody's
}

// NewStream begins the answer. The handler must call Leave before it returns.
func NewStream(w http.ResponseWriter, r *http.Request) (*Stream, error) {
	c := &Stream{r: r, w: w, rc: http.NewResponseController(w)}
	return c, c.rc.Flush()
}

// Read reads what the client sends.
func (c *Stream) Read(b []byte) (int, error) { return c.r.Body.Read(b) }

// Write sends to the client, at once.
func (c *Stream) Write(b []byte) (int, error) {
	n, err := c.w.Write(b)
	if err == nil {
		err = c.rc.Flush()
	}
	return n, err
}

// Close has Read return; the stream ends when the handler does.
func (c *Stream) Close() error { return c.while(c.rc.SetReadDeadline) }

// Abort resets the stream.
func (c *Stream) Abort() {
	_ = c.while(c.rc.SetWriteDeadline) // a stream that is reset already needs no more
}

// while sets a deadline that has passed, as long as the handler runs.
func (c *Stream) while(set func(time.Time) error) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.gone {
		return nil
	}
	return hostcall.Do(func() error { return set(time.Unix(1, 0)) }) // a middleware's may panic
}

// Leave says that the handler returns: the writer is nobody's from then on.
func (c *Stream) Leave() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.gone = true
}
