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
)

// serveDirect serves the direct form: the target is dialled before the upgrade
// is answered, so that an error is an HTTP status and the 101 has the target's
// choices.
func (rl *relay) serveDirect(w http.ResponseWriter, r *http.Request) {
	if err := rl.connectByQuery(r); err != nil {
		rl.failDirect(w, r, err)
		return
	}
	h := w.Header()
	h.Set("X-Farwire-Node", rl.exit.ID)
	h.Set("X-Farwire-From", "target")
	if r.Header.Get("Origin") == "" {
		h["Set-Cookie"] = append(h["Set-Cookie"], rl.target.Header["Set-Cookie"]...)
	}
	rl.join(w, r)
}

// join answers the upgrade as the target has answered it, and lets frames cross.
func (rl *relay) join(w http.ResponseWriter, r *http.Request) {
	rl.deflate = rl.target.Extensions != ""
	var err error
	rl.client, rl.early, err = opening.Switch(w, r, rl.target.Subprotocol, rl.target.Extensions)
	if err != nil {
		rl.target.Close()
		rl.endUnconnected(errClientGone)
		return
	}
	rl.pipe()
}

// connectByQuery does what the query asks for, as far as the target's answer.
func (rl *relay) connectByQuery(r *http.Request) error {
	q, err := request.ParseDirect(r.URL.RawQuery, r.Header.Get("X-Api-Key") != "")
	if err != nil {
		return err
	}
	return rl.connectFirst(r, func(ctx context.Context) error {
		seen, authorization := rl.g.readDirectAuth(r, q)
		if err := rl.session.admit(ctx, seen); err != nil {
			return err
		}
		rl.request, err = q.Relay(opening.Offered(r), authorization)
		return err
	})
}

// connectFirst is connectInTime for a client that is not answered before. Until its
// connection is taken over, the request's context does end when the client leaves.
func (rl *relay) connectFirst(r *http.Request, read func(context.Context) error) error {
	begun := time.Now()
	ctx, done := rl.session.within(r.Context())
	defer done()
	var refused error
	err := rl.connectInTime(ctx, begun, func(ctx context.Context) error {
		if refused = read(ctx); refused == nil && rl.g.compresses() {
			rl.request.Target.Extensions = deflate.Offers(r.Header["Sec-Websocket-Extensions"])
		}
		return refused
	})
	if err != nil && refused == nil && r.Context().Err() != nil {
		return errClientGone
	}
	return err
}

// failDirect answers with an error, or with what the target itself answered,
// and ends the session.
func (rl *relay) failDirect(w http.ResponseWriter, r *http.Request, err error) {
	if refusal := refusalOf(err); refusal != nil {
		w.Header().Set("X-Farwire-Node", rl.exit.ID)
		passRefusal(w, refusal, r.Header.Get("Origin") == "")
	} else {
		rl.g.fail(w, forClient(r, err))
	}
	rl.endUnconnected(err)
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

// relayByPath serves a WebSocket of the path form, or for an absolute URL: the direct form,
// with nothing taken out of the query and with the client's own headers. Its error is why no
// session has begun.
func (g *Gateway) relayByPath(w http.ResponseWriter, r *http.Request, to *pathform.Request) error {
	s, err := g.enter(r.Context(), KindRelay)
	if err != nil {
		return err
	}
	defer s.abandonOnPanic()
	rl := &relay{g: g, session: s}
	err = rl.connectFirst(r, func(ctx context.Context) error { return rl.readPath(ctx, r, to) })
	answer := pathform.Answer{Caller: s.Subject, Request: r.Header, HTTPS: origin.OverTLS(r), Node: rl.exit.ID}
	if err != nil {
		if refusal := refusalOf(err); refusal != nil {
			passWhole(w, refusal, to, answer)
		} else {
			g.failForm(w, r, to, err)
		}
		rl.endUnconnected(err)
		return nil
	}
	h := rl.target.Header.Clone()
	to.Incoming(h, answer)
	delete(h, "Content-Type")
	maps.Copy(w.Header(), h)
	rl.join(w, r)
	return nil
}

// readPath reads whose the request is, then what it asks for.
func (rl *relay) readPath(ctx context.Context, r *http.Request, to *pathform.Request) error {
	g, s := rl.g, rl.session
	header := r.Header.Clone()
	seen, err := g.readPathAuth(r, to, header)
	if err != nil {
		return err
	}
	seen.bucket = BucketHTTP
	if err := s.admit(ctx, seen); err != nil {
		return err
	}
	forward.RemoveHop(header)
	to.Outgoing(header, s.Subject, g.o.StripHeaders)
	rl.request, err = request.Path(to, header, opening.Offered(r))
	return err
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
