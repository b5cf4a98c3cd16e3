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
		rl := &relay{g: g, session: s}
		if request.IsDirect(r.URL.RawQuery) {
			rl.serveDirect(w, r)
		} else {
			rl.serveMessage(w, r)
		}
	}))
}

// A relay is one session of KindRelay until its pipe runs: what was asked for and both
// sides, as far as they are known.
type relay struct {
	g       *Gateway
	session *session
	request *request.Relay // nil: not read yet
	exit    agent.Exit
	target  *upstream.Conn // nil: not connected
	client  net.Conn       // nil: not taken from net/http
	early   []byte         // what the client has sent for the target
	deflate bool           // agreed on with the client
}

// serveMessage serves the message form.
func (rl *relay) serveMessage(w http.ResponseWriter, r *http.Request) {
	g := rl.g
	rl.deflate = g.compresses() && deflate.FitsStateless(deflate.Offers(r.Header["Sec-Websocket-Extensions"]))
	seen := g.readAuth(r)
	w.Header().Set("X-Farwire-From", "gateway")
	c, err := opening.Accept(w, r, opening.FirstOffered(r), rl.deflate)
	if err != nil {
		rl.endUnconnected(errClientGone)
		return
	}
	rl.client, rl.session.conn = c.Conn, c.Conn
	if err := rl.answer(c, seen); err != nil {
		rl.reject(err)
		return
	}
	rl.pipe()
}

func (g *Gateway) compresses() bool { return g.o.Relay.Compression == CompressionEndToEnd }

// answer reads the first message, does what it asks for and says "connected".
// Meanwhile a hold on the client's side answers pings, keeps what is meant for
// the target, and notices a client that leaves.
func (rl *relay) answer(c *opening.Client, seen requestAuth) error {
	s := rl.session
	msg, err := c.Ask(s.ctx, "connect message")
	c.Release()
	if err != nil {
		return err
	}
	begun := time.Now()
	if c.Failed() != nil { // rules of the frame format that coder/websocket does not check
		return c.Broken(c.Failed())
	}
	ctx, leave := s.ctx, s.stop
	hold := wsframe.StartHold(rl.client, c.Early(), maxHeld, rl.deflate, func() { leave(errClientGone) })
	err = rl.connectInTime(ctx, begun, func(ctx context.Context) error { return rl.readMessage(ctx, msg, seen) })
	var holdErr error
	rl.early, holdErr = hold.Stop()
	switch {
	case err == nil && holdErr == nil && ctx.Err() == nil:
		err = rl.sendConnected()
	case holdErr != nil:
		err = clientLoss(holdErr)
	case err == nil:
		err = context.Cause(ctx)
	}
	if err != nil && rl.target != nil {
		rl.target.Close()
	}
	return err
}

// readMessage reads the connect message: first whose it is, then what it asks for.
func (rl *relay) readMessage(ctx context.Context, msg []byte, seen requestAuth) error {
	f, err := request.Read(msg)
	if err != nil {
		return err
	}
	if k := f.Key(); k != "" {
		seen.key = k
	}
	if f.Err != nil {
		return f.Err
	}
	if err := rl.session.admit(ctx, seen); err != nil {
		return err
	}
	rl.request, err = f.Relay(rl.g.o.AllowInsecure)
	if err == nil && rl.deflate {
		rl.request.Target.Extensions = []string{deflate.Stateless}
	}
	return err
}

// connectInTime has read admit the caller and read what is asked for, and connects to the
// target. The time for both runs from begun; read itself has the usual one, because how much
// is asked for is not known before.
func (rl *relay) connectInTime(ctx context.Context, begun time.Time, read func(context.Context) error) error {
	usual, cancel := context.WithDeadlineCause(ctx, begun.Add(dialTimeout), errTimeout)
	defer cancel()
	if err := read(usual); err != nil {
		return err
	}
	rl.request.Query.Subject = rl.session.Subject
	if rl.request.Timeout == dialTimeout {
		return rl.connect(usual)
	}
	asked, cancel := context.WithDeadlineCause(ctx, begun.Add(rl.request.Timeout), errTimeout)
	defer cancel()
	return rl.connect(asked)
}

// connect opens the connection to the target through an agent that fits.
func (rl *relay) connect(ctx context.Context) (err error) {
	g, target, principal := rl.g, &rl.request.Target, rl.session.principal
	if err := g.permitOthers(ctx, *principal, target); err != nil {
		return err
	}
	dialer := upstream.Dialer{RootCAs: g.o.RootCAs, ProxyByAddress: g.o.Relay.ProxyByAddress,
		Tickets: g.tickets}
	if target.URL.TLS {
		dialer.Owner = principal.reuseKey(rl.request.Query.Session)
	}
	rl.exit, err = rl.session.reach(ctx, rl.request.Query, func(ctx context.Context, e agent.Exit) (err error) {
		rl.target, err = dialer.WebSocket(ctx, e, target)
		return err
	})
	return err
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

func (rl *relay) sendConnected() error {
	b, err := json.Marshal(connectedMessage{
		Type: "connected", Status: http.StatusSwitchingProtocols, NodeID: rl.exit.ID, Subprotocol: rl.target.Subprotocol,
		Headers: headersForJSON(rl.target.Header), Ignored: rl.request.Target.Ignored,
	})
	if err != nil {
		return err
	}
	if err := wsframe.WriteText(rl.client, b, rl.g.o.Relay.StallTimeout); err != nil {
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
func (rl *relay) reject(err error) {
	defer context.AfterFunc(rl.g.kill, func() { rl.client.Close() })()
	if !errors.Is(err, errClientGone) && !errors.Is(err, errBrokenFrame) { // of which the client has been told
		rl.sendError(err)
	}
	opening.CloseAfterLast(rl.client)
	rl.endUnconnected(err)
}

func (rl *relay) sendError(err error) {
	e := public(err)
	if e.Class == fault.Internal {
		rl.g.warnInternal(rl.session.ctx, err, "session", rl.session.ID, "kind", rl.session.Kind)
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
	opening.WriteClose(rl.client, m, e.Close, e.Text)
}

// endUnconnected ends a relay that did not come to its pipe.
func (rl *relay) endUnconnected(err error) {
	end := SessionResult{Agent: rl.exit.ID, Target: rl.request.Address(), EndedBy: EndedByGateway, Code: public(err).Close, Err: err}
	switch {
	case errors.Is(err, errClientGone):
		end.EndedBy, end.Code = EndedByClient, wsframe.CloseAbnormal
	case errors.Is(err, errBrokenFrame):
		end.EndedBy, end.Code = EndedByClient, wsframe.CloseProtocol
	}
	rl.session.end(end)
}

// pipe lets frames cross until the session ends. It returns at once unless the
// host wants its middleware to see the whole session.
func (rl *relay) pipe() {
	g, s := rl.g, rl.session
	pipe := wsframe.New(wsframe.Config{
		Client: rl.client, FromClient: rl.early, DeflateClient: rl.deflate,
		Target: rl.target.Conn, FromTarget: rl.target.Early, DeflateTarget: rl.target.Extensions != "",
		Idle: rl.request.Idle, Stall: g.o.Relay.StallTimeout, KeepAlive: g.o.Relay.KeepAlive,
		PongWait: pongTimeout, CloseWait: closeTimeout,
		Lost: whenLost, OnPanic: g.panicked, Loops: &g.loops,
	})
	agent, target := rl.exit.ID, rl.request.Address()
	s.handOver(pipe)
	s.reached(agent, target)
	// The pipe outlives the handler and must not keep rl, and the request with it, in memory.
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
