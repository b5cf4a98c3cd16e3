package agent

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/libp2p/go-yamux/v5"

	"github.com/farwire/farwire/internal/netio"
)

// A peerLink is this gateway's connection to another one, over which it opens
// streams to the agents that the other holds. It is made when it is needed.
type peerLink struct {
	made   chan struct{} // closed when link, err and failed are known
	link   *link
	err    error
	failed time.Time
}

const (
	// peerTimeout is how long a dial waits for another gateway to let this one in,
	// before it looks for another holder of the agent.
	peerTimeout = time.Second
	// peerIdle is how long a connection without a stream is kept.
	peerIdle = 60 * time.Second
	// peerPause is how long a gateway that did not let this one in is left alone.
	peerPause = time.Second
	// peerWarn is how often the log says so.
	peerWarn = time.Minute
)

// peerTo returns the link to another gateway, made now if it is missing.
func (c *cluster) peerTo(ctx context.Context, g remoteGateway) (*link, error) {
	c.peers.Lock()
	made := c.peers.links[g.name]
	if made == nil || made.over() {
		made = &peerLink{made: make(chan struct{})}
		maps.DeleteFunc(c.peers.links, func(_ string, old *peerLink) bool { return old.over() })
		c.peers.links[g.name] = made
		p := c.pool
		p.mu.Lock()
		draining := p.ctx.Err() != nil
		if !draining {
			p.wg.Add(1) // with mu held, so that it comes before Shutdown's Wait
		}
		p.mu.Unlock()
		if draining {
			made.err, made.failed = &DialError{FaultAgent, causeGatewayBye}, time.Now()
			close(made.made)
		} else {
			go func() {
				defer p.wg.Done()
				c.keepPeer(made, g)
			}()
		}
	}
	c.peers.Unlock()
	late := time.NewTimer(peerTimeout)
	defer late.Stop()
	select {
	case <-made.made:
		return made.link, made.err
	case <-late.C: // it may still come to stand, for whoever asks again
		return nil, &DialError{FaultAgent, fmt.Errorf("%w: it does not answer", causeGatewayLost)}
	case <-ctx.Done():
		return nil, &DialError{FaultAgent, ctx.Err()}
	}
}

// live are the links to other gateways that have not ended.
func (c *cluster) live() []*link {
	if c == nil {
		return nil
	}
	c.peers.Lock()
	defer c.peers.Unlock()
	return slices.Collect(maps.Keys(c.peers.live))
}

// over reports whether a link was made and is of no use any more.
func (l *peerLink) over() bool {
	select {
	case <-l.made:
		return l.err != nil && time.Since(l.failed) > peerPause || l.err == nil && (l.link.mux.IsClosed() || l.link.draining.Load() || l.link.unwanted.Load())
	default:
		return false
	}
}

// keepPeer makes a link and reads its control stream until it ends.
func (c *cluster) keepPeer(made *peerLink, g remoteGateway) {
	log := c.pool.log.With("gateway", g.name)
	ctx, cancel := context.WithTimeout(c.pool.ctx, handshakeTimeout)
	nc, l, err := c.linkPeer(ctx, g)
	cancel()
	if err != nil {
		made.err, made.failed = &DialError{FaultAgent, fmt.Errorf("%w: %v", causeGatewayLost, err)}, time.Now()
		close(made.made)
		level := slog.LevelDebug
		if c.warns(g.name) {
			level = slog.LevelWarn
		}
		log.Log(c.pool.ctx, level, "gateway cannot be reached", "err", err)
		return
	}
	defer nc.Close()
	defer l.mux.Close()
	l.log = log
	c.peers.Lock()
	c.peers.live[l] = struct{}{}
	c.peers.Unlock()
	defer func() {
		c.peers.Lock()
		delete(c.peers.live, l)
		c.peers.Unlock()
	}()
	made.link = l
	close(made.made)
	stop := context.AfterFunc(c.pool.ctx, func() { l.mux.Close() })
	defer stop()
	log.Debug("linked to a gateway")
	c.pool.wg.Go(l.leaveWhenIdle)
	reason := l.control()
	log.Debug("link to a gateway ended", "reason", reason, "sessions", l.sessions.Load())
}

