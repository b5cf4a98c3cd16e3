package request

import (
	"time"

	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/egress"
	"github.com/farwire/farwire/internal/fault"
	"github.com/farwire/farwire/internal/jsonobject"
	"github.com/farwire/farwire/internal/upstream"
)

// What a request may hold beside what jsonobject counts.
const (
	// MaxHeaders is how many headers and cookies a request may hold together.
	MaxHeaders      = 100
	maxSubprotocols = 32
)

// A Relay is what a client asks the relay for.
type Relay struct {
	Target  upstream.Target
	Query   agent.Query
	Idle    time.Duration // zero: no limit
	Timeout time.Duration // for the connection to the target
}

// Address is the target in the log; empty when it is not known.
func (q *Relay) Address() string {
	if q == nil || q.Target.URL == nil {
		return ""
	}
	return q.Target.URL.Addr()
}

// Relay reads what a connect message asks for.
func (f *Fields) Relay(allowInsecure bool) (*Relay, error) {
	q := &Relay{Idle: f.Seconds("idle_timeout"), Timeout: f.Seconds("timeout")}
	geo, agents, sticky := f.Text("geo", ""), f.Text("agent", ""), f.Text("session", "")
	raw, proxy := f.Text("url", ""), f.Text("proxy", "")
	header, cookies, protocols := f.Pairs("headers"), f.Pairs("cookies"), f.Strings("subprotocols", maxSubprotocols)
	ca := f.Text("ca", "")
	t := &q.Target
	t.TLS = upstream.TLS{ServerName: f.Text("server_name", ""), CA: []byte(ca), Insecure: f.Bool("insecure", false)}
	t.Redirects = f.Int("follow_redirects", 0, 0, maxRedirects)
	t.Body = maxRefusal
	if f.Err != nil {
		return nil, f.Err
	}
	if err := checkCounts(header, cookies, protocols); err != nil {
		return nil, err
	}
	if err := egress.ParseFilter(&q.Query, geo, agents); err != nil {
		return nil, err
	}
	if err := egress.ParseSession(&q.Query, "session", sticky); err != nil {
		return nil, err
	}
	if err := q.checkTimeout("timeout"); err != nil {
		return nil, err
	}
	if t.TLS.Insecure && !allowInsecure {
		return nil, fault.Invalidf("insecure is not allowed here; the operator allows it with --allow-insecure")
	}
	if err := upstream.CheckCA(ca); err != nil {
		return nil, err
	}
	if err := upstream.CheckServerName(t.TLS.ServerName); err != nil {
		return nil, err
	}
	return q, q.setTarget(raw, proxy, header, cookies, protocols)
}

// checkCounts refuses more than a request may hold, before anything is done with it.
func checkCounts(header, cookies []jsonobject.Member, protocols []string) error {
	switch {
	case len(header)+len(cookies) > MaxHeaders:
		return fault.Invalidf("headers and cookies are more than %d together", MaxHeaders)
	case len(protocols) > maxSubprotocols:
		return fault.Invalidf("subprotocols are more than %d", maxSubprotocols)
	}
	return nil
}

const (
	// DialTimeout is how long it may take to reach a target, over all agents tried,
	// unless the request says otherwise.
	DialTimeout    = 20 * time.Second
	maxDialTimeout = time.Minute

	maxRedirects = 5
	// maxRefusal is how much of a refusing target's body an error message has.
	maxRefusal = 1 << 10
)

// checkTimeout fills in the time for the dial when none was asked for.
func (q *Relay) checkTimeout(name string) error {
	switch {
	case q.Timeout == 0:
		q.Timeout = DialTimeout
	case q.Timeout > maxDialTimeout:
		return fault.Invalidf("%s must be at most %d seconds", name, int(maxDialTimeout/time.Second))
	}
	return nil
}

// setTarget checks everything that says where to go and what to say there.
func (q *Relay) setTarget(raw, proxy string, header, cookies []jsonobject.Member, protocols []string) error {
	t := &q.Target
	var err error
	if t.URL, err = upstream.ParseURL(raw); err != nil {
		return err
	}
	q.Query.Host = t.URL.Host
	if t.Proxy, err = upstream.ParseProxy(proxy); err != nil {
		return err
	}
	if err := t.SetHeader(upstreamFields(header), upstreamFields(cookies)); err != nil {
		return err
	}
	return t.SetSubprotocols(protocols)
}

func upstreamFields(list []jsonobject.Member) []upstream.Field {
	out := make([]upstream.Field, len(list))
	for i, m := range list {
		out[i] = upstream.Field{Name: m.Name, Value: m.Value}
	}
	return out
}
