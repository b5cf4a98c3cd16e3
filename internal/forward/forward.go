// Package forward sends a request that a server of net/http was asked on to a target,
// and the target's answer back, both as they come.
//
//	client ── request, body ──▶ Serve ── hop's headers left out ──▶ Transport
//	client ◀── head, body, trailers, as they come ── Serve ◀── answer
//
// It does what httputil.ReverseProxy does for such requests, with a third of the
// memory: headers are copied once, buffers are pooled and small for small answers, and
// a head whose body follows at once leaves with it.
package forward

import (
	"context"
	"io"
	"maps"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/http/httpguts"
)

// A Passage says where a request goes, and what of it and of its answer changes on the way.
type Passage interface {
	http.RoundTripper

	// Rewrite makes the request for the target: without the hop's headers, it
	// lacks URL and Host.
	Rewrite(out *http.Request)

	// Modify changes the answer, the hop's headers left out already. Its error
	// goes to Fail.
	Modify(*http.Response) error

	// Early changes the headers of an answer that comes before it (1xx), and Trailing
	// its trailers, the hop's left out already. Closing changes those of the request.
	Early(http.Header)
	Trailing(http.Header)
	Closing(http.Header)

	// Fail answers when there is no answer of the target's.
	Fail(error)
}

// hopHeaders are those of one connection alone (RFC 9110, section 7.6.1), besides those
// that Connection names.
var hopHeaders = []string{
	"Connection", "Proxy-Connection", "Keep-Alive", "Proxy-Authenticate", "Proxy-Authorization", "Te", "Trailer",
	"Transfer-Encoding", "Upgrade",
}

// RemoveHop leaves out what belongs to one connection alone.
func RemoveHop(h http.Header) {
	for _, line := range h["Connection"] {
		for name := range strings.SplitSeq(line, ",") {
			if name = textproto.TrimString(name); name != "" {
				h.Del(name)
			}
		}
	}
	for _, name := range hopHeaders {
		delete(h, name)
	}
}

// A request is one on its way. All that it needs is in one piece of memory.
type request struct {
	p      Passage
	w      http.ResponseWriter
	panics panics // of goroutines other than Serve's
	early  interim
	trace  httptrace.ClientTrace
	head   head
}

// Serve sends a request on with these headers, which it changes, as long as ctx lasts, and
// answers it. It returns false when the answer was begun and cannot be ended: who calls it
// must cut the connection.
func Serve(ctx context.Context, p Passage, w http.ResponseWriter, in *http.Request, header http.Header) (whole bool) {
	r := &request{p: p, w: w}
	out, b := r.outgoing(ctx, in, header)
	defer b.Close()
	p.Rewrite(out)
	resp, err := p.RoundTrip(out)
	r.early.end()
	if err != nil {
		r.panics.raise()
		p.Fail(err)
		return true
	}
	if err := r.takeHeader(resp); err != nil {
		resp.Body.Close()
		p.Fail(err)
		return true
	}
	whole = r.answer(resp)
	r.panics.raise()
	return whole
}

// outgoing makes the request for the target, and its body; nil: it has none.
func (r *request) outgoing(ctx context.Context, in *http.Request, header http.Header) (*http.Request, *body) {
	takesTrailers := httpguts.HeaderValuesContainsToken(header["Te"], "trailers")
	RemoveHop(header)
	if takesTrailers {
		header["Te"] = []string{"trailers"}
	}
	if _, ok := header["User-Agent"]; !ok {
		header["User-Agent"] = []string{""} // net/http would send its own
	}
	early := &r.early
	early.w, early.change, early.old, early.panics = r.w, r.p, !in.ProtoAtLeast(1, 1), &r.panics
	if early.old {
		delete(header, "Expect") // it is ignored (RFC 9110, section 10.1.1)
	}
	expects := httpguts.HeaderValuesContainsToken(header["Expect"], "100-continue")
	early.once = expects || in.ProtoMajor > 1
	early.waits.Store(expects && in.ProtoMajor == 1)
	r.trace.Got1xxResponse = early.pass
	out := (&http.Request{
		Method: in.Method, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1, Header: header, ContentLength: in.ContentLength,
		Trailer: trailers(maps.Clone(in.Trailer), r.p.Closing),
	}).WithContext(httptrace.WithClientTrace(ctx, &r.trace))
	if in.Body == nil || in.ContentLength == 0 {
		return out, nil
	}
	b := &body{from: in.Body, early: early, read: in.Trailer, sent: out.Trailer}
	out.Body = b
	return out, b
}

// takeHeader puts the header of the target's answer behind what middleware has set already.
func (r *request) takeHeader(resp *http.Response) error {
	RemoveHop(resp.Header)
	if resp.StatusCode == http.StatusNoContent {
		// It must have none (RFC 9110, section 8.6), and clients of HTTP/2 take an
		// answer with one for a broken one.
		delete(resp.Header, "Content-Length")
	}
	h := r.w.Header()
	alone := len(h) == 0 // no middleware has set one
	if alone {
		maps.Copy(h, resp.Header)
		resp.Header = h
	}
	if err := r.p.Modify(resp); err != nil {
		if alone {
			clear(h)
		}
		return err
	}
	if !alone {
		for name, values := range resp.Header {
			h[name] = slices.Concat(h[name], values)
		}
	}
	return nil
}

