package limits_test

import (
	"context"
	"errors"
	"fmt"
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

// What was carried is told without anybody asking, with the key that was shown last, also when
// its session ends; then the account is forgotten, and nothing is told any more.
func TestTraffic_NobodyAsks_IsToldUntilAllIsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told []string
		calls := 0
		traffic := &limits.Traffic[string, int64]{
			Add: func(_ context.Context, key string, n int64) (int64, error) {
				if calls++; n > 0 {
					told = append(told, fmt.Sprint(key, " ", n))
				}
				return 0, nil
			},
			Failed: func(err error) { t.Error(err) },
		}
		expect := func(want ...string) {
			t.Helper()
			synctest.Wait()
			slices.Sort(told)
			if !slices.Equal(told, want) {
				t.Errorf("told %q, want %q", told, want)
			}
			told = nil
		}
		var carried atomic.Int64
		f := traffic.Begin("alice", "a key", carried.Load)
		carried.Store(10)
		time.Sleep(6 * time.Second)
		expect("a key 10")
		carried.Store(11)
		traffic.End(traffic.Begin("bob", "bob's", func() int64 { return 0 }), 3)
		time.Sleep(5 * time.Second)
		expect("a key 1", "bob's 3")
		second := traffic.Begin("alice", "its new limits", func() int64 { return 0 })
		carried.Store(13)
		time.Sleep(5 * time.Second)
		expect("its new limits 2")
		traffic.End(second, 0)
		traffic.End(f, 15)
		time.Sleep(5 * time.Second)
		expect("a key 2")
		before := calls
		time.Sleep(time.Minute)
		if expect(); calls != before {
			t.Errorf("asked %d times more for accounts without sessions", calls-before)
		}
		traffic.End(traffic.Begin("bob", "bob's", func() int64 { return 0 }), 4) // the clock goes again
		time.Sleep(6 * time.Second)
		expect("bob's 4")
		traffic.Close(t.Context())
		expect()
	})
}
