package farwire

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/egress"
	"github.com/farwire/farwire/internal/fault"
	"github.com/farwire/farwire/internal/forward"
	"github.com/farwire/farwire/internal/opening"
	"github.com/farwire/farwire/internal/origin"
	"github.com/farwire/farwire/internal/pathform"
	"github.com/farwire/farwire/internal/upgrade"
)

// PathForm returns the handler that sends any HTTP request and any WebSocket to
// any target, by its URL alone:
//
//	/to/OPTIONS/SCHEME/HOST[:PORT]/PATH?QUERY
//	/to/geo=DE/https/api.example.com/v1/items?page=2
//
// OPTIONS is "-", or name=value pairs with ";" between them: key, geo, agent,
// session, timeout, idle_timeout and cookies. The path and the query reach the
// target byte for byte, so the handler must be asked before a ServeMux, which
// cleans paths:
//
//	path := gw.PathForm()
//	http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
//		if farwire.IsPathForm(r) {
//			path.ServeHTTP(w, r)
//			return
//		}
//		mux.ServeHTTP(w, r)
//	})
//
// Answers are flushed as they arrive; redirects are not followed. Headers by
// which a target could act on the host's origin in a browser are changed: see
// docs/security.md, which recommends a separate host name.
func (g *Gateway) PathForm() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if pathform.IsPreflight(r) {
			pathform.Preflight(w.Header(), r.Header)
			w.WriteHeader(http.StatusNoContent)
			return
		}
		kind, serve := KindHTTP, (*Gateway).forward
		if opening.IsWebSocket(r) {
			kind, serve = KindRelay, (*Gateway).relayByPath
		}
		to, err := pathform.Parse(r.RequestURI)
		if err == nil && kind == KindRelay {
			err = opening.Check(w, r)
		}
		if err == nil {
			err = serve(g, w, r, to)
		}
		if err != nil {
			g.noteRefused(r.Context(), kind, g.o.ClientAddr(r), err)
			g.failPath(w, r, err)
		}
	})
}

// IsPathForm reports whether a request is one for [Gateway.PathForm]: whether its path
// begins with /to/.
func IsPathForm(r *http.Request) bool { return pathform.IsPath(r.RequestURI) }

// A forwarding is one request of the path form or the forward proxy on its way.
type forwarding struct {
	g            *Gateway
	s            *session
	w            http.ResponseWriter
	r            *http.Request
	to           *pathform.Request
	ctx          context.Context         // ends with the client's, and with cut
	cut          context.CancelCauseFunc // ends ctx, and the request with it
	dialDeadline time.Time               // until when the target must be connected

	query    agent.Query
	reuseKey string // names those who may use its connection later

	idle *egress.IdleClock // nil: no limit

	// Set while ServeHTTP runs.
	writes  forward.Limit
	body    *egress.Body // nil: the request has none
	bodyEnd atomic.Bool  // the body has been read to its end
	exit    agent.Exit
	status  int
	err     error
	whole   bool        // the answer has reached its end
	counted countedBody // of the answer

	toTarget, toClient atomic.Int64
}

// Shutdown ends the request, unless the gateway drains: then it is finished.
func (f *forwarding) Shutdown(cause error) {
	if !errors.Is(cause, errDraining) {
		f.cut(cause)
	}
}

// Abort cuts it.
func (f *forwarding) Abort() { f.cut(errDraining) }

// Counters returns the bytes of bodies so far.
func (f *forwarding) Counters() Counters {
	return Counters{BytesToTarget: f.toTarget.Load(), BytesToClient: f.toClient.Load()}
}

// forward sends a request on and its answer back. Its error is why no session has begun.
func (g *Gateway) forward(w http.ResponseWriter, r *http.Request, to *pathform.Request) error {
	ctx, cut := context.WithCancelCause(r.Context())
	s := g.newSession(context.WithoutCancel(ctx), KindHTTP)
	f := &forwarding{g: g, s: s, w: w, r: r, to: to, ctx: ctx, cut: cut}
	s.ctx, s.stop, s.carrier = ctx, cut, f // one context for both: it ends with the request
	if err := g.register(s); err != nil {
		return err
	}
	f.writes.Start(ctx, w, closeTimeout)
	defer func() {
		v := recover()
		f.writes.Release(v == nil)
		if v != nil && v != http.ErrAbortHandler {
			f.err = fmt.Errorf("panic: %v", v)
		}
		how := f.result()
		cut(nil)
		f.body.Stop()
		s.end(how)
		if v != nil {
			panic(v) // mostly http.ErrAbortHandler, which cuts an answer that is not whole
		}
	}()
	header := r.Header.Clone()
	if err := f.admit(header); err != nil {
		f.fail(err)
		return nil
	}
	defer f.idle.Stop()
	s.reached("", to.Target())
	if to.Absolute && forward.IsLast(r.Method, header) {
		f.status, f.whole = http.StatusOK, true
		f.writes.Begin()
		w.Header().Set("X-Farwire-From", "gateway")
		pathform.Strip(header, g.o.StripHeaders)
		forward.AnswerAsLast(w, r, header)
		return nil
	}
	delete(header, "Upgrade") // another protocol than WebSocket is not passed
	// Both ways at once; HTTP/2 does so by itself, and says that it cannot be told.
	_ = http.NewResponseController(w).EnableFullDuplex()
	if !forward.Serve(ctx, f, upgrade.Flushing(w), r, header) {
		if cause := context.Cause(ctx); cause != nil {
			f.err = cause // which the body's own error hides
		}
		forward.ResetOldClient(w, r)
		panic(http.ErrAbortHandler) // it cannot be ended otherwise
	}
	f.whole = f.err == nil
	return nil
}

