package request

import (
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/farwire/farwire/internal/egress"
	"github.com/farwire/farwire/internal/fault"
	"github.com/farwire/farwire/internal/jsonobject"
	"github.com/farwire/farwire/internal/pathform"
)

// A Direct is the query of the direct form: what is ours by name, and what
// goes to the target's query, byte for byte and in its order.
type Direct struct {
	ours   map[string]string // without fw_
	header []jsonobject.Member
	theirs []string
}

// IsDirect reports whether a query names a target, even one that is not valid.
func IsDirect(query string) bool {
	for pair := range strings.SplitSeq(query, "&") {
		if name, _, _ := strings.Cut(pair, "="); name == "url" || name == "fw_url" {
			return true
		}
	}
	return false
}

// ourNames are the parameters of the direct form. Each may have fw_ before it;
// session and timeout must, because targets have such parameters too.
var ourNames = []string{"url", "api_key", "token", "geo", "agent", "idle_timeout", "proxy", "header"}

// ParseDirect tells our parameters from the target's. With fw_url all of ours
// have the prefix. When the key came in a header, api_key and token without the
// prefix are the target's.
func ParseDirect(raw string, keyInHeader bool) (*Direct, error) {
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
	q := &Direct{ours: make(map[string]string)}
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
func (q *Direct) set(name, as, raw string) error {
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

// Keys returns the caller's key and token, empty where the query has none.
func (q *Direct) Keys() (apiKey, token string) { return q.ours["api_key"], q.ours["token"] }

// Relay reads what the query asks for. authorization is the header of this name, where
// it is meant for the target; empty: none.
func (q *Direct) Relay(protocols []string, authorization string) (*Relay, error) {
	out := new(Relay)
	var err error
	if out.Idle, err = q.seconds("idle_timeout", "idle_timeout"); err == nil {
		out.Timeout, err = q.seconds("timeout", "fw_timeout")
	}
	if err == nil {
		err = out.checkTimeout("fw_timeout")
	}
	if err == nil {
		err = egress.ParseFilter(&out.Query, q.ours["geo"], q.ours["agent"])
	}
	if err == nil {
		err = egress.ParseSession(&out.Query, "fw_session", q.ours["session"])
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
	out.Target.Body = maxDirectBody
	if err := out.setTarget(q.ours["url"], q.ours["proxy"], header, nil, protocols); err != nil {
		return nil, err
	}
	out.Target.URL.AddQuery(strings.Join(q.theirs, "&"))
	return out, nil
}

// seconds reads a number of seconds, zero or more; as is how it is written.
func (q *Direct) seconds(name, as string) (time.Duration, error) {
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

// Path is what a path, or an absolute URL, asks the relay for.
func Path(to *pathform.Request, header http.Header, protocols []string) (*Relay, error) {
	o := &to.Options
	out := &Relay{Idle: o.Idle, Timeout: o.Timeout}
	if err := out.checkTimeout("timeout"); err != nil {
		return nil, err
	}
	if err := egress.ParseFilter(&out.Query, o.Geo, o.Agent); err != nil {
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
	out.Target.Body = maxDirectBody
	err := out.setTarget(address, "", fields, nil, protocols)
	out.Query.Session = to.Sticky()
	out.Target.Ignored = nil // they belong to the client's own hop
	return out, err
}
