package farwire

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/deflate"
	"github.com/farwire/farwire/internal/fault"
	"github.com/farwire/farwire/internal/opening"
	"github.com/farwire/farwire/internal/origin"
	"github.com/farwire/farwire/internal/request"
	"github.com/farwire/farwire/internal/upstream"
	"github.com/farwire/farwire/internal/wsframe"
)

// Relay returns the handler that connects a client's WebSocket with a target's
// through an agent. Mount it at "GET /ws" and, for Socket.IO and its like,
// "GET /ws/".
//
// In the message form a client opens the socket and sends one JSON message with
// its request. After the answer "connected" every frame crosses as it is,
// pings, pongs, fragments and close codes included. A client that cannot send
// such a message uses the direct form: it puts the target into the query
// (?url=wss://…) and has the upgrade answered as the target answers it.
//
// The handler takes the connection over, so a middleware around it must let
// http.ResponseController reach the server's ResponseWriter. It returns once
// frames cross, unless RelayOptions.HoldHandler is set; the session then runs
// until one side ends it, [Gateway.Shutdown] does, or a side is lost.
func (g *Gateway) Relay() http.Handler {
	return origin.Any(http.MethodGet, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if err := opening.Check(w, r); err != nil {
			g.refuse(w, r, KindRelay, err)
			return
		}
		s, err := g.enter(r.Context(), KindRelay)
		if err != nil {
			g.refuse(w, r, KindRelay, err)
			return
		}
		// net/http recovers a panic of a handler, but knows nothing of the
		// session, and no longer of its connection.
		defer s.abandonOnPanic()
		if request.IsDirect(r.URL.RawQuery) {
			g.relayDirect(s, w, r)
		} else {
			g.relayMessage(s, w, r)
		}
	}))
}

// A relayed holds what was asked for and both sides of a relay, as far as they are known.
type relayed struct {
	request *request.Relay
	exit    agent.Exit
	target  *upstream.Conn
	client  net.Conn
	early   []byte // what the client has sent for the target
	deflate bool   // agreed on with the client
}

// relayMessage serves the message form.
func (g *Gateway) relayMessage(s *session, w http.ResponseWriter, r *http.Request) {
	var protocol string
	if list := opening.Offered(r); len(list) > 0 {
		protocol = list[0]
	}
	stateless := g.compresses() && deflate.FitsStateless(deflate.Offers(r.Header["Sec-Websocket-Extensions"]))
	seen := g.readAuth(r)
	w.Header().Set("X-Farwire-From", "gateway")
	c, err := opening.Accept(w, r, protocol, stateless)
	if err != nil {
		s.end(SessionResult{EndedBy: EndedByClient, Code: wsframe.CloseAbnormal, Err: errClientGone})
		return
	}
	s.conn = c.Conn
	p := &relayed{client: c.Conn, deflate: stateless}
	if err := g.answer(s, c, seen, p); err != nil {
		g.reject(s, p, err)
		return
	}
	g.pipe(s, p)
}

func (g *Gateway) compresses() bool { return g.o.Relay.Compression == CompressionEndToEnd }

// answer reads the first message, does what it asks for and says "connected".
// Meanwhile a hold on the client's side answers pings, keeps what is meant for
// the target, and notices a client that leaves.
func (g *Gateway) answer(s *session, c *opening.Client, seen requestAuth, p *relayed) error {
	msg, err := c.Ask(s.ctx, "connect message")
	c.Release()
	if err != nil {
		return err
	}
	asked := time.Now()
	if c.Failed() != nil { // rules of the frame format that coder/websocket does not check
		return c.Broken(c.Failed())
	}
	ctx, leave := s.ctx, s.stop
	hold := wsframe.StartHold(p.client, c.Early(), maxHeld, p.deflate, func() { leave(errClientGone) })
	err = g.connectAsAsked(ctx, s, msg, seen, p, asked)
	early, holdErr := hold.Stop()
	p.early = early
	switch {
	case err == nil && holdErr == nil && ctx.Err() == nil:
		err = g.sendConnected(p)
	case holdErr != nil:
		err = clientLoss(holdErr)
	case err == nil:
		err = context.Cause(ctx)
	}
	if err != nil && p.target != nil {
		p.target.Close()
	}
	return err
}

// connectAsAsked reads the connect message, first whose it is, then what it asks
// for, and connects to the target. Its time runs from when the message came.
func (g *Gateway) connectAsAsked(ctx context.Context, s *session, msg []byte, seen requestAuth, p *relayed, asked time.Time) error {
	granting, cancel := context.WithDeadlineCause(ctx, asked.Add(dialTimeout), errTimeout)
	defer cancel()
	q, err := g.grant(granting, s, msg, seen)
	p.request = q
	if err != nil {
		return err
	}
	if p.deflate {
		q.Target.Extensions = []string{deflate.Stateless}
	}
	if q.Timeout == dialTimeout {
		ctx = granting
	} else {
		ctx, cancel = context.WithDeadlineCause(ctx, asked.Add(q.Timeout), errTimeout)
		defer cancel()
	}
	p.exit, p.target, err = g.connect(ctx, s, q)
	return err
}