// admit finds out whose request it is and what it asks for. It takes our credentials
// out of header.
func (f *forwarding) admit(header http.Header) error {
	seen, err := f.g.readPathAuth(f.r, f.to, header)
	if err != nil {
		return err
	}
	seen.bucket = BucketHTTP
	if err := f.s.admit(f.ctx, seen); err != nil {
		return err
	}
	return f.prepare(f.ctx)
}

// prepare reads what the options ask for.
func (f *forwarding) prepare(ctx context.Context) error {
	o := &f.to.Options
	host, service := f.to.HostPort()
	sticky := f.to.Sticky()
	f.query = agent.Query{Subject: f.s.Subject, Host: host, Session: sticky}
	if err := egress.ParseFilter(&f.query, o.Geo, o.Agent); err != nil {
		return err
	}
	// The exit asks permit when it dials, but a kept connection is not dialled.
	port, err := strconv.ParseUint(service, 10, 16)
	if err != nil {
		return err
	}
	target := Target{Kind: KindHTTP, Scheme: f.to.Scheme, Host: host, Port: uint16(port)}
	if _, err := f.g.permit(ctx, *f.s.principal, target); err != nil {
		return err
	}
	f.dialDeadline = time.Now().Add(cmp.Or(o.Timeout, dialTimeout))
	f.reuseKey = f.s.principal.reuseKey(sticky)
	if o.Idle > 0 {
		f.idle = egress.NewIdleClock(o.Idle, func() { f.cut(errIdle) })
	}
	return nil
}

// Rewrite makes the request for the target.
func (f *forwarding) Rewrite(out *http.Request) {
	out.URL, out.Host = f.to.URL(out.Method), f.to.HostHeader()
	f.to.Outgoing(out.Header, f.s.Subject, f.g.o.StripHeaders)
}

// Modify changes the target's answer.
func (f *forwarding) Modify(resp *http.Response) error {
	switch {
	case resp.StatusCode == http.StatusSwitchingProtocols:
		return fault.New(fault.TargetRefused, "target switched protocols without being asked")
	case resp.StatusCode < http.StatusOK:
		return fault.New(fault.TargetRefused, "target did not answer in HTTP")
	}
	f.status = resp.StatusCode
	a := f.answer()
	a.Node = f.exit.ID
	f.to.Incoming(resp.Header, a)
	f.closeBehind()
	if resp.Body != http.NoBody {
		f.counted = countedBody{resp.Body, f}
		resp.Body = &f.counted
	}
	f.writes.Begin()
	return nil
}

func (f *forwarding) answer() pathform.Answer {
	return pathform.Answer{Caller: f.s.Subject, Request: f.r.Header, HTTPS: origin.OverTLS(f.r)}
}

// Early changes the headers of an answer that comes before the one that counts (1xx).
func (f *forwarding) Early(h http.Header) { f.idle.Touch(); f.to.Early(h, f.answer()) }

// Closing changes the request's trailers.
func (f *forwarding) Closing(h http.Header) { f.to.Closing(h, f.g.o.StripHeaders) }

// Trailing changes the answer's trailers.
func (f *forwarding) Trailing(h http.Header) { f.to.Trailing(h) }

// Fail answers in the target's place.
func (f *forwarding) Fail(err error) {
	if cause := f.ended(); cause != nil {
		err = cause
	}
	f.fail(err)
}

