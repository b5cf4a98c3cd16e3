package farwire

import (
	"context"
	"errors"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/farwire/farwire/internal/deflate"
	"github.com/farwire/farwire/internal/egress"
	"github.com/farwire/farwire/internal/fault"
	"github.com/farwire/farwire/internal/upstream"
	"github.com/farwire/farwire/internal/wsframe"
)

// isDirect reports whether a query names a target, even one that is not valid.
func isDirect(query string) bool {
	for pair := range strings.SplitSeq(query, "&") {
		if name, _, _ := strings.Cut(pair, "="); name == "url" || name == "fw_url" {
			return true
		}
	}
	return false
}

// maxDirectBody is how much of the body of a refusing target is passed on.
const maxDirectBody = 64 << 10

// relayDirect serves the direct form: the target is dialled before the upgrade
// is answered, so that an error is an HTTP status and the 101 has the target's
// choices.
func (g *Gateway) relayDirect(s *session, w http.ResponseWriter, r *http.Request) {
	p := &relayed{}
	err := g.connectByQuery(s, r, p)
	if err != nil {
		g.failDirect(s, w, r, p, err)
		return
	}
	h := w.Header()
	h.Set("X-Farwire-Node", p.exit.ID)
	h.Set("X-Farwire-From", "target")
	if r.Header.Get("Origin") == "" {
		h["Set-Cookie"] = append(h["Set-Cookie"], p.target.Header["Set-Cookie"]...)
	}
	g.join(s, w, r, p)
}

// join answers the upgrade as the target has answered it, and lets frames cross.
func (g *Gateway) join(s *session, w http.ResponseWriter, r *http.Request, p *relayed) {
	if p.target.Extensions != "" {
		w.Header().Set("Sec-WebSocket-Extensions", p.target.Extensions)
		p.deflate = true
	}
	c, err := accept(w, r, p.target.Subprotocol, false)
	if err != nil {
		p.target.Close()
		s.end(SessionResult{Node: p.exit.ID, Target: p.request.address(), EndedBy: "client", Code: wsframe.CloseAbnormal, Err: errClientGone})
		return
	}
	c.release()
	p.client, p.early = c.rec.Conn, c.rec.seen
	g.pipe(s, p)
}

// connectByQuery does what the query asks for, as far as the target's answer.
func (g *Gateway) connectByQuery(s *session, r *http.Request, p *relayed) error {
	q, err := parseQuery(r.URL.RawQuery, r.Header.Get("X-API-Key") != "")
	if err != nil {
		return err
	}
	return g.connectFirst(s, r, p, func(ctx context.Context) error {
		seen, authorization := g.readDirectAuth(r, q)
		if err := s.admit(ctx, seen); err != nil {
			return err
		}
		p.request, err = q.relayRequest(offered(r), authorization)
		return err
	})
}

// connectFirst connects to the target before the client is answered. read admits
// the caller and reads what is asked for.
func (g *Gateway) connectFirst(s *session, r *http.Request, p *relayed, read func(context.Context) error) error {
	// Until the connection is taken over the request's context does end when
	// the client leaves.
	ctx, stop := context.WithCancelCause(r.Context())
	defer stop(nil)
	life := s.ctx
	defer context.AfterFunc(life, func() { stop(context.Cause(life)) })()

	granting, cancel := context.WithTimeoutCause(ctx, dialTimeout, errTimeout)
	defer cancel()
	if err := read(granting); err != nil {
		return err
	}
	p.request.query.Subject = s.Subject
	if g.compresses() {
		p.request.target.Extensions = deflate.Offers(r.Header.Values("Sec-WebSocket-Extensions"))
	}
	ctx, cancel = context.WithTimeoutCause(ctx, p.request.timeout, errTimeout)
	defer cancel()
	var err error
	p.exit, p.target, err = g.connect(ctx, s, p.request)
	if err != nil && r.Context().Err() != nil {
		return errClientGone
	}
	return err
}

// failDirect answers with an error, or with what the target itself answered,
// and ends the session.
func (g *Gateway) failDirect(s *session, w http.ResponseWriter, r *http.Request, p *relayed, err error) {
	if refusal := refusalOf(err); refusal != nil {
		w.Header().Set("X-Farwire-Node", p.exit.ID)
		passRefusal(w, refusal, r.Header.Get("Origin") == "")
	} else {
		g.o.fail(w, err)
	}
	s.endUnconnected(p, err)
}

// refusalOf returns the target's own answer to the upgrade, if err is one that
// can be passed on.
func refusalOf(err error) *upstream.Refusal {
	var refusal *upstream.Refusal
	if errors.As(err, &refusal) && http.StatusOK <= refusal.Status && refusal.Status <= 599 {
		return refusal
	}
	return nil
}

// endUnconnected ends a relay that did not come to its pipe.
func (s *session) endUnconnected(p *relayed, err error) {
	end := SessionResult{Node: p.exit.ID, Target: p.request.address(), EndedBy: "gateway", Code: public(err).Close, Err: err}
	if errors.Is(err, errClientGone) {
		end.EndedBy, end.Code = "client", wsframe.CloseAbnormal
	}
	s.end(end)
}

