package check_test

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farwire/farwire/internal/check"
)

// slow is a service that takes its time, or until the context ends.
func slow(takes *time.Duration, answer *error, asked *int) func(context.Context) error {
	return func(ctx context.Context) error {
		*asked++
		select {
		case <-time.After(*takes):
			return *answer
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

func TestCheck_SlowService_KeepsNobodyLonger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		takes, answer, asked := 3*time.Second, error(nil), 0
		c := check.Check{Ask: slow(&takes, &answer, &asked), Timeout: 5 * time.Second, Every: time.Second}
		began := time.Now()
		var all sync.WaitGroup
		for i := range 10 {
			all.Go(func() {
				patience := time.Duration(i) * 500 * time.Millisecond
				if ok := c.OK(t.Context(), patience); ok != (patience > takes) {
					t.Errorf("patience %v: %v", patience, ok)
				}
				if took := time.Since(began); took > min(patience, takes) {
					t.Errorf("patience %v: %v", patience, took)
				}
			})
		}
		all.Wait()
		if !c.OK(t.Context(), 0) || asked != 1 {
			t.Errorf("its answer does not stand; asked %d times", asked)
		}
		time.Sleep(time.Second)
		answer, takes = errors.New("out of order"), 0
		if c.OK(t.Context(), time.Second) || asked != 2 {
			t.Errorf("an error counts as an answer; asked %d times", asked)
		}
		time.Sleep(time.Second)
		answer, takes = nil, time.Hour // longer than it may
		if began := time.Now(); c.OK(t.Context(), time.Hour) || time.Since(began) != 5*time.Second {
			t.Errorf("one that never answers was asked for %v", time.Since(began))
		}
	})
}

func TestCheck_Close_EndsTheQuestion(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		takes, answer, asked := time.Hour, error(nil), 0
		c := check.Check{Ask: slow(&takes, &answer, &asked), Timeout: time.Hour, Every: time.Second}
		c.Close(t.Context()) // nothing is under way
		began := time.Now()
		if c.OK(t.Context(), time.Second) {
			t.Error("no answer is one")
		}
		c.Close(t.Context())
		if took := time.Since(began); took != time.Second {
			t.Errorf("closed after %v", took)
		}
		// One that does not look at its context is waited for until the closer's ends.
		c = check.Check{Ask: func(context.Context) error { time.Sleep(time.Minute); return nil }, Timeout: time.Hour, Every: time.Second}
		c.OK(t.Context(), 0)
		closing, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		began = time.Now()
		if c.Close(closing); time.Since(began) != time.Second {
			t.Errorf("waited %v", time.Since(began))
		}
		time.Sleep(time.Hour)
	})
}
