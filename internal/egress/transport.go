package egress

import (
	"cmp"
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"

	"crypto/tls"

	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/fault"
	"github.com/farwire/farwire/internal/http1"
	"github.com/farwire/farwire/internal/rules"
	"github.com/farwire/farwire/internal/safetext"
)

// A Transport is an http.RoundTripper that sends every request through one
// exit, which it picks at the first, and through another that fits when that one
// is lost. An exit that was pinned is never replaced by another: it has a few
// seconds to come back. It is safe for concurrent use.
type Transport struct {
	o Options

	open context.Context // ends with Close, and with it what is being picked and dialled
	shut context.CancelFunc

	turn    chan struct{} // held to change what is below
	query   agent.Query   // with those that were lost in Exclude
	current *route
	routes  []*route // all that ever were
	failed  error    // of the route lost last

	requests atomic.Int64

	losses atomic.Int32 // since an exit last brought an answer
	worked atomic.Bool  // one has, ever
	lastID atomic.Pointer[string]
}

// Options is what a Transport is made of.
type Options struct {
	Egress  *Egress
	Query   agent.Query
	RootCAs *x509.CertPool // nil: the system's
	Conns   int            // to one host at a time, at most; zero: no limit

	// Permit is asked for each request: the exit's own guard is for dials, and a kept
	// connection is not dialled. Nil: all are allowed.
	Permit func(ctx context.Context, host string, port uint16) (rules.Addresses, error)

	Failed  func(error)      // told once no exit is left; nil: nobody
	Changed func(agent.Exit) // told when another exit is taken; nil: nobody
}

// A route is one exit with its connections.
type route struct {
	exit      agent.Exit
	transport *http.Transport
	lost      atomic.Pointer[agent.DialError] // what the exit's own connections said
	reported  atomic.Bool
}

const (
	maxLosses = 4
	comeBack  = 500 * time.Millisecond // times the losses so far
)

// NewTransport returns a Transport that has picked no exit yet. Close ends it, and so
// does ctx, with which exits are picked: the first request picks one for all, and its own
// time may be over before the selector's is.
func NewTransport(ctx context.Context, o Options) *Transport {
	t := &Transport{o: o, query: o.Query, turn: make(chan struct{}, 1)}
	t.open, t.shut = context.WithCancel(ctx)
	return t
}

// Close ends all connections. No request may be under way.
func (t *Transport) Close() {
	t.shut()
	for _, r := range t.routes {
		r.transport.CloseIdleConnections()
	}
}

// ExitID returns the id of the exit used last; empty when there was none.
func (t *Transport) ExitID() string {
	if id := t.lastID.Load(); id != nil {
		return *id
	}
	return ""
}

// Requests returns how many requests were sent, those that failed included.
func (t *Transport) Requests() int64 { return t.requests.Load() }

// Exit returns the exit in use, for those who do not dial here.
func (t *Transport) Exit(ctx context.Context) (agent.Exit, error) {
	r, err := t.route(ctx)
	if err != nil {
		return agent.Exit{}, err
	}
	return r.exit, nil
}

// RoundTrip sends a request through an exit that works. A request with a body
// that cannot be had again (GetBody is nil) is sent once.
func (t *Transport) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx := rules.WithScheme(req.Context(), req.URL.Scheme)
	req = req.WithContext(ctx)
	if err := t.permit(ctx, req.URL); err != nil {
		return nil, err
	}
	for first := true; ; first = false {
		r, err := t.route(ctx)
		if err != nil {
			return nil, err
		}
		if !first {
			if req, err = again(req); err != nil {
				return nil, err
			}
		}
		t.requests.Add(1)
		resp, err := t.send(r, req)
		if err == nil {
			t.worked.Store(true)
			t.losses.Store(0)
			return resp, nil
		}
		if ctx.Err() != nil {
			return nil, err
		}
		var dial *agent.DialError
		switch lost := r.lost.Load(); {
		case lost != nil:
			err = lost
		case !errors.As(err, &dial) || stays(t.query, dial):
			return nil, err
		case dial.Fault == agent.FaultPolicy && t.worked.Load():
			// This exit goes where the first request went; where this one goes
			// is forbidden, and another exit must not be talked into it.
			return nil, err
		}
		if err := t.drop(ctx, r, err); err != nil {
			return nil, err
		}
		if req.Body != nil && req.Body != http.NoBody && req.GetBody == nil {
			return nil, err
		}
	}
}

// permit asks whether an address may be asked for.
func (t *Transport) permit(ctx context.Context, u *url.URL) error {
	if t.o.Permit == nil {
		return nil
	}
	port, err := strconv.ParseUint(cmp.Or(u.Port(), map[string]string{"http": "80", "https": "443"}[u.Scheme]), 10, 16)
	if err != nil {
		return fmt.Errorf("asking for a page: %w", err)
	}
	_, err = t.o.Permit(ctx, rules.Host(u.Hostname()), uint16(port))
	return err
}

