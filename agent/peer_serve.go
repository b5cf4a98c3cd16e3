package agent

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/netip"
	"runtime/debug"
	"slices"
	"time"

	"github.com/farwire/farwire/internal/attempts"
	"github.com/farwire/farwire/internal/safetext"
	"github.com/farwire/farwire/internal/upgrade"
)

// servePeer lets another gateway of the cluster open streams to the agents that
// this one holds.
func (p *Pool) servePeer(w http.ResponseWriter, r *http.Request) {
	c, h, secret := p.admitPeer(w, r)
	if secret == nil {
		return
	}
	from, caller := p.clientAddr(r), safetext.ASCII(h.caller, 128)
	h.holderNonce = newNonce()
	w.Header().Set(peerHeader, c.name)
	w.Header().Set(nonceHeader, h.holderNonce)
	w.Header().Set(proofHeader, h.prove(secret, "hold"))
	nc, early, err := upgrade.Switch(w, peerUpgrade)
	if err != nil {
		p.warnHost(from, "gateway cannot attach", err, "gateway", caller, "remote", from)
		if errors.As(err, new(*upgrade.HiddenError)) {
			refuseAttach(w, http.StatusInternalServerError, "the connection cannot be taken over: a middleware around this handler hides http.Hijacker")
		}
		return
	}
	p.mu.Lock()
	if p.draining {
		p.mu.Unlock()
		nc.Close()
		return
	}
	p.wg.Add(1) // with mu held, so that it comes before Shutdown's Wait
	p.mu.Unlock()
	nc = withEarly(nc, early)
	ctx := r.Context() // the link may live for days, and the request need not
	go func() {
		defer p.wg.Done()
		defer nc.Close()
		defer func() {
			if v := recover(); v != nil {
				p.log.Error("link of a gateway panicked", "gateway", caller, "remote", from, "panic", v, "stack", string(debug.Stack()))
			}
		}()
		if err := c.carry(nc, h, secret); errors.Is(err, errWrongProof) {
			p.wrong.Refused(ctx, p.log, from, "of", "gateway")
		} else if err != nil && p.ctx.Err() == nil {
			p.warn(from, "gateway did not attach", "gateway", caller, "remote", from, "err", err)
		}
	}()
}

// admitPeer checks that another gateway knows a secret of the cluster, and returns that and
// its hello. A gateway that does not is refused, and the secret nil.
func (p *Pool) admitPeer(w http.ResponseWriter, r *http.Request) (c *cluster, h peerHello, secret []byte) {
	p.mu.Lock()
	c, draining := p.cluster, p.draining
	p.mu.Unlock()
	if c == nil {
		refuseAttach(w, http.StatusForbidden, "this gateway is in no cluster")
		return nil, h, nil
	}
	h, proofs, ok := readPeerHello(r)
	h.holder = c.name
	if ok {
		secret = h.asked().shared(c.secrets(), "ask", proofs)
	}
	switch {
	case secret == nil && r.Header.Get(proofHeader) != "" && p.tooManyWrong(w, r, "gateway"):
		refuseAttach(w, http.StatusTooManyRequests, attempts.TooMany)
		return nil, h, nil
	case secret == nil:
		refuseAttach(w, http.StatusUnauthorized, "the proof of the cluster's secret is missing or wrong")
		return nil, h, nil
	case draining:
		w.Header().Set("Retry-After", "1")
		refuseAttach(w, http.StatusServiceUnavailable, "gateway is shutting down")
		return nil, h, nil
	}
	upgrade.KeyShown(r.Context())()
	return c, h, secret
}

// asked is the hello as the caller could make it: it knows neither the holder's
// name nor its number yet.
func (h peerHello) asked() peerHello {
	h.holder, h.holderNonce = "", ""
	return h
}

var errWrongProof = errors.New("the proof of the cluster's secret is wrong")

// carry checks the caller's last proof and serves its streams until the link ends.
func (c *cluster) carry(nc net.Conn, h peerHello, secret []byte) error {
	p := c.pool
	stop := context.AfterFunc(p.ctx, func() { nc.Close() })
	defer stop()
	nc.SetDeadline(time.Now().Add(handshakeTimeout))
	var proof peerProof
	if err := readMessage(nc, &proof, maxControl); err != nil {
		return err
	}
	if h.shared([][]byte{secret}, "call", []string{proof.Proof}) == nil {
		return errWrongProof
	}
	nc.SetDeadline(time.Time{})
	l := newAgentLink(&peerServer{cluster: c}, p.log.With("gateway", safetext.ASCII(h.caller, 128)))
	carried := &inflows{most: usualInflow} // of this gateway alone: each has proved that it belongs to the cluster
	l.inflow = carried.join(l.server.start)
	defer carried.leave(l.inflow)
	if err := l.begin(p.ctx, nc, peerTimes); err != nil {
		return err
	}
	defer l.mux.Close()
	p.mu.Lock()
	if p.draining {
		p.mu.Unlock()
		return nil
	}
	p.carried = append(p.carried, l)
	p.mu.Unlock()
	defer func() {
		p.mu.Lock()
		defer p.mu.Unlock()
		p.carried = slices.DeleteFunc(p.carried, func(other *agentLink) bool { return other == l })
	}()
	l.serve()
	return nil
}

