package request

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"math"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/farwire/farwire/internal/amqpstream"
	"github.com/farwire/farwire/internal/fault"
	"github.com/farwire/farwire/internal/safetext"
	"github.com/farwire/farwire/internal/upstream"
)

// An AMQP is what a client asked for in the body of POST /amqp.
type AMQP struct {
	Host    string
	Port    int
	TLS     *upstream.TLS // nil: in clear
	Prefix  string        // of a temporary queue's name
	Session string        // the sticky session; empty: none
	amqpstream.Subscription

	pair struct{ cert, key []byte } // of the client, in PEM
}

// AMQPLimits are what a gateway allows and sets.
type AMQPLimits struct {
	Insecure   bool // a broker need not be verified
	QueueLimit int  // messages that a queue may hold; at most zero: no limit
}

const (
	defaultPrefetch = 500
	mostPrefetch    = 5000
	mostBindings    = 100
)

// AMQP reads and checks the fields that say what to consume, and the
// event behind which the client wants to go on.
func (f *Fields) AMQP(lastEventID string, o AMQPLimits) (*AMQP, error) {
	req := &AMQP{
		Host:   f.Text("host", ""),
		Port:   f.Int("port", 5672, 1, 65535),
		Prefix: f.Text("queue_prefix", "scrape"),

		Session: f.Text("session", ""),
		Subscription: amqpstream.Subscription{
			VirtualHost: f.Text("virtual_host", "/"),
			Username:    f.Text("username", ""),
			Password:    f.Text("password", ""),
			Heartbeat:   time.Duration(f.Int("heartbeat", 60, 0, 65535)) * time.Second,
			Prefetch:    f.Int("prefetch", defaultPrefetch, 1, mostPrefetch),
			QueueLimit:  max(0, o.QueueLimit),
		},
	}
	ssl := f.Bool("ssl", false)
	if f.Err != nil {
		return nil, f.Err
	}
	switch {
	case req.Host == "":
		return nil, fault.Invalidf("host is missing")
	case strings.HasPrefix(req.Host, "["):
		return nil, fault.Invalidf("host must be an IPv6 address without brackets, such as 2001:db8::1, and without a port")
	case !hostOnly(req.Host), !asDialled(&req.Host):
		return nil, fault.Invalidf("host must be a name or an address, without a scheme or a port")
	case !validName(req.Prefix):
		return nil, fault.Invalidf("queue_prefix must be 1 to 64 of the characters A-Z a-z 0-9 . _ -")
	case req.Session != "" && !validName(req.Session):
		return nil, fault.Invalidf("session must be 1 to 64 of the characters A-Z a-z 0-9 . _ -")
	case len(req.VirtualHost) > mostShort:
		return nil, tooLong("virtual_host")
	}
	read := req.readBindings
	if _, ok := f.Raw("queue"); ok {
		read = req.readQueue
	}
	if err := read(f); err != nil {
		return nil, err
	}
	if after, err := strconv.ParseInt(lastEventID, 10, 64); err == nil && after >= 0 && after < math.MaxInt64 {
		req.After = &after
	}
	return req, req.readTLS(f, ssl, o)
}

// Names and keys travel as short strings (section 4.2.5.3 of the specification).
const mostShort = 255

func tooLong(name string) error { return fault.Invalidf("%s must be at most 255 bytes", name) }

// readQueue reads a request for a queue that is there.
func (req *AMQP) readQueue(f *Fields) error {
	for _, other := range []string{"exchange", "routing_key", "bindings", "queue_prefix"} {
		if _, ok := f.Raw(other); ok {
			return fault.Invalidf("queue names an existing queue, which is consumed as it is; leave out %s", other)
		}
	}
	req.Queue = f.Text("queue", "")
	req.Offset = readOffset(f)
	switch {
	case f.Err != nil:
		return f.Err
	case req.Queue == "":
		return fault.Invalidf("queue must be the name of a queue; without it the stream gets a queue of its own")
	case len(req.Queue) > mostShort:
		return tooLong("queue")
	}
	return nil
}

