package http1

import (
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/http/httpguts"
)

const (
	// ContinueWait is how long a target that is asked for a 100 has for it, before it
	// gets the body nevertheless (RFC 9110, section 10.1.1).
	ContinueWait = time.Second

	// doneWait is how long an answer that has come to its end waits for the end of its
	// request, before the connection is given up.
	doneWait = 50 * time.Millisecond

	smallPiece = 4 << 10
	largePiece = 64 << 10

	// Around a piece of a body goes what makes a chunk of it.
	before = len("ffffffff\r\n")
	after  = len("\r\n")
)

var (
	small = sync.Pool{New: func() any { return new([before + smallPiece + after]byte) }}
	large = sync.Pool{New: func() any { return new([before + largePiece + after]byte) }}
)

// A sender sends a request that the caller of RoundTrip cannot, because an answer may come
// before all of it is sent.
type sender struct {
	x        *exchange
	h        *head
	trailer  http.Header
	go100    chan struct{} // closed when a body may follow its head; nil: it may at once
	settled  chan struct{} // closed when the answer that counts has come, or none comes
	done     chan struct{} // closed when the goroutine ends
	went     sync.Once
	settling sync.Once

	whole   bool        // all of the request was sent; read it after done
	invalid atomic.Bool // the body is not valid: err says why
	err     error
}

func newSender(x *exchange, req *http.Request, h *head) *sender {
	s := &sender{x: x, h: h, trailer: req.Trailer, settled: make(chan struct{}), done: make(chan struct{})}
	if x.o.Body != nil && httpguts.HeaderValuesContainsToken(req.Header["Expect"], "100-continue") {
		s.go100 = make(chan struct{})
	}
	return s
}

func (s *sender) goOn() {
	if s.go100 != nil {
		s.went.Do(func() { close(s.go100) })
	}
}

func (s *sender) settle() { s.settling.Do(func() { close(s.settled) }) }

// isDone reports whether all of the request was sent, or is so in a moment.
func (s *sender) isDone() bool {
	select {
	case <-s.done:
		return s.whole
	default:
	}
	late := time.NewTimer(doneWait)
	defer late.Stop()
	select {
	case <-s.done:
		return s.whole
	case <-late.C:
		return false
	}
}

func (s *sender) run() {
	defer close(s.done)
	defer s.h.release()
	s.x.sends()
	if !s.x.write(s.h.text) || !s.mayGoOn() {
		return
	}
	if s.x.o.Body == nil {
		s.whole = true
		return
	}
	switch err := s.body(); err {
	case nil:
		s.whole = true
	case errRefused:
	default:
		s.err = err
		s.invalid.Store(true)
		s.x.c.Cut()
	}
}

// mayGoOn waits until the target wants the body.
func (s *sender) mayGoOn() bool {
	if s.go100 == nil {
		return true
	}
	late := time.NewTimer(ContinueWait)
	defer late.Stop()
	select {
	case <-s.go100:
		return true
	case <-s.settled:
		return false
	case <-late.C:
		return true
	}
}

// errRefused: the target takes no more of the body.
var errRefused = fmt.Errorf("refused")

// body sends the body as it comes, each piece of it in one write.
func (s *sender) body() error {
	first := small.Get().(*[before + smallPiece + after]byte)
	defer small.Put(first)
	buf := first[:]
	var sent int64
	for {
		n, err := s.x.o.Body.Read(buf[before : len(buf)-after])
		sent += int64(n)
		if s.h.length >= 0 && sent > s.h.length {
			return fmt.Errorf("the body of the request is longer than the %d bytes that it should have", s.h.length)
		}
		if n > 0 && !s.x.write(s.piece(buf, n)) {
			return errRefused
		}
		switch {
		case err == io.EOF && s.h.length < 0:
			return s.last()
		case err == io.EOF && sent < s.h.length:
			return fmt.Errorf("the body of the request has %d bytes, and should have %d", sent, s.h.length)
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
		if n == smallPiece && len(buf) == len(first) {
			more := large.Get().(*[before + largePiece + after]byte)
			defer large.Put(more)
			buf = more[:]
		}
	}
}

// piece returns what to write of the n bytes that a buffer has.
func (s *sender) piece(buf []byte, n int) []byte {
	if s.h.length >= 0 {
		return buf[before : before+n]
	}
	var digits [before]byte
	size := append(strconv.AppendInt(digits[:0], int64(n), 16), "\r\n"...)
	copy(buf[before-len(size):], size)
	copy(buf[before+n:], "\r\n")
	return buf[before-len(size) : before+n+after]
}

// last ends a body that was sent in chunks. Its trailers are known by now.
func (s *sender) last() error {
	h := head{text: []byte("0\r\n")}
	for _, name := range trailerNames(s.trailer) {
		for _, v := range s.trailer[name] {
			if httpguts.ValidHeaderFieldValue(v) {
				h.field(name, v)
			}
		}
	}
	if !s.x.write(append(h.text, "\r\n"...)) {
		return errRefused
	}
	return nil
}
