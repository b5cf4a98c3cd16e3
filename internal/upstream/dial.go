package upstream

import (
	"context"
	"crypto/x509"
	"net"
	"net/http"

	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/fault"
	"github.com/farwire/farwire/internal/netio"
	"github.com/farwire/farwire/internal/rules"
)

// A Dialer opens connections to targets. The zero value is valid. It is safe
// for concurrent use and must not be changed meanwhile.
type Dialer struct {
	RootCAs *x509.CertPool // for TLS; nil: the system's

	// ProxyByAddress gives a client's proxy the address that the exit checked
	// instead of the target's name.
	ProxyByAddress bool

	Tickets *Tickets // nil: no TLS session is resumed
	Owner   string   // of the tickets: only who gives the same one resumes its sessions
}

// A Conn is a connection to a target whose upgrade is done.
type Conn struct {
	net.Conn
	Early       []byte // what came with the 101
	Subprotocol string
	Extensions  string      // as the target chose them; empty: none
	Header      http.Header // of the 101, without what belongs to the handshake
}

// WebSocket connects to the target through the exit, shakes hands, and follows
// redirects where the target wants that. The context bounds all of it; the
// connection outlives it. An answer that is no 101 is a *Refusal.
func (d *Dialer) WebSocket(ctx context.Context, exit agent.Exit, t *Target) (*Conn, error) {
	for {
		c, err := d.open(ctx, exit, t)
		to, err := t.follow(err)
		if to == nil {
			return c, err
		}
		t = t.redirected(to)
	}
}

// follow returns where a refusal leads to; nil when the matter ends there.
func (t *Target) follow(err error) (*URL, error) {
	refusal, ok := err.(*Refusal)
	if !ok || t.Redirects <= 0 {
		return nil, err
	}
	switch refusal.Status {
	case http.StatusMovedPermanently, http.StatusFound, http.StatusSeeOther, http.StatusTemporaryRedirect, http.StatusPermanentRedirect:
	default:
		return nil, err
	}
	to, bad := t.URL.Follow(refusal.Header.Get("Location"))
	switch {
	case bad != nil:
		return nil, refusal.because("it redirects to no address that can be followed")
	case t.URL.TLS && !to.TLS:
		return nil, refusal.because("it redirects from wss to ws")
	}
	return to, nil
}

func (d *Dialer) open(ctx context.Context, exit agent.Exit, t *Target) (_ *Conn, err error) {
	conn, err := d.dial(ctx, exit, t)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			conn.Close()
		}
	}()
	host := t.URL.Host
	if t.URL.TLS {
		with := t.TLS
		if d.Tickets != nil {
			with.Tickets = d.Tickets.of(d.Owner, exit.Key(), t.URL.Addr(), with)
		}
		secured, err := with.Handshake(ctx, netio.ForTLS(conn), d.RootCAs, host, "http/1.1")
		if err != nil {
			if exit.Report != nil {
				exit.Report(host, err)
			}
			return nil, err
		}
		conn = secured
	}
	c, err := shakeHands(ctx, conn, t)
	if exit.Report != nil {
		report(exit, host, err)
	}
	return c, err
}

// report tells the exit how the session began. Only answers that a target gives
// to an address that it does not like count against an exit.
func report(exit agent.Exit, host string, err error) {
	refusal, ok := err.(*Refusal)
	switch {
	case err == nil:
		exit.Report(host, nil)
	case ok && (refusal.Status == http.StatusForbidden || refusal.Status == http.StatusProxyAuthRequired || refusal.Status == http.StatusTooManyRequests):
		exit.Report(host, err)
	}
}

// dial connects to the target's port, through the client's proxy if there is one.
func (d *Dialer) dial(ctx context.Context, exit agent.Exit, t *Target) (net.Conn, error) {
	ctx = rules.WithScheme(ctx, t.URL.Scheme())
	if t.Proxy == nil {
		return exit.DialContext(ctx, "tcp", t.URL.Addr())
	}
	return d.dialProxy(ctx, exit, t.Proxy, t.URL.Addr())
}

// A Refusal is an answer to the upgrade that is no 101.
type Refusal struct {
	Status int
	Header http.Header
	Body   []byte // at most Target.Body bytes

	public *fault.Error
}

func (r *Refusal) Error() string { return r.public.Error() }

// Unwrap returns the public error.
func (r *Refusal) Unwrap() error { return r.public }

// because adds to the text why the answer ends the matter.
func (r *Refusal) because(why string) *Refusal {
	other := *r
	other.public = fault.New(fault.TargetRefused, r.public.Text+": "+why)
	return &other
}
