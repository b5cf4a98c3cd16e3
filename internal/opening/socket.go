package opening

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"

	"github.com/farwire/farwire/internal/fault"
	"github.com/farwire/farwire/internal/wsframe"
)

// Times are how long a [Socket] waits.
type Times struct {
	KeepAlive time.Duration // between two pings of ours
	Pong      time.Duration // for the answer to one
	Stall     time.Duration // for a client that takes nothing
}

// A Socket is a client's WebSocket on which messages are sent while the client is only
// watched. Its methods may be called concurrently.
type Socket struct {
	ws    *websocket.Conn
	times Times
	leave context.CancelCauseFunc // the client is gone
	busy  atomic.Bool             // a long message is on its way: no ping gets past it
	wg    sync.WaitGroup
}

// Watch begins to watch the client: what it sends is read and dropped,
// which answers its pings, and now and then it is sent a ping of ours, because
// one that has vanished says nothing. Both end with the connection, and call
// leave with a [*ClosedError].
func Watch(ws *websocket.Conn, times Times, leave context.CancelCauseFunc) *Socket {
	s := &Socket{ws: ws, times: times, leave: leave}
	ended := make(chan struct{})
	s.wg.Go(func() {
		defer close(ended)
		ws.SetReadLimit(-1) // of what is dropped
		for {
			_, r, err := ws.Reader(context.Background())
			if err == nil {
				_, err = io.Copy(io.Discard, r)
			}
			if err != nil {
				leave(newClosedError(err))
				return
			}
		}
	})
	s.wg.Go(func() {
		tick := time.NewTicker(times.KeepAlive)
		defer tick.Stop()
		for {
			select {
			case <-ended:
				return
			case <-tick.C:
			}
			if s.busy.Load() {
				continue // one that waits behind a slow client's fragments would cut the connection
			}
			ctx, cancel := context.WithTimeout(context.Background(), times.Pong)
			err := ws.Ping(ctx)
			cancel()
			if err != nil && !s.busy.Load() {
				leave(newClosedError(err))
			}
		}
	})
	return s
}

// ClosedError is ErrGone with the code of the client's close frame.
type ClosedError struct {
	Code int // of the close frame; that of an abnormal closure when there was none
	Err  error
}

func newClosedError(err error) *ClosedError {
	code := int(websocket.CloseStatus(err))
	if code < 0 {
		code = wsframe.CloseAbnormal
	}
	return &ClosedError{code, err}
}

func (e *ClosedError) Error() string { return fmt.Sprintf("%v: %v", ErrGone, e.Err) }

// Unwrap returns ErrGone.
func (e *ClosedError) Unwrap() error { return ErrGone }

// Busy says that what is sent from now on takes long: no ping is sent meanwhile, and one
// that is not answered says nothing.
func (s *Socket) Busy() { s.busy.Store(true) }

// Wait waits until nobody watches the client any more: until the connection has ended.
func (s *Socket) Wait() { s.wg.Wait() }

// Cut closes the connection at once.
func (s *Socket) Cut() { s.ws.CloseNow() }

// Encode writes a message as JSON. It leaves < and > as they are: a file is full of them.
func Encode(message any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(message); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// Send sends a message as JSON. Its error is a [*ClosedError] unless the message cannot be
// written.
func (s *Socket) Send(message any) error {
	b, err := Encode(message)
	if err != nil {
		return err
	}
	return s.Write(b)
}

// A message goes out in fragments of this size, between which pings are
// answered.
const fragment = 32 << 10

// Write sends one text message. A client that takes no fragment for a while is
// lost; its connection is then cut, because a part of a message went out. The error is a
// [*ClosedError].
func (s *Socket) Write(b []byte) error {
	if err := s.write(b); err != nil {
		return newClosedError(err)
	}
	return nil
}

func (s *Socket) write(b []byte) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	stall := time.AfterFunc(s.times.Stall, cancel)
	defer stall.Stop()
	if len(b) <= fragment {
		return s.ws.Write(ctx, websocket.MessageText, b)
	}
	w, err := s.ws.Writer(ctx, websocket.MessageText)
	if err != nil {
		return err
	}
	for len(b) > 0 {
		n := min(fragment, len(b))
		if _, err := w.Write(b[:n]); err != nil {
			return err
		}
		b = b[n:]
		stall.Reset(s.times.Stall)
	}
	return w.Close()
}

// End closes the socket and waits a while for the client to do so, too. A
// close frame has room for 123 bytes of reason.
func (s *Socket) End(code int, reason string) {
	s.ws.Close(websocket.StatusCode(code), fault.Clip(reason))
}
