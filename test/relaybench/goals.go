//go:build linux

package main

import "fmt"

// A goal is a figure that we want to stay below (or, for a rate, above).
type goal struct {
	what    string
	figure  float64
	limit   float64
	above   bool
	decimal int
}

func (g goal) held() bool {
	if g.above {
		return g.figure >= g.limit
	}
	return g.figure <= g.limit
}

// comparing returns what adds a goal for the processor time of one relay in that of another.
func comparing(t *table, what string, goals *[]goal) func(one, other string, limit float64) {
	return func(one, other string, limit float64) {
		if len(t.samples[one]) > 0 && len(t.samples[other]) > 0 {
			*goals = append(*goals, goal{what: fmt.Sprintf("%s: CPU of %s / CPU of %s", what, one, other),
				figure: t.ratio(one, other, relayTime), limit: limit, decimal: 3})
		}
	}
}

func pathGoals(load string, t *table) (goals []goal) {
	add := comparing(t, "path form, "+load, &goals)
	switch load {
	case "requests":
		add("farwire", "nginx", 3)
	case "bodies":
		add("farwire", "nginx", 1.2)
	}
	return goals
}

func tunnelGoals(load string, t *table) (goals []goal) {
	add := comparing(t, "tunnel, "+load, &goals)
	add("farwire", "tinyproxy", 1)
	if load != "opening" {
		add("farwire", "squid", 1)
	}
	return goals
}

func idleGoals(name string, kind idleKind, asItIs, collected []rest) []goal {
	what := "idle" + kind.towards + ": bytes a session"
	switch {
	case name == "farwire" && kind.way == bySecure:
		return []goal{{what: what, figure: asItIs[0].bytes, limit: kind.alone}}
	case name == "farwire":
		return []goal{
			{what: what, figure: asItIs[0].bytes, limit: kind.alone},
			{what: what + ", after collecting", figure: collected[0].bytes, limit: kind.alone},
			{what: "idle: goroutines a session", figure: asItIs[0].goroutines, limit: 0.01, decimal: 2},
		}
	case name == "agent":
		return []goal{{what: what + " in both processes", figure: asItIs[0].bytes + asItIs[1].bytes, limit: kind.withAgent}}
	}
	return nil
}

func costGoals(load string, t *table) (goals []goal) {
	add := comparing(t, load, &goals)
	switch load {
	case "lockstep":
		add("farwire", "nginx", 1.1)
		add("agent", "farwire", 2.1)
	case "pipelined":
		add("farwire", "nginx", 1.1)
		add("farwire", "coder", 1.0/15)
		add("agent", "farwire", 2.7)
	case "bulk":
		add("farwire", "nginx", 0.6)
		add("farwire", "nginx64k", 1.1)
		add("agent", "farwire", 3)
	}
	if load == "bulk" {
		return goals // a few objects for so few messages say nothing
	}
	for _, name := range []string{"farwire", "agent"} {
		if len(t.samples[name]) > 0 {
			goals = append(goals, goal{what: fmt.Sprintf("%s: allocations a message, %s", load, name),
				figure: t.allocations(name), limit: 0.01, decimal: 4})
		}
	}
	return goals
}

func printGoals(goals []goal) {
	if len(goals) == 0 {
		return
	}
	fmt.Printf("\n%-58s %10s %12s\n", "goal", "measured", "wanted")
	for _, g := range goals {
		sign, verdict := "<=", "held"
		if g.above {
			sign = ">="
		}
		if !g.held() {
			verdict = "MISSED"
		}
		fmt.Printf("%-58s %10.*f %4s %7.*f  %s\n", g.what, g.decimal, g.figure, sign, g.decimal, g.limit, verdict)
	}
}
