package farwire

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"math"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/fault"
	"github.com/farwire/farwire/internal/opening"
	"github.com/farwire/farwire/internal/pathform"
	"github.com/farwire/farwire/internal/rules"
	"github.com/farwire/farwire/internal/safetext"
	"github.com/farwire/farwire/internal/wsframe"
)

// An ErrorClass is a row of the table of errors: what clients see of one class. Each
// error has a text of its own; the rest is the same for all errors of a class.
type ErrorClass struct {
	Code    string // stable, for programs
	Status  int    // of a plain HTTP answer
	Close   int    // of a relay's close frame before "connected"
	Later   int    // of a relay's close frame after "connected"; zero: it does not happen then
	Event   int    // of an error event of AMQP, and of the crawl's close frame
	Meaning string // in a few words, for the documentation
}

// errorClasses is the table. Clients see any other error as an internal error, and the
// log has it in full.
var errorClasses = [fault.Classes]ErrorClass{
	fault.KeyMissing:        {"key_missing", 401, 1008, 0, 1008, "no API key and no token was sent"},
	fault.KeyInvalid:        {"key_invalid", 403, 1008, 0, 1008, "the API key or the token is not valid, or not for this"},
	fault.SecretInvalid:     {"key_invalid", 401, 1008, 0, 1008, "a webhook's secret is missing or wrong"},
	fault.OriginRefused:     {"origin_refused", 403, 1008, 0, 1008, "a caller that only the host knows comes from a foreign web origin"},
	fault.RateLimited:       {"rate_limited", 429, 1008, 0, 1008, "too many requests; Retry-After says when to come back"},
	fault.LimitReached:      {"limit_reached", 429, 1008, 1008, 1008, "the key holds or has used as much as it may"},
	fault.BadRequest:        {"bad_request", 400, 1008, 0, 1008, "the request is not valid; the text names the field"},
	fault.BadFrame:          {"bad_request", 400, 1002, 1002, 1002, "a WebSocket frame broke the format"},
	fault.NotFound:          {"bad_request", 404, 1008, 0, 1008, "there is nothing of this name"},
	fault.MethodNotAllowed:  {"bad_request", 405, 1008, 0, 1008, "the method is not one of those in Allow"},
	fault.TooLarge:          {"bad_request", 413, 1008, 0, 1008, "the body or the first message is larger than 64 KiB"},
	fault.UnsupportedMedia:  {"bad_request", 415, 1008, 0, 1008, "the body is not JSON, or is encoded"},
	fault.Misdirected:       {"bad_request", 421, 1008, 0, 1008, "the Host is not one that this listener serves"},
	fault.UpgradeRequired:   {"bad_request", 426, 1008, 0, 1008, "a plain request of a WebSocket endpoint"},
	fault.TargetForbidden:   {"target_forbidden", 403, 1008, 0, 1008, "the guard or the key's rules do not allow this target"},
	fault.TargetUnreachable: {"target_unreachable", 502, 1011, 0, 1011, "the target cannot be connected to"},
	fault.TargetRefused:     {"target_refused", 502, 1011, 0, 1011, "the target's answer is not a valid 101; the broker or the site refused"},
	fault.TargetTimeout:     {"target_timeout", 504, 1011, 0, 1011, "no answer in time"},
	fault.TLSFailed:         {"tls_failed", 502, 1011, 0, 1011, "the TLS handshake with the target failed"},
	fault.ProxyFailed:       {"proxy_failed", 502, 1011, 0, 1011, "the client's proxy is unreachable or refused"},
	fault.AgentUnavailable:  {"agent_unavailable", 502, 1011, 0, 1011, "no attached agent fits"},
	fault.AgentFull:         {"agent_unavailable", 502, 1011, 0, 1011, "the agent carries as many sessions as it can"},
	fault.AgentLost:         {"agent_lost", 502, 1011, 1013, 1011, "the agent failed or its link was lost"},
	fault.AgentLeaving:      {"agent_lost", 502, 1011, 1012, 1011, "the agent, or the gateway that carried the session, drains"},
	fault.TargetLost:        {"target_lost", 502, 1011, 1013, 1011, "the target's connection ended without a close frame"},
	fault.Stalled:           {"stalled", 408, 1008, 1013, 1008, "one side has read nothing for too long"},
	fault.Ended:             {"ended", 503, 1008, 1008, 1008, "ended by request, or the key was revoked"},
	fault.Draining:          {"draining", 503, 1001, 1001, 1001, "the gateway is draining; Retry-After says when to try again"},
	fault.Internal:          {"internal", 500, 1011, 1011, 1011, "a part of the gateway or of its host failed; the log says which"},
}

