package natscluster_test

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/harness"
)

// A message counts within 30 s of its time, by the clock of who reads it, and once. One that is
// signed and cannot be read, or names no sender, is dropped as well. The log says how many.
func TestMessages_OldOrUnreadable_AreDropped(t *testing.T) {
	g := open(t, harness.NATS(t), "reader")
	sent := func(from string, ago time.Duration) []byte {
		body, err := json.Marshal(map[string]any{
			"from": from, "at": time.Now().Add(-ago).UnixNano(), "kind": "list", "parts": 1,
			"holding": agent.Holding{URL: "http://" + from + ".example:8080"},
		})
		if err != nil {
			t.Fatal(err)
		}
		return g.Sign(body)
	}
	const near = 25 * time.Second // a busy machine has 5 s
	for i, ago := range []time.Duration{31 * time.Second, time.Hour, 0, near, -near, -time.Hour, -40 * time.Second} {
		from := fmt.Sprint("g", i)
		g.Take(sent(from, ago))
		if taken := ago.Abs() <= near; g.knows(from) != taken {
			t.Errorf("a message from %v ago: taken %v, want %v", ago, g.knows(from), taken)
		}
	}
	before := g.Stats().Dropped
	g.Take(g.Sign([]byte(`{"from":"unreadable`)))
	g.Take(sent("", 0))
	if n := g.Stats().Dropped - before; n != 2 || g.knows("") {
		t.Errorf("%d messages are dropped, want 2", n)
	}
	if n := g.log.Count("messages on NATS are dropped\" messages=1 "); n != 1 {
		t.Errorf("the log says\n%s", g.log)
	}
}

// A sender is noted for as long as a message of it could come a second time, and no longer.
func TestMessages_SenderSilent_IsForgotten(t *testing.T) {
	g := open(t, harness.NATS(t), "reader")
	g.NotedAt("recent", time.Now().Add(-31*time.Second))
	g.NotedAt("old", time.Now().Add(-61*time.Second))
	eventually(t, "an old sender is forgotten", func() bool {
		if !g.Noted("recent") {
			t.Fatal("a recent one is forgotten")
		}
		return !g.Noted("old")
	})
}
