package openrouter

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"
)

// Error is an answer of the API that is none of the model's.
type Error struct {
	Status  int    // of HTTP, or what the body says in its place
	Message string // the API's own words, shortened, without the key
}

// Error says what was answered.
func (e *Error) Error() string {
	text := "the API answers " + strconv.Itoa(e.Status)
	switch e.Status {
	case http.StatusUnauthorized:
		text += " (the API key is not valid)"
	case http.StatusPaymentRequired:
		text += " (the account has no credit left)"
	case http.StatusForbidden:
		text += " (the API key may not do this, or the text was flagged)"
	case http.StatusNotFound:
		text += " (no such model, or the base URL is wrong)"
	default:
		if name := http.StatusText(e.Status); name != "" {
			text += " (" + name + ")"
		}
	}
	if e.Message != "" {
		text += ": " + e.Message
	}
	return text
}

// transient is an error that another try may not meet.
type transient struct {
	error
	after time.Duration // what the API asked to wait
}

func (t *transient) Unwrap() error { return t.error }

// refusal is the error for a status.
func (m *Model) refusal(status int, message string, header http.Header) error {
	err := &Error{Status: status, Message: m.tidy(message)}
	switch {
	case status == http.StatusTooManyRequests, status == http.StatusRequestTimeout, status >= 500:
		return &transient{err, retryAfter(header.Get("Retry-After"), time.Now())}
	}
	return err
}

// tidy makes one short line of what the API says, without the key: some
// services repeat it.
func (m *Model) tidy(text string) string {
	text = strings.ReplaceAll(text, m.o.APIKey, "…")
	text = strings.Join(strings.FieldsFunc(text, func(r rune) bool { return unicode.IsSpace(r) || !unicode.IsPrint(r) }), " ")
	if r := []rune(text); len(r) > 200 {
		text = string(r[:200]) + "…"
	}
	return text
}

// retryAfter reads RFC 9110 section 10.2.3: seconds or a date.
func retryAfter(value string, now time.Time) time.Duration {
	if value == "" {
		return 0
	}
	if s, err := strconv.ParseFloat(value, 64); err == nil {
		return time.Duration(min(max(s, 0), 3600) * float64(time.Second))
	}
	if t, err := http.ParseTime(value); err == nil {
		return max(t.Sub(now), 0)
	}
	return 0
}

const (
	firstPause = time.Second
	mostPause  = 8 * time.Second
)

// pause waits before another try: any time up to a bound that doubles, so that
// those who were refused together do not come back together, and no less than
// the API asked for. It does not begin a wait that outlasts the context.
func pause(ctx context.Context, tries int, t *transient) error {
	bound := min(firstPause<<min(tries-1, 10), mostPause)
	wait := max(rand.N(bound), t.after)
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= wait {
		return fmt.Errorf("%w (no time left to try again)", t.error)
	}
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}
