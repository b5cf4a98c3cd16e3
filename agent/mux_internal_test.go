package agent

import "testing"

// firstPrio is the priority of the window that a stream begins with.
const firstPrio = 255

// The windows of a tunnel grow up to growthLimit, together with what streams begin with up to
// tunnelLimit, and up to growthFloor in any case. What a stream had is free when it ends.
func TestBudget_WindowsGrow_WithinTheBounds(t *testing.T) {
	for name, c := range map[string]struct {
		times, first, most int
	}{
		"few streams":           {0, 1 << 20, growthLimit},
		"half of the tunnel":    {1, tunnelLimit - growthLimit, growthLimit},
		"a byte more":           {1, tunnelLimit - growthLimit + 1, growthLimit - 1},
		"nearly all of it":      {1, tunnelLimit - growthFloor - 1, growthFloor + 1},
		"all of it":             {1, tunnelLimit, growthFloor},
		"more than all of it":   {1, 3 * tunnelLimit, growthFloor},
		"of a gateway":          {peerTimes, 1 << 20, peerTimes * growthLimit},
		"all of it of one":      {peerTimes, peerTimes * tunnelLimit, peerTimes * growthFloor},
		"a byte of one is left": {peerTimes, peerTimes*(tunnelLimit-growthFloor) - 1, peerTimes*growthFloor + 1},
	} {
		b := &budget{times: c.times}
		var spans []*span
		reserve := func(size int, prio uint8) bool {
			s := &span{budget: b}
			spans = append(spans, s)
			return s.ReserveMemory(size, prio) == nil
		}
		for range 2 { // the second time after all streams have ended
			if !reserve(c.first, firstPrio) {
				t.Errorf("%s: a stream has no window to begin with", name)
			}
			if !reserve(c.most/2, 0) || !reserve(c.most-c.most/2, 0) {
				t.Errorf("%s: windows do not grow by %d", name, c.most)
			}
			if reserve(1, 0) {
				t.Errorf("%s: windows grow by more than %d", name, c.most)
			}
			if !reserve(c.first, firstPrio) {
				t.Errorf("%s: a further stream has no window to begin with", name)
			}
			for _, s := range spans {
				s.ReleaseMemory(s.used / 2)
				s.Done()
				s.Done() // once more changes nothing
			}
			if b.used != 0 || b.grown != 0 {
				t.Errorf("%s: %d bytes are used and %d grown when all streams have ended", name, b.used, b.grown)
			}
		}
	}
}
