package farwire

import (
	"cmp"
	"context"
	"maps"
	"net/http"
	"slices"

	"github.com/farwire/farwire/internal/egress"
	"github.com/farwire/farwire/internal/pathform"
	"github.com/farwire/farwire/internal/upstream"
)

// relayByPath serves a WebSocket of the path form: the direct form, with nothing
// taken out of the query and with the client's own headers.
func (g *Gateway) relayByPath(s *session, w http.ResponseWriter, r *http.Request, to *pathform.Request) {
	p := &relayed{}
	err := g.connectFirst(s, r, p, func(ctx context.Context) error {
		header := r.Header.Clone()
		seen, err := g.readPathAuth(r, to, header)
		seen.http = true
		if err == nil {
			err = s.admit(ctx, seen)
		}
		if err != nil {
			return err
		}
		to.Outgoing(header, s.Subject, g.o.StripHeaders)
		p.request, err = pathRelay(to, header, offered(r))
		return err
	})
	answer := pathform.Answer{Caller: s.Subject, Request: r.Header, HTTPS: overTLS(r), Node: p.exit.ID}
	if err != nil {
		if refusal := refusalOf(err); refusal != nil {
			passWhole(w, refusal, to, answer)
		} else {
			g.failPath(w, r, err)
		}
		s.endUnconnected(p, err)
		return
	}
	h := p.target.Header.Clone()
	to.Incoming(h, answer)
	delete(h, "Content-Type")
	maps.Copy(w.Header(), h)
	g.join(s, w, r, p)
}

// pathRelay is what a path asks the relay for.
func pathRelay(to *pathform.Request, header http.Header, protocols []string) (*relayRequest, error) {
	o := &to.Options
	out := &relayRequest{idle: o.Idle, timeout: o.Timeout}
	if err := out.checkTimeout("timeout"); err != nil {
		return nil, err
	}
	if err := egress.ParseFilter(&out.query, o.Geo, o.Agent); err != nil {
		return nil, err
	}
	var fields []member
	for _, name := range slices.Sorted(maps.Keys(header)) {
		for _, value := range header[name] {
			fields = append(fields, member{name, value})
		}
	}
	scheme := "ws"
	if to.Scheme == "https" {
		scheme = "wss"
	}
	address := scheme + "://" + to.Host + to.Path
	if to.Asked {
		address += "?" + to.Query
	}
	out.target.Body = maxDirectBody
	err := out.setTarget(address, "", fields, nil, protocols)
	out.query.Session = cmp.Or(o.Session, out.query.Host)
	out.target.Ignored = nil // they belong to the client's own hop
	return out, err
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