// readOffset reads where a stream queue begins: a word, a number or a time.
func readOffset(f *Fields) any {
	raw, ok := f.Raw("offset")
	if !ok {
		return nil
	}
	var text string
	if raw[0] == '"' && json.Unmarshal(raw, &text) != nil {
		text = ""
	}
	switch text {
	case "first", "last", "next":
		return text
	case "":
		text = string(raw)
	}
	if n, err := strconv.ParseInt(text, 10, 64); err == nil && n >= 0 {
		return n
	}
	if at, err := time.Parse(time.RFC3339, text); err == nil && at.Unix() >= 0 {
		return at
	}
	f.Refuse("offset", "must be first, last, next, a number, or a time such as 2026-11-28T06:00:00Z")
	return nil
}

// readBindings reads a request for a temporary queue.
func (req *AMQP) readBindings(f *Fields) error {
	if _, ok := f.Raw("offset"); ok {
		return fault.Invalidf("offset is where an existing stream queue is read from; give queue too")
	}
	keys := []string{"#"}
	if raw, _ := f.Raw("routing_key"); len(raw) > 0 && raw[0] == '[' {
		keys = f.Strings("routing_key", mostBindings)
	} else {
		keys[0] = f.Text("routing_key", "#")
	}
	exchange := f.Text("exchange", "")
	if f.Err != nil {
		return f.Err
	}
	switch {
	case len(keys) == 0:
		return fault.Invalidf("routing_key is an empty list")
	case len(keys) > mostBindings:
		return fault.Invalidf("routing_key has more than %d keys", mostBindings)
	case len(exchange) > mostShort:
		return tooLong("exchange")
	}
	for _, key := range keys {
		if len(key) > mostShort {
			return tooLong("routing_key")
		}
		// Every queue is bound to the default exchange by its name already, and a
		// broker refuses to bind to it again.
		if exchange != "" {
			req.Bindings = append(req.Bindings, amqpstream.Binding{Exchange: exchange, RoutingKey: key})
		}
	}
	return req.readFurtherBindings(f)
}

func (req *AMQP) readFurtherBindings(f *Fields) error {
	if _, ok := f.Raw("bindings"); !ok {
		return nil
	}
	list := f.Values("bindings", "must be an array of objects", mostBindings)
	switch {
	case f.Err != nil:
		return f.Err
	case len(list) == 0:
		return fault.Invalidf("bindings is an empty list")
	case len(list) > mostBindings:
		return fault.Invalidf("bindings has more than %d entries", mostBindings)
	}
	for i, item := range list {
		b, err := readBinding(json.RawMessage(item))
		if err != nil {
			return fault.Invalidf("bindings[%d]: %s", i, err)
		}
		req.Bindings = append(req.Bindings, b)
	}
	return nil
}

func readBinding(raw json.RawMessage) (b amqpstream.Binding, err error) {
	f, err := Read(raw)
	if err != nil {
		return b, err
	}
	b.Exchange, b.RoutingKey = f.Text("exchange", ""), f.Text("routing_key", "#")
	if raw, ok := f.Raw("arguments"); ok {
		if b.Arguments, err = readArguments(json.RawMessage(raw)); err != nil {
			return b, err
		}
	}
	switch {
	case f.Err != nil:
		return b, f.Err
	case b.Exchange == "":
		return b, fault.Invalidf("exchange is missing")
	case len(b.Exchange) > mostShort:
		return b, tooLong("exchange")
	case len(b.RoutingKey) > mostShort:
		return b, tooLong("routing_key")
	}
	return b, nil
}

// readArguments reads an object of values that a field table can hold: a whole
// number is a 64-bit integer, another one a double, and null is void. Its names are
// counted and its levels bounded where the request is read.
func readArguments(raw json.RawMessage) (map[string]any, error) {
	dec := json.NewDecoder(bytes.NewReader(raw))
	dec.UseNumber()
	var object map[string]any
	if err := dec.Decode(&object); err != nil || object == nil {
		return nil, fault.Invalidf("arguments must be an object")
	}
	_, err := asTable(object)
	return object, err
}