// grant reads the connect message: first whose it is, then what it asks for.
func (g *Gateway) grant(ctx context.Context, s *session, msg []byte, seen requestAuth) (*request.Relay, error) {
	f, err := request.Read(msg)
	if err != nil {
		return nil, err
	}
	if k := f.Key(); k != "" {
		seen.key = k
	}
	if f.Err != nil {
		return nil, f.Err
	}
	if err := s.admit(ctx, seen); err != nil {
		return nil, err
	}
	q, err := f.Relay(g.o.AllowInsecure)
	if q != nil {
		q.Query.Subject = s.Subject
	}
	return q, err
}

// connect opens the connection to the target through an agent that fits.
func (g *Gateway) connect(ctx context.Context, s *session, q *request.Relay) (agent.Exit, *upstream.Conn, error) {
	if err := g.permitOthers(ctx, *s.principal, &q.Target); err != nil {
		return agent.Exit{}, nil, err
	}
	dialer := upstream.Dialer{RootCAs: g.o.RootCAs, ProxyByAddress: g.o.Relay.ProxyByAddress,
		Tickets: g.tickets}
	if q.Target.URL.TLS {
		dialer.Owner = s.principal.shares(q.Query.Session)
	}
	var c *upstream.Conn
	exit, err := g.reach(ctx, s, q.Query, func(ctx context.Context, e agent.Exit) (err error) {
		c, err = dialer.WebSocket(ctx, e, &q.Target)
		return err
	})
	return exit, c, err
}

// permitOthers checks the other hosts that a request names, in Host and server_name:
// a server with several sites chooses among them by these.
func (g *Gateway) permitOthers(ctx context.Context, p Principal, t *upstream.Target) error {
	port, err := strconv.ParseUint(t.URL.EffectivePort(), 10, 16)
	if err != nil {
		return err
	}
	for _, host := range t.OtherHosts() {
		if _, err := g.permit(ctx, p, Target{Kind: KindRelay, Scheme: t.URL.Scheme(), Host: host, Port: uint16(port)}); err != nil {
			return err
		}
	}
	return nil
}

// What the gateway itself says on a relay's socket.
type (
	connectedMessage struct {
		Type        string         `json:"type"`
		Status      int            `json:"status"`
		NodeID      string         `json:"node_id"`
		Subprotocol string         `json:"subprotocol,omitempty"`
		Headers     map[string]any `json:"headers,omitempty"`
		Ignored     []string       `json:"ignored,omitempty"`
	}
	errorMessage struct {
		Type    string `json:"type"`
		Message string `json:"message"`
		Code    string `json:"code"`

		RetryAfter float64 `json:"retry_after,omitempty"` // seconds; of a limit, or of a Refusal

		// Of a target that answered with no 101.
		Status  int            `json:"status,omitempty"`
		Headers map[string]any `json:"headers,omitempty"`
		Body    string         `json:"body,omitempty"`
	}
)

// maxHeld is how many bytes a client may send ahead of "connected" before its
// further ones wait in the network.
const maxHeld = 64 << 10

func (g *Gateway) sendConnected(p *relayed) error {
	b, err := json.Marshal(connectedMessage{
		Type: "connected", Status: http.StatusSwitchingProtocols, NodeID: p.exit.ID, Subprotocol: p.target.Subprotocol,
		Headers: headersForJSON(p.target.Header), Ignored: p.request.Target.Ignored,
	})
	if err != nil {
		return err
	}
	if err := wsframe.WriteText(p.client, b, g.o.Relay.StallTimeout); err != nil {
		return errClientGone
	}
	return nil
}

// headersForJSON returns headers as one string each; of Set-Cookie, which cannot
// be joined (RFC 9110, section 5.3), the list.
func headersForJSON(h http.Header) map[string]any {
	out := make(map[string]any, len(h))
	for name, values := range h {
		if name == "Set-Cookie" {
			out[name] = values
		} else {
			out[name] = strings.Join(values, ", ")
		}
	}
	return out
}

