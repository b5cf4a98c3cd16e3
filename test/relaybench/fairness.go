//go:build linux

package main

import (
	"fmt"
	"slices"
	"time"
)

// measureFairness finds how much of their rate fresh sessions keep when other
// sessions of the same tunnel have readers that take nothing.
func measureFairness(p *plan, target *process) ([]goal, error) {
	if !slices.Contains(p.relays, "agent") {
		return nil, nil
	}
	r, err := startRelay(&plan{}, byMessage, "agent", target.addr)
	if err != nil {
		return nil, err
	}
	defer r.stop()
	fmt.Printf("\nfairness, rate of fresh sessions beside %d stalled readers on one tunnel, of their rate alone\n", p.stalled)
	var goals []goal
	for _, name := range []string{"lockstep", "bulk"} {
		t := newTable(loads[name], []*relay{r}, p.slice)
		var kept []float64
		for round := range p.rounds + 1 {
			alone, err := t.rate(r, target, p.slice)
			if err != nil {
				return nil, err
			}
			readers, err := openAll(p.stalled, func(int) (*link, error) {
				l, err := r.open(target.addr, "/source?size=65536&messages=0")
				if err != nil {
					return nil, err
				}
				_, err = l.conn.Write(frame(1, true))
				return l, err
			})
			if err != nil {
				closeAll(readers)
				return nil, err
			}
			// They have stalled when the target's clock stands still.
			for last := time.Duration(-1); ; {
				now, err := target.cpu()
				if err != nil {
					closeAll(readers)
					return nil, err
				}
				if now-last < time.Millisecond && last >= 0 {
					break
				}
				last = now
				time.Sleep(100 * time.Millisecond)
			}
			beside, err := t.rate(r, target, p.slice)
			closeAll(readers)
			if err != nil {
				return nil, err
			}
			if round > 0 {
				kept = append(kept, beside/alone)
			}
			time.Sleep(100 * time.Millisecond) // their ends are no part of the next round
		}
		fmt.Printf("%-10s %.2f\n", name, median(kept))
		goals = append(goals, goal{what: "fairness: rate kept beside stalled readers, " + name,
			figure: median(kept), limit: 0.9, above: true, decimal: 2})
	}
	return goals, nil
}

// rate returns messages a second of one measurement.
func (t *table) rate(r *relay, target *process, slice time.Duration) (float64, error) {
	if err := t.turn(r, target, slice, true); err != nil {
		return 0, err
	}
	s := t.samples[r.name][len(t.samples[r.name])-1]
	return float64(s.messages) / s.wall.Seconds(), nil
}