// again returns the request with its body from the beginning.
func again(req *http.Request) (*http.Request, error) {
	if req.Body == nil || req.GetBody == nil {
		return req, nil
	}
	body, err := req.GetBody()
	if err != nil {
		return nil, err
	}
	req = req.Clone(req.Context())
	req.Body = body
	return req, nil
}

// route returns the exit in use, or picks one.
func (t *Transport) route(ctx context.Context) (*route, error) {
	if err := t.take(ctx); err != nil {
		return nil, err
	}
	defer t.give()
	for t.current == nil {
		exit, err := t.o.Egress.Agents.SelectAgent(t.open, t.query)
		exit = exit.Enforce()
		switch {
		case err == nil:
			t.use(exit)
		case t.open.Err() != nil && !(fault.IsTimeout(t.open.Err()) && fault.IsTimeout(err)):
			return nil, context.Cause(t.open) // else the selector has taken all the time
		case t.failed == nil, !errors.Is(err, agent.ErrNoAgent):
			return nil, t.giveUp(t.o.Egress.unavailable(t.query, err))
		case !t.worked.Load() || t.losses.Load() >= maxLosses:
			return nil, t.giveUp(t.failed)
		default:
			t.query.Exclude = t.o.Query.Exclude
			select {
			case <-time.After(time.Duration(t.losses.Add(1)) * comeBack):
			case <-ctx.Done():
				return nil, context.Cause(ctx)
			}
		}
	}
	return t.current, nil
}

// drop takes a lost exit out of use, unless another request has done so.
func (t *Transport) drop(ctx context.Context, r *route, err error) error {
	if err := t.take(ctx); err != nil {
		return err
	}
	defer t.give()
	if t.current != r {
		return nil
	}
	t.o.Egress.Logger.DebugContext(ctx, "agent failed", "agent", r.exit.ID, "target", t.query.Host, "err", err)
	t.current, t.failed = nil, err
	t.losses.Add(1)
	t.query.Exclude = without(t.query.Exclude, r.exit)
	r.transport.CloseIdleConnections()
	return nil
}

func (t *Transport) use(exit agent.Exit) {
	r := &route{exit: exit}
	r.transport = &http.Transport{
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			return t.dial(ctx, r, network, addr)
		},
		TLSClientConfig:        &tls.Config{RootCAs: t.o.RootCAs},
		TLSHandshakeTimeout:    10 * time.Second,
		MaxConnsPerHost:        t.o.Conns,
		MaxIdleConnsPerHost:    t.o.Conns,
		IdleConnTimeout:        30 * time.Second,
		MaxResponseHeaderBytes: http1.MaxHead,
		ForceAttemptHTTP2:      true,
	}
	t.current, t.routes = r, append(t.routes, r)
	t.lastID.Store(&exit.ID)
	if t.failed != nil && t.o.Changed != nil {
		t.o.Changed(exit)
	}
}

// dial connects through the exit, whose guard sees every address. net/http may
// go on dialling for a request that has gone; not beyond Close.
func (t *Transport) dial(ctx context.Context, r *route, network, addr string) (net.Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(t.open, cancel)()
	conn, err := r.exit.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return exitLossConn{conn, &r.lost}, nil
}

// send sends a request through a route, and says of the first how it went.
func (t *Transport) send(r *route, req *http.Request) (*http.Response, error) {
	if r.reported.Swap(true) {
		return r.roundTrip(req)
	}
	ctx, done := req.Context(), func(error) {}
	if t.o.Egress.Attempt != nil {
		ctx, done = t.o.Egress.Attempt(ctx, r.exit, t.query)
	}
	resp, err := r.roundTrip(req.WithContext(ctx))
	done(err)
	if r.exit.Report != nil {
		t.report(r, resp, err)
	}
	return resp, err
}

func (r *route) roundTrip(req *http.Request) (*http.Response, error) {
	resp, err := r.transport.RoundTrip(req)
	if err != nil {
		err = safetext.WithoutRepeats(err)
	}
	return resp, err
}

// report tells the exit how its route began.
func (t *Transport) report(r *route, resp *http.Response, err error) {
	var dial *agent.DialError
	switch {
	case errors.As(err, &dial): // it knows
	case err != nil:
		r.exit.Report(t.query.Host, err)
	case resp.StatusCode == http.StatusForbidden, resp.StatusCode == http.StatusProxyAuthRequired, resp.StatusCode == http.StatusTooManyRequests:
		r.exit.Report(t.query.Host, errors.New(resp.Status))
	default:
		r.exit.Report(t.query.Host, nil)
	}
}

func (t *Transport) giveUp(err error) error {
	if t.o.Failed != nil {
		t.o.Failed(err)
	}
	return err
}

func (t *Transport) take(ctx context.Context) error {
	select {
	case t.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (t *Transport) give() { <-t.turn }
