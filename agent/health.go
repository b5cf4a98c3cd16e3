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
// What nobody has complained of for ten minutes more is forgotten.

// State says how an exit fares.
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
	strikesOut  = 3
	oneIncident = time.Second
	firstAway   = 30 * time.Second
	longestAway = 10 * time.Minute
	forgetAfter = 10 * time.Minute

	// maxMarks bounds the memory of failures, whatever hosts clients ask for.
	maxMarks = 1 << 16
)

type mark struct {
	strikes int
	last    time.Time
}

// away is how long the exit counts as unavailable after its last strike, or as
// limited when there are few.
func (m mark) away() time.Duration {
	if m.strikes <= strikesOut {
		return firstAway
	}
	return min(firstAway<<min(m.strikes-strikesOut, 10), longestAway)
}

func (m mark) state(now time.Time) State {
	since := now.Sub(m.last)
	switch {
	case m.strikes == 0 || since >= m.away()+forgetAfter:
		return Available
	case m.strikes >= strikesOut && since < m.away():
		return Unavailable
	case m.strikes >= strikesOut:
		return Recovering
	case since < m.away():
		return Limited
	}
	return Available
}

type pair struct{ exit, host string }

// health is what is known of all pairs. The zero value knows of no failure.
type health struct {
	mu    sync.Mutex
	marks map[pair]mark
}

func (h *health) state(exit, host string) State {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.marks[pair{exit, host}].state(time.Now())
}

// weight is how likely an exit is to be drawn for a host, 1 when nothing
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
	reason := reasonOf(de.Err, de.Fault)
	switch {
	case errors.Is(err, context.Canceled):
		return // the caller's wish
	case reason == causeOverloaded || reason == causeDraining:
		h.strike(exit, "", strikesOut-1)
		return
	case de.Fault == FaultAgent:
		h.strike(exit, "", 0)
	case de.Fault == FaultTarget && (reason == causeNoHost || reason == causeAddress):
		return // the same from everywhere
	}
	if host != "" {
		h.strike(exit, host, 0)
	}
}

// report counts the outcome of a session's beginning.
func (h *health) report(exit, host string, err error) {
	if err != nil {
		h.strike(exit, host, 0)
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	delete(h.marks, pair{exit, ""})
	delete(h.marks, pair{exit, host})
}

// attached counts in favour of an exit that an agent of its name has come back.
func (h *health) attached(exit string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if m, ok := h.marks[pair{exit, ""}]; ok {
		h.marks[pair{exit, ""}] = mark{min(m.strikes, strikesOut-1), m.last}
	}
}

// strike counts a failure, up to most if that is not 0.
func (h *health) strike(exit, host string, most int) {
	now := time.Now()
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.marks == nil {
		h.marks = map[pair]mark{}
	}
	p := pair{exit, host}
	m := h.marks[p]
	if m.state(now) == Available {
		m = mark{}
	}
	if m.strikes > 0 && now.Sub(m.last) < oneIncident {
		return
	}
	if m.strikes == 0 && len(h.marks) >= maxMarks {
		h.makeRoom(now)
	}
	if most == 0 || m.strikes < most {
		m.strikes++
	}
	h.marks[p] = mark{m.strikes, now}
}

// makeRoom forgets what is over, and when that is little, whatever it meets.
func (h *health) makeRoom(now time.Time) {
	for p, m := range h.marks {
		if m.state(now) == Available {
			delete(h.marks, p)
		}
	}
	for p := range h.marks {
		if len(h.marks) < maxMarks*3/4 {
			break
		}
		delete(h.marks, p)
	}
}

func normalHost(h string) string {
	if len(h) > 255 {
		h = h[:255]
	}
	return strings.ToLower(strings.TrimSuffix(h, "."))
}
