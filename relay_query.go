package farwire

import (
	"context"
	"errors"
	"maps"
	"net/http"
	"time"

	"github.com/farwire/farwire/internal/deflate"
	"github.com/farwire/farwire/internal/forward"
	"github.com/farwire/farwire/internal/opening"
	"github.com/farwire/farwire/internal/origin"
	"github.com/farwire/farwire/internal/pathform"
	"github.com/farwire/farwire/internal/request"
	"github.com/farwire/farwire/internal/upstream"
	"github.com/farwire/farwire/internal/wsframe"
)

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
	p.deflate = p.target.Extensions != ""
	var err error
	p.client, p.early, err = opening.Switch(w, r, p.target.Subprotocol, p.target.Extensions)
	if err != nil {
		p.target.Close()
		s.end(SessionResult{Agent: p.exit.ID, Target: p.request.Address(), EndedBy: EndedByClient, Code: wsframe.CloseAbnormal, Err: errClientGone})
		return
	}
	g.pipe(s, p)
}

// connectByQuery does what the query asks for, as far as the target's answer.
func (g *Gateway) connectByQuery(s *session, r *http.Request, p *relayed) error {
	q, err := request.ParseDirect(r.URL.RawQuery, r.Header.Get("X-Api-Key") != "")
	if err != nil {
		return err
	}
	return g.connectFirst(s, r, p, func(ctx context.Context) error {
		seen, authorization := g.readDirectAuth(r, q)
		if err := s.admit(ctx, seen); err != nil {
			return err
		}
		p.request, err = q.Relay(opening.Offered(r), authorization)
		return err
	})
}

// connectFirst connects to the target before the client is answered. read admits
// the caller and reads what is asked for.
func (g *Gateway) connectFirst(s *session, r *http.Request, p *relayed, read func(context.Context) error) error {
	// Until the connection is taken over the request's context does end when
	// the client leaves.
	begun := time.Now()
	ctx, stop := context.WithCancelCause(r.Context())
	defer stop(nil)
	life := s.ctx
	defer context.AfterFunc(life, func() { stop(context.Cause(life)) })()

	granting, cancel := context.WithDeadlineCause(ctx, begun.Add(dialTimeout), errTimeout)
	defer cancel()
	if err := read(granting); err != nil {
		return err
	}
	p.request.Query.Subject = s.Subject
	if g.compresses() {
		p.request.Target.Extensions = deflate.Offers(r.Header["Sec-Websocket-Extensions"])
	}
	if p.request.Timeout == dialTimeout {
		ctx = granting
	} else {
		ctx, cancel = context.WithDeadlineCause(ctx, begun.Add(p.request.Timeout), errTimeout)
		defer cancel()
	}
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
	end := SessionResult{Agent: p.exit.ID, Target: p.request.Address(), EndedBy: EndedByGateway, Code: public(err).Close, Err: err}
	if errors.Is(err, errClientGone) {
		end.EndedBy, end.Code = EndedByClient, wsframe.CloseAbnormal
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
	if _, ok := h["Content-Type"]; !ok {
		h["Content-Type"] = nil // net/http would guess one
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

// readDirectAuth reads the caller's key in this form's order: X-API-Key, then the
// query, then Authorization. An Authorization that is not our key is returned:
// it is meant for the target. One that repeats the key, or holds a token of
// ours, is not, whichever of them was found first; nor is that of a caller whom
// only the host knows.
func (g *Gateway) readDirectAuth(r *http.Request, q *request.Direct) (_ requestAuth, authorization string) {
	seen := g.readAuth(r)
	authorization = r.Header.Get("Authorization")
	bearer := g.bearer(r, seen.named != nil)
	apiKey, token := q.Keys()
	for _, seen.key = range []string{r.Header.Get("X-Api-Key"), apiKey, token, bearer} {
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
	if _, err := g.tokens.Verify(bearer); err == nil || bearer == seen.key {
		authorization = ""
	}
	return seen, authorization
}

// relayByPath serves a WebSocket of the path form, or for an absolute URL: the direct form, with nothing
// taken out of the query and with the client's own headers. Its error is why no session has begun.
func (g *Gateway) relayByPath(w http.ResponseWriter, r *http.Request, to *pathform.Request) error {
	s, err := g.enter(r.Context(), KindRelay)
	if err != nil {
		return err
	}
	defer s.abandonOnPanic()
	p := &relayed{}
	err = g.connectFirst(s, r, p, func(ctx context.Context) error {
		header := r.Header.Clone()
		seen, err := g.readPathAuth(r, to, header)
		seen.bucket = BucketHTTP
		if err == nil {
			err = s.admit(ctx, seen)
		}
		if err != nil {
			return err
		}
		forward.RemoveHop(header)
		to.Outgoing(header, s.Subject, g.o.StripHeaders)
		p.request, err = request.Path(to, header, opening.Offered(r))
		return err
	})
	answer := pathform.Answer{Caller: s.Subject, Request: r.Header, HTTPS: origin.OverTLS(r), Node: p.exit.ID}
	if err != nil {
		if refusal := refusalOf(err); refusal != nil {
			passWhole(w, refusal, to, answer)
		} else {
			g.failForm(w, r, to, err)
		}
		s.endUnconnected(p, err)
		return nil
	}
	h := p.target.Header.Clone()
	to.Incoming(h, answer)
	delete(h, "Content-Type")
	maps.Copy(w.Header(), h)
	g.join(s, w, r, p)
	return nil
}

// passWhole answers as the target answered the upgrade.
func passWhole(w http.ResponseWriter, refusal *upstream.Refusal, to *pathform.Request, a pathform.Answer) {
	h := upstream.WithoutHop(refusal.Header)
	to.Incoming(h, a)
	maps.Copy(w.Header(), h)
	w.WriteHeader(refusal.Status)
	if refusal.Status != http.StatusNoContent && refusal.Status != http.StatusNotModified {
		w.Write(refusal.Body) // a client that has gone needs no answer
	}
}
