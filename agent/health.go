package agent

import (
	"context"
	"errors"
	"strings"
	"sync"
	"time"
)

// How an exit fares with a host.
//
// A target may refuse one agent and welcome the next, so health is kept for
// each pair of exit and host, and once for the exit as a whole (host empty),
// where its own faults count:
//
//	available ──failure──▶ limited ──third in a row──▶ unavailable
//	    ▲                     │                             │ its time is over
//	    └──success, or time───┴──────── success ─────── recovering
//
// Failures within a second are one: a lost link fails all dials under way. To
// be full or on its way out makes an exit limited and no worse, and one whose
// agent has attached again is not unavailable any more.
//
// A limited or recovering exit is picked seldom and an unavailable one only
// when nothing else fits, so that a pinned agent is always tried. An exit is
// unavailable for half a minute, and twice as long for each failure more, up
// to ten minutes; then it is recovering until a success or the next failure.
// A pair without a failure for ten minutes more is forgotten.

// State says how an exit is doing.
type State string

// The states of an exit.
const (
	Available   State = "available"   // nothing speaks against it
	Limited     State = "limited"     // failed lately: picked seldom
	Unavailable State = "unavailable" // failed again and again: picked only when nothing else fits
	Recovering  State = "recovering"  // was unavailable: picked seldom until a success
	Draining    State = "draining"    // takes no more sessions
)

const (
	failuresToAvoid = 3
	oneIncident     = time.Second
	firstAvoided    = 30 * time.Second
	longestAvoided  = 10 * time.Minute
	forgetAfter     = 10 * time.Minute

	// maxRecords bounds the memory of failures, whatever hosts clients ask for.
	maxRecords = 1 << 16
)

type healthRecord struct {
	failures int
	last     time.Time
}

// avoided is how long the exit counts as unavailable after its last fail, or as
// limited when there are few.
func (m healthRecord) avoided() time.Duration {
	if m.failures <= failuresToAvoid {
		return firstAvoided
	}
	return min(firstAvoided<<min(m.failures-failuresToAvoid, 10), longestAvoided)
}

func (m healthRecord) state(now time.Time) State {
	since := now.Sub(m.last)
	switch {
	case m.failures == 0 || since >= m.avoided()+forgetAfter:
		return Available
	case m.failures >= failuresToAvoid && since < m.avoided():
		return Unavailable
	case m.failures >= failuresToAvoid:
		return Recovering
	case since < m.avoided():
		return Limited
	}
	return Available
}

type pair struct{ exit, host string }

// health is what is known of all pairs. The zero value knows of no failure.
type health struct {
	mu      sync.Mutex
	records map[pair]healthRecord
}

func (h *health) state(exit, host string) State {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.records[pair{exit, host}].state(time.Now())
}

// weight is how likely an exit is drawn for a host, 1 when nothing
// speaks against it.
func (h *health) weight(exit, host string) float64 {
	w := weights[h.state(exit, "")]
	if host != "" {
		w *= weights[h.state(exit, host)]
	}
	return w
}

var weights = map[State]float64{Available: 1, Limited: 0.2, Recovering: 0.1, Unavailable: 1e-6}

// failed counts a dial that did not succeed. Its success is not counted: that
// is what Report is for, when the target has accepted the session.
func (h *health) failed(exit, host string, err error) {
	de := Classify(err)
	reason := causeOf(de.Err, de.Fault)
	switch {
	case errors.Is(err, context.Canceled):
		return // the caller gave up
	case reason == causeOverloaded || reason == causeDraining:
		h.fail(exit, "", failuresToAvoid-1)
		return
	case de.Fault == FaultAgent:
		h.fail(exit, "", 0)
	case de.Fault == FaultTarget && (reason == causeNoHost || reason == causeAddress):
		return // the same from everywhere
	}
	if host != "" {
		h.fail(exit, host, 0)
	}
}

// report counts the outcome of a session's beginning.
func (h *health) report(exit, host string, err error) {
	if err != nil {
		h.fail(exit, host, 0)
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.records, pair{exit, ""})
	delete(h.records, pair{exit, host})
}

// attached counts in favour of an exit that an agent of its name has come back.
func (h *health) attached(exit string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if m, ok := h.records[pair{exit, ""}]; ok {
		h.records[pair{exit, ""}] = healthRecord{min(m.failures, failuresToAvoid-1), m.last}
	}
}

// fail counts a failure, up to most if that is not 0.
func (h *health) fail(exit, host string, most int) {
	now := time.Now()
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.records == nil {
		h.records = map[pair]healthRecord{}
	}
	p := pair{exit, host}
	m := h.records[p]
	if m.state(now) == Available {
		m = healthRecord{}
	}
	if m.failures > 0 && now.Sub(m.last) < oneIncident {
		return
	}
	if m.failures == 0 && len(h.records) >= maxRecords {
		h.makeRoom(now)
	}
	if most == 0 || m.failures < most {
		m.failures++
	}
	h.records[p] = healthRecord{m.failures, now}
}

// makeRoom forgets what is over, and when that is little, whatever it meets.
func (h *health) makeRoom(now time.Time) {
	for p, m := range h.records {
		if m.state(now) == Available {
			delete(h.records, p)
		}
	}
	for p := range h.records {
		if len(h.records) < maxRecords*3/4 {
			break
		}
		delete(h.records, p)
	}
}

func normalHost(h string) string {
	if len(h) > 255 {
		h = h[:255]
	}
	return strings.ToLower(strings.TrimSuffix(h, "."))
}
