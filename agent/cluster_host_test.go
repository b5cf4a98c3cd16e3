package agent_test

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
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

// A host's function panics in the middle of the answers: the questions that are still
// asked end with the call, whether or not they are answered.
func TestAskPeers_EachPanics_QuestionsEnd(t *testing.T) {
	d := new(agent.LocalDirectory)
	near, _ := join(t, d, "near", nil)
	hold := make(chan struct{})
	defer close(hold)
	for i := range 6 {
		p, _ := join(t, d, fmt.Sprint("other ", i), nil)
		p.AnswerPeers(func(context.Context, []byte) ([]byte, error) {
			if i%2 == 1 {
				<-hold
			}
			return []byte("an answer"), nil
		})
	}
	eventually(t, "all gateways are known", 30*time.Second, func() bool { return len(near.Gateways()) == 7 })
	panicked := false
	ask := func() {
		defer func() { panicked = panicked || recover() == "a host's function" }()
		ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
		defer cancel()
		near.AskPeers(ctx, nil, func(string, []byte) { panic("a host's function") })
	}
	eventually(t, "a gateway answers", time.Minute, func() bool { ask(); return panicked })
	stacks := make([]byte, 1<<20)
	stacks = stacks[:runtime.Stack(stacks, true)]
	if n := bytes.Count(stacks, []byte("(*Pool).AskPeers.func")); n > 0 {
		t.Errorf("%d questions are still asked:\n%s", n, stacks)
	}
}
