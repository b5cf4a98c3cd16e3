package nats_test

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"github.com/coder/websocket"

	"github.com/farwire/farwire/internal/harness"
)

// agentsFile writes the records of agents, whose tokens are made of their slugs.
func (w *world) agentsFile(path string, slugs ...string) {
	w.t.Helper()
	text := "["
	for i, slug := range slugs {
		if i > 0 {
			text += ","
		}
		text += fmt.Sprintf(`{"slug":%q,"country":"DE","token_sha256":"%x"}`, slug, sha256.Sum256([]byte(tokenOf(slug))))
	}
	if err := os.WriteFile(path, []byte(text+"]"), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

func tokenOf(slug string) string { return "the-token-of-agent-" + slug }

func (w *world) recordedAgent(slug string, g *harness.Gateway) *harness.TestProcess {
	w.t.Helper()
	return harness.Start(w.t, harness.Farwire(w.t, "agent", "--token", tokenOf(slug), "--slug", "any", "--country", "FR",
		"--allow-private", "--links", "1", "--gateway", g.HTTP("")))
}

// A slug is one agent over the cluster: processes that claim a plain one at two gateways
// are one, nobody takes that of a record at any gateway, and a record that one gateway
// loses is lost at all until that one has it again.
func TestCluster_Slugs_AreOneAgentAsRecordsSay(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	files := []string{filepath.Join(t.TempDir(), "one.json"), filepath.Join(t.TempDir(), "two.json")}
	for _, f := range files {
		w.agentsFile(f, "de1", "stays")
	}
	one, two := w.gateway("--agents-file", files[0]), w.gateway("--agents-file", files[1])
	w.agent("plain", 1, one)
	w.agent("plain", 1, two)
	recorded := w.recordedAgent("de1", two)
	sees := func(slug string, n int) {
		t.Helper()
		for name, g := range map[string]*harness.Gateway{"one": one, "two": two} {
			w.eventually(fmt.Sprintf("%s sees %s at %d gateways", name, slug, n), func() bool { return len(w.holders(g)[slug]) == n })
		}
	}
	sees("plain", 2) // an entry an agent: holders would have the last of several
	sees("de1", 1)
	taker := w.agent("de1", 1, one)
	taker.Await(taker.Stderr, `slug \\?"de1\\?" has a token of its own`)
	if held := w.holders(one)["de1"]; !slices.Equal(held, w.holders(two)["de1"]) || len(held) != 1 {
		t.Errorf("the slug of a record is held by %q", held)
	}

	taker.Kill() // where the record is gone the slug is anybody's

	plain, far := w.relay(one, "plain"), w.relay(one, "de1")
	w.agentsFile(files[0], "stays")
	one.Signal(syscall.SIGHUP)
	far.wantClose(websocket.StatusTryAgainLater, "agent lost")
	sees("de1", 0)
	plain.echo()
	recorded.Await(recorded.Stderr, "record of this agent is gone")
	recorded.Kill()

	w.agentsFile(files[0], "de1", "stays")
	one.Signal(syscall.SIGHUP)
	w.eventually("the file is read again", func() bool { return strings.Count(one.Log(), "reload ended") == 2 })
	w.recordedAgent("de1", two)
	sees("de1", 1)
	w.relay(one, "de1")
}
