package farwire

import (
	"errors"
	"fmt"
	"time"

	"github.com/farwire/farwire/internal/fault"
	"github.com/farwire/farwire/internal/jsonobject"
	"github.com/farwire/farwire/internal/upstream"
)

// Asked is what a client asked for, as the gateway has understood it: what the
// fuzz targets look at.
type Asked struct {
	Key          string
	Addr         string // to dial
	Request      []byte // for the target
	Subprotocols []string
	Idle         time.Duration
	Proxy        string // to dial; empty: none
}

// ParseConnect reads a connect message as the relay does.
func ParseConnect(message []byte) (*Asked, error) {
	f, err := readFields(message)
	if err != nil {
		return nil, refusal(err)
	}
	key := f.key()
	if f.Err != nil {
		return nil, refusal(f.Err)
	}
	q, err := f.relayRequest(true)
	if err != nil {
		return nil, refusal(err)
	}
	return q.asked(key), nil
}

// ParseDirect reads the query of the direct form as the relay does.
func ParseDirect(query, authorization string, offered []string) (*Asked, error) {
	parsed, err := parseQuery(query, false)
	if err != nil {
		return nil, refusal(err)
	}
	q, err := parsed.relayRequest(offered, authorization)
	if err != nil {
		return nil, refusal(err)
	}
	return q.asked(""), nil
}

// AskFor makes a request of its parts, with one header and one cookie.
func AskFor(url, proxy, header, value, cookie, cookieValue string) (*Asked, error) {
	q := new(relayRequest)
	if err := q.setTarget(url, proxy, []jsonobject.Member{{Name: header, Value: value}}, []jsonobject.Member{{Name: cookie, Value: cookieValue}}, nil); err != nil {
		return nil, refusal(err)
	}
	return q.asked(""), nil
}

func (q *relayRequest) asked(key string) *Asked {
	a := &Asked{
		Key: key, Addr: q.target.URL.Addr(), Request: q.target.Request("dGhlIHNhbXBsZSBub25jZQ=="),
		Subprotocols: q.target.Subprotocols, Idle: q.idle,
	}
	if q.target.Proxy != nil {
		a.Proxy = upstream.ProxyAddr(q.target.Proxy)
	}
	return a
}

// refusal returns the error as the client sees it. One that is not the client's
// own fault has no business in a parser.
func refusal(err error) error {
	if !fault.Is(err, fault.BadRequest) {
		panic(fmt.Sprintf("refused for no reason of the client's: %v", err))
	}
	return errors.New(public(err).Text)
}

// SetDescriptors has the gateway believe how many descriptors there are.
func (g *Gateway) SetDescriptors(f func() (open, most int)) { g.descriptors = f }

// SetHosted has the gateway keep less of a caller's crawls.
func (g *Gateway) SetHosted(crawls int, bytes int64) { g.hosted.crawls, g.hosted.bytes = crawls, bytes }
