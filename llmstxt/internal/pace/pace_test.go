package pace

import (
	"testing"
	"testing/synctest"
	"time"
)

// left returns how long a request waits for its turn.
func left(t *testing.T, p *Pacer) time.Duration {
	began := time.Now()
	if err := p.Wait(t.Context()); err != nil {
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
		if !p.Slow(7*time.Second, false) {
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
			p.Slow(0, false)
		}
		if p.GaveUp() {
			t.Error("gave up after refusals of one moment")
		}
		for n := 1; !p.GaveUp(); n++ {
			if n > givingUp {
				t.Fatalf("did not give up after %d refusals", n)
			}
			time.Sleep(sameMoment)
			p.Slow(0, false)
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
		for range 3 {
			p.Answered()
		}
		if !p.Slow(time.Hour, true) || left(t, p) != 0 {
			t.Error("the others wait")
		}
	})
}