// asTable replaces the numbers in v, which is a value of a table.
func asTable(v any) (_ any, err error) {
	switch v := v.(type) {
	case json.Number:
		return number(v)
	case []any:
		for i := range v {
			if v[i], err = asTable(v[i]); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		for name := range v {
			if len(name) > mostShort {
				return nil, tooLong("a name in arguments")
			}
			if v[name], err = asTable(v[name]); err != nil {
				return nil, err
			}
		}
	}
	return v, nil
}

func number(n json.Number) (any, error) {
	if !strings.ContainsAny(n.String(), ".eE") {
		if v, err := n.Int64(); err == nil {
			return v, nil
		}
		return nil, fault.Invalidf("arguments: %s is larger than 64 bits", fault.Clip(n.String()))
	}
	v, err := n.Float64()
	if err != nil {
		return nil, fault.Invalidf("arguments: %s is larger than a double", fault.Clip(n.String()))
	}
	return v, nil
}

// mostKey is how long the PEM of a private key may be. The time that RSA takes grows with the
// third power of its length: a key of 60 KiB costs half a second when it is read.
const mostKey = 8 << 10

// readTLS reads how the broker is verified and what it is shown.
func (req *AMQP) readTLS(f *Fields, ssl bool, o AMQPLimits) error {
	ca := f.Text("ca", "")
	t := &upstream.TLS{ServerName: f.Text("server_name", ""), CA: []byte(ca), Insecure: f.Bool("insecure", false)}
	cert, key := f.Text("cert", ""), f.Text("cert_key", "")
	if f.Err != nil {
		return f.Err
	}
	for _, option := range []struct {
		name string
		set  bool
	}{{"server_name", t.ServerName != ""}, {"ca", ca != ""}, {"insecure", t.Insecure}, {"cert", cert != ""}, {"cert_key", key != ""}} {
		if option.set && !ssl {
			return fault.Invalidf("%s is about TLS; give ssl: true too", option.name)
		}
	}
	switch {
	case t.Insecure && !o.Insecure:
		return fault.Invalidf("insecure is not allowed here; the operator allows it with --allow-insecure")
	case t.ServerName != "" && (!hostOnly(t.ServerName) || !asDialled(&t.ServerName)):
		return fault.Invalidf("server_name is not valid")
	case cert != "" && key == "":
		return fault.Invalidf("cert_key is missing")
	case cert == "" && key != "":
		return fault.Invalidf("cert is missing")
	case len(key) > mostKey:
		return fault.Invalidf("cert_key is longer than %d bytes, which hold an RSA key of 8192 bits", mostKey)
	}
	if err := upstream.CheckCA(ca); err != nil {
		return err
	}
	req.pair.cert, req.pair.key = []byte(cert), []byte(key)
	if ssl {
		req.TLS = t
	}
	return nil
}

// LoadCertificate reads the client's certificate and its key, if it sent some. That
// computes with the key, which is more than a client without an API key may cost.
func (req *AMQP) LoadCertificate() error {
	if len(req.pair.cert) == 0 {
		return nil
	}
	pair, err := tls.X509KeyPair(req.pair.cert, req.pair.key)
	switch {
	case err != nil && upstream.IsEncrypted(req.pair.key):
		return fault.Invalidf("cert_key is encrypted; send it without a passphrase")
	case err != nil:
		// The library's text may hold parts of what it could not read.
		return fault.Invalidf("cert and cert_key must be a certificate and its key in PEM")
	}
	req.TLS.Certificates, req.Certificate = []tls.Certificate{pair}, true
	return nil
}

// asDialled writes a host as it is dialled, a name in ASCII, or reports false.
func asDialled(host *string) bool {
	if _, err := netip.ParseAddr(*host); err == nil {
		return true
	}
	u := &url.URL{Host: *host}
	if upstream.CheckHost(u) != nil {
		return false
	}
	*host = u.Host
	return true
}

func hostOnly(s string) bool {
	if _, err := netip.ParseAddr(s); err == nil {
		return true
	}
	return len(s) <= 254 && !strings.ContainsFunc(s, func(r rune) bool {
		return r <= ' ' || r == 0x7f || strings.ContainsRune(`/\@:?#[]<>"%`, r)
	})
}

func validName(s string) bool {
	return safetext.IsName(s, 64)
}
