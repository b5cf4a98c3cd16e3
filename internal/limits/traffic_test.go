package limits_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farwire/farwire/internal/limits"
)

// A count is what Traffic tells: all of a key's bytes, each once, and those that could
// not be counted again.
type count struct {
	told   []int64
	err    error
	failed int
}

func (c *count) traffic() *limits.Traffic[string, int64] {
	return &limits.Traffic[string, int64]{
		Add: func(_ context.Context, key string, n int64) (int64, error) {
			if c.err != nil {
				return 0, c.err
			}
			if n > 0 {
				c.told = append(c.told, n)
			}
			var sum int64
			for _, n := range c.told {
				sum += n
			}
			return sum, nil
		},
		Failed: func(error) { c.failed++ },
	}
}

func TestTraffic_SessionsRunAndEnd_EachByteIsReportedOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var c count
		traffic := c.traffic()
		var first, second atomic.Int64
		one := traffic.Begin("alice", "a key", first.Load)
		two := traffic.Begin("alice", "a key", second.Load)
		first.Store(10)
		second.Store(5)
		time.Sleep(6 * time.Second)
		traffic.End(one, 12)
		if used, err := traffic.Report(t.Context(), "alice", "a key"); used != 17 || err != nil {
			t.Errorf("after one has ended: %d, %v", used, err)
		}
		c.err = errors.New("nobody counts")
		second.Store(20)
		time.Sleep(6 * time.Second)
		if _, err := traffic.Report(t.Context(), "alice", "a key"); err == nil {
			t.Error("told where nobody counts")
		}
		c.err = nil
		traffic.End(two, 21)
		traffic.Close(t.Context())
		if want := []int64{15, 2, 16}; !slices.Equal(c.told, want) || c.failed != 1 {
			t.Errorf("told %v with %d failures, want %v with 1", c.told, c.failed, want)
		}
	})
}

func TestTraffic_CounterFailsAtClose_EndsAndReportsIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := count{err: errors.New("nobody counts")}
		traffic := c.traffic()
		traffic.End(traffic.Begin("alice", "a key", func() int64 { return 0 }), 7)
		traffic.Close(t.Context()) // the bubble ends only when no timer is left to run
		time.Sleep(time.Minute)
		if c.failed != 1 || c.told != nil {
			t.Errorf("told %v with %d failures, want one failure", c.told, c.failed)
		}
	})
}
