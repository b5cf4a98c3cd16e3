package forward

import (
	"context"
	"net/http"
	"sync"
	"time"

	"github.com/farwire/farwire/internal/hostcall"
	"github.com/farwire/farwire/internal/tunnel"
	"github.com/farwire/farwire/internal/upgrade"
)

// A Limit ends the writes of an answer whose context has ended. A client that does not
// read would hold its handler for ever otherwise: a write does not look at contexts. A
// ResponseWriter without write deadlines has no such limit. Start must be called first.
type Limit struct {
	ctx   context.Context
	w     http.ResponseWriter
	rc    http.ResponseController
	grace time.Duration

	stop func() bool

	mu    sync.Mutex
	begun bool // the answer, so that nothing else can be said any more
	over  bool // the writer is not ours any more
}

// Start begins to look at ctx. An answer that has begun when ctx ends is cut at
// once; before that, its error has the grace to go out. The handler must call Release
// before it returns.
func (l *Limit) Start(ctx context.Context, w http.ResponseWriter, grace time.Duration) {
	l.ctx, l.w, l.rc, l.grace = ctx, w, *http.NewResponseController(w), grace
	l.stop = context.AfterFunc(ctx, l.set)
}

// Begin says that the answer begins.
func (l *Limit) Begin() { l.as(true) }

// Release ends the Limit. What net/http still holds of an answer that is whole, or of an
// error, has the grace to go out when ctx has ended. Of an answer that has begun and is
// not whole nothing more goes out: a middleware that recovers every panic, that of
// http.ErrAbortHandler too, would have it end as a whole one does.
func (l *Limit) Release(whole bool) {
	if whole {
		l.as(false)
	}
	l.stop()
	l.mu.Lock()
	defer l.mu.Unlock()
	if !whole && l.begun {
		l.cut()
	}
	l.over = true
}

// cut ends writes, by a deadline or, where a middleware hides those, with the connection.
func (l *Limit) cut() {
	_ = hostcall.Do(func() error { // what hides both leaves no way
		if l.rc.SetWriteDeadline(time.Unix(1, 0)) == nil {
			return nil
		}
		conn, _, err := upgrade.Take(l.w)
		if err == nil {
			err = conn.Close()
		}
		return err
	})
}

func (l *Limit) as(begun bool) {
	l.mu.Lock()
	changed := l.begun != begun
	l.begun = begun
	l.mu.Unlock()
	if changed && l.ctx.Err() != nil {
		l.set()
	}
}

func (l *Limit) set() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.over {
		return
	}
	deadline := time.Unix(1, 0)
	if !l.begun {
		deadline = time.Now().Add(l.grace)
	}
	// There is no other way to end a write, and nobody to tell that a middleware panics.
	_ = hostcall.Do(func() error { return l.rc.SetWriteDeadline(deadline) })
}

// ResetOldClient resets the connection of a client of HTTP/1.0, whose answer ends with its
// connection (RFC 9112, section 6.3): a part of one would look whole. nginx before
// 1.29.7 is such a client by default.
func ResetOldClient(w http.ResponseWriter, r *http.Request) {
	if r.ProtoAtLeast(1, 1) {
		return
	}
	if conn, _, err := upgrade.Take(w); err == nil { // else a middleware hides it
		tunnel.Reset(conn)
	}
}