// ErrorClasses returns the table of all errors that clients can see, by HTTP status
// and then by code.
func ErrorClasses() []ErrorClass {
	list := slices.Clone(errorClasses[:])
	slices.SortStableFunc(list, func(a, b ErrorClass) int { return a.Status - b.Status })
	return list
}

// Errors of the root package that more than one file knows.
var (
	errDraining    = &fault.Error{Class: fault.Draining, Text: "the gateway is draining", Detail: "draining"}
	errTimeout     = &fault.Error{Class: fault.TargetTimeout, Text: "target timed out", Detail: "timed out"}
	errIdle        = &fault.Error{Class: fault.TargetTimeout, Text: "idle timeout"} // nothing crosses for idle_timeout
	errBrokenFrame = opening.ErrBrokenFrame
	errClientGone  = opening.ErrGone
	errHalfClosed  = fault.New(fault.BadRequest, "the client closed its side of the connection before the answer; it must keep it open")
)

// A Refusal is an error that a host program may return, wrapped or not, from any of
// its interfaces: Authenticator, KeyLookuper, Limiter, SlotLimiter, PageLimiter,
// ByteLimiter, AgentSelector, an exit's DialContext, Options.Allow, SiteStore and
// Storage. Clients see it as it is, and its Err is in the log alone. Clients see any
// other error of a host as "internal error", and the log has it in full.
type Refusal struct {
	Status     int           // of an HTTP answer, 400 to 599; anything else: 403
	CloseCode  int           // of a close frame and an error event; one that no close frame may carry: 1008
	Code       string        // stable, for programs; empty: "target_forbidden"
	Message    string        // what the caller reads, on one line and of 1000 bytes at most; empty: "refused"
	RetryAfter time.Duration // not positive: not said
	Err        error         // for the log alone, at Info; of callers that are not known ten times in a minute for one address, then once a second
}

// Error returns the message and, for the log, Err.
func (r *Refusal) Error() string {
	switch {
	case r == nil:
		return "a nil *Refusal"
	case r.Err != nil:
		return r.Message + ": " + r.Err.Error()
	}
	return r.Message
}

// Unwrap returns Err.
func (r *Refusal) Unwrap() error {
	if r == nil {
		return nil
	}
	return r.Err
}

// public is what clients see of a Refusal. A status or a close code that is not an error is
// replaced by one that is: a status of 200 would open a tunnel.
func (r *Refusal) public() publicError {
	row := errorClasses[fault.TargetForbidden]
	if r.Status >= 400 && r.Status <= 599 {
		row.Status = r.Status
	}
	if wsframe.ValidCloseCode(r.CloseCode) {
		row.Close = r.CloseCode
	}
	row.Later, row.Event = row.Close, row.Close
	row.Code = cmp.Or(fault.OneLine(r.Code), row.Code)
	text := cmp.Or(fault.OneLine(r.Message), "refused")
	return publicError{row, fault.Error{Class: fault.TargetForbidden, Text: text, RetryAfter: max(r.RetryAfter, 0)}}
}

// notAllowed refuses a method; allowed is what the Allow header says.
func notAllowed(allowed string) error {
	return &fault.Error{Class: fault.MethodNotAllowed, Text: "the method must be " + allowed, Allow: allowed}
}

// onlyReads refuses a request that is not for reading.
func onlyReads(r *http.Request) error {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return notAllowed("GET, HEAD")
	}
	return nil
}

// limited is a refusal by a limit.
func limited(c fault.Class, text string, q Quota) error {
	return &fault.Error{Class: c, Text: text, RetryAfter: q.RetryAfter, Quota: &fault.Quota{Limit: int64(q.Limit), Remaining: q.Remaining}}
}

// A publicError is what clients see of an error.
type publicError struct {
	ErrorClass
	fault.Error // its text, and what a class alone does not say
}