// warns reports whether the log says again that a gateway cannot be reached.
func (c *cluster) warns(gateway string) bool {
	c.peers.Lock()
	defer c.peers.Unlock()
	for name, at := range c.peers.warned {
		if time.Since(at) > peerWarn {
			delete(c.peers.warned, name)
		}
	}
	if _, lately := c.peers.warned[gateway]; lately {
		return false
	}
	c.peers.warned[gateway] = time.Now()
	return true
}

// linkPeer dials another gateway and has both prove who they are.
func (c *cluster) linkPeer(ctx context.Context, g remoteGateway) (net.Conn, *link, error) {
	u, err := g.advertised()
	if err != nil {
		return nil, nil, err
	}
	nc, state, err := dialPeer(ctx, u)
	if err != nil {
		return nil, nil, err
	}
	stop := context.AfterFunc(ctx, func() { nc.Close() })
	defer stop()
	up, err := c.provePeer(ctx, nc, state, u, g.name)
	if err != nil {
		nc.Close()
		return nil, nil, err
	}
	l := c.pool.newLink()
	l.peer, l.knowsRules = g.name, true
	if l.mux, err = gatewayMux(&frameReader{Conn: netio.Socket(up), to: l}, peerTimes); err != nil {
		nc.Close()
		return nil, nil, err
	}
	l.ctl, err = l.mux.AcceptStream()
	if err == nil && !stop() {
		err = ctx.Err()
	}
	if err != nil {
		l.mux.Close()
		nc.Close()
		return nil, nil, err
	}
	return up, l, nil
}

// dialPeer connects to another gateway. Its certificate is nobody's business: both
// prove on top of TLS who they are.
func dialPeer(ctx context.Context, u *url.URL) (net.Conn, *tls.ConnectionState, error) {
	d := net.Dialer{KeepAliveConfig: netio.KeepAlive}
	clear := u.Scheme == "http"
	d.ControlContext = func(_ context.Context, _, address string, _ syscall.RawConn) error {
		return peerAddress(address, clear)
	}
	nc, err := d.DialContext(ctx, "tcp", net.JoinHostPort(u.Hostname(), strconv.Itoa(int(portOf(u)))))
	if err != nil || clear {
		return nc, nil, err
	}
	tc := tls.Client(nc, &tls.Config{ServerName: u.Hostname(), InsecureSkipVerify: true, MinVersion: tls.VersionTLS13,
		NextProtos: []string{"http/1.1"}})
	if err := tc.HandshakeContext(ctx); err != nil {
		nc.Close()
		return nil, nil, err
	}
	state := tc.ConnectionState()
	return tc, &state, nil
}

// peerAddress is why a gateway does not connect to another one's address, which TLS
// protects or not.
func peerAddress(address string, clear bool) error {
	ap, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	if a := ap.Addr().Unmap(); clear && !a.IsLoopback() && !a.IsPrivate() {
		return errors.New("without TLS a gateway connects to loopback and private addresses only; advertise https://")
	}
	return nil
}

