package wsframe

import (
	"errors"
	"io"
	"net"
	"os"
	"syscall"
	"time"

	"github.com/farwire/farwire/internal/netio"
)

// read waits for the source and returns what it sends, behind what was held
// back. It returns nothing when there are orders.
func (f *flow) read() ([]byte, error) {
	if f.readUntil != 0 {
		if err := f.src.SetReadDeadline(f.p.start.Add(time.Duration(f.readUntil))); err != nil {
			return nil, err
		}
		if f.orders.Load() != 0 {
			return nil, nil // the deadline just set may have hidden the wake
		}
	}
	switch {
	case f.wait.in != nil:
	case f.wait.waits:
		return f.readReady()
	default:
		return f.readConn()
	}
	f.wait.inLen, f.wait.ioErr = 0, nil
	if err := f.wait.in.Read(f.wait.inFunc); err != nil {
		return nil, err
	}
	return f.wait.big[:f.wait.inLen], f.wait.ioErr
}

// readable is called when the source may have bytes. The buffer lives only as
// long as there are any, so an idle session has none.
func (f *flow) readable(fd uintptr) bool {
	if f.wait.big == nil {
		f.wait.big = buffers.Get().(*[bufSize]byte)
	}
	k := copy(f.wait.big[:], f.held)
	n, err := netio.Read(fd, f.wait.big[k:])
	switch {
	case err == netio.ErrNotReady:
		// Only this answer makes the poller tell of the next byte.
		f.shrink()
		return false
	case err != nil:
		f.wait.ioErr = err
	default:
		f.wait.inLen = int32(k + n)
	}
	return true
}

// A waiter is a source that tells when a Read would not block, for bytes or
// for an error, and so needs no buffer while it is quiet. A read deadline ends
// the wait.
type waiter interface{ WaitRead() }

// readReady reads a source that is a waiter.
func (f *flow) readReady() ([]byte, error) {
	f.shrink()
	f.src.(waiter).WaitRead()
	f.wait.big = buffers.Get().(*[bufSize]byte)
	k := copy(f.wait.big[:], f.held)
	n, err := f.src.Read(f.wait.big[k:])
	if n == 0 {
		return nil, err
	}
	return f.wait.big[:k+n], err
}

// readConn reads a source that can only block: into a small buffer until that
// fills, then into a larger one until the source goes quiet.
func (f *flow) readConn() ([]byte, error) {
	switch {
	case f.wait.busy != nil && f.wait.inLen <= smallSize/2:
		f.shrink()
	case f.wait.busy == nil && f.wait.small != nil && f.wait.inLen == smallSize:
		f.wait.busy = busyBuffers.Get().(*[busySize]byte)
		f.grown.Store(true)
		f.p.watch(quiet)
	}
	var buf []byte
	switch {
	case f.wait.busy != nil:
		buf = f.wait.busy[:]
	case f.wait.small != nil:
		buf = f.wait.small[:]
	default:
		f.wait.small = smallBuffers.Get().(*[smallSize]byte)
		buf = f.wait.small[:]
	}
	k := copy(buf, f.held)
	n, err := f.src.Read(buf[k:])
	if n == 0 {
		return nil, err
	}
	f.wait.inLen = int32(k + n)
	return buf[:f.wait.inLen], err
}

// shrink gives the large buffers back.
func (f *flow) shrink() {
	if f.wait.big != nil {
		buffers.Put(f.wait.big)
		f.wait.big = nil
	}
	if f.wait.busy != nil {
		busyBuffers.Put(f.wait.busy)
		f.wait.busy = nil
		f.grown.Store(false)
	}
}

// release gives all buffers back.
func (f *flow) release() {
	f.shrink()
	if f.wait.small != nil {
		smallBuffers.Put(f.wait.small)
		f.wait.small = nil
	}
}

// pauseNow has no goroutine wait for a source that is quiet, where that can be done.
// When it returns true the flow may have another owner already.
func (f *flow) pauseNow() bool {
	f.wait.quiet = false
	f.release()
	f.wait.pauses.Store(false)
	if !f.wait.pause.Begin(f.src) {
		return false
	}
	if f.orders.Load() != 0 {
		f.endPause() // who left them may have found no pause
	}
	return true
}

// endPause has a goroutine own the flow, if none does because the source is quiet.
func (f *flow) endPause() {
	if f.wait != nil {
		f.wait.pause.End()
	}
}

// readFailed decides what the end of a read means: a wake, or the end of the
// source.
func (f *flow) readFailed(err error) {
	if !isTimeout(err) {
		f.followOrders() // a close frame that was ordered goes before one for the loss
		switch {
		case f.mode == over:
		case f.mode == draining:
			f.mode = over // its close frame was heard: it may go
		case f.readUntil != 0:
			f.lose(f.readLoss())
		case err == io.EOF && f.scan.Boundary():
			f.lose(CauseLoss, ErrNoClose)
		case err == io.EOF:
			f.lose(CauseLoss, errTruncated)
		default:
			f.lose(CauseLoss, err)
		}
		return
	}
	if f.readUntil != 0 && f.readOut() {
		return
	}
	// Clear the deadline first: an order left after this sets it again.
	if err := f.src.SetReadDeadline(time.Time{}); err != nil {
		f.lose(CauseLoss, err)
		return
	}
	switch {
	case f.mode == relaying && f.readUntil == 0 && f.orders.CompareAndSwap(orderQuiet, 0):
		f.wait.quiet, f.wait.wakes = true, 0
	case f.orders.Load() != 0:
		f.wait.wakes = 0
	default:
		if f.wait.wakes++; f.wait.wakes > 100 {
			f.lose(CauseLoss, err) // no wake of ours: the connection says so for ever
		}
	}
}

// readOut reports whether a lost source has said all that it had to say, and
// deals with the loss then.
func (f *flow) readOut() bool {
	now := f.p.now()
	switch {
	case now < f.readUntil:
		return false
	case f.readAt.Load()+int64(linger) > now:
		f.readUntil = now + int64(linger)
		return false
	}
	f.lose(f.readLoss())
	return true
}

// isTimeout tells a read deadline from a peer that TCP gave up.
func isTimeout(err error) bool {
	if err == io.EOF { // as most connections end
		return false
	}
	var ne net.Error
	return errors.Is(err, os.ErrDeadlineExceeded) ||
		errors.As(err, &ne) && ne.Timeout() && !errors.Is(err, syscall.ETIMEDOUT)
}