// reject says what went wrong, as a message and a close, and ends the session.
func (g *Gateway) reject(s *session, p *relayed, err error) {
	r := SessionResult{Agent: p.exit.ID, Target: p.request.Address(), EndedBy: EndedByGateway, Err: err}
	defer context.AfterFunc(g.kill, func() { p.client.Close() })()
	switch e := public(err); {
	case errors.Is(err, errClientGone):
		r.EndedBy, r.Code = EndedByClient, wsframe.CloseAbnormal
	case errors.Is(err, errBrokenFrame):
		r.EndedBy, r.Code = EndedByClient, wsframe.CloseProtocol // the client has been told
	default:
		r.Code = e.Close
		if e.Class == fault.Internal {
			g.o.warnInternal(s.ctx, err, "session", s.ID, "kind", s.Kind)
		}
		m := errorMessage{Type: "error", Message: e.Text, Code: e.Code}
		if e.RetryAfter > 0 {
			m.RetryAfter = e.RetryAfter.Seconds()
		}
		var refusal *upstream.Refusal
		if errors.As(err, &refusal) {
			m.Status, m.Headers = refusal.Status, headersForJSON(upstream.WithoutHop(refusal.Header))
			m.Body = string(refusal.Body)
		}
		opening.WriteClose(p.client, m, e.Close, e.Text)
	}
	opening.CloseAfterLast(p.client)
	s.end(r)
}

// pipe lets frames cross until the session ends. It returns at once unless the
// host wants its middleware to see the whole session.
func (g *Gateway) pipe(s *session, p *relayed) {
	agreed := p.target.Extensions != ""
	pipe := wsframe.New(wsframe.Config{
		Client: p.client, FromClient: p.early, DeflateClient: p.deflate,
		Target: p.target.Conn, FromTarget: p.target.Early, DeflateTarget: agreed,
		Idle: p.request.Idle, Stall: g.o.Relay.StallTimeout, KeepAlive: g.o.Relay.KeepAlive,
		PongWait: pongTimeout, CloseWait: closeTimeout,
		Lost: whenLost, OnPanic: g.panicked, Loops: &g.loops,
	})
	// The pipe outlives the handler and must not keep the request in memory.
	agent, target := p.exit.ID, p.request.Address()
	s.handOver(pipe)
	s.reached(agent, target)
	end := func(r wsframe.Result) { s.end(relayResult(r, s.agent, s.target)) } // neither changes any more
	if g.o.Relay.HoldHandler {
		end(pipe.Run())
	} else {
		pipe.Start(end)
	}
}

// whenLost is the close frame that one side gets when the other is lost. The
// clients of subscription protocols take 1011 for final; they come back after
// 1012 and 1013.
func whenLost(lost wsframe.Side, cause wsframe.Cause, err error) (code int, reason string) {
	class := fault.ClassOf(err)
	switch {
	case lost == wsframe.Client:
		return wsframe.CloseGoingAway, "client lost"
	case class == fault.AgentLeaving:
		return errorClasses[class].Later, "agent is going away"
	case class.OfAgent():
		return errorClasses[class].Later, "agent lost"
	case cause == wsframe.CauseStall:
		return errorClasses[fault.Stalled].Later, "target stalled"
	}
	return errorClasses[fault.TargetLost].Later, "target lost"
}

func (g *Gateway) panicked(value any, stack []byte) {
	g.o.Logger.Error("panic in a relay session", "err", value, "stack", string(stack))
}

// relayResult turns what the pipe says into the result of the session.
func relayResult(r wsframe.Result, agent, target string) SessionResult {
	out := SessionResult{
		Agent: agent, Target: target, EndedBy: EndedBy(r.By.String()), Code: r.Code, Err: r.Err,
		FramesToTarget: int64(r.FromClient.Frames), BytesToTarget: int64(r.FromClient.Bytes),
		FramesToClient: int64(r.FromTarget.Frames), BytesToClient: int64(r.FromTarget.Bytes),
	}
	if r.By == wsframe.Target && fault.ClassOf(r.Err).OfAgent() {
		out.EndedBy = EndedByAgent
	}
	return out
}

// clientLoss turns what a hold noticed into an error of the gateway's.
func clientLoss(err error) error {
	if wsframe.Broken(err) {
		return fmt.Errorf("%w: %w", errBrokenFrame, err)
	}
	return fmt.Errorf("%w: %w", errClientGone, err)
}

// A pipeCarrier runs a relay whose both sides are connected.
type pipeCarrier struct{ pipe *wsframe.Pipe }

func (c pipeCarrier) Shutdown(cause error) {
	p := public(cause)
	if errors.Is(cause, errDraining) { // the drain aborts what takes too long
		c.pipe.Shutdown(p.Later, p.Short())
		return
	}
	c.pipe.End(p.Later, p.Short())
}

func (c pipeCarrier) Abort() { c.pipe.Abort() }

func (c pipeCarrier) Counters() Counters {
	client, target := c.pipe.Counts()
	return Counters{int64(client.Frames), int64(client.Bytes), int64(target.Frames), int64(target.Bytes)}
}
