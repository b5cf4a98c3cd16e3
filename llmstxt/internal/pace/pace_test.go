package pace

import (
	"context"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// left returns how long a request waits for its turn.
func left(t *testing.T, p *Pacer) time.Duration {
	began := time.Now()
	if err := p.Request().Wait(t.Context()); err != nil {
		t.Fatal(err)
	}
	return time.Since(began)
}

func TestPacer_Delay_HoldsBetweenRequests(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := New(3 * time.Second)
		if first, second := left(t, p), left(t, p); first != 0 || second != 3*time.Second {
			t.Errorf("requests wait for %v and %v", first, second)
		}
	})
}

// What the site asks for holds every request; then they leave with a gap, which
// answers make smaller until there is no gap.
func TestPacer_Refused_HoldsThenRecovers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := New(0)
		if !p.Request().Refused(7 * time.Second) {
			t.Error("after one refusal it is not worth asking again")
		}
		if got := left(t, p); got != 7*time.Second {
			t.Errorf("a request waits for %v after a Retry-After of 7 s", got)
		}
		if got := left(t, p); got != firstGap {
			t.Errorf("the next one waits for %v", got)
		}
		answers := 0
		for ; p.IsSlow() && answers < 1000; answers++ {
			p.Answered()
		}
		if left(t, p); answers != 4*recovery || left(t, p) != 0 {
			t.Errorf("the pace is as before after %d answers", answers)
		}
	})
}

// Requests that were under way together are refused together: that is one refusal.
func TestPacer_RefusedAtOnce_CountsOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := New(0)
		for range 10 * givingUp {
			p.Request().Refused(0)
		}
		if p.GaveUp() {
			t.Error("gave up after refusals of one moment")
		}
		for n := 1; !p.GaveUp(); n++ {
			if n > givingUp {
				t.Fatalf("did not give up after %d refusals", n)
			}
			time.Sleep(sameMoment)
			p.Request().Refused(0)
		}
		if p.Answered(); p.GaveUp() {
			t.Error("an answer does not count")
		}
	})
}

// A page that the site refuses again while it serves others slows nothing.
func TestPacer_OnePageRefusedAgain_OthersGoOn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := New(0)
		one := p.Request()
		one.Refused(0)
		left(t, p)
		for range 4 * recovery {
			p.Answered()
		}
		left(t, p)
		if !one.Refused(time.Hour) || left(t, p) != 0 {
			t.Error("the others wait")
		}
		if one.Refused(time.Hour); left(t, p) != time.Hour {
			t.Error("nobody was served in between, and the others do not wait")
		}
	})
}

// Who waits for a turn when another request is refused waits for the end of the hold, and
// then those go one after another.
func TestPacer_RefusedWhileOthersWait_AllAreHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := New(0)
		p.Request().Refused(time.Second)
		began := time.Now()
		var left []time.Duration
		var mu sync.Mutex
		var all sync.WaitGroup
		for range 5 {
			all.Go(func() {
				if err := p.Request().Wait(t.Context()); err != nil {
					t.Error(err)
				}
				mu.Lock()
				defer mu.Unlock()
				if left = append(left, time.Since(began)); len(left) == 1 {
					p.Request().Refused(7 * time.Second)
				}
			})
		}
		all.Wait()
		want := []time.Duration{time.Second, 8 * time.Second, 8*time.Second + 2*firstGap, 8*time.Second + 4*firstGap, 8*time.Second + 6*firstGap}
		if !slices.Equal(left, want) {
			t.Errorf("requests leave after %v, want %v", left, want)
		}
	})
}

// While the site refuses, the request with the most tries left asks; then that with the fewest.
func TestPacer_SomeWereRefusedOften_TheyDoNotProbe(t *testing.T) {
	for _, serves := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			p := New(0)
			var names []int
			var mu sync.Mutex
			var all sync.WaitGroup
			for n := range 3 {
				r := p.Request()
				for range n + 1 {
					r.Refused(time.Second)
				}
				all.Go(func() {
					r.Wait(t.Context())
					mu.Lock()
					defer mu.Unlock()
					names = append(names, n)
				})
			}
			if serves {
				p.Answered()
			}
			all.Wait()
			if want := map[bool][]int{false: {0, 1, 2}, true: {2, 1, 0}}[serves]; !slices.Equal(names, want) {
				t.Errorf("%t: they leave in the order %v, want %v", serves, names, want)
			}
		})
	}
}

// A context's end ends the wait, and the turn is another's.
func TestPacer_WaitIsCancelled_TurnIsAnothers(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := New(3 * time.Second)
		left(t, p)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := p.Request().Wait(ctx); err == nil {
			t.Error("a request leaves before its turn")
		}
		if got := left(t, p); got != 2*time.Second {
			t.Errorf("the next one waits for %v", got)
		}
	})
}
