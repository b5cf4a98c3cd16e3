package faulttest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/farwire/farwire/internal/harness"
)

// Reattach kills a gateway, starts it again after a while, a longer one each
// time, and measures how long it then takes until all its agents are back.
func Reattach(ctx context.Context, program string, agents, rounds int) (took []time.Duration, err error) {
	dir, err := os.MkdirTemp("", "farwire-reattach-*")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	ports, err := harness.FreePorts(1)
	if err != nil {
		return nil, err
	}
	gateway, addr, err := harness.LaunchGateway(ctx, program, dir, fmt.Sprintf("127.0.0.1:%d", ports[0]))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, gateway.Stop(), gateway.Crashed()) }()
	for i := range agents {
		a, err := harness.LaunchAgent(program, addr, slug(i), "--allow-private")
		if err != nil {
			return nil, err
		}
		defer a.Stop() // its status says nothing about the time it took
	}
	if err := harness.AwaitAgents(ctx, addr, agents); err != nil {
		return nil, err
	}
	for round := range rounds {
		gateway.Kill()
		if err := gateway.Crashed(); err != nil {
			return nil, err
		}
		select {
		case <-time.After(time.Duration(1+round%10) * time.Second):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		again, _, err := harness.LaunchGateway(ctx, program, dir, addr)
		if err != nil {
			return nil, err
		}
		gateway = again
		began := time.Now()
		if err := harness.AwaitAgents(ctx, addr, agents); err != nil {
			return nil, err
		}
		took = append(took, time.Since(began))
	}
	return took, nil
}