// A peerServer serves another gateway's requests with the links of this one: never
// over a second hop.
type peerServer struct{ cluster *cluster }

// held is the entry of the agents of a key that this gateway holds itself.
func (s *peerServer) held(key string) (*entry, error) {
	p := s.cluster.pool
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range p.entries {
		if e.own != nil && remoteKey(e.exit) == key {
			return e, nil
		}
	}
	if e := s.cluster.entries[key]; e != nil && len(e.links) > 0 {
		return e, nil
	}
	return nil, &DialError{FaultAgent, causeNotHere}
}

func (s *peerServer) dial(ctx context.Context, r request, extra []Rules) (net.Conn, error) {
	e, err := s.held(r.Agent)
	if err != nil {
		return nil, err
	}
	ctx = WithRules(ctx, joined(extra))
	if e.own != nil {
		return e.exit.DialContext(ctx, r.Network, r.Addr)
	}
	return overHeld(ctx, s.cluster.pool, e, func(l route) (net.Conn, error) { return l.dial(ctx, r.Network, r.Addr) })
}

func (s *peerServer) resolve(ctx context.Context, r request, extra []Rules) ([]netip.Addr, error) {
	e, err := s.held(r.Agent)
	if err != nil {
		return nil, err
	}
	ctx = WithRules(ctx, joined(extra))
	if e.own == nil {
		return overHeld(ctx, s.cluster.pool, e, func(l route) ([]netip.Addr, error) { return l.resolve(ctx, r.Addr) })
	}
	if e.exit.Resolve == nil {
		return nil, &DialError{FaultAgent, causeLookup}
	}
	return e.exit.Resolve(ctx, r.Addr)
}

// overHeld does something over a link of this gateway's own. One whose agent is about
// to leave does not count: a gateway that asks finds the agent elsewhere.
func overHeld[T any](ctx context.Context, p *Pool, e *entry, do func(route) (T, error)) (T, error) {
	p.mu.Lock()
	links := e.usable(rulesOf(ctx))
	p.mu.Unlock()
	got, err := overOwn(ctx, links, do)
	if errors.Is(err, errNoLink) {
		err = &DialError{FaultAgent, causeNotHere}
	}
	return got, err
}

func (s *peerServer) call(ctx context.Context, body []byte) ([]byte, error) {
	p := s.cluster.pool
	p.mu.Lock()
	answer := p.answer
	p.mu.Unlock()
	if answer == nil {
		return nil, causeFailed
	}
	return answer(ctx, body)
}

func (s *peerServer) enter(l *agentLink) cause {
	if l.draining.Load() {
		return causeGatewayBye
	}
	return ""
}

func (s *peerServer) leave()         {}
func (s *peerServer) began(*session) {}
func (s *peerServer) ended(*session) {}

// move is for agents.
func (s *peerServer) move(*agentLink) {}

func (s *peerServer) start(work func()) { s.cluster.pool.wg.Go(work) }
func (s *peerServer) hold()             { s.cluster.pool.wg.Add(1) }
func (s *peerServer) release()          { s.cluster.pool.wg.Done() }

// joined is what all of the rules allow together. A gateway sends none with an
// Allow but the caller's own.
func joined(all []Rules) (sum Rules) {
	for _, r := range all {
		sum.PublicOnly = sum.PublicOnly || r.PublicOnly
		sum.Deny = append(sum.Deny, r.Deny...)
		if len(r.Allow) > 0 {
			sum.Allow = r.Allow
		}
		switch {
		case len(r.Ports) > 0 && len(sum.Ports) > 0:
			sum.Ports = slices.DeleteFunc(slices.Clone(sum.Ports), func(p uint16) bool { return !slices.Contains(r.Ports, p) })
			if len(sum.Ports) == 0 {
				sum.Ports = []uint16{0} // no port is allowed
			}
		case len(r.Ports) > 0:
			sum.Ports = r.Ports
		}
	}
	return sum
}

// The longest question and answer of gateways.
const (
	maxQuestion = 64 << 10
	maxReply    = 16 << 20
)

// call answers a question of another gateway: the stream carries it behind the
// request, up to its end, and the answer likewise.
func (l *agentLink) call(stream interface {
	io.ReadWriteCloser
	Reset() error
}, r request) {
	ctx, cancel := context.WithTimeout(context.Background(), r.timeout())
	defer cancel()
	stop := context.AfterFunc(ctx, func() { stream.Reset() })
	defer stop()
	question, err := io.ReadAll(io.LimitReader(stream, maxQuestion+1))
	if err != nil || len(question) > maxQuestion {
		stream.Reset()
		return
	}
	reply, err := l.server.call(ctx, question)
	a := answer{}
	if err != nil {
		a = failure(&DialError{FaultAgent, err})
	}
	if writeMessage(stream, a, maxAnswer) != nil {
		return // the stream is gone
	}
	if _, err := stream.Write(reply); err != nil {
		return
	}
	stream.Close()
}