// A body is the client's. It is closed by the server, and not read any more once the
// request is answered: a transport may hold it for longer.
type body struct {
	from   io.Reader
	early  *interim
	closed atomic.Bool

	// The server fills read in before the end of the body, with names that were not
	// announced too. Those of sent go to the target.
	read, sent http.Header
}

func (b *body) Read(p []byte) (n int, err error) {
	if b.closed.Load() {
		return 0, http.ErrBodyReadAfterClose
	}
	err = b.early.panics.call(func() (err error) {
		b.early.goOn()
		n, err = b.from.Read(p)
		return err
	})
	if err == io.EOF {
		for name := range b.sent {
			b.sent[name] = b.read[name]
		}
	}
	return n, err
}

// Close ends the reading. Of no body there is nothing to end.
func (b *body) Close() error {
	if b != nil {
		b.closed.Store(true)
	}
	return nil
}

// answer writes the answer as it comes. Its headers are w's.
func (r *request) answer(resp *http.Response) (whole bool) {
	h := r.w.Header()
	trailers(resp.Trailer, r.p.Trailing)
	var announced []string
	if len(resp.Trailer) > 0 {
		announced = slices.Sorted(maps.Keys(resp.Trailer))
		h["Trailer"] = append(h["Trailer"], strings.Join(announced, ", "))
	}
	r.w.WriteHeader(resp.StatusCode)
	if err := r.copyBody(resp); err != nil {
		resp.Body.Close()
		return false
	}
	resp.Body.Close() // has the trailers filled in
	trailers(resp.Trailer, r.p.Trailing)
	if len(resp.Trailer) == 0 {
		return true
	}
	// A short body would get a length otherwise, and with it no trailers.
	if http.NewResponseController(r.w).Flush() != nil {
		return false
	}
	for _, name := range announced {
		delete(h, name) // of the head, which has left: net/http would take it for the trailer
	}
	prefix := ""
	if len(resp.Trailer) != len(announced) {
		prefix = http.TrailerPrefix
	}
	for name, values := range resp.Trailer {
		if len(values) > 0 { // over HTTP/2 net/http never ends an answer with a name that has none
			h[prefix+name] = values
		}
	}
	return true
}

// trailers leaves out what does not go on, of names and of fields: what has no business
// among trailers (RFC 9110, section 6.5.1), what is the hop's, and what change leaves out.
func trailers(h http.Header, change func(http.Header)) http.Header {
	if len(h) > 0 {
		RemoveHop(h)
		for name := range h {
			if !httpguts.ValidTrailerHeader(name) {
				delete(h, name)
			}
		}
		change(h)
	}
	return h
}

const (
	smallBuffer = 4 << 10
	largeBuffer = 64 << 10

	// headWaits is how long a head waits for the first bytes of its body, which most
	// often come with it, and save a system call.
	headWaits = 2 * time.Millisecond
)

var (
	small = sync.Pool{New: func() any { return new([smallBuffer]byte) }}
	large = sync.Pool{New: func() any { return new([largeBuffer]byte) }}
)

// copyBody copies the body, each piece of it flushed.
func (r *request) copyBody(resp *http.Response) error {
	if resp.Body == http.NoBody {
		return nil
	}
	head := &r.head
	head.rc, head.body, head.panics = *http.NewResponseController(r.w), resp.Body, &r.panics
	head.timer = time.AfterFunc(headWaits, head.late)
	defer head.leave()
	first := small.Get().(*[smallBuffer]byte)
	defer small.Put(first)
	buf := first[:]
	for {
		n, err := resp.Body.Read(buf)
		head.leave()
		if n > 0 {
			if _, err := r.w.Write(buf[:n]); err != nil {
				return err
			}
		}
		switch {
		case err == io.EOF && resp.ContentLength >= 0:
			return nil
		case err == io.EOF:
			return head.rc.Flush() // net/http would give a short body a length that it did not have
		case err != nil:
			_ = head.rc.Flush() // what came before the loss; the loss says more than its error
			return err
		}
		if err := head.rc.Flush(); err != nil {
			return err
		}
		if n == smallBuffer && len(buf) == smallBuffer {
			more := large.Get().(*[largeBuffer]byte)
			defer large.Put(more)
			buf = more[:]
		}
	}
}

// A head is flushed alone when nothing follows it for a while.
type head struct {
	rc     http.ResponseController
	body   io.Closer
	panics *panics
	timer  *time.Timer
	mu     sync.Mutex
	gone   bool
}

// late flushes a head that has waited for long enough. The next write has its error.
func (h *head) late() {
	h.mu.Lock()
	defer h.mu.Unlock()
	if !h.gone && h.panics.call(h.rc.Flush) == errPanicked {
		h.body.Close() // whoever reads it need not wait for more
	}
}

// leave is called before anybody else writes, and as often as one likes.
func (h *head) leave() {
	if h.gone { // set by this goroutine alone
		return
	}
	h.timer.Stop()
	h.mu.Lock()
	h.gone = true
	h.mu.Unlock()
}
