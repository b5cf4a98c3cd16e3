package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"

	"github.com/farwire/farwire/internal/safetext"
)

// A connector keeps a link to one address of a gateway: it attaches, serves until
// the link is lost, waits and begins again.
//
// The waits are drawn from the whole of a growing interval ("full jitter"), so
// that the agents of a gateway that has gone down do not come back in step.
// The interval stays short, because they are all meant to be back within five
// seconds of its return. A gateway that has refused the agent is asked less
// and less often, and one that is linked already only when links have changed.
type connector struct {
	runner     *runner
	gateway    *gateway
	addr       netip.Addr
	key        string
	cancel     func()
	linked     atomic.Bool
	secret     string // for the attach under way
	settled    func() // says that the attach under way has come to a link; nil: nobody waits
	yield      bool   // another agent has been given this one's place
	lastLogged string // the last change of state that was logged
}

const (
	retryFirst      = time.Second
	retryLongest    = 4 * time.Second
	refusedLongest  = time.Minute
	replacedLongest = 5 * time.Minute

	// stableAfter is how long a link has to stand for its loss to be a new story.
	stableAfter = 10 * time.Second
)

func (c *connector) run(ctx context.Context) {
	waits := newConnectorWaits()
	for ctx.Err() == nil {
		began := time.Now()
		err := c.attach(ctx)
		if time.Since(began) > stableAfter {
			waits = newConnectorWaits()
		}
		if ctx.Err() != nil {
			return
		}
		c.wait(ctx, err, waits)
	}
}

// connectorWaits are how long a connector waits, by why it has no link.
type connectorWaits struct{ lost, duplicate, refused, replaced *backoff.ExponentialBackOff }

func newConnectorWaits() connectorWaits {
	return connectorWaits{
		lost:      anyOf(retryFirst, retryLongest),
		duplicate: anyOf(retryFirst/4, duplicateLongest),
		refused:   upperHalfOf(5*time.Second, refusedLongest),
		replaced:  upperHalfOf(refusedLongest, replacedLongest),
	}
}

// anyOf draws waits from the whole of an interval that doubles.
func anyOf(first, longest time.Duration) *backoff.ExponentialBackOff {
	return &backoff.ExponentialBackOff{InitialInterval: first / 2, MaxInterval: longest / 2, Multiplier: 2, RandomizationFactor: 1}
}

// upperHalfOf draws waits from the upper half of an interval that doubles.
func upperHalfOf(first, longest time.Duration) *backoff.ExponentialBackOff {
	return &backoff.ExponentialBackOff{InitialInterval: first * 3 / 4, MaxInterval: longest * 3 / 4, Multiplier: 2, RandomizationFactor: 1. / 3}
}

// wait says what happened and waits until it is time to try again.
func (c *connector) wait(ctx context.Context, err error, waits connectorWaits) {
	var no *refusedError
	switch {
	case errors.Is(err, errEnoughLinks):
		return // it waits for room
	case errors.As(err, &no) && no.code == codeDuplicate && c.runner.inCluster():
		if c.runner.pauseOrChange(ctx, waits.duplicate.NextBackOff()) {
			waits.duplicate.Reset()
			pause(ctx, jitter(retryFirst/4))
		}
	case errors.As(err, &no) && no.code == codeDuplicate:
		c.logChange(slog.LevelInfo, "gateway is linked by another address already")
		c.runner.pauseOrChange(ctx, resolveEvery+jitter(resolveEvery))
		pause(ctx, jitter(retryFirst))
	case errors.As(err, &no) && no.code == codeReplaced:
		c.yield = true // or the two would replace each other for ever
		c.logChange(slog.LevelWarn, "another agent has taken this one's place", "reason", no.reason)
		pause(ctx, waits.replaced.NextBackOff())
	case errors.As(err, &no) && no.code != codeShutdown:
		c.logChange(slog.LevelWarn, "gateway refuses this agent: "+no.reason)
		pause(ctx, waits.refused.NextBackOff())
	case c.linked.Swap(false):
		c.logChange(slog.LevelWarn, "link lost, dialling again", "err", err)
		pause(ctx, waits.lost.NextBackOff())
	default:
		c.logChange(slog.LevelWarn, "gateway cannot be reached, retrying", "err", err)
		pause(ctx, waits.lost.NextBackOff())
	}
	c.linked.Store(false)
}

// pauseOrChange waits for d, or until links have changed, which it reports.
func (r *runner) pauseOrChange(ctx context.Context, d time.Duration) (changed bool) {
	wake := r.waker()
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-wake:
		return true
	case <-timer.C:
	case <-ctx.Done():
	}
	return false
}