// public looks an error up in the table.
func public(err error) publicError {
	var refusal *Refusal
	if errors.As(err, &refusal) && refusal != nil {
		return refusal.public()
	}
	e := fault.Of(err)
	switch {
	case e == nil && fault.IsTimeout(err):
		e = errTimeout
	case e == nil:
		e = fault.New(fault.Internal, "internal error")
	}
	return publicError{errorClasses[e.Class], *e}
}

// An errorBody is the JSON body of a plain HTTP error.
type errorBody struct {
	Detail string `json:"detail"`
	Code   string `json:"code"`
}

// fail answers a plain HTTP request with the public error of err.
func (g *Gateway) fail(w http.ResponseWriter, err error) { writeError(w, g.publicLogged(err)) }

// failForm answers with an error of the gateway's own, as the form that the
// request came in has it.
func (g *Gateway) failForm(w http.ResponseWriter, r *http.Request, to *pathform.Request, err error) {
	if to.Absolute {
		g.failProxy(w, forClient(r, err))
	} else {
		g.failPath(w, r, forClient(r, err))
	}
}

// failPath answers with an error of the gateway's own, which a page of any
// origin may read.
func (g *Gateway) failPath(w http.ResponseWriter, r *http.Request, err error) {
	pathform.Readable(w.Header(), r.Header)
	g.fail(w, err)
}

// failProxy answers a proxied request with an error of the gateway's own. A client
// without valid credentials is asked for them (RFC 9110, section 11.7).
func (g *Gateway) failProxy(w http.ResponseWriter, err error) {
	p := g.publicLogged(err)
	if errors.Is(err, errKeyMissing) {
		p.Text += ": it is the password for this proxy"
	}
	if asksForKey(err) {
		p.Status = http.StatusProxyAuthRequired
		w.Header().Set("Proxy-Authenticate", `Basic realm="farwire", charset="UTF-8"`)
	}
	writeError(w, p)
}

// forClient is the error that a client reads: that it must not close its side, if it has.
func forClient(r *http.Request, err error) error {
	if errors.Is(err, errClientGone) && errors.Is(context.Cause(r.Context()), context.Canceled) { // else it was a deadline of the host's
		return errHalfClosed
	}
	return err
}

// publicLogged is public, and has an internal error in the log besides.
func (g *Gateway) publicLogged(err error) publicError {
	p := public(err)
	if p.Status == http.StatusInternalServerError && !errors.Is(err, errClientGone) {
		g.warnInternal(context.Background(), err)
	}
	return p
}

// warnInternal logs in full what only the operator can mend, ten lines in a minute and then
// one a second; others are at Debug, and the next line counts them. The line is short if a
// client without a valid key has caused it, and at Debug if its address has caused too many.
func (g *Gateway) warnInternal(ctx context.Context, err error, args ...any) {
	level, text := slog.LevelWarn, err.Error()
	if caused, ok := errors.AsType[*provokedError](err); ok {
		text = fault.OneLine(text)
		if caused.often {
			level = slog.LevelDebug
		}
	} else if left, write := g.internal.Next(time.Now()); !write {
		level = slog.LevelDebug
	} else if left > 0 {
		args = append(args, "left_out", left)
	}
	g.o.Logger.Log(ctx, level, "internal error", append(args, "err", text)...)
}

// A provokedError is the host's, and a client without a valid key can cause it as often as
// it likes.
type provokedError struct {
	error
	often bool // too often for the log
}

func (e *provokedError) Unwrap() error { return e.error }

// provoked marks an error of the host that a client without a valid key has caused.
func (g *Gateway) provoked(remote netip.Addr, err error) error {
	if errors.As(err, new(*Refusal)) || fault.ClassOf(err) != fault.Internal {
		return err
	}
	return &provokedError{err, !g.writesCause(remote)}
}

// writeError answers with an error and the headers that belong to it.
func writeError(w http.ResponseWriter, p publicError) {
	h := w.Header()
	if p.Allow != "" {
		h.Set("Allow", p.Allow)
	}
	if p.Quota != nil || p.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(max(1, int(math.Ceil(p.RetryAfter.Seconds())))))
	}
	if q := p.Quota; q != nil {
		h.Set("X-RateLimit-Limit", strconv.FormatInt(q.Limit, 10))
		h.Set("X-RateLimit-Remaining", strconv.Itoa(q.Remaining))
	}
	switch p.Status {
	case http.StatusServiceUnavailable:
		if p.RetryAfter == 0 {
			h.Set("Retry-After", "5")
		}
	case http.StatusUpgradeRequired:
		if p.Upgrade != "" {
			h.Set("Upgrade", p.Upgrade)
			h.Set("Connection", "Upgrade")
		}
		h.Set("Sec-WebSocket-Version", "13") // RFC 6455, section 4.4
	case http.StatusUnauthorized:
		h.Set("WWW-Authenticate", "Bearer")
	}
	writeJSON(w, p.Status, errorBody{p.Text, p.Code})
}

