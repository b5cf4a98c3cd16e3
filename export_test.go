package farwire

import (
	"errors"
	"fmt"
	"time"

	"github.com/farwire/farwire/internal/fault"
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
	if f.err != nil {
		return nil, refusal(f.err)
	}
	w, err := f.wish()
	if err != nil {
		return nil, refusal(err)
	}
	return w.asked(key), nil
}

// ParseDirect reads the query of the direct form as the relay does.
func ParseDirect(query, authorization string, offered []string) (*Asked, error) {
	q, err := splitQuery(query)
	if err != nil {
		return nil, refusal(err)
	}
	w, err := q.wish(offered, authorization)
	if err != nil {
		return nil, refusal(err)
	}
	return w.asked(""), nil
}

// AskFor makes a wish of its parts, with one header and one cookie.
func AskFor(url, proxy, header, value, cookie, cookieValue string) (*Asked, error) {
	w := new(wish)
	if err := w.aim(url, proxy, []member{{header, value}}, []member{{cookie, cookieValue}}, nil); err != nil {
		return nil, refusal(err)
	}
	return w.asked(""), nil
}

func (w *wish) asked(key string) *Asked {
	a := &Asked{
		Key: key, Addr: dialAddr(w.target.url), Request: w.target.request("dGhlIHNhbXBsZSBub25jZQ=="),
		Subprotocols: w.target.subprotocols, Idle: w.idle,
	}
	if w.target.proxy != nil {
		a.Proxy = dialAddr(w.target.proxy)
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
