package harness

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os/exec"
	"regexp"
	"time"
)

// Secrets of the processes that LaunchGateway and LaunchAgent start; nobody
// else can reach them.
const (
	Key    = "the-api-key-of-a-test-run"
	Secret = "the-agent-secret-of-a-test-run"
)

var (
	listening = regexp.MustCompile(`(?m)^listening on https?://(\S+)$`)
	attached  = regexp.MustCompile(`msg=attached`)
)

// LaunchGateway starts farwire serve as the file program, with Key as its only
// API key, its data in dir and no agent of its own, and returns its address.
// The flags come behind those.
func LaunchGateway(ctx context.Context, program, dir, addr string, flags ...string) (*Process, string, error) {
	return LaunchGatewayIn(ctx, nil, program, dir, addr, flags...)
}

// LaunchGatewayIn is LaunchGateway with further variables of the environment.
func LaunchGatewayIn(ctx context.Context, env []string, program, dir, addr string, flags ...string) (*Process, string, error) {
	cmd := exec.Command(program, append([]string{"serve", "--listen", addr, "--data-dir", dir, "--local-agent", "none",
		"--api-keys", "load=" + Key, "--agent-secret", Secret, "--rate", "1000000"}, flags...)...)
	cmd.Env = Environ(env...)
	p, err := Launch(cmd)
	if err != nil {
		return nil, "", err
	}
	m, err := p.Await(ctx, p.Stderr, listening)
	if err != nil {
		p.Kill()
		return nil, "", err
	}
	return p, m[1], nil
}

// LaunchAgent starts farwire agent for a gateway of LaunchGateway's.
func LaunchAgent(program, gateway, slug string, flags ...string) (*Process, error) {
	cmd := exec.Command(program, append([]string{"agent", "--gateway", "http://" + gateway, "--secret", Secret,
		"--slug", slug, "--country", "ZZ"}, flags...)...)
	cmd.Env = Environ()
	return Launch(cmd)
}

// AwaitAttached waits until an agent of LaunchAgent's is attached.
func AwaitAttached(ctx context.Context, agent *Process) error {
	_, err := agent.Await(ctx, agent.Stderr, attached)
	return err
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
	holders, err := Holders(ctx, gateway)
	return len(holders), err
}

// Holders asks a gateway for its agents, and for the names of the gateways that hold
// each, by the agents' ids.
func Holders(ctx context.Context, gateway string) (map[string][]string, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+gateway+"/network", nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("X-API-Key", Key)
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return nil, errors.New(resp.Status)
	}
	var list struct {
		Agents []struct {
			ID       string
			Gateways []string
		}
	}
	if err := json.NewDecoder(resp.Body).Decode(&list); err != nil {
		return nil, err
	}
	holders := make(map[string][]string, len(list.Agents))
	for _, a := range list.Agents {
		holders[a.ID] = a.Gateways
	}
	return holders, nil
}
