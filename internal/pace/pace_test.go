package pace_test

import (
	"testing"
	"time"

	"github.com/farwire/farwire/internal/pace"
)

func TestAverage_PageUnchanged_Grows(t *testing.T) {
	for _, c := range []struct {
		average, passed time.Duration
		changed         bool
		want            time.Duration
	}{
		{3 * time.Hour, 0, false, 3 * time.Hour},
		{3 * time.Hour, 3 * time.Hour, false, 4 * time.Hour},
		{3 * time.Hour, 3 * time.Hour, true, 3 * time.Hour},
		{3 * time.Hour, -time.Hour, false, 3 * time.Hour}, // a clock that went back
	} {
		if got := pace.Average(c.average, c.passed, c.changed); got != c.want {
			t.Errorf("average %v, %v later, changed %v: %v, want %v", c.average, c.passed, c.changed, got, c.want)
		}
	}
}

func TestAverage_LongestDurations_StaysPositive(t *testing.T) {
	const longest = time.Duration(1<<63 - 1)
	for _, changed := range []bool{false, true} {
		average := longest
		for range 100 {
			if average = pace.Average(average, longest, changed); average <= 0 {
				t.Fatalf("changed %v: %v", changed, average)
			}
		}
	}
}

func TestRetry_ManyFailures_WaitIsBounded(t *testing.T) {
	for _, c := range []struct {
		failures       int
		interval, want time.Duration
	}{
		{1, time.Second, time.Minute},
		{2, time.Second, 2 * time.Minute},
		{1000, time.Second, time.Hour},
		{1000, 3 * time.Hour, 3 * time.Hour},
		{1000, 1000 * time.Hour, 24 * time.Hour},
	} {
		if got := pace.Retry(c.failures, c.interval); got < c.want*3/4 || got > c.want*5/4 {
			t.Errorf("after %d failures of a site with interval %v: %v, want %v give or take a quarter", c.failures, c.interval, got, c.want)
		}
	}
}

func TestBackoff_ManyFailures_WaitIsBounded(t *testing.T) {
	waits := pace.Backoff()
	for _, failure := range []struct {
		number int
		want   time.Duration
	}{
		{1, 100 * time.Millisecond}, {2, 200 * time.Millisecond}, {7, 5 * time.Second}, {1000, 5 * time.Second},
	} {
		waits.Reset()
		for range failure.number - 1 {
			waits.NextBackOff()
		}
		if got := waits.NextBackOff(); got < failure.want*3/4 || got > failure.want*5/4 {
			t.Errorf("after %d failures: %v, want %v give or take a quarter", failure.number, got, failure.want)
		}
	}
}
