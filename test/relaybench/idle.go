//go:build linux

package main

import (
	"fmt"
	"time"
)

// measureIdle finds what an idle session holds: the difference between few
// and many sessions that have carried a little and now wait, so that what a
// process holds in any case does not count.
func measureIdle(p *plan, target *process) (goals []goal, err error) {
	for _, kind := range idleKinds {
		found, err := measureIdleOf(p, target, kind)
		if err != nil {
			return nil, err
		}
		goals = append(goals, found...)
	}
	return goals, nil
}

// An idleKind is what sessions have been before they are silent.
type idleKind struct {
	way       way
	towards   string
	size      int     // of each message
	alone     float64 // bytes that a session may hold in the gateway; with an agent:
	withAgent float64 // in both processes
}

var idleKinds = []idleKind{
	{byMessage, "", 128, 5_000, 22_000},
	{bySecure, " to targets with TLS", 128, 15_000, 22_000},
	{bySecure, " to targets with TLS, after messages of 20 KB", 20_000, 32_000, 30_000},
}

func measureIdleOf(p *plan, target *process, kind idleKind) (goals []goal, err error) {
	fmt.Printf("\nidle, bytes of resident memory a session, %d sessions%s\n%-10s %-9s %12s %18s %12s\n",
		p.sessions, kind.towards, "relay", "process", "as it is", "after collecting", "goroutines")
	for _, name := range p.relays {
		if name == "direct" || name == "nginx64k" || name == "chisel" || name == "query" || !serves(name, kind.way) {
			continue // nothing is held, or the same as by nginx
		}
		asItIs, err := idle(p, kind, name, target, false)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		collected := make([]rest, len(asItIs))
		if name == "farwire" || name == "agent" {
			if collected, err = idle(p, kind, name, target, true); err != nil {
				return nil, fmt.Errorf("%s: %w", name, err)
			}
		}
		for i, r := range asItIs {
			process := []string{"gateway", "agent"}[i]
			c, g := "-", "-"
			if collected[i].bytes > 0 {
				c = fmt.Sprintf("%.0f", collected[i].bytes)
			}
			if name != "nginx" {
				g = fmt.Sprintf("%.2f", r.goroutines)
			}
			fmt.Printf("%-10s %-9s %12.0f %18s %12s\n", name, process, r.bytes, c, g)
		}
		goals = append(goals, idleGoals(name, kind, asItIs, collected)...)
	}
	return goals, nil
}

// A rest is what a session holds while it waits.
type rest struct{ bytes, goroutines float64 }

// idle measures each process of a relay started for this alone.
func idle(p *plan, kind idleKind, name string, target *process, collect bool) ([]rest, error) {
	r, err := startRelay(&plan{}, kind.way, name, target.addr)
	if err != nil {
		return nil, err
	}
	defer r.stop()
	var links []*link
	defer func() { closeAll(links) }()
	few := p.sessions / 4
	var before, after []rest
	for _, step := range []struct {
		sessions int
		found    *[]rest
	}{{few, &before}, {p.sessions, &after}} {
		more, err := openAll(step.sessions, func(int) (*link, error) {
			l, err := r.open(target.addr, fmt.Sprintf("/echo?size=%d", kind.size))
			if err != nil {
				return nil, err
			}
			return l, lockstep.do(l, kind.size, 4)
		})
		links = append(links, more...)
		if err != nil {
			return nil, err
		}
		// Longer than anything in the relays waits before it gives a buffer back.
		time.Sleep(p.settle)
		if *step.found, err = r.look(collect); err != nil {
			return nil, err
		}
	}
	for i := range after {
		after[i].bytes = (after[i].bytes - before[i].bytes) / float64(p.sessions)
		after[i].goroutines = (after[i].goroutines - before[i].goroutines) / float64(p.sessions)
	}
	return after, nil
}

// look reads what each process of the relay holds altogether.
func (r *relay) look(collect bool) (all []rest, err error) {
	for _, p := range r.processes {
		var f facts
		if p.role != nil {
			order := "facts"
			if collect {
				order = "collect"
			}
			if f, err = p.ask(order); err != nil {
				return nil, err
			}
		}
		bytes, err := p.residentMemory()
		if err != nil {
			return nil, err
		}
		all = append(all, rest{float64(bytes), float64(f.Goroutines)})
	}
	return all, nil
}