// provePeer has the connection upgraded and both ends prove that they know a secret
// in common. The connection that it returns has what came behind the answer.
func (c *cluster) provePeer(ctx context.Context, nc net.Conn, state *tls.ConnectionState, u *url.URL, name string) (net.Conn, error) {
	h := peerHello{caller: c.name, callerNonce: newNonce(), time: strconv.FormatInt(time.Now().UnixMilli(), 10)}
	var err error
	if h.binding, err = bindingOf(state); err != nil {
		return nil, err
	}
	secrets := c.secrets()
	var proofs []string
	for _, s := range secrets {
		proofs = append(proofs, h.prove(s, "ask"))
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return nil, err
	}
	for name, value := range map[string]string{
		"Connection": "Upgrade", "Upgrade": peerUpgrade, peerHeader: h.caller,
		nonceHeader: h.callerNonce, timeHeader: h.time, proofHeader: strings.Join(proofs, ","),
	} {
		req.Header.Set(name, value)
	}
	if err := req.Write(nc); err != nil {
		return nil, err
	}
	br := bufio.NewReader(&io.LimitedReader{R: nc, N: maxHead})
	resp, err := http.ReadResponse(br, req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusSwitchingProtocols || !hasToken(resp.Header, "Upgrade", peerUpgrade) {
		resp.Body.Close()
		return nil, fmt.Errorf("HTTP %d: %s", resp.StatusCode, readable(resp.Header.Get(refusedHeader)))
	}
	h.holder, h.holderNonce = resp.Header.Get(peerHeader), resp.Header.Get(nonceHeader)
	secret := h.shared(secrets, "hold", []string{resp.Header.Get(proofHeader)})
	switch {
	case secret == nil || len(h.holderNonce) != 64:
		return nil, errors.New("the answer holds no proof of the cluster's secret")
	case h.holder != name:
		return nil, fmt.Errorf("the gateway there is %s", readable(h.holder))
	}
	if err := writeMessage(nc, peerProof{h.prove(secret, "call")}, maxControl); err != nil {
		return nil, err
	}
	ahead, err := br.Peek(br.Buffered())
	if err != nil {
		return nil, err
	}
	return withEarly(nc, bytes.Clone(ahead)), nil
}

// AnswerPeers sets what answers the questions that other gateways ask with
// AskPeers. Without a cluster it does nothing.
func (p *Pool) AnswerPeers(answer func(ctx context.Context, question []byte) ([]byte, error)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.answer = answer
}

// AskPeers asks all other gateways of the cluster at once, and calls each with every
// answer; a gateway that does not answer before ctx ends is left out. Calls are not
// concurrent. A panic of each goes to the caller of AskPeers, and no further answer is
// waited for.
func (p *Pool) AskPeers(ctx context.Context, question []byte, each func(gateway string, reply []byte)) {
	p.mu.Lock()
	c := p.cluster
	var others []remoteGateway
	if c != nil {
		for _, g := range c.others {
			others = append(others, *g)
		}
	}
	p.mu.Unlock()
	type reply struct {
		gateway string
		body    []byte
		err     error
	}
	replies := make(chan reply, len(others)) // each panics: nobody takes the others
	var asking sync.WaitGroup
	defer asking.Wait()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	for _, g := range others {
		asking.Go(func() {
			body, err := c.askPeer(ctx, g, question)
			replies <- reply{g.name, body, err}
		})
	}
	for range others {
		if r := <-replies; r.err == nil {
			each(r.gateway, r.body)
		} else {
			p.log.Debug("gateway does not answer", "gateway", r.gateway, "err", r.err)
		}
	}
}

func (c *cluster) askPeer(ctx context.Context, g remoteGateway, question []byte) ([]byte, error) {
	l, err := c.peerTo(ctx, g)
	if err != nil {
		return nil, err
	}
	return l.call(ctx, question)
}

// call asks the gateway at the other end of the link.
func (l *link) call(ctx context.Context, question []byte) ([]byte, error) {
	l.asked.Add(1)
	l.sessions.Add(1)
	defer l.ended()
	stream, err := l.open(ctx)
	if err != nil {
		return nil, err
	}
	stop := context.AfterFunc(ctx, func() { stream.Reset() })
	defer stop()
	defer stream.Reset()
	var a answer
	err = exchange(stream, question, &a)
	if err != nil {
		return nil, err
	}
	if err := a.err(""); err != nil {
		return nil, err
	}
	reply, err := io.ReadAll(io.LimitReader(stream, maxReply+1))
	if err == nil && len(reply) > maxReply {
		err = errTooLong
	}
	return reply, err
}

// answerTimeout is how long another gateway may work on an answer: it does not notice that
// nobody waits for it any more. It is longer than gateways wait, so that they decide.
const answerTimeout = 5 * time.Second

func exchange(stream *yamux.Stream, question []byte, a *answer) error {
	if err := writeMessage(stream, request{Op: opCall, TimeoutMS: answerTimeout.Milliseconds()}, maxRequest); err != nil {
		return err
	}
	if _, err := stream.Write(question); err != nil {
		return err
	}
	if err := stream.CloseWrite(); err != nil {
		return err
	}
	return readMessage(stream, a, maxAnswer)
}