// RoundTrip sends the request through an exit that fits, and through another when
// that one fails and the target may be sent the request again.
func (f *forwarding) RoundTrip(req *http.Request) (*http.Response, error) {
	var resp *http.Response
	if req.Body != nil && req.Body != http.NoBody {
		f.body = egress.NewBody(clientBody{req.Body, f})
	}
	exit, err := f.s.reach(req.Context(), f.query, func(ctx context.Context, e agent.Exit) error {
		var sent atomic.Bool
		var err error
		out := req
		if ctx != req.Context() { // somebody who traces has made another
			out = req.WithContext(ctx)
		}
		resp, err = f.g.conns.RoundTrip(out, egress.ConnOptions{Key: f.reuseKey, Exit: e,
			Deadline: f.dialDeadline, Timeout: errTimeout, Body: f.body, Sent: &sent, Idle: f.idle})
		switch {
		case err == nil:
			return nil
		case (!sent.Load() || egress.Repeatable(req)) && f.body.Unsent() && time.Now().Before(f.dialDeadline):
			return err
		}
		// Another exit would get the rest of the body, or the target the request twice.
		return egress.Final(err)
	})
	f.exit = exit
	f.s.reached(exit.ID, f.to.Target())
	return resp, err
}

func (f *forwarding) fail(err error) {
	w, r := f.w, f.r
	f.err, f.status = err, public(err).Status
	if r.Context().Err() != nil && f.ended() == nil { // the client has left, or half closed
		f.err, f.status, err = errClientGone, 0, errClientGone
	}
	if f.exit.ID != "" {
		w.Header().Set("X-Farwire-Node", f.exit.ID)
	}
	f.closeBehind()
	f.g.failForm(w, r, f.to, err)
}

// closeBehind has net/http close the client's connection behind an answer that comes
// before the end of the request's body. When both go at once net/http reads the rest beside
// the next request, which it panics at, and takes what stands behind invalid chunks for it.
func (f *forwarding) closeBehind() {
	if f.body != nil && f.r.ProtoMajor == 1 && !f.bodyEnd.Load() {
		f.w.Header().Set("Connection", "close")
	}
}

// result says how the request went.
func (f *forwarding) result() SessionResult {
	out := SessionResult{Agent: f.exit.ID, Target: f.to.Target(), EndedBy: EndedByTarget, Code: f.status, Err: f.err,
		BytesToTarget: f.toTarget.Load(), BytesToClient: f.toClient.Load()}
	switch {
	case f.whole && f.exit.DialContext == nil:
		out.EndedBy = EndedByGateway // which answered as the last hop (Max-Forwards)
	case f.whole:
	case f.r.Context().Err() != nil && f.ended() == nil:
		out.EndedBy = EndedByClient
		if errors.Is(out.Err, context.Canceled) || f.status != 0 {
			out.Err = nil // closing an event stream is how one ends it
		}
	case errors.Is(out.Err, errIdle):
		out.EndedBy = EndedByGateway
	case out.Err != nil:
		out.EndedBy = endedBy(out.Err)
	}
	return out
}

// ended returns why the gateway ended the request; nil: it did not, or the client had left
// before. The request's own context cannot tell: a write that is cut makes net/http cancel
// it, as if the client had left.
func (f *forwarding) ended() error {
	cause := context.Cause(f.ctx)
	if cause == nil || errors.Is(context.Cause(f.r.Context()), cause) {
		return nil
	}
	return cause
}

// moved counts bytes of a body, and restarts the idle clock.
func (f *forwarding) moved(n int, count *atomic.Int64) {
	count.Add(int64(n))
	if n > 0 {
		f.idle.Touch()
	}
}

// A countedBody counts what a target sends, and restarts the idle clock.
type countedBody struct {
	io.ReadCloser
	f *forwarding
}

func (b *countedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	b.f.moved(n, &b.f.toClient)
	if err != nil && err != io.EOF {
		b.f.err = fault.Wrap(fault.TargetLost, "target lost", err)
	}
	return n, err
}

// A clientBody counts what a client sends, and restarts the idle clock.
type clientBody struct {
	io.Reader
	f *forwarding
}

// Read has an error for a body that is not valid, because whoever sends it on would blame
// the target. A client that has left ends the request's context before.
func (b clientBody) Read(p []byte) (int, error) {
	n, err := b.Reader.Read(p)
	b.f.moved(n, &b.f.toTarget)
	var large *http.MaxBytesError
	switch {
	case err == io.EOF:
		b.f.bodyEnd.Store(true)
	case err == nil, b.f.ctx.Err() != nil:
	case errors.As(err, &large): // of a host's middleware
		err = fault.Newf(fault.TooLarge, "the body of the request is larger than %d bytes", large.Limit)
	default:
		err = fault.Wrap(fault.BadRequest, "the body of the request is not valid", err)
	}
	return n, err
}
