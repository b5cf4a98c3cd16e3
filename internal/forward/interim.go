package forward

import (
	"maps"
	"net/http"
	"net/textproto"
	"sync"
	"sync/atomic"
)

// interim passes answers on that come before the one that counts (RFC 9110, section
// 15.2). A transport may have one when the other has come already.
type interim struct {
	w      http.ResponseWriter
	old    bool // the client knows none
	change interface{ Early(http.Header) }
	panics *panics
	waits  atomic.Bool // the client, for a 100, and net/http would write one of its own
	once   bool        // it gets one 100 alone: some send the body for each. Over HTTP/2 net/http sends it
	mu     sync.Mutex
	over   bool
}

func (i *interim) pass(status int, header textproto.MIMEHeader) error {
	return i.panics.call(func() error {
		i.mu.Lock()
		defer i.mu.Unlock()
		i.write(status, header)
		return nil
	})
}

// goOn has a client send its body. While one is read net/http would say 100 itself, in
// the middle of what is written here: after a 100 of ours it does not.
func (i *interim) goOn() {
	if !i.waits.Load() {
		return
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.waits.Load() {
		i.write(http.StatusContinue, nil)
	}
}

func (i *interim) write(status int, header textproto.MIMEHeader) {
	if i.over || i.old {
		return
	}
	if status == http.StatusContinue {
		if i.once && !i.waits.Load() {
			return
		}
		i.waits.Store(false)
	}
	h := i.w.Header()
	kept := maps.Clone(h) // what a middleware of the host's has set
	clear(h)
	maps.Copy(h, header)
	RemoveHop(h)
	delete(h, "Content-Length")
	if header != nil { // else it is our own
		i.change.Early(h)
	}
	i.w.WriteHeader(status)
	clear(h)
	maps.Copy(h, kept)
}

func (i *interim) end() {
	i.mu.Lock()
	i.over = true
	i.mu.Unlock()
}
