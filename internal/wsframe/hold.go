package wsframe

import (
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"time"
)

// ErrLeft is the reason of a client that closed the session in the hold and had said
// nothing for the target.
var ErrLeft = errors.New("client sent a close frame")

// holdWrite is how long a pong or a close frame may take in the hold. Frames
// this short find room in the kernel unless the client takes nothing at all.
const holdWrite = 5 * time.Second

// holdAfter is how long a dial takes until its client has a goroutine. Targets
// nearby are reached by then; a person does not notice it.
var holdAfter = 20 * time.Millisecond

// Hold serves a client whose target is not reached at once. It answers pings,
// keeps every other frame for the target, and notices a client that leaves:
//
//	client ──ping──▶ Hold ──pong──▶ client
//	       ──text, binary, pong, …──▶ kept, in order
//	       ──close behind data──▶ kept as well, and nothing more is read
//	       ──close, end, a broken frame──▶ answered if it can be; gone
//
// While it runs nobody else may read or write the connection. It ends with
// Stop, which must be called, and never closes the connection.
type Hold struct {
	conn  net.Conn
	limit int
	gone  func()
	begin *time.Timer // of the goroutine; nil: it began at once
	done  sync.WaitGroup

	mu       sync.Mutex
	stopping bool

	scan Scanner // the rest is the goroutine's until it is done
	kept []byte  // frames for the target, then at most one that is incomplete
	said bool    // the last of what is kept begins with the client's close frame
	err  error
}

// StartHold starts to serve conn, in a goroutine that Stop ends. buffered
// is what was read from it already and not used; it begins where a frame
// begins. Without any the goroutine begins after holdAfter: what the client sends until
// then waits in the network, and crosses as it is when Stop comes first. At limit kept
// bytes the Hold stops reading until Stop, so that
// memory stays bounded; of a client that is held back like this it learns
// nothing more. Zero means 64 KiB. deflate says whether permessage-deflate was
// agreed on with the client.
//
// gone is called once, by that goroutine, when the client left or broke the frame
// format. Its close frame was answered then, with 1002 if it was at fault. Stop says
// why.
func StartHold(conn net.Conn, buffered []byte, limit int, deflate bool, gone func()) *Hold {
	if limit == 0 {
		limit = 64 << 10
	}
	h := &Hold{
		conn: conn, limit: limit, scan: NewScanner(Client, deflate),
		gone: gone,
		kept: append([]byte(nil), buffered...),
	}
	h.done.Add(1)
	if len(h.kept) > 0 {
		go h.run()
	} else {
		h.begin = time.AfterFunc(holdAfter, h.run)
	}
	return h
}

// Stop ends the Hold and waits for it, then hands back what was kept, to cross
// to the target first: whole frames and perhaps the beginning of another, which
// may be a ping that the target will answer then. No byte is lost. The error is
// why the client is gone: ErrLeft, one of the scan's errors, or the
// connection's own; with it nothing is kept. From then on the caller may read
// and write again. Stop waits at most 5 s, for a pong that the client does not
// take. It may be called more than once, by one goroutine.
func (h *Hold) Stop() (kept []byte, err error) {
	if h.begin != nil && h.begin.Stop() {
		h.done.Done()
		return nil, nil
	}
	h.mu.Lock()
	h.stopping = true
	h.mu.Unlock()
	h.conn.SetReadDeadline(past) // fails only when the connection is closed: its reader knows
	h.done.Wait()
	if h.err != nil {
		return nil, h.err
	}
	if err := h.conn.SetReadDeadline(time.Time{}); err != nil {
		return nil, fmt.Errorf("clear read deadline: %w", err)
	}
	return h.kept, nil
}

func (h *Hold) run() {
	defer h.done.Done()
	defer func() {
		if v := recover(); v != nil {
			h.err = fmt.Errorf("panic: %v", v)
		}
		if h.err != nil {
			h.gone()
		}
	}()
	for judged := 0; ; {
		if judged, h.err = h.sort(judged); h.err != nil {
			return
		}
		if h.said || len(h.kept) >= h.limit {
			return
		}
		if h.err = h.read(); h.err != nil {
			if isTimeout(h.err) && h.isStopping() {
				h.err = nil
			}
			return
		}
	}
}

func (h *Hold) isStopping() bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.stopping
}

// read appends to what is kept, within the limit.
func (h *Hold) read() error {
	if len(h.kept) == cap(h.kept) {
		grown := make([]byte, len(h.kept), min(max(smallSize, 2*cap(h.kept)), h.limit))
		copy(grown, h.kept)
		h.kept = grown
	}
	n, err := h.conn.Read(h.kept[len(h.kept):min(cap(h.kept), h.limit)])
	h.kept = h.kept[:len(h.kept)+n]
	if n > 0 {
		return nil // an error comes again
	}
	if err == io.EOF {
		return ErrNoClose
	}
	return err
}

// sort goes through the bytes that are kept behind the first judged ones, and
// takes out of them what the gateway answers itself.
func (h *Hold) sort(judged int) (int, error) {
	for {
		n, at, err := h.scan.Next(h.kept[judged:], StopPing|StopClose)
		judged += n
		if err != nil {
			return judged, errors.Join(err, h.write(AppendClose(nil, CloseProtocol, err.Error())))
		}
		if at != BeforeFrame {
			return judged, nil
		}
		frame := h.kept[judged:]
		size := controlFrame(frame)
		if len(frame) < size {
			return judged, nil
		}
		payload := controlPayload(frame[:size])
		if frame[0]&0xF == OpClose {
			if h.said = h.scan.Data > 0; h.said {
				return judged, nil // the target gets it behind that, and answers it
			}
			return judged, errors.Join(ErrLeft, h.write(appendControl(nil, OpClose, payload, false)))
		}
		if err := h.write(appendControl(nil, OpPong, payload, false)); err != nil {
			return judged, err
		}
		h.kept = append(h.kept[:judged], frame[size:]...)
	}
}

func (h *Hold) write(frame []byte) error { return writeFrame(h.conn, frame, holdWrite) }
