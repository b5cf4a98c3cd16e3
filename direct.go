package farwire

import (
	"cmp"
	"context"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/farwire/farwire/internal/fault"
)

// asked reports whether the query names a target, however badly.
func asked(r *http.Request) bool {
	for pair := range strings.SplitSeq(r.URL.RawQuery, "&") {
		if name, _, _ := strings.Cut(pair, "="); name == "url" {
			return true
		}
	}
	return false
}

// relayDirect serves the form that asks in the query: the target is dialled
// before the upgrade is answered, so that trouble is an HTTP status and the
// 101 carries the target's choice.
func (g *Gateway) relayDirect(s *session, w http.ResponseWriter, r *http.Request) {
	fail := func(node, host string, err error) {
		g.o.fail(w, err)
		s.end(SessionResult{Node: node, Target: host, EndedBy: "gateway", Code: public(err).Close, Err: err})
	}
	// Until the connection is taken over the request's context does end when
	// the client leaves.
	ctx, cancel := context.WithTimeoutCause(r.Context(), dialTimeout, errTimeout)
	defer cancel()
	ctx, drain := context.WithCancelCause(ctx)
	defer drain(nil)
	life := s.ctx
	defer context.AfterFunc(life, func() { drain(context.Cause(life)) })()

	q, err := splitQuery(r.URL.RawQuery)
	if err != nil {
		fail("", "", err)
		return
	}
	seen, authorization := g.sightDirect(r, q)
	if err := s.admit(ctx, seen); err != nil {
		fail("", "", err)
		return
	}
	wish, err := q.wish(offered(r), authorization)
	if err != nil {
		fail("", "", err)
		return
	}
	wish.query.Subject = s.Subject
	exit, d, err := g.connect(ctx, s, wish)
	if err != nil {
		if r.Context().Err() != nil {
			err = errClientGone
		}
		fail(exit.ID, wish.query.Host, err)
		return
	}
	w.Header().Set("X-Farwire-Node", exit.ID)
	c, err := accept(w, r, d.subprotocol)
	if err != nil {
		d.conn.Close()
		s.end(SessionResult{Node: exit.ID, Target: wish.query.Host, EndedBy: "client", Err: errClientGone})
		return
	}
	c.release()
	g.pipe(s, wish, exit, d, c.rec.Conn, c.rec.seen)
}

// A directQuery is the query of the direct form: what is ours by name, and what
// goes to the target's query, byte for byte and in its order.
type directQuery struct {
	ours   map[string]string
	header []member
	theirs []string
}

func splitQuery(raw string) (*directQuery, error) {
	q := &directQuery{ours: make(map[string]string)}
	for pair := range strings.SplitSeq(raw, "&") {
		rawName, rawValue, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(rawName)
		if err != nil {
			return nil, fault.Invalidf("the query cannot be parsed")
		}
		switch name {
		case "url", "api_key", "token", "geo", "agent", "idle_timeout", "proxy", "header":
		default:
			if pair != "" {
				q.theirs = append(q.theirs, pair)
			}
			continue
		}
		value, err := url.QueryUnescape(rawValue)
		if err != nil {
			return nil, fault.Invalidf("%s cannot be parsed", name)
		}
		if name == "header" {
			k, v, ok := strings.Cut(value, ":")
			if !ok {
				return nil, fault.Invalidf("header must be written as Name: value")
			}
			q.header = append(q.header, member{k, strings.Trim(v, " \t")})
			continue
		}
		if _, twice := q.ours[name]; twice {
			return nil, fault.Invalidf("%q is given twice", name)
		}
		q.ours[name] = value
	}
	return q, nil
}

// sightDirect reads the caller's key in this form's order: the query, then
// X-API-Key, then Authorization. An Authorization that is not our key is
// returned: it is meant for the target. One that repeats the key, or holds a
// token of ours, is not, whichever of them was found first; nor is that of a
// caller whom only the host knows.
func (g *Gateway) sightDirect(r *http.Request, q *directQuery) (_ sighting, authorization string) {
	seen := g.sight(r)
	authorization = r.Header.Get("Authorization")
	bearer := g.bearer(r, seen.named != nil)
	seen.key = cmp.Or(q.ours["api_key"], q.ours["token"], r.Header.Get("X-API-Key"), bearer)
	if seen.key == "" && seen.named != nil {
		// It may be what the host knows its caller by. A header=Authorization:…
		// in the query says what is meant for the target.
		return seen, ""
	}
	if bearer == "" {
		return seen, authorization
	}
	if _, err := g.tokens.verify(bearer); err == nil || bearer == seen.key {
		authorization = ""
	}
	return seen, authorization
}

func (q *directQuery) wish(protocols []string, authorization string) (*wish, error) {
	w := new(wish)
	if s := q.ours["idle_timeout"]; s != "" {
		v, err := strconv.ParseFloat(s, 64)
		d, ok := seconds(v)
		if err != nil || !ok {
			return nil, fault.Invalidf("idle_timeout must be a number of seconds, zero or more")
		}
		w.idle = d
	}
	if err := choose(&w.query, q.ours["geo"], q.ours["agent"]); err != nil {
		return nil, err
	}
	header := q.header
	if authorization != "" && !slices.ContainsFunc(header, func(h member) bool {
		return strings.EqualFold(h.name, "Authorization")
	}) {
		header = append(header, member{"Authorization", authorization})
	}
	if err := w.aim(q.ours["url"], q.ours["proxy"], header, nil, protocols); err != nil {
		return nil, err
	}
	if len(q.theirs) > 0 {
		query := &w.target.url.RawQuery
		if *query != "" {
			*query += "&"
		}
		*query += strings.Join(q.theirs, "&")
	}
	return w, nil
}