func jitter(d time.Duration) time.Duration { return rand.N(max(d, 1)) }

// logChange logs a change of state and not its repetition.
func (c *connector) logChange(level slog.Level, msg string, args ...any) {
	if c.lastLogged == msg {
		return
	}
	c.lastLogged = msg
	args = append([]any{"gateway", c.gateway.url.Host}, args...)
	if c.addr.IsValid() {
		args = append(args, "address", c.addr.String())
	}
	c.runner.log.Log(context.Background(), level, msg, args...)
}

// attach links up and serves until the link ends. The error says why it did,
// or why there was none.
func (c *connector) attach(ctx context.Context) error {
	done, ok := c.runner.room(ctx)
	if !ok {
		return ctx.Err()
	}
	defer done()
	c.settled = done
	nc, err := c.carrier(ctx)
	if err != nil {
		return err
	}
	return c.join(ctx, nc)
}

// join says hello over a connection to the gateway, and serves it.
func (c *connector) join(ctx context.Context, nc net.Conn) error {
	r := c.runner
	defer nc.Close()
	stop := context.AfterFunc(ctx, func() { nc.Close() })
	defer stop()

	nc.SetDeadline(time.Now().Add(handshakeTimeout))
	h := hello{
		Version: wireVersion, Instance: r.instance, Slug: r.named.Slug, Country: r.named.Country,
		Software: safetext.ASCII(r.o.Version, 64), Links: r.linkedTo(), Yield: c.yield,
		Knows: []string{knowsRules},
	}
	if err := writeMessage(nc, h, maxHello); err != nil {
		return fmt.Errorf("sending the hello: %w", err)
	}
	var w welcome
	if err := readMessage(nc, &w, maxWelcome); err != nil && (!errors.Is(err, errMalformed) || w.Version == wireVersion) {
		return fmt.Errorf("waiting for the gateway's welcome: %w", err)
	}
	switch {
	case w.Refused != "" || w.Code != "":
		return &refusedError{w.Code, readable(w.Refused)}
	case w.Version != wireVersion:
		return &refusedError{codeVersion, fmt.Sprintf("the gateway speaks version %d of the agent protocol and this agent version %d", w.Version, wireVersion)}
	case w.Gateway == "" || len(w.Gateway) > 64:
		return errors.New("the welcome names no gateway")
	}
	nc.SetDeadline(time.Time{})
	if !stop() {
		return ctx.Err()
	}
	return c.serve(ctx, nc, w)
}

// serve serves the gateway over a connection on which it has said welcome.
func (c *connector) serve(ctx context.Context, nc net.Conn, w welcome) error {
	r := c.runner
	l := newAgentLink(r, r.log.With("agent", readable(w.ID), "gateway", c.gateway.url.Host))
	l.ctx, l.drainTimeout, l.welcome = ctx, r.drainTimeout, w
	l.inflow = r.inflows.join(r.start)
	defer r.inflows.leave(l.inflow)
	if err := l.begin(ctx, nc, 1); err != nil {
		return err
	}
	defer l.mux.Close()
	if err := r.keep(l); err != nil {
		return err
	}
	defer r.drop(l)
	c.attached(w)

	drained := make(chan struct{})
	go func() {
		defer close(drained)
		select {
		case <-ctx.Done():
			l.drainFor(r.drainTimeout, "")
		case <-l.mux.CloseChan():
		}
	}()
	l.serve()
	<-drained

	if bye := l.receivedBye(); bye.Code != "" {
		return &refusedError{bye.Code, readable(bye.Reason)}
	}
	return errLinkLost
}

// attached notes that the link is in use.
func (c *connector) attached(w welcome) {
	if c.settled != nil {
		c.settled()
	}
	c.linked.Store(true)
	c.yield = false
	c.logChange(slog.LevelInfo, "attached", "agent", readable(w.ID), "slug", readable(w.Slug), "country", readable(w.Country))
	c.runner.adopt(c.gateway, w.Peers)
}

var errLinkLost = errors.New("the connection to the gateway has ended")

// receivedBye is what the gateway said before it closed the link.
func (l *agentLink) receivedBye() control {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.bye
}

// readable is a gateway's text made fit for a log line.
func readable(s string) string {
	out := make([]rune, 0, min(len(s), 256))
	for _, c := range s {
		if len(out) == 256 {
			break
		}
		if c < ' ' || c == 0x7f {
			c = '?'
		}
		out = append(out, c)
	}
	return string(out)
}

// A refusedError says that a gateway refuses the agent, and why.
type refusedError struct{ code, reason string }

func (e *refusedError) Error() string { return e.reason }
