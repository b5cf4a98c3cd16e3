package openrouter

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/cenkalti/backoff/v5"

	"github.com/farwire/farwire/llmstxt"
)

// Error is an answer of the API in place of the model's.
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

// pauses are the waits between the tries for one part: any time up to a bound
// that doubles from 1 s to 8 s, so that those who were refused together do not
// come back together, and no less than the API asked for. A wait that outlasts
// the context is not begun.
type pauses struct {
	*backoff.ExponentialBackOff
	ctx   context.Context
	after time.Duration // what the API asked for last
	late  bool          // there was no time left for a wait
}

func newPauses(ctx context.Context) *pauses {
	return &pauses{ctx: ctx, ExponentialBackOff: &backoff.ExponentialBackOff{
		InitialInterval: time.Second / 2, MaxInterval: 4 * time.Second, Multiplier: 2, RandomizationFactor: 1,
	}}
}

// NextBackOff returns how long to wait, or [backoff.Stop].
func (p *pauses) NextBackOff() time.Duration {
	wait := max(p.ExponentialBackOff.NextBackOff(), p.after)
	if deadline, ok := p.ctx.Deadline(); ok && time.Until(deadline) <= wait {
		p.late = true
		return backoff.Stop
	}
	return wait
}

// ask asks until there is an answer, as often as it may.
func (m *Model) ask(ctx context.Context, p llmstxt.Part) (string, error) {
	body, err := m.body(p)
	if err != nil {
		return "", err
	}
	waits, tries := newPauses(ctx), 0
	answer, err := backoff.Retry(ctx, func() (string, error) {
		if tries++; tries > 1 {
			m.retries.Add(1)
		}
		answer, err := m.try(ctx, body)
		var again *transient
		switch {
		case err == nil:
			return answer, nil
		case ctx.Err() != nil:
			return "", backoff.Permanent(context.Cause(ctx))
		case !errors.As(err, &again):
			return "", backoff.Permanent(err)
		}
		waits.after = again.after
		return "", again
	}, backoff.WithBackOff(waits), backoff.WithMaxTries(uint(m.o.Attempts)), backoff.WithMaxElapsedTime(0))
	var again *transient
	switch {
	case !errors.As(err, &again):
		var permanent *backoff.PermanentError // Retry leaves it on when it was the last try
		if errors.As(err, &permanent) {
			err = permanent.Err
		}
		return answer, err
	case waits.late:
		return "", fmt.Errorf("%w (no time left to try again)", again.error)
	}
	return "", again
}
