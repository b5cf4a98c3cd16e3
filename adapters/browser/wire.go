package browser

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"

	"github.com/chromedp/cdproto"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/cdp/jsonv2"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
)

// A wire is a connection to a browser. Commands may be sent concurrently; each
// waits for its own answer. One goroutine reads: it hands answers and events
// on and neither blocks nor writes, so that a page that floods its session
// holds nobody up.
type wire struct {
	transport chromedp.Transport
	out       chan *cdproto.Message
	lost      chan struct{} // closed when the connection is
	wg        sync.WaitGroup

	mu       sync.Mutex
	last     int64
	waiting  map[int64]chan *cdproto.Message
	sessions map[target.SessionID]listener
	err      error // of the connection
}

// A listener takes an event. It runs on the goroutine that reads, and must
// return at once.
type listener func(method string, params json.RawMessage)

// errLost is wrapped by every error of a connection that has ended.
var errLost = errors.New("the connection to the browser is lost")

func newWire(t chromedp.Transport) *wire {
	w := &wire{transport: t, out: make(chan *cdproto.Message, 64), lost: make(chan struct{}),
		waiting: map[int64]chan *cdproto.Message{}, sessions: map[target.SessionID]listener{}}
	w.wg.Go(w.read)
	w.wg.Go(w.write)
	return w
}

// close ends the connection, and with it all that waits.
func (w *wire) close() {
	w.fail(errors.New("closed"))
	w.wg.Wait()
}

func (w *wire) fail(err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.err != nil {
		return
	}
	w.err = fmt.Errorf("%w: %w", errLost, err)
	close(w.lost)
	w.transport.Close() // its error says nothing that err does not
}

func (w *wire) read() {
	for {
		m := new(cdproto.Message)
		if err := w.transport.Read(context.Background(), m); err != nil {
			w.fail(err)
			return
		}
		w.mu.Lock()
		answer := w.waiting[m.ID]
		delete(w.waiting, m.ID)
		event := w.sessions[m.SessionID]
		w.mu.Unlock()
		switch {
		case answer != nil:
			answer <- m // has room for it
		case m.ID == 0 && event != nil:
			event(string(m.Method), json.RawMessage(m.Params))
		}
	}
}

func (w *wire) write() {
	for {
		select {
		case m := <-w.out:
			if err := w.transport.Write(context.Background(), m); err != nil {
				w.fail(err)
				return
			}
		case <-w.lost:
			return
		}
	}
}

// A session is a tab's part of a wire; the one without an id is the browser's
// own.
type session struct {
	wire *wire
	id   target.SessionID
}

// listen gives the session's events to f until the returned function is called.
func (s session) listen(f listener) (stop func()) {
	s.wire.mu.Lock()
	defer s.wire.mu.Unlock()
	s.wire.sessions[s.id] = f
	return func() {
		s.wire.mu.Lock()
		defer s.wire.mu.Unlock()
		delete(s.wire.sessions, s.id)
	}
}

// call sends a command and waits for its result.
func call[P, R any](ctx context.Context, s session, c cdp.Command[P, R], params P) (R, error) {
	var result R
	m, answer, err := s.message(c.Method, params, true)
	if err != nil {
		return result, err
	}
	defer s.wire.forget(m.ID)
	if err := s.send(ctx, m); err != nil {
		return result, fmt.Errorf("%s: %w", c.Method, err)
	}
	select {
	case m = <-answer:
	case <-s.wire.lost:
		return result, fmt.Errorf("%s: %w", c.Method, s.wire.err)
	case <-ctx.Done():
		return result, fmt.Errorf("%s: %w", c.Method, context.Cause(ctx))
	}
	if m.Error != nil {
		return result, fmt.Errorf("%s: %w", c.Method, m.Error)
	}
	if err := jsonv2.Unmarshal(m.Result, &result, chromedp.DefaultUnmarshalOptions); err != nil {
		return result, fmt.Errorf("%s: %w", c.Method, err)
	}
	return result, nil
}

// tell sends a command whose result nobody waits for.
func tell[P, R any](ctx context.Context, s session, c cdp.Command[P, R], params P) error {
	m, _, err := s.message(c.Method, params, false)
	if err != nil {
		return err
	}
	return s.send(ctx, m)
}

func (s session) message(method string, params any, wait bool) (*cdproto.Message, chan *cdproto.Message, error) {
	body, err := jsonv2.Marshal(params, chromedp.DefaultMarshalOptions)
	if err != nil {
		return nil, nil, fmt.Errorf("%s: %w", method, err)
	}
	w := s.wire
	w.mu.Lock()
	defer w.mu.Unlock()
	w.last++
	m := &cdproto.Message{ID: w.last, SessionID: s.id, Method: cdproto.MethodType(method), Params: body}
	if !wait {
		return m, nil, nil
	}
	answer := make(chan *cdproto.Message, 1)
	w.waiting[m.ID] = answer
	return m, answer, nil
}

func (s session) send(ctx context.Context, m *cdproto.Message) error {
	select {
	case s.wire.out <- m:
		return nil
	case <-s.wire.lost:
		return s.wire.err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (w *wire) forget(id int64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	delete(w.waiting, id)
}

// maxMessage is the largest message that is taken from a local browser, bytes.
// A page can make the browser tell of a request with all of its body.
const maxMessage = 32 << 20

// bounded reads messages that end with a zero byte, and fails in the midst of
// one that is too large.
type bounded struct {
	io.ReadCloser
	size int // of the message so far
}

func (b *bounded) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if end := bytes.LastIndexByte(p[:n], 0); end >= 0 {
		b.size = n - end - 1
	} else {
		b.size += n
	}
	if b.size > maxMessage {
		return n, fmt.Errorf("a message of the browser's has more than %d bytes", maxMessage)
	}
	return n, err
}

// lostNow reports whether the connection has ended.
func (w *wire) lostNow() bool {
	select {
	case <-w.lost:
		return true
	default:
		return false
	}
}
