package agent

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"net/url"
	"path"
	"strconv"
	"strings"
)

// A gateway is where to look for gateways: a URL of which each address is one.
type gateway struct {
	url  *url.URL
	peer bool // named by a gateway and not by our operator
}

// parseGateway reads a gateway's URL and completes its path.
func parseGateway(raw string) (*url.URL, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return nil, fmt.Errorf("%q is not a URL", raw)
	}
	switch u.Scheme {
	case "ws", "wss":
		u.Scheme = strings.Replace(u.Scheme, "ws", "http", 1)
	}
	switch {
	case u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "":
		return nil, fmt.Errorf("%q: want http://HOST or https://HOST", raw)
	case u.User != nil || u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("%q: want no user, query or fragment", u.Redacted())
	}
	if p := u.Port(); p != "" {
		if n, err := strconv.ParseUint(p, 10, 16); err != nil || n == 0 {
			return nil, fmt.Errorf("%q: the port is not between 1 and 65535", raw)
		}
	}
	if !strings.HasSuffix(u.Path, "/agents/attach") {
		u = u.JoinPath("agents/attach")
	}
	u.Path = path.Clean(u.Path)
	return u, nil
}

// portOf is the port that a gateway's URL means.
func portOf(u *url.URL) uint16 {
	n, err := strconv.ParseUint(u.Port(), 10, 16)
	switch {
	case err == nil:
		return uint16(n)
	case u.Scheme == "https":
		return 443
	}
	return 80
}

// inClear reports whether a gateway must not be spoken to: whether what is said
// would leave the machine without TLS.
func (r *runner) inClear(u *url.URL) bool {
	if r.o.AllowCleartext || u.Scheme == "https" {
		return false
	}
	host := u.Hostname()
	a, err := netip.ParseAddr(host)
	return !strings.EqualFold(strings.TrimSuffix(host, "."), "localhost") && (err != nil || !a.Unmap().IsLoopback())
}

// lookup starts a connector for each address of a gateway that has none, and stops
// those whose address is gone, unless they are linked. It reports whether the
// name had an address.
func (r *runner) lookup(ctx context.Context, g *gateway) bool {
	host := g.url.Hostname()
	addrs, err := r.dialer.lookup(ctx, "ip", host)
	if err != nil {
		if ctx.Err() == nil {
			r.unresolved(g, err)
		}
		return false
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	current := map[string]bool{}
	for _, a := range addrs {
		if g.url.Scheme == "http" && !r.o.AllowCleartext && !a.IsLoopback() {
			continue // of localhost, whatever answers for the name
		}
		for i := range r.connectorsFor() {
			key := fmt.Sprintf("%s %s %d", g.url, a, i)
			current[key] = true
			if r.connectors[key] == nil {
				connecting, cancel := context.WithCancel(ctx)
				l := &connector{runner: r, gateway: g, addr: a, cancel: cancel, key: key}
				r.connectors[key] = l
				r.linking.Go(func() { defer cancel(); l.run(connecting) })
			}
		}
	}
	for key, l := range r.connectors {
		if l.gateway == g && !current[key] && !l.linked.Load() {
			l.cancel()
			delete(r.connectors, key)
		}
	}
	return true
}

// unresolved logs that a gateway has no address, once, unless a connector of it is there,
// which logs for itself.
func (r *runner) unresolved(g *gateway, err error) {
	if l := r.unaddressed(g); l != nil {
		l.logChange(slog.LevelWarn, "gateway has no address", "err", Classify(err))
	}
}

// unaddressed makes a connector for a gateway without an address; nil: it has one already.
func (r *runner) unaddressed(g *gateway) *connector {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, l := range r.connectors {
		if l.gateway == g {
			return nil
		}
	}
	key := g.url.String()
	l := &connector{runner: r, gateway: g, key: key, cancel: func() {}}
	r.connectors[key] = l
	return l
}

// adopt takes the peers that a gateway named among the gateways. Those that a
// gateway on TLS names must be on TLS too, or the secret would leave in clear.
func (r *runner) adopt(from *gateway, peers []string) {
	if invalid := r.take(from, peers); len(invalid) > 0 { // one line, however many it names
		r.log.Warn("gateway names a peer with an invalid address", "gateway", from.url.Host, "peer", invalid[0], "invalid", len(invalid))
	}
}

// take takes the peers that are valid, and returns the others.
func (r *runner) take(from *gateway, peers []string) (invalid []string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, raw := range peers {
		u, err := parseGateway(raw)
		if err != nil || from.url.Scheme == "https" && u.Scheme != "https" || r.inClear(u) {
			invalid = append(invalid, readable(raw))
			continue
		}
		if key := u.String(); r.urls[key] == nil && len(r.urls) < maxGateways {
			r.urls[key] = &gateway{url: u, peer: true}
			r.changed()
		}
	}
	return invalid
}

// maxGateways bounds what a gateway can make an agent dial.
const maxGateways = 64
