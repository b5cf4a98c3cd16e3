package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/farwire/farwire/test/internal/loadtest"
)

// inScene runs a part with a gateway, agents and a target.
func inScene(ctx context.Context, s *soak, agents int, guarded bool, do func(*loadtest.Network) (fmt.Stringer, error)) (figures string, err error) {
	target, end, err := loadtest.StartTarget(roleVariable + "=target")
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, end()) }()
	scene, err := loadtest.Open(ctx, s.program, agents, guarded, target)
	if err != nil {
		return "", err
	}
	defer func() { err = errors.Join(err, scene.Close()) }()
	r, err := do(scene)
	return r.String(), err
}

func idle10000(ctx context.Context, s *soak) (string, error) {
	return inScene(ctx, s, 20, false, func(scene *loadtest.Network) (fmt.Stringer, error) {
		return scene.Idle(ctx, 10_000, s.lasting)
	})
}

func drain5000(ctx context.Context, s *soak) (string, error) {
	return inScene(ctx, s, 4, false, func(scene *loadtest.Network) (fmt.Stringer, error) {
		r, err := scene.Drain(ctx, 5000)
		if err == nil && r.Took > 10*time.Second {
			err = fmt.Errorf("it took %v instead of 10s", r.Took)
		}
		return r, err
	})
}

func silent10000(ctx context.Context, s *soak) (string, error) {
	return inScene(ctx, s, 2, false, func(scene *loadtest.Network) (fmt.Stringer, error) {
		r, err := scene.Silent(ctx, 10_000)
		if err == nil && r.Slowest > 2*time.Second {
			err = fmt.Errorf("a session took %v to open", r.Slowest)
		}
		return r, err
	})
}

func churn100000(ctx context.Context, s *soak) (string, error) {
	return inScene(ctx, s, 4, false, func(scene *loadtest.Network) (fmt.Stringer, error) { return scene.Churn(ctx, 100_000) })
}

func hostile1000000(ctx context.Context, s *soak) (string, error) {
	return inScene(ctx, s, 2, true, func(scene *loadtest.Network) (fmt.Stringer, error) {
		return scene.Hostile(ctx, 1_000_000, rand.Uint64())
	})
}
