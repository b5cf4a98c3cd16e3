package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/farwire/farwire/test/internal/loadtest"
)

// withNetwork runs a part with a gateway, agents and a target.
func withNetwork(ctx context.Context, s *soak, agents int, guarded bool, do func(*loadtest.Network) (fmt.Stringer, error)) (figures string, err error) {
	target, end, err := loadtest.StartTarget(roleVariable + "=target")
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, end()) }()
	network, err := loadtest.Open(ctx, s.program, agents, guarded, target)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, network.Close()) }()
	r, err := do(network)
	return r.String(), err
}

func idle10000(ctx context.Context, s *soak) (string, error) {
	return withNetwork(ctx, s, 20, false, func(network *loadtest.Network) (fmt.Stringer, error) {
		return network.Idle(ctx, 10_000, s.lasting)
	})
}

func drain5000(ctx context.Context, s *soak) (string, error) {
	return withNetwork(ctx, s, 4, false, func(network *loadtest.Network) (fmt.Stringer, error) {
		r, err := network.Drain(ctx, 5000)
		if err == nil && r.Took > 10*time.Second {
			err = fmt.Errorf("it took %v instead of 10s", r.Took)
		}
		return r, err
	})
}

func silent10000(ctx context.Context, s *soak) (string, error) {
	return withNetwork(ctx, s, 2, false, func(network *loadtest.Network) (fmt.Stringer, error) {
		r, err := network.Silent(ctx, 10_000)
		if err == nil && r.Slowest > 2*time.Second {
			err = fmt.Errorf("a session took %v to open", r.Slowest)
		}
		return r, err
	})
}

func churn100000(ctx context.Context, s *soak) (string, error) {
	return withNetwork(ctx, s, 4, false, func(network *loadtest.Network) (fmt.Stringer, error) { return network.Churn(ctx, 100_000) })
}

func hostile1000000(ctx context.Context, s *soak) (string, error) {
	return withNetwork(ctx, s, 2, true, func(network *loadtest.Network) (fmt.Stringer, error) {
		return network.Hostile(ctx, 1_000_000, rand.Uint64())
	})
}