// passRefusal answers as the target answered. A page of the target's must not
// act as one of the gateway's.
func passRefusal(w http.ResponseWriter, refusal *upstream.Refusal, cookies bool) {
	h := w.Header()
	pass := []string{"Retry-After", "WWW-Authenticate", "Location", "Content-Type", "Content-Encoding"}
	if cookies {
		pass = append(pass, "Set-Cookie")
	}
	for _, name := range pass {
		if values := refusal.Header.Values(name); len(values) > 0 {
			h[http.CanonicalHeaderKey(name)] = values
		}
	}
	h.Set("X-Farwire-From", "target")
	h.Set("Content-Security-Policy", "sandbox")
	h.Set("X-Content-Type-Options", "nosniff")
	h.Set("Cache-Control", "no-store")
	w.WriteHeader(refusal.Status)
	if refusal.Status != http.StatusNoContent && refusal.Status != http.StatusNotModified {
		w.Write(refusal.Body) // a client that has gone needs no answer
	}
}

// A directQuery is the query of the direct form: what is ours by name, and what
// goes to the target's query, byte for byte and in its order.
type directQuery struct {
	ours   map[string]string // without fw_
	header []member
	theirs []string
}

// ourNames are the parameters of the direct form. Each may have fw_ before it;
// session and timeout must, because targets have such parameters too.
var ourNames = []string{"url", "api_key", "token", "geo", "agent", "idle_timeout", "proxy", "header"}

// parseQuery tells our parameters from the target's. With fw_url all of ours
// have the prefix. When the key came in a header, api_key and token without the
// prefix are the target's.
func parseQuery(raw string, keyInHeader bool) (*directQuery, error) {
	type pair struct{ raw, name, value string }
	var pairs []pair
	prefixed := false
	for part := range strings.SplitSeq(raw, "&") {
		rawName, value, _ := strings.Cut(part, "=")
		name, err := url.QueryUnescape(rawName)
		if err != nil {
			return nil, fault.Invalidf("the query cannot be parsed")
		}
		pairs = append(pairs, pair{part, name, value})
		prefixed = prefixed || name == "fw_url"
	}
	q := &directQuery{ours: make(map[string]string)}
	for _, p := range pairs {
		name, ours := strings.CutPrefix(p.name, "fw_")
		switch {
		case ours:
			ours = slices.Contains(ourNames, name) || name == "timeout" || name == "session"
		case prefixed, keyInHeader && (name == "api_key" || name == "token"):
		default:
			ours = slices.Contains(ourNames, name)
		}
		if !ours {
			if p.raw != "" {
				q.theirs = append(q.theirs, p.raw)
			}
			continue
		}
		if err := q.set(name, p.name, p.value); err != nil {
			return nil, err
		}
	}
	return q, nil
}

// set takes one of our parameters; as is how it was written.
func (q *directQuery) set(name, as, raw string) error {
	value, err := url.QueryUnescape(raw)
	if err != nil {
		return fault.Invalidf("%s cannot be parsed", as)
	}
	if name == "header" {
		k, v, ok := strings.Cut(value, ":")
		if !ok {
			return fault.Invalidf("header must be written as Name: value")
		}
		q.header = append(q.header, member{k, strings.Trim(v, " \t")})
		return nil
	}
	if _, twice := q.ours[name]; twice {
		return fault.Invalidf("%q is given twice", as)
	}
	q.ours[name] = value
	return nil
}

// readDirectAuth reads the caller's key in this form's order: X-API-Key, then the
// query, then Authorization. An Authorization that is not our key is returned:
// it is meant for the target. One that repeats the key, or holds a token of
// ours, is not, whichever of them was found first; nor is that of a caller whom
// only the host knows.
func (g *Gateway) readDirectAuth(r *http.Request, q *directQuery) (_ requestAuth, authorization string) {
	seen := g.readAuth(r)
	authorization = r.Header.Get("Authorization")
	bearer := g.bearer(r, seen.named != nil)
	for _, seen.key = range []string{r.Header.Get("X-API-Key"), q.ours["api_key"], q.ours["token"], bearer} {
		if seen.key != "" {
			break
		}
	}
	if seen.key == "" && seen.named != nil {
		// It may be what the host knows its caller by. A header=Authorization:…
		// in the query says what is meant for the target.
		return seen, ""
	}
	if bearer == "" {
		return seen, authorization
	}
	if _, _, err := g.tokens.verify(bearer); err == nil || bearer == seen.key {
		authorization = ""
	}
	return seen, authorization
}

// relayRequest reads what the query asks for.
func (q *directQuery) relayRequest(protocols []string, authorization string) (*relayRequest, error) {
	out := new(relayRequest)
	var err error
	if out.idle, err = q.seconds("idle_timeout", "idle_timeout"); err == nil {
		out.timeout, err = q.seconds("timeout", "fw_timeout")
	}
	if err == nil {
		err = out.checkTimeout("fw_timeout")
	}
	if err == nil {
		err = egress.ParseFilter(&out.query, q.ours["geo"], q.ours["agent"])
	}
	if err == nil {
		err = egress.ParseSession(&out.query, "fw_session", q.ours["session"])
	}
	if err != nil {
		return nil, err
	}
	header := q.header
	if authorization != "" && !slices.ContainsFunc(header, func(h member) bool {
		return strings.EqualFold(h.name, "Authorization")
	}) {
		header = append(header, member{"Authorization", authorization})
	}
	out.target.Body = maxDirectBody
	if err := out.setTarget(q.ours["url"], q.ours["proxy"], header, nil, protocols); err != nil {
		return nil, err
	}
	out.target.URL.AddQuery(strings.Join(q.theirs, "&"))
	return out, nil
}

// seconds reads a number of seconds, zero or more; as is how it is written.
func (q *directQuery) seconds(name, as string) (time.Duration, error) {
	s := q.ours[name]
	if s == "" {
		return 0, nil
	}
	v, err := strconv.ParseFloat(s, 64)
	d, ok := seconds(v)
	if err != nil || !ok {
		return 0, fault.Invalidf("%s must be a number of seconds, zero or more", as)
	}
	return d, nil
}
