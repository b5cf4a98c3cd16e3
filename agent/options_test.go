package agent_test

import (
	"strings"
	"testing"
	"time"

	"github.com/farwire/farwire/agent"
)

// A negative number is refused by its field's name.
func TestOptions_NegativeNumber_RefusedByName(t *testing.T) {
	run := func(set func(*agent.RunOptions)) error {
		o := agent.RunOptions{Gateways: []string{"http://127.0.0.1:1"}, Secret: secret, Slug: "de1", Country: "DE", Logger: quiet}
		set(&o)
		return agent.Run(t.Context(), o)
	}
	direct := func(o agent.DirectOptions) error {
		_, err := agent.Direct(o)
		return err
	}
	_, pool := agent.NewPool(agent.PoolOptions{Secret: secret, MaxAgents: -1})
	for field, err := range map[string]error{
		"RunOptions.Links":             run(func(o *agent.RunOptions) { o.Links = -1 }),
		"RunOptions.MaxSessions":       run(func(o *agent.RunOptions) { o.MaxSessions = -1 }),
		"RunOptions.ResolveTimeout":    run(func(o *agent.RunOptions) { o.ResolveTimeout = -time.Second }),
		"RunOptions.DialTimeout":       run(func(o *agent.RunOptions) { o.DialTimeout = -time.Second }),
		"DirectOptions.ResolveTimeout": direct(agent.DirectOptions{ResolveTimeout: -time.Second}),
		"DirectOptions.DialTimeout":    direct(agent.DirectOptions{DialTimeout: -time.Second}),
		"PoolOptions.MaxAgents":        pool,
	} {
		if err == nil || !strings.Contains(err.Error(), field+" is negative") {
			t.Errorf("%s: %v", field, err)
		}
	}
}
