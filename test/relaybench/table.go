//go:build linux

package main

import (
	"fmt"
	"slices"
	"time"
)

// A table holds the samples of one load.
type table struct {
	load    load
	peer    string // whom the relays are compared with
	relays  []*relay
	work    map[string]int
	samples map[string][]sample
}

func newTable(ld load, relays []*relay, slice time.Duration) *table {
	t := &table{load: ld, relays: relays, work: map[string]int{}, samples: map[string][]sample{}}
	for _, r := range relays {
		t.work[r.name] = max(1, ld.first*int(slice/time.Millisecond)/300)
	}
	return t
}

// turn takes one sample, with as many messages as fit into the slice judging
// by the sample before.
func (t *table) turn(r *relay, target *process, slice time.Duration, counts bool) error {
	s, err := t.load.measure(r, target, t.work[r.name])
	if err != nil {
		return err
	}
	grow := min(max(float64(slice)/float64(s.wall), 0.1), 10)
	t.work[r.name] = max(1, int(float64(t.work[r.name])*grow))
	if counts {
		t.samples[r.name] = append(t.samples[r.name], s)
	}
	return nil
}

func (t *table) median(relay string, of func(sample) float64) float64 {
	var all []float64
	for _, s := range t.samples[relay] {
		all = append(all, of(s))
	}
	return median(all)
}

// ratio compares the processor time a message of two relays, round by round.
func (t *table) ratio(one, other string, of func(sample) time.Duration) float64 {
	var all []float64
	for i, s := range t.samples[one] {
		if i < len(t.samples[other]) {
			o := t.samples[other][i]
			all = append(all, s.perMessage(of(s))/o.perMessage(of(o)))
		}
	}
	return median(all)
}

func relayTime(s sample) time.Duration { return s.relay }
func wholeTime(s sample) time.Duration { return s.whole }

func median(all []float64) float64 {
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return (all[(len(all)-1)/2] + all[len(all)/2]) / 2
}

func (t *table) print() {
	u := t.load.unit
	fmt.Printf("\n%s\n%-10s %14s %12s %12s %12s %14s\n", t.load.title, "", "relay CPU", "of "+t.peer, "all CPU,", u.each, "allocations")
	fmt.Printf("%-10s %14s %12s %12s %12s %14s\n", "relay", u.figure, "", "of direct", "a second", "each")
	for _, r := range t.relays {
		own, ofPeer, allocations := "-", "-", "-"
		if len(r.processes) > 0 {
			own = fmt.Sprintf("%.0f", t.median(r.name, func(s sample) float64 { return s.perMessage(s.relay) * u.parts / float64(u.of) }))
			ofPeer = t.show(r.name, t.peer, relayTime)
			if r.processes[0].role != nil {
				allocations = fmt.Sprintf("%.3f", t.allocations(r.name))
			}
		}
		fmt.Printf("%-10s %14s %12s %12s %12.0f %14s\n", r.name, own, ofPeer, t.show(r.name, "direct", wholeTime),
			t.median(r.name, func(s sample) float64 { return float64(s.messages) / s.wall.Seconds() }), allocations)
	}
}

func (t *table) allocations(relay string) float64 {
	return t.median(relay, func(s sample) float64 { return float64(s.mallocs) / float64(s.messages) })
}

func (t *table) show(one, other string, of func(sample) time.Duration) string {
	if len(t.samples[other]) == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f", t.ratio(one, other, of))
}
