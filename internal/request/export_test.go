package request

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
	f, err := Read(message)
	if err != nil {
		return nil, refusal(err)
	}
	key := f.Key()
	if f.Err != nil {
		return nil, refusal(f.Err)
	}
	q, err := f.Relay(true)
	if err != nil {
		return nil, refusal(err)
	}
	return q.asked(key), nil
}

// ParseDirectQuery reads the query of the direct form as the relay does.
func ParseDirectQuery(query, authorization string, offered []string) (*Asked, error) {
	parsed, err := ParseDirect(query, false)
	if err != nil {
		return nil, refusal(err)
	}
	q, err := parsed.Relay(offered, authorization)
	if err != nil {
		return nil, refusal(err)
	}
	return q.asked(""), nil
}

// ParseAMQP reads the body of an AMQP request as a gateway with its defaults does.
func ParseAMQP(body []byte) error {
	f, err := Read(body)
	if err != nil {
		return refusal(err)
	}
	if f.Key(); f.Err != nil {
		return refusal(f.Err)
	}
	if _, err := f.AMQP("", AMQPLimits{}); err != nil {
		return refusal(err)
	}
	return nil
}

// ParseCrawl reads the request of a crawl as a gateway with its defaults does.
func ParseCrawl(message []byte) error {
	f, err := Read(message)
	if err != nil {
		return refusal(err)
	}
	if _, err := f.Crawl(1000); err != nil {
		return refusal(err)
	}
	return nil
}

// AskFor makes a request of its parts, with one header and one cookie.
func AskFor(url, proxy, header, value, cookie, cookieValue string) (*Asked, error) {
	q := new(Relay)
	if err := q.setTarget(url, proxy, []jsonobject.Member{{Name: header, Value: value}}, []jsonobject.Member{{Name: cookie, Value: cookieValue}}, nil); err != nil {
		return nil, refusal(err)
	}
	return q.asked(""), nil
}

func (q *Relay) asked(key string) *Asked {
	a := &Asked{
		Key: key, Addr: q.Target.URL.Addr(), Request: q.Target.Request("dGhlIHNhbXBsZSBub25jZQ=="),
		Subprotocols: q.Target.Subprotocols, Idle: q.Idle,
	}
	if q.Target.Proxy != nil {
		a.Proxy = upstream.ProxyAddr(q.Target.Proxy)
	}
	return a
}

// refusal returns the error as the client sees it. One that is not the client's
// own fault has no business in a parser.
func refusal(err error) error {
	if !fault.Is(err, fault.BadRequest) {
		panic(fmt.Sprintf("refused for no reason of the client's: %v", err))
	}
	return errors.New(fault.Of(err).Text)
}