// writeJSON answers with a JSON body that no cache keeps.
func writeJSON(w http.ResponseWriter, status int, body any) {
	b, err := json.Marshal(body)
	if err != nil {
		panic(fmt.Sprintf("farwire: an answer of our own cannot be marshalled: %v", err))
	}
	h := w.Header()
	h.Set("X-Farwire-From", "gateway") // and not what a target answered
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Length", strconv.Itoa(len(b)))
	w.WriteHeader(status)
	w.Write(b) // a client that has gone needs no answer
}

// endedBy says on whose side an error arose. A target that a rule forbids was not asked.
func endedBy(err error) EndedBy {
	switch class := fault.ClassOf(err); {
	case class.OfAgent(), agent.IsFault(err, agent.FaultAgent):
		return EndedByAgent
	case class == fault.TargetForbidden, !class.OfTarget() && !agent.IsFault(err, agent.FaultTarget):
		return EndedByGateway
	}
	return EndedByTarget
}

// causeOf is an error as the log has it: with what a DialError shows to nobody else, and
// without what may be a secret in a URL.
func causeOf(err error) string {
	if err == nil {
		return ""
	}
	text := err.Error()
	var dial *agent.DialError
	if errors.As(err, &dial) && dial.Err != nil && !strings.Contains(text, dial.Err.Error()) {
		text += ": " + dial.Err.Error()
	}
	return safetext.WithoutSecrets(text)
}

// noteRefused logs and traces a request that never became a session.
func (g *Gateway) noteRefused(ctx context.Context, kind Kind, remote netip.Addr, err error) {
	if errors.Is(err, errClientGone) {
		return
	}
	p := public(err)
	info := RefusedInfo{Kind: kind, Remote: remote, Status: p.Status, Err: err}
	var caller *callerError
	if errors.As(err, &caller) {
		info.Subject, info.KeyID = caller.subject, caller.keyID
	}
	level, msg, words := slog.LevelDebug, "refused", p.Text
	var refusal *Refusal
	if errors.As(err, &refusal) && refusal != nil && refusal.Err != nil {
		msg, words = "refused by the host", err.Error()
		if caller != nil || g.writesCause(remote) {
			level = slog.LevelInfo
		}
	}
	g.o.Logger.LogAttrs(ctx, level, msg, slog.String("kind", kind.String()), slog.String("subject", info.Subject), slog.Int("status", p.Status), slog.String("err", words))
	if f := g.o.Trace.Refused; f != nil {
		f(ctx, info)
	}
}

// writesCause reports whether a refusal's cause, or a host's error, by a caller without
// a valid key is logged at Info or above: of one address ten in a minute are, then one a
// second.
func (g *Gateway) writesCause(remote netip.Addr) bool {
	v := g.causes.Note(remote, time.Now())
	return v.Warn || !v.TooMany && remote.IsValid()
}

// refuse answers and notes a request that becomes no session.
func (g *Gateway) refuse(w http.ResponseWriter, r *http.Request, kind Kind, err error) {
	g.noteRefused(r.Context(), kind, g.o.ClientAddr(r), err)
	g.fail(w, err)
}

// A callerError is a refusal of a caller who is known.
type callerError struct {
	error
	subject, keyID string
}

func (e *callerError) Unwrap() error { return e.error }

// refusedCaller has an error say whom it refuses.
func refusedCaller(p Principal, err error) error {
	return &callerError{err, p.Subject, p.KeyID}
}

// refusedByHost is an error of Options.Allow: a Refusal as it is, any other a
// target that is forbidden, with the host's error in the log alone.
func refusedByHost(err error, t Target) error {
	if errors.As(err, new(*Refusal)) {
		return err
	}
	return fault.Wrap(fault.TargetForbidden, rules.Refused(t.Host).Error(), err)
}
