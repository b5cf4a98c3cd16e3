package agent_test

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/farwire/farwire/agent"
)

// The host's functions may use the pool.
func TestJoin_URLAsksThePool_NoDeadlock(t *testing.T) {
	p, err := agent.NewPool(agent.PoolOptions{Secret: secret, Logger: quiet})
	if err != nil {
		t.Fatal(err)
	}
	joined := make(chan error, 1)
	go func() {
		joined <- p.Join(agent.ClusterOptions{
			Name: "asks", Directory: new(agent.LocalDirectory), Secrets: func() [][]byte { p.Agents(); return [][]byte{[]byte(clusterSecret)} },
			URL: func() string { p.Gateways(); return "http://127.0.0.1:1" },
		})
	}()
	select {
	case err := <-joined:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("the pool waits for itself")
	}
	if err := p.Shutdown(t.Context()); err != nil {
		t.Error(err)
	}
}

// The race detector finds it, if nothing else puts the answer before the change: hence a
// directory to tell of it, which no channel is.
func TestAnswerPeers_ChangedWhileAsked_NoRace(t *testing.T) {
	p, _, _ := newPool(t, agent.PoolOptions{})
	asked := filepath.Join(t.TempDir(), "asked")
	p.AnswerPeers(func(context.Context, []byte) ([]byte, error) { return nil, os.Mkdir(asked, 0o700) })
	err := p.Join(agent.ClusterOptions{Name: "holder", URL: func() string { return "http://127.0.0.1:1" }, Directory: new(agent.LocalDirectory),
		Secrets: func() [][]byte { return [][]byte{[]byte(clusterSecret)} }})
	if err != nil {
		t.Fatal(err)
	}
	var asking sync.WaitGroup
	asking.Go(func() {
		if _, err := p.AnswerPeer(t.Context(), nil); err != nil {
			t.Error(err)
		}
	})
	eventually(t, "asked", 30*time.Second, func() bool { _, err := os.Stat(asked); return err == nil })
	p.AnswerPeers(func(context.Context, []byte) ([]byte, error) { return []byte("new"), nil })
	asking.Wait()
	if reply, err := p.AnswerPeer(t.Context(), nil); err != nil || string(reply) != "new" {
		t.Errorf("answered %q, %v", reply, err)
	}
}
