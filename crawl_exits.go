package farwire

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/farwire/farwire/agent"
)

// exits is the transport of one crawl: it sends every request through one
// exit, which it picks at the first, and through another that fits when that
// one is lost. An exit that was pinned is never replaced by another: it has a
// few seconds to come back.
type exits struct {
	g     *Gateway
	kind  Kind                    // of the session
	query agent.Query             // with those that were lost in Exclude
	fail  context.CancelCauseFunc // ends the crawl, because no exit is left
	note  func(text string)       // told when the exit changes

	open context.Context // ends with the crawl, and with it what is being dialled
	shut context.CancelFunc

	turn    chan struct{} // held to change what is below
	current *route
	routes  []*route // all that ever were
	failed  error    // of the route lost last

	requests atomic.Int64 // sent

	losses atomic.Int32 // since an exit last brought an answer
	worked atomic.Bool  // one has, ever
	lastID atomic.Pointer[string]
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

func newExits(g *Gateway, k Kind, q agent.Query, fail context.CancelCauseFunc, note func(string)) *exits {
	x := &exits{g: g, kind: k, query: q, fail: fail, note: note, turn: make(chan struct{}, 1)}
	x.open, x.shut = context.WithCancel(context.Background())
	return x
}

// close ends all connections. No request may be under way.
func (x *exits) close() {
	x.shut()
	for _, r := range x.routes {
		r.transport.CloseIdleConnections()
	}
}

// node returns the id of the exit used last; empty when there was none.
func (x *exits) node() string {
	if id := x.lastID.Load(); id != nil {
		return *id
	}
	return ""
}

// exit returns the one in use, for those who do not dial here.
func (x *exits) exit(ctx context.Context) (agent.Exit, error) {
	r, err := x.route(ctx)
	if err != nil {
		return agent.Exit{}, err
	}
	return r.exit, nil
}

// RoundTrip sends a request, which has no body, through an exit that works.
func (x *exits) RoundTrip(req *http.Request) (*http.Response, error) {
	ctx := req.Context()
	for {
		r, err := x.route(ctx)
		if err != nil {
			return nil, err
		}
		x.requests.Add(1)
		resp, err := x.send(r, req)
		if err == nil {
			x.worked.Store(true)
			x.losses.Store(0)
			return resp, nil
		}
		if ctx.Err() != nil {
			return nil, err
		}
		var dial *agent.DialError
		switch lost := r.lost.Load(); {
		case lost != nil:
			err = lost
		case !errors.As(err, &dial) || dial.Fault == agent.FaultTarget:
			return nil, err
		case dial.Fault == agent.FaultPolicy && x.worked.Load():
			// This exit goes where the crawl began; where this request goes is
			// forbidden, and another exit must not be talked into it.
			return nil, err
		}
		if err := x.drop(ctx, r, err); err != nil {
			return nil, err
		}
	}
}

// route returns the exit in use, or picks one.
func (x *exits) route(ctx context.Context) (*route, error) {
	if err := x.take(ctx); err != nil {
		return nil, err
	}
	defer x.give()
	for x.current == nil {
		exit, err := x.g.o.Agents.SelectAgent(ctx, x.query)
		switch {
		case err == nil:
			x.use(exit)
		case ctx.Err() != nil:
			return nil, context.Cause(ctx)
		case !errors.Is(err, agent.ErrNoAgent):
			return nil, x.giveUp(fmt.Errorf("agent selector: %w", err))
		case x.failed == nil:
			x.g.noAgent.Add(1)
			return nil, x.giveUp(noAgent(x.query))
		case !x.worked.Load() || x.losses.Load() >= maxLosses:
			return nil, x.giveUp(x.failed)
		default:
			x.query.Exclude = nil
			select {
			case <-time.After(time.Duration(x.losses.Add(1)) * comeBack):
			case <-ctx.Done():
				return nil, context.Cause(ctx)
			}
		}
	}
	return x.current, nil
}

// drop takes a lost exit out of use, unless another request has done so.
func (x *exits) drop(ctx context.Context, r *route, err error) error {
	if err := x.take(ctx); err != nil {
		return err
	}
	defer x.give()
	if x.current != r {
		return nil
	}
	x.g.o.Logger.DebugContext(ctx, "agent failed", "agent", r.exit.ID, "target", x.query.Host, "err", err)
	x.current, x.failed = nil, err
	x.losses.Add(1)
	x.query.Exclude = append(x.query.Exclude[:len(x.query.Exclude):len(x.query.Exclude)], r.exit.ID)
	r.transport.CloseIdleConnections()
	return nil
}

func (x *exits) use(exit agent.Exit) {
	r := &route{exit: exit}
	r.transport = &http.Transport{
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			return x.dial(ctx, r, network, addr)
		},
		TLSClientConfig:        &tls.Config{RootCAs: x.g.o.RootCAs},
		TLSHandshakeTimeout:    10 * time.Second,
		MaxConnsPerHost:        x.g.o.Crawl.Workers,
		MaxIdleConnsPerHost:    x.g.o.Crawl.Workers,
		IdleConnTimeout:        30 * time.Second,
		MaxResponseHeaderBytes: 256 << 10,
		ForceAttemptHTTP2:      true,
	}
	x.current, x.routes = r, append(x.routes, r)
	x.lastID.Store(&exit.ID)
	if x.failed != nil {
		x.note("The exit was lost; going on through " + exit.ID)
	}
}

