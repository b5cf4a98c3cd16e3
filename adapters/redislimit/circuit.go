package redislimit

import (
	"errors"
	"log/slog"
	"time"

	"github.com/sony/gobreaker/v2"
)

// pause is how long Redis is left alone after it did not answer. Then one
// request tries again, and waits for at most the timeout.
const pause = time.Second

// A circuit keeps requests from waiting one after the other for a Redis that
// does not answer. It opens with the first failure.
type circuit struct {
	*gobreaker.CircuitBreaker[[]int64]
}

func newCircuit(log *slog.Logger) circuit {
	var (
		last error     // why Redis was given up; these two are guarded by the breaker's lock
		lost time.Time // when
	)
	return circuit{gobreaker.NewCircuitBreaker[[]int64](gobreaker.Settings{
		MaxRequests: 1,
		Timeout:     pause,
		ReadyToTrip: func(c gobreaker.Counts) bool { return c.ConsecutiveFailures > 0 },
		IsSuccessful: func(err error) bool {
			last = err
			return err == nil
		},
		// A caller that left says nothing about Redis.
		IsExcluded: func(err error) bool { return errors.As(err, new(*callerCanceled)) },
		OnStateChange: func(_ string, from, to gobreaker.State) {
			switch {
			case from == gobreaker.StateClosed:
				lost = time.Now()
				log.Warn("Redis is unavailable: this gateway allows its own share of the limits", "err", last)
			case to == gobreaker.StateClosed:
				log.Info("Redis is available again: limits are shared", "after", time.Since(lost))
			}
		},
	})}
}

// unavailable reports whether Redis did not answer last time.
func (c circuit) unavailable() bool { return c.State() != gobreaker.StateClosed }

// rejected reports whether an error of Execute means that Redis was not asked.
func rejected(err error) bool {
	return errors.Is(err, gobreaker.ErrOpenState) || errors.Is(err, gobreaker.ErrTooManyRequests)
}

// callerCanceled is the error of a request whose own context ended.
type callerCanceled struct{ err error }

func (e *callerCanceled) Error() string { return e.err.Error() }
func (e *callerCanceled) Unwrap() error { return e.err }
