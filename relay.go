package farwire

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"time"

	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/fault"
	"github.com/farwire/farwire/internal/wsframe"
)

// Relay returns the handler that connects a client's WebSocket with a target's
// through an agent. Mount it at "GET /ws" and, for Socket.IO and its like,
// "GET /ws/".
//
// A client opens the socket, says in one JSON message what it wants, is told
// "connected", and from then on every frame crosses as it is, pings, pongs,
// fragments and close codes included. A client that cannot send such a message
// puts the target into the query instead (?url=wss://…) and has the upgrade
// answered as the target answers it.
//
// The handler takes the connection over, so a middleware around it must let
// http.ResponseController reach the server's ResponseWriter. It returns once
// frames cross, unless RelayOptions.HoldHandler is set; the session then runs
// until one side ends it, [Gateway.Shutdown] does, or a side is lost.
func (g *Gateway) Relay() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := checkUpgrade(w, r); err != nil {
			g.refuseRelay(w, r, err)
			return
		}
		s, err := g.enter(r.Context(), KindRelay)
		if err != nil {
			g.refuseRelay(w, r, err)
			return
		}
		// net/http recovers a panic of a handler, but knows nothing of the
		// session, and no longer of its connection.
		defer func() {
			if v := recover(); v != nil {
				s.abandon(fmt.Errorf("panic: %v", v))
				panic(v)
			}
		}()
		if asked(r) {
			g.relayDirect(s, w, r)
		} else {
			g.relayAfterMessage(s, w, r)
		}
	})
}

func (g *Gateway) refuseRelay(w http.ResponseWriter, r *http.Request, err error) {
	g.refuse(w, r, KindRelay.String(), err)
}

// A wish is what a client asks the relay for.
type wish struct {
	target target
	query  agent.Query
	idle   time.Duration
}

// relayAfterMessage serves the form that asks in a first message.
func (g *Gateway) relayAfterMessage(s *session, w http.ResponseWriter, r *http.Request) {
	var protocol string
	if list := offered(r); len(list) > 0 {
		protocol = list[0]
	}
	seen := g.sight(r)
	c, err := accept(w, r, protocol)
	if err != nil {
		s.end(SessionResult{Err: errClientGone})
		return
	}
	s.conn = c.rec.Conn
	rest, wish, d, exit, err := g.answer(s, c, seen)
	if err != nil {
		g.turnAway(s, c.rec.Conn, wish, exit, err)
		return
	}
	g.pipe(s, wish, exit, d, c.rec.Conn, rest)
}

// answer reads the first message, does what it asks for and says "connected".
// Meanwhile a hold on the client's side answers pings, keeps what is meant for
// the target, and notices a client that leaves.
func (g *Gateway) answer(s *session, c *caller, seen sighting) (rest []byte, w *wish, d *dialled, exit agent.Exit, err error) {
	conn := c.rec.Conn
	msg, err := c.ask(s.ctx, "connect message")
	c.release()
	if err != nil {
		return nil, nil, nil, exit, err
	}
	ctx, cancel := context.WithTimeoutCause(s.ctx, dialTimeout, errTimeout)
	defer cancel()
	end, err := wsframe.MessageEnd(c.rec.seen, false)
	if err != nil {
		return nil, nil, nil, exit, c.broken(err)
	}
	ctx, leave := context.WithCancelCause(ctx)
	defer leave(nil)
	hold := wsframe.StartHold(conn, c.rec.seen[end:], maxHeld, false)
	go func() {
		select {
		case <-hold.Gone():
			leave(errClientGone)
		case <-ctx.Done():
		}
	}()
	w, err = g.grant(ctx, s, msg, seen)
	if err == nil {
		exit, d, err = g.connect(ctx, s, w)
	}
	rest, holdErr := hold.Stop()
	switch {
	case err == nil && holdErr == nil && context.Cause(ctx) == nil:
		err = g.sayConnected(conn, exit, d)
	case holdErr != nil:
		err = clientLoss(holdErr)
	case err == nil:
		err = context.Cause(ctx)
	}
	if err != nil && d != nil {
		d.conn.Close()
	}
	return rest, w, d, exit, err
}

// What the gateway itself says on a relay's socket.
type (
	connectedMessage struct {
		Type        string `json:"type"`
		Status      int    `json:"status"`
		NodeID      string `json:"node_id"`
		Subprotocol string `json:"subprotocol,omitempty"`
	}
	errorMessage struct {
		Type    string `json:"type"`
		Message string `json:"message"`
		Code    string `json:"code"`

		RetryAfter float64 `json:"retry_after,omitempty"` // seconds; of a limit
	}
)

// maxHeld is how many bytes a client may send ahead of "connected" before its
// further ones wait in the network.
const maxHeld = 64 << 10

func (g *Gateway) sayConnected(conn net.Conn, exit agent.Exit, d *dialled) error {
	b, err := json.Marshal(connectedMessage{"connected", http.StatusSwitchingProtocols, exit.ID, d.subprotocol})
	if err != nil {
		return err
	}
	if err := wsframe.WriteText(conn, b, g.o.Relay.StallTimeout); err != nil {
		return errClientGone
	}
	return nil
}

// connect dials the target through an agent that fits.
func (g *Gateway) connect(ctx context.Context, s *session, w *wish) (agent.Exit, *dialled, error) {
	var d *dialled
	exit, err := g.reach(ctx, s, w.query, func(ctx context.Context, e agent.Exit) (err error) {
		d, err = g.dialWebSocket(ctx, e, &w.target)
		return err
	})
	return exit, d, err
}

