package farwire

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"strings"

	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/sse"
)

// What can go wrong, as far as the world may know it.
var (
	errDraining     = errors.New("the gateway is draining")
	errKeyMissing   = errors.New("API key missing")
	errKeyInvalid   = errors.New("API key invalid")
	errTokenInvalid = errors.New("token invalid or expired")
	errOrigin       = errors.New("origin not allowed")
	errTimeout      = errors.New("timed out")
	errClientGone   = errors.New("the client left")
	errBrokenFrame  = errors.New("a frame broke the format")
)

// badRequest is a request that cannot be served as it is; the text says why
// in the caller's own terms.
type badRequest struct {
	text   string
	status int // zero: 400
}

func (e *badRequest) Error() string { return e.text }

func badRequestf(format string, args ...any) error {
	return &badRequest{text: fmt.Sprintf(format, args...)}
}

// methodError is a request by a method that its endpoint does not take.
type methodError struct{ allowed string } // as the Allow header has it

func (e *methodError) Error() string { return "the method must be " + e.allowed }

// onlyReads refuses a request that is not for reading.
func onlyReads(r *http.Request) error {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		return &methodError{"GET, HEAD"}
	}
	return nil
}

// limitError is a refusal by a limit.
type limitError struct {
	what  string
	quota Quota
}

func (e *limitError) Error() string { return e.what }

// targetError is an answer of the target's that ends the matter, in words that
// the caller may read.
type targetError struct{ text string }

func (e *targetError) Error() string { return e.text }

// A verdict is what the world sees of an error.
type verdict struct {
	status int    // of a plain HTTP answer
	code   int    // of a close frame or an error event
	text   string // names what the caller sent, never anything of ours
}

// judge is the one table from errors to verdicts. What is not in it is an
// internal error outside, and complete in the log.
func judge(err error) verdict {
	var (
		bad    *badRequest
		method *methodError
		limit  *limitError
		target *targetError
		dial   *agent.DialError
		none   *noAgentError
	)
	switch {
	case errors.As(err, &bad):
		status := http.StatusBadRequest
		if bad.status != 0 {
			status = bad.status
		}
		return verdict{status, 1008, bad.text}
	case errors.Is(err, errBrokenFrame):
		return verdict{http.StatusBadRequest, 1002, errBrokenFrame.Error()}
	case errors.As(err, &method):
		return verdict{http.StatusMethodNotAllowed, 1008, method.Error()}
	case errors.Is(err, errKeyMissing):
		return verdict{http.StatusUnauthorized, 1008, errKeyMissing.Error()}
	case errors.Is(err, errSecret):
		return verdict{http.StatusUnauthorized, 1008, errSecret.Error()}
	case errors.Is(err, errKeyInvalid), errors.Is(err, errTokenInvalid), errors.Is(err, errOrigin):
		return verdict{http.StatusForbidden, 1008, err.Error()}
	case errors.As(err, &limit):
		return verdict{http.StatusTooManyRequests, 1008, limit.what}
	case errors.Is(err, errDraining):
		return verdict{http.StatusServiceUnavailable, 1001, errDraining.Error()}
	case errors.As(err, &dial) && dial.Fault == agent.Policy:
		return verdict{http.StatusForbidden, 1008, "target refused: " + dial.Error()}
	case errors.As(err, &target):
		return verdict{http.StatusBadGateway, 1011, target.text}
	case isTimeout(err):
		return verdict{http.StatusGatewayTimeout, 1011, "target timed out"}
	case errors.As(err, &dial) && dial.Fault == agent.Target:
		return verdict{http.StatusBadGateway, 1011, "target unreachable: " + dial.Error()}
	case errors.As(err, &dial):
		text := dial.Error() // "agent lost", "agent overloaded"
		if !strings.HasPrefix(text, "agent ") {
			text = "agent error: " + text
		}
		return verdict{http.StatusBadGateway, 1011, text}
	case errors.As(err, &none):
		return verdict{http.StatusBadGateway, 1011, none.Error()}
	case errors.Is(err, sse.ErrStalled):
		return verdict{http.StatusRequestTimeout, 1008, sse.ErrStalled.Error()}
	case errors.Is(err, sse.ErrCannotFlush):
		return verdict{http.StatusInternalServerError, 1011, "the server cannot stream: " + sse.ErrCannotFlush.Error()}
	}
	return verdict{http.StatusInternalServerError, 1011, "internal error"}
}

func isTimeout(err error) bool {
	var t interface{ Timeout() bool }
	return errors.Is(err, errTimeout) || errors.Is(err, context.DeadlineExceeded) || errors.As(err, &t) && t.Timeout()
}

// fail answers a plain HTTP request with what judge makes of err.
func (o *Options) fail(w http.ResponseWriter, err error) {
	v := judge(err)
	h := w.Header()
	var limit *limitError
	var method *methodError
	switch {
	case errors.As(err, &method):
		h.Set("Allow", method.allowed)
	case errors.As(err, &limit):
		q := limit.quota
		h.Set("Retry-After", strconv.Itoa(max(1, int(math.Ceil(q.RetryAfter.Seconds())))))
		h.Set("X-RateLimit-Limit", strconv.Itoa(q.Limit))
		h.Set("X-RateLimit-Remaining", strconv.Itoa(q.Remaining))
	case v.status == http.StatusServiceUnavailable:
		h.Set("Retry-After", "5")
	case v.status == http.StatusUpgradeRequired:
		h.Set("Upgrade", "websocket")
		h.Set("Connection", "Upgrade")
		h.Set("Sec-WebSocket-Version", "13") // RFC 6455, section 4.4
	case v.status == http.StatusUnauthorized:
		h.Set("WWW-Authenticate", "Bearer")
	case v.status == http.StatusInternalServerError && !errors.Is(err, errClientGone):
		o.Logger.Warn("internal error", "err", err)
	}
	writeJSON(w, v.status, map[string]string{"detail": v.text})
}

// writeJSON answers with a JSON body that no cache keeps.
func writeJSON(w http.ResponseWriter, status int, body any) {
	b, err := json.Marshal(body)
	if err != nil {
		panic("farwire: an answer of our own cannot be marshalled: " + err.Error())
	}
	h := w.Header()
	h.Set("Content-Type", "application/json")
	h.Set("Cache-Control", "no-store")
	h.Set("Content-Length", strconv.Itoa(len(b)))
	w.WriteHeader(status)
	w.Write(b) // a client that has gone needs no answer
}
