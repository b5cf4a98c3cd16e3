package farwire

import (
	"errors"
	"io"
	"maps"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/egress"
	"github.com/farwire/farwire/internal/fault"
	"github.com/farwire/farwire/internal/jsonobject"
	"github.com/farwire/farwire/internal/pathform"
	"github.com/farwire/farwire/internal/upstream"
)

// What a request may hold beside what jsonobject counts.
const (
	maxHeaders      = 100 // headers and cookies together
	maxSubprotocols = 32
)

// fields are those of a request's JSON object.
type fields struct{ *jsonobject.Object }

func readFields(b []byte) (*fields, error) {
	o, err := jsonobject.Read(b)
	if err != nil {
		return nil, err
	}
	return &fields{o}, nil
}

// key reads the caller's key, under either of its names.
func (f *fields) key() string {
	if k := f.Text("apiKey", ""); k != "" {
		return k
	}
	return f.Text("key", "")
}

// readAsk reads a JSON body within the limits of size and time.
func readAsk(w http.ResponseWriter, r *http.Request) ([]byte, error) {
	if t := r.Header.Get("Content-Type"); t != "" {
		// Its parameters are not looked at: 64 KiB of them cost 31 ms.
		media, _, err := mime.ParseMediaType(firstPart(t))
		if err != nil || media != "application/json" && !strings.HasSuffix(media, "+json") {
			return nil, fault.Newf(fault.UnsupportedMedia, "the body must be JSON and say so; add the header Content-Type: application/json (it is %s)", fault.Clip(t))
		}
	}
	if r.ContentLength > askLimit {
		// Else net/http waits for the body before it answers.
		w.Header().Set("Connection", "close")
		return nil, fault.New(fault.TooLarge, "the body is larger than 64 KiB")
	}
	if r.Header.Get("Content-Encoding") != "" {
		return nil, fault.New(fault.UnsupportedMedia, "the body must come without a Content-Encoding")
	}
	rc := http.NewResponseController(w)
	// A writer without deadlines leaves the time to the server's own limits.
	_ = rc.SetReadDeadline(time.Now().Add(askTimeout))
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, askLimit))
	var large *http.MaxBytesError
	switch {
	case err == nil:
		_ = rc.SetReadDeadline(time.Time{})
		return body, nil
	// Otherwise the deadline stands: net/http wants the rest of the body before
	// it sends an answer.
	case errors.As(err, &large):
		return nil, fault.New(fault.TooLarge, "the body is larger than 64 KiB")
	case fault.IsTimeout(err):
		return nil, fault.Invalidf("the body did not come within %v", askTimeout)
	}
	return nil, fault.Invalidf("the body could not be read")
}

// firstPart is what stands before the first semicolon.
func firstPart(s string) string {
	before, _, _ := strings.Cut(s, ";")
	return before
}

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
	q := &relayRequest{idle: f.Seconds("idle_timeout"), timeout: f.Seconds("timeout")}
	geo, agents, sticky := f.Text("geo", ""), f.Text("agent", ""), f.Text("session", "")
	raw, proxy := f.Text("url", ""), f.Text("proxy", "")
	header, cookies, protocols := f.Pairs("headers"), f.Pairs("cookies"), f.Strings("subprotocols")
	ca := f.Text("ca", "")
	t := &q.target
	t.TLS = upstream.TLS{ServerName: f.Text("server_name", ""), CA: []byte(ca), Insecure: f.Bool("insecure", false)}
	t.Redirects = f.Int("follow_redirects", 0, 0, maxRedirects)
	t.Body = maxRefusal
	if f.Err != nil {
		return nil, f.Err
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
func checkCounts(header, cookies []jsonobject.Member, protocols []string) error {
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
func (q *relayRequest) setTarget(raw, proxy string, header, cookies []jsonobject.Member, protocols []string) error {
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

func upstreamFields(list []jsonobject.Member) []upstream.Field {
	out := make([]upstream.Field, len(list))
	for i, m := range list {
		out[i] = upstream.Field{Name: m.Name, Value: m.Value}
	}
	return out
}

// A directQuery is the query of the direct form: what is ours by name, and what
// goes to the target's query, byte for byte and in its order.
type directQuery struct {
	ours   map[string]string // without fw_
	header []jsonobject.Member
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
		q.header = append(q.header, jsonobject.Member{Name: k, Value: strings.Trim(v, " \t")})
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
	if authorization != "" && !slices.ContainsFunc(header, func(h jsonobject.Member) bool {
		return strings.EqualFold(h.Name, "Authorization")
	}) {
		header = append(header, jsonobject.Member{Name: "Authorization", Value: authorization})
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
	d, ok := jsonobject.Duration(v)
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
	var fields []jsonobject.Member
	for _, name := range slices.Sorted(maps.Keys(header)) {
		for _, value := range header[name] {
			fields = append(fields, jsonobject.Member{Name: name, Value: value})
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
