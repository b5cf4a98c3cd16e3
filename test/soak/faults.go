package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"strings"
	"time"

	"github.com/farwire/farwire/test/internal/faulttest"
)

func faults300(ctx context.Context, s *soak) (string, error)  { return underFaults(ctx, s, 300) }
func faults2000(ctx context.Context, s *soak) (string, error) { return underFaults(ctx, s, 2000) }

// underFaults has sessions cross agents that are killed again and again.
func underFaults(ctx context.Context, s *soak, sessions int) (string, error) {
	o := faulttest.Options{
		Program: s.program, Agents: 4, Sessions: sessions, For: s.lasting,
		KillEvery: min(10*time.Second, s.lasting/8), Rate: 16 << 20, Limit: 2 * time.Second, Logf: log.Printf,
	}
	r, err := faulttest.Run(ctx, o)
	figures := fmt.Sprintf("%d sessions at a time for %v, an agent killed every %v:\n%s",
		sessions, s.lasting, o.KillEvery, strings.ReplaceAll(r.String(), "; ", "\n"))
	switch {
	case err != nil:
		return figures, err
	case len(r.Wrong) > 0:
		return figures, errors.New(strings.Join(r.Wrong[:min(len(r.Wrong), 20)], "\n"))
	case r.Survivors == 0 || r.Closed == 0 || r.Cut == 0:
		return figures, errors.New("not every way to end was seen")
	}
	return figures, nil
}

// reattach kills a gateway and starts it again, and waits for its agents.
func reattach(ctx context.Context, s *soak) (string, error) {
	const agents, rounds, promised = 20, 10, 5 * time.Second
	took, err := faulttest.Reattach(ctx, s.program, agents, rounds)
	if err != nil {
		return "", err
	}
	var worst, sum time.Duration
	for _, d := range took {
		worst, sum = max(worst, d), sum+d
	}
	figures := fmt.Sprintf("%d agents, the gateway killed and started again %d times, away between 1 and 10 s:\nall were back %v after it on average, %v at the most",
		agents, rounds, (sum / rounds).Round(time.Millisecond), worst.Round(time.Millisecond))
	if worst > promised {
		return figures, fmt.Errorf("%v instead of %v", worst, promised)
	}
	return figures, nil
}

// cluster has sessions cross a cluster of which one process after another is killed or
// frozen.
func cluster(ctx context.Context, s *soak) (string, error) {
	o := faulttest.ClusterOptions{
		Gateways: 10, FrozenFor: 2 * time.Second, OpenWithin: 30 * time.Second,
		Options: faulttest.Options{Program: s.program, Agents: 40, Sessions: 500, For: s.lasting, KillEvery: 3 * time.Second,
			Rate: 8 << 20, Limit: 5 * time.Second, Logf: log.Printf},
	}
	r, err := faulttest.RunCluster(ctx, o)
	figures := fmt.Sprintf("10 gateways, 40 agents, %d sessions at a time for %v, a fault every %v:\n%s",
		o.Sessions, s.lasting, o.KillEvery, strings.ReplaceAll(r.String(), "; ", "\n"))
	switch {
	case err != nil:
		return figures, err
	case len(r.Wrong) > 0:
		return figures, errors.New(strings.Join(r.Wrong[:min(len(r.Wrong), 20)], "\n"))
	case r.Own == 0 || r.Closed == 0 || r.Finished == 0:
		return figures, errors.New("not every way to end was seen")
	}
	return figures, nil
}
