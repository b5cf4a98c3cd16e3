package fire

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"time"

	"github.com/farwire/farwire/internal/services"
)

// Homecoming kills a gateway, starts it again after a while, a longer one each
// time, and measures how long it then takes until all its agents are back.
func Homecoming(ctx context.Context, program string, agents, rounds int) (took []time.Duration, err error) {
	dir, err := os.MkdirTemp("", "farwire-home-*")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	ports, err := services.FreePorts(1)
	if err != nil {
		return nil, err
	}
	gateway, addr, err := StartGateway(ctx, program, dir, fmt.Sprintf("127.0.0.1:%d", ports[0]))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, gateway.Stop(), gateway.Sane()) }()
	for i := range agents {
		a, err := StartAgent(program, addr, slug(i), "--allow-private")
		if err != nil {
			return nil, err
		}
		defer a.Stop() // its status says nothing about the time it took
	}
	if err := AwaitAgents(ctx, addr, agents); err != nil {
		return nil, err
	}
	for round := range rounds {
		gateway.Kill()
		if err := gateway.Sane(); err != nil {
			return nil, err
		}
		select {
		case <-time.After(time.Duration(1+round%10) * time.Second):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		again, _, err := StartGateway(ctx, program, dir, addr)
		if err != nil {
			return nil, err
		}
		gateway = again
		began := time.Now()
		if err := AwaitAgents(ctx, addr, agents); err != nil {
			return nil, err
		}
		took = append(took, time.Since(began))
	}
	return took, nil
}

// AwaitAgents asks a gateway for its agents until there are as many.
func AwaitAgents(ctx context.Context, gateway string, agents int) error {
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for {
		n, err := countAgents(ctx, gateway)
		if err == nil && n == agents {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("%d of %d agents are attached: %w", n, agents, errors.Join(err, ctx.Err()))
		}
	}
}

func countAgents(ctx context.Context, gateway string) (int, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+gateway+"/network", nil)
	if err != nil {
		return 0, err
	}
	req.Header.Set("X-API-Key", Key)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return 0, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return 0, errors.New(resp.Status)
	}
	var list struct{ Agents []json.RawMessage }
	err = json.NewDecoder(resp.Body).Decode(&list)
	return len(list.Agents), err
}