// dial connects through the exit, whose guard sees every address. net/http may
// go on dialling for a request that has gone; not beyond the crawl.
func (x *exits) dial(ctx context.Context, r *route, network, addr string) (net.Conn, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	defer context.AfterFunc(x.open, cancel)()
	conn, err := r.exit.DialContext(ctx, network, addr)
	if err != nil {
		return nil, err
	}
	return &routeConn{conn, r}, nil
}

// send sends a request through a route, and says of the first how it went.
func (x *exits) send(r *route, req *http.Request) (*http.Response, error) {
	if r.reported.Swap(true) {
		return r.transport.RoundTrip(req)
	}
	ctx, done := x.g.traceDial(req.Context(), DialInfo{x.kind, r.exit.ID, x.query.Host})
	resp, err := r.transport.RoundTrip(req.WithContext(ctx))
	done(err)
	if r.exit.Report != nil {
		x.report(r, resp, err)
	}
	return resp, err
}

// report tells the exit how its route began.
func (x *exits) report(r *route, resp *http.Response, err error) {
	switch {
	case errors.As(err, new(*agent.DialError)): // it knows
	case err != nil:
		r.exit.Report(x.query.Host, err)
	case resp.StatusCode == http.StatusForbidden, resp.StatusCode == http.StatusProxyAuthRequired, resp.StatusCode == http.StatusTooManyRequests:
		r.exit.Report(x.query.Host, errors.New(resp.Status))
	default:
		r.exit.Report(x.query.Host, nil)
	}
}

func (x *exits) giveUp(err error) error {
	x.fail(err)
	return err
}

func (x *exits) take(ctx context.Context) error {
	select {
	case x.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

func (x *exits) give() { <-x.turn }

// A routeConn notes when it fails because its exit is lost: net/http wraps
// errors of connections in more ways than can be relied on.
type routeConn struct {
	net.Conn
	route *route
}

func (c *routeConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	return n, c.note(err)
}

func (c *routeConn) Write(b []byte) (int, error) {
	n, err := c.Conn.Write(b)
	return n, c.note(err)
}

func (c *routeConn) note(err error) error {
	var dial *agent.DialError
	if errors.As(err, &dial) && dial.Fault == agent.FaultAgent {
		c.route.lost.CompareAndSwap(nil, dial)
	}
	return err
}
