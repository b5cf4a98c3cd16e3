//go:build linux

// Command relaybench measures what relaying costs: farwire's relay of WebSockets,
// with one hop and through a remote agent, beside nginx and beside two relays
// written in the usual way, on the message APIs of coder/websocket and
// gorilla/websocket; the path form beside nginx as a reverse proxy; and the forward
// proxy's tunnels beside tinyproxy, and squid where there is one.
//
//	go run ./test/relaybench
//
// Each relay, the target and each agent is a process of its own, the load
// comes from this one. All relays are measured in one run, in turns, and what
// is compared is their processor time for the same work, because wall clock
// says little on a machine that does other things too. A ratio is taken in
// each round, and the median over the rounds is shown. It needs Linux, and
// nginx and tinyproxy on the PATH or in /usr/sbin.
package main

import (
	"flag"
	"fmt"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"
)

func main() {
	if len(os.Args) > 2 && os.Args[1] == "as" {
		exit(play(os.Args[2], os.Args[3:]))
	}
	var p plan
	parts := flag.String("parts", "cost,setup,idle,fairness,path,tunnel", "what to measure, comma separated")
	relays := flag.String("relays", "direct,"+strings.Join(relayNames(), ","), "which relays, comma separated")
	loads := flag.String("loads", "lockstep,pipelined,bulk,sessions,requests,bodies,opening", "which loads of the parts cost, setup, path and tunnel, comma separated")
	flag.IntVar(&p.rounds, "rounds", 4, "rounds of the part cost, after one that is not counted")
	flag.DurationVar(&p.slice, "slice", 300*time.Millisecond, "how long about one measurement takes")
	flag.DurationVar(&p.settle, "settle", 5*time.Second, "how long idle sessions rest before they are looked at")
	flag.IntVar(&p.sessions, "sessions", 1000, "idle sessions")
	flag.IntVar(&p.stalled, "stalled", 100, "stalled readers of the part fairness")
	flag.StringVar(&p.profiles, "profiles", "", "folder for CPU profiles of our relays")
	flag.Parse()
	p.parts, p.relays, p.loads = strings.Split(*parts, ","), strings.Split(*relays, ","), strings.Split(*loads, ",")
	if flag.NArg() > 0 {
		exit(fmt.Errorf("unknown argument %q", flag.Arg(0)))
	}
	_, err := run(&p)
	exit(err)
}

func exit(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "relaybench:", err)
		os.Exit(1)
	}
	os.Exit(0)
}

// A plan is what the flags ask for.
type plan struct {
	parts, relays, loads []string
	rounds               int
	sessions, stalled    int
	slice, settle        time.Duration
	profiles             string
}

func (p *plan) wants(part string) bool { return slices.Contains(p.parts, part) }

// run measures what is planned and prints it.
func run(p *plan) (goals []goal, err error) {
	known := append([]string{"direct"}, relayNames()...)
	for _, name := range p.relays {
		if !slices.Contains(known, name) {
			return nil, fmt.Errorf("no relay %q; there are %s", name, strings.Join(known, ", "))
		}
	}
	for _, name := range p.loads {
		if !slices.ContainsFunc(slices.Concat(messageLoads, []named{sessionLoad}, pathLoads, tunnelLoads), func(l named) bool { return l.name == name }) {
			return nil, fmt.Errorf("no load %q", name)
		}
	}
	if p.profiles != "" {
		if err := os.MkdirAll(p.profiles, 0o755); err != nil {
			return nil, err
		}
	}
	// Asked for, it is inherited: nginx serves as many sessions as we do.
	var files syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
		return nil, err
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &files); err != nil {
		return nil, err
	}
	begin := time.Now()
	fmt.Printf("%s, %d CPUs, Linux %s, %s\n", runtime.Version(), runtime.NumCPU(), kernel(), time.Now().Format(time.DateOnly))

	target, err := startTarget()
	if err != nil {
		return nil, err
	}
	defer target.stop()
	for _, part := range []struct {
		name    string
		measure func(*plan, *process) ([]goal, error)
	}{{"cost", measureCost}, {"setup", measureSetup}, {"idle", measureIdle}, {"fairness", measureFairness},
		{"path", measurePath}, {"tunnel", measureTunnel}} {
		if !p.wants(part.name) {
			continue
		}
		more, err := part.measure(p, target)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", part.name, err)
		}
		goals = append(goals, more...)
	}
	printGoals(goals)
	fmt.Printf("\n%.0f s\n", time.Since(begin).Seconds())
	return goals, nil
}

func kernel() string {
	b, err := os.ReadFile("/proc/sys/kernel/osrelease")
	if err != nil {
		return "unknown"
	}
	return strings.TrimSpace(string(b))
}
