package http1

import (
	"context"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"sync/atomic"
	"time"
)

// Options belong to one request.
type Options struct {
	Body io.Reader // in place of the request's own; nil: it has none

	// Sent becomes true before the target can have something of the request.
	Sent *atomic.Bool

	// Came is called for whatever comes from the target. Nil: nobody asks.
	Came func()
}

// patience is how long a target that takes no more of a request has to answer it: it may
// have answered without reading all of the body (RFC 9112, section 9.6).
const patience = time.Second

// An exchange is a request and its answer, whose body it is.
type exchange struct {
	c      *Conn
	o      Options
	first  bool        // on its connection
	sender *sender     // nil: no goroutine sends the request
	stop   func() bool // of who waits for the context to end
	closes bool        // the connection is of no use after the answer
	ended  atomic.Bool
	body
}

// RoundTrip sends a request and returns when its answer begins, whose body must be read to
// its end or closed. When the request's context ends, the connection is cut. Answers that
// come before the one that counts (1xx) go to Got1xxResponse of the context's
// httptrace.ClientTrace. It follows no redirect, adds no header and decodes nothing.
//
// After an error the connection is closed. The target has nothing of the request then if
// Sent is false.
func (c *Conn) RoundTrip(req *http.Request, o Options) (*http.Response, error) {
	x := &exchange{c: c, o: o, first: c.exchange == nil}
	c.exchange, c.left, c.unwritten, c.failed = x, MaxHead, nil, nil
	c.answered.Store(false)
	c.r = newReader(c, &smallReaders, smallReader)
	x.stop = context.AfterFunc(req.Context(), c.end)
	resp, err := x.ask(req)
	if err != nil {
		x.end(false)
		if x.sender != nil && x.sender.invalid.Load() {
			err = x.sender.err
		}
		return nil, err
	}
	if resp.Body == http.NoBody {
		x.end(true)
	}
	return resp, nil
}

// ask sends the request and reads the head of its answer.
func (x *exchange) ask(req *http.Request) (*http.Response, error) {
	h, err := newHead(req, &x.o)
	if err != nil {
		return nil, err
	}
	c := x.c
	switch inline := x.o.Body == nil && len(h.text) <= maxInline; {
	case inline && c.raw != nil:
		c.looks, c.unwritten = !x.first, h.text // with the first read
		defer h.release()
	case inline:
		defer h.release()
		if err := x.look(); err != nil {
			return nil, err
		}
		x.sends()
		x.write(h.text)
	default:
		if err := x.look(); err != nil {
			return nil, err
		}
		x.sender = newSender(x, req, h)
		go x.sender.run()
	}
	trace := httptrace.ContextClientTrace(req.Context())
	for {
		resp, err := x.readHead(req)
		switch {
		case err != nil:
			return nil, err
		case resp.StatusCode/100 != 1 || resp.StatusCode == http.StatusSwitchingProtocols:
			if x.sender != nil {
				x.sender.settle()
			}
			return resp, nil
		}
		c.left = MaxHead
		if trace != nil && trace.Got1xxResponse != nil {
			if err := trace.Got1xxResponse(resp.StatusCode, textproto.MIMEHeader(resp.Header)); err != nil {
				return nil, err
			}
		}
		if resp.StatusCode == http.StatusContinue && x.sender != nil {
			x.sender.goOn()
		}
	}
}

// look looks at a connection that had a request before. What comes over a new one can be
// meant for this request alone, as when a target that is busy says so at once.
func (x *exchange) look() error {
	if x.first {
		return nil
	}
	return x.c.Look()
}

// sends notes that the target can have something of the request from now on.
func (x *exchange) sends() {
	if x.o.Sent != nil {
		x.o.Sent.Store(true)
	}
}

// came notes that something has come.
func (x *exchange) came() {
	if x.o.Came != nil {
		x.o.Came()
	}
}

// write reports whether the target takes what it is sent. One that does not, and has not
// begun to answer, is given a while for it.
func (x *exchange) write(b []byte) bool {
	if _, err := x.c.conn.Write(b); err == nil {
		return true
	}
	x.c.refused.Store(true)
	time.AfterFunc(patience, func() {
		if !x.c.Answered() {
			x.c.Cut()
		}
	})
	return false
}

// end ends the exchange. The connection is kept when all of the answer has come and nothing
// else, and all of the request was sent.
func (x *exchange) end(whole bool) {
	if !x.ended.CompareAndSwap(false, true) {
		return
	}
	c := x.c
	keep := whole && !x.closes && !c.refused.Load()
	if x.sender != nil {
		x.sender.settle()
		keep = keep && x.sender.isDone()
	}
	keep = x.stop() && keep
	if !whole {
		c.Cut() // and leave what a Read may still use
		return
	}
	if rest := c.release() + len(c.back); keep && rest == 0 {
		c.idle()
	} else {
		c.Close()
	}
}
