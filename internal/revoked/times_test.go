package revoked_test

import (
	"fmt"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farwire/farwire/internal/revoked"
)

func TestTimes_Next_IsLaterThanWhatWasSaid(t *testing.T) {
	for _, ahead := range []time.Duration{-time.Hour, 0, time.Hour, 100 * 24 * time.Hour} {
		synctest.Test(t, func(t *testing.T) {
			var times revoked.Times
			said := time.Now().Add(ahead)
			times.Heard("k", false, said)
			first := times.Next("k", false)
			second := times.Next("k", false)
			if first.Before(time.Now()) || !first.After(said) || !second.After(first) {
				t.Errorf("%v ahead: %v, then %v", ahead, first, second)
			}
			for i, other := range []time.Time{times.Next("k", true), times.Next("other", false)} {
				if !other.Equal(time.Now()) {
					t.Errorf("%v ahead: other %d has %v", ahead, i, other)
				}
			}
			times.Heard("k", false, said) // once more, as to one that comes late
			if third := times.Next("k", false); !third.After(second) {
				t.Errorf("%v ahead: %v after %v", ahead, third, second)
			}
		})
	}
}

func TestTimes_ManyKeys_ForgetsThoseOfDaysAgo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var times revoked.Times
		ahead := time.Now().Add(time.Minute)
		for i := range 2000 {
			times.Heard(fmt.Sprint(i), false, ahead)
		}
		time.Sleep(25 * time.Hour)
		for i := range 5000 {
			times.Heard(fmt.Sprint("later ", i), false, time.Now())
		}
		if n := times.Len(); n > 5000 {
			t.Errorf("it knows %d", n)
		}
	})
}