// grant reads the connect message: first whose it is, then what it asks for.
func (g *Gateway) grant(ctx context.Context, s *session, msg []byte, seen sighting) (*wish, error) {
	f, err := readFields(msg)
	if err != nil {
		return nil, err
	}
	if k := f.key(); k != "" {
		seen.key = k
	}
	if f.err != nil {
		return nil, f.err
	}
	if err := s.admit(ctx, seen); err != nil {
		return nil, err
	}
	w, err := f.wish()
	if w != nil {
		w.query.Subject = s.Subject
	}
	return w, err
}

// wish reads what a connect message asks for.
func (f *fields) wish() (*wish, error) {
	w := &wish{idle: f.seconds("idle_timeout")}
	geo, agents := f.text("geo", ""), f.text("agent", "")
	raw, proxy := f.text("url", ""), f.text("proxy", "")
	header, cookies, protocols := f.pairs("headers"), f.pairs("cookies"), f.list("subprotocols")
	if f.err != nil {
		return nil, f.err
	}
	if err := choose(&w.query, geo, agents); err != nil {
		return nil, err
	}
	return w, w.aim(raw, proxy, header, cookies, protocols)
}

// aim checks everything that says where to go and what to say there.
func (w *wish) aim(raw, proxy string, header, cookies []member, protocols []string) error {
	u, user, err := parseTargetURL(raw)
	if err != nil {
		return err
	}
	w.target.url, w.query.Host = u, u.Hostname()
	if w.target.proxy, err = parseProxyURL(proxy); err != nil {
		return err
	}
	if err := w.target.setHeader(header, cookies, user); err != nil {
		return err
	}
	return w.target.setSubprotocols(protocols)
}

// turnAway says what went wrong, as a message and a close, and ends the session.
func (g *Gateway) turnAway(s *session, conn net.Conn, w *wish, exit agent.Exit, err error) {
	r := SessionResult{Node: exit.ID, EndedBy: "gateway", Err: err}
	if w != nil {
		r.Target = w.query.Host
	}
	defer context.AfterFunc(g.kill, func() { conn.Close() })()
	switch p := public(err); {
	case errors.Is(err, errClientGone):
		r.EndedBy, r.Code = "client", wsframe.CloseAbnormal
	case errors.Is(err, errBrokenFrame):
		r.EndedBy, r.Code = "client", wsframe.CloseProtocol // it has been told
	default:
		r.Code = p.Close
		if p.Class == fault.Internal {
			g.o.Logger.WarnContext(s.ctx, "internal error", "session", s.ID, "kind", s.Kind, "err", err)
		}
		m := errorMessage{Type: "error", Message: p.Text, Code: p.Code}
		if p.Quota != nil {
			m.RetryAfter = p.RetryAfter.Seconds()
		}
		sayGoodbye(conn, m, p.Close, p.Text)
	}
	farewell(conn)
	s.end(r)
}

// pipe lets frames cross until the session ends. It returns at once unless the
// host wants its middleware to see the whole session.
func (g *Gateway) pipe(s *session, w *wish, exit agent.Exit, d *dialled, client net.Conn, early []byte) {
	p := wsframe.New(wsframe.Config{
		Client: client, FromClient: early,
		Target: d.conn, FromTarget: d.buffered,
		Idle: w.idle, Stall: g.o.Relay.StallTimeout, KeepAlive: g.o.Relay.KeepAlive,
		PongWait: pongTimeout, CloseWait: closeTimeout,
		Lost: whenLost, OnPanic: g.panicked,
	})
	// What runs on must not hold on to the request.
	node, host := exit.ID, w.query.Host
	s.handOver(p)
	s.reached(node, host)
	end := func(r wsframe.Result) { s.end(relayResult(r, node, host)) }
	if g.o.Relay.HoldHandler {
		end(p.Run())
	} else {
		p.Start(end)
	}
}

// whenLost is the close frame that one side gets when the other is lost. The
// clients of subscription protocols take 1011 for final and come back after
// 1013.
func whenLost(lost wsframe.Side, cause wsframe.Cause, err error) (code int, reason string) {
	switch {
	case lost == wsframe.Client:
		return wsframe.CloseGoingAway, "client lost"
	case agent.IsFault(err, agent.FaultAgent):
		return wsframe.CloseTryAgain, "agent lost"
	case cause == wsframe.CauseStall:
		return wsframe.CloseTryAgain, "target stalled"
	}
	return wsframe.CloseTryAgain, "target lost"
}

func (g *Gateway) panicked(value any, stack []byte) {
	g.o.Logger.Error("panic in a relay session", "err", value, "stack", string(stack))
}

// relayResult is what the pipe says, in the words of the log.
func relayResult(r wsframe.Result, node, host string) SessionResult {
	out := SessionResult{
		Node: node, Target: host, EndedBy: r.By.String(), Code: r.Code, Err: r.Err,
		FramesToTarget: int64(r.FromClient.Frames), BytesToTarget: int64(r.FromClient.Bytes),
		FramesToClient: int64(r.FromTarget.Frames), BytesToClient: int64(r.FromTarget.Bytes),
	}
	if r.By == wsframe.Target && agent.IsFault(r.Err, agent.FaultAgent) {
		out.EndedBy = "agent"
	}
	return out
}

// clientLoss turns what a hold noticed into one of ours.
func clientLoss(err error) error {
	if wsframe.Broken(err) {
		return fmt.Errorf("%w: %w", errBrokenFrame, err)
	}
	return fmt.Errorf("%w: %w", errClientGone, err)
}
