package farwire

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/egress"
	"github.com/farwire/farwire/internal/fault"
	"github.com/farwire/farwire/internal/pathform"
	"github.com/farwire/farwire/internal/upstream"
)

// A relayRequest is what a client asks the relay for.
type relayRequest struct {
	target  upstream.Target
	query   agent.Query
	idle    time.Duration
	timeout time.Duration // for the connection to the target
}

// address is the target in the log.
func (q *relayRequest) address() string {
	if q == nil || q.target.URL == nil {
		return ""
	}
	return q.target.URL.Addr()
}

// relayRequest reads what a connect message asks for.
func (f *fields) relayRequest(allowInsecure bool) (*relayRequest, error) {
	q := &relayRequest{idle: f.seconds("idle_timeout"), timeout: f.seconds("timeout")}
	geo, agents, sticky := f.text("geo", ""), f.text("agent", ""), f.text("session", "")
	raw, proxy := f.text("url", ""), f.text("proxy", "")
	header, cookies, protocols := f.pairs("headers"), f.pairs("cookies"), f.list("subprotocols")
	ca := f.text("ca", "")
	t := &q.target
	t.TLS = upstream.TLS{ServerName: f.text("server_name", ""), CA: []byte(ca), Insecure: f.boolean("insecure", false)}
	t.Redirects = f.integer("follow_redirects", 0, 0, maxRedirects)
	t.Body = maxRefusal
	if f.err != nil {
		return nil, f.err
	}
	if err := checkCounts(header, cookies, protocols); err != nil {
		return nil, err
	}
	if err := egress.ParseFilter(&q.query, geo, agents); err != nil {
		return nil, err
	}
	if err := egress.ParseSession(&q.query, "session", sticky); err != nil {
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
func checkCounts(header, cookies []member, protocols []string) error {
	switch {
	case len(header)+len(cookies) > maxHeaders:
		return fault.Invalidf("headers and cookies are more than %d together", maxHeaders)
	case len(protocols) > maxSubprotocols:
		return fault.Invalidf("subprotocols are more than %d", maxSubprotocols)
	}
	return nil
}

const (
	maxRedirects   = 5
	maxDialTimeout = time.Minute
)

// checkTimeout fills in the time for the dial when none was asked for.
func (q *relayRequest) checkTimeout(name string) error {
	switch {
	case q.timeout == 0:
		q.timeout = dialTimeout
	case q.timeout > maxDialTimeout:
		return fault.Invalidf("%s must be at most %d seconds", name, int(maxDialTimeout/time.Second))
	}
	return nil
}

// setTarget checks everything that says where to go and what to say there.
func (q *relayRequest) setTarget(raw, proxy string, header, cookies []member, protocols []string) error {
	t := &q.target
	var err error
	if t.URL, err = upstream.ParseURL(raw); err != nil {
		return err
	}
	q.query.Host = t.URL.Host
	if t.Proxy, err = upstream.ParseProxy(proxy); err != nil {
		return err
	}
	if err := t.SetHeader(upstreamFields(header), upstreamFields(cookies)); err != nil {
		return err
	}
	return t.SetSubprotocols(protocols)
}

func upstreamFields(list []member) []upstream.Field {
	out := make([]upstream.Field, len(list))
	for i, m := range list {
		out[i] = upstream.Field{Name: m.name, Value: m.value}
	}
	return out
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
	if err := checkCounts(header, nil, protocols); err != nil {
		return nil, err
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

// maxDirectBody is how much of the body of a refusing target is passed on.
const maxDirectBody = 64 << 10

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
	if err := checkCounts(nil, nil, protocols); err != nil {
		return nil, err
	}
	out.target.Body = maxDirectBody
	err := out.setTarget(address, "", fields, nil, protocols)
	out.query.Session = to.Sticky()
	out.target.Ignored = nil // they belong to the client's own hop
	return out, err
}
