package relay

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/farwire/farwire/internal/harness"
)

const agentSecret = "the secret of all the agents"

// attach starts farwire agent and waits until the gateway lists it.
func attach(t *testing.T, g *harness.Gateway, slug string, flags ...string) *harness.TestProcess {
	t.Helper()
	cmd := harness.Farwire(t, append([]string{"agent", "--gateway", g.HTTP(""), "--slug", slug, "--country", "AT"}, flags...)...)
	p := harness.Start(t, cmd)
	awaitNetwork(t, g, func(slugs string) bool { return strings.Contains(slugs, "farwire-"+slug) })
	return p
}

// awaitNetwork asks for the agents until they are as wanted.
func awaitNetwork(t *testing.T, g *harness.Gateway, wanted func(ids string) bool) {
	t.Helper()
	ctx := patient(t)
	for {
		resp, err := http.Get(g.HTTP("/network?api_key=" + g.Key))
		if err != nil {
			t.Fatal(err)
		}
		var body json.RawMessage
		err = json.NewDecoder(resp.Body).Decode(&body)
		resp.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		if wanted(string(body)) {
			return
		}
		select {
		case <-ctx.Done():
			t.Fatalf("the agents are %s", body)
		case <-time.After(20 * time.Millisecond): // there is nothing to wait for but the next answer
		}
	}
}

// A session goes through an agent that has dialled in, whose own flag decides
// what it reaches.
func TestAgent_FlagAllowsPrivate_ReachesTheTarget(t *testing.T) {
	g := harness.Serve(t, "--agent-secret", agentSecret, "--rate", "1000")
	to := target(t, harness.Echo)
	open := attach(t, g, "at1", "--secret", agentSecret, "--allow-private")
	attach(t, g, "at2", "--secret", agentSecret)

	c, answer := connect(t, g.WS("/ws"), ask{"apiKey": g.Key, "url": to, "agent": "at1"})
	if answer["node_id"] != "farwire-at1" {
		t.Fatalf("answered %v", answer)
	}
	exchange(t, c, strings.Repeat("through a tunnel ", 10_000))

	for _, slug := range []string{"at2", "local"} {
		_, answer := connect(t, g.WS("/ws"), ask{"apiKey": g.Key, "url": to, "agent": slug})
		if message, _ := answer["message"].(string); !strings.Contains(message, "--allow-private") {
			t.Errorf("agent %s answered %v, want a refusal that names --allow-private", slug, answer)
		}
	}

	// An agent that is asked to stop lets its session finish.
	open.Signal(harness.Terminate)
	exchange(t, c, "still here")
	if err := c.Close(1000, ""); err != nil {
		t.Errorf("the close frame was not answered: %v", err)
	}
	if status := open.Status(); status != 0 {
		t.Errorf("the agent ended with status %d: %s", status, open.Stderr)
	}
	awaitNetwork(t, g, func(ids string) bool { return !strings.Contains(ids, "farwire-at1") })
}

// The record says who an agent is, whatever it claims, and a wrong token is
// said once.
func TestAgentsFile_AgentClaimsAnother_RecordWins(t *testing.T) {
	const token = "the token of one agent"
	sum := sha256.Sum256([]byte(token))
	file := filepath.Join(t.TempDir(), "agents.json")
	records := `[{"slug": "de7", "country": "DE", "token_sha256": "` + hex.EncodeToString(sum[:]) + `"}]`
	if err := os.WriteFile(file, []byte(records), 0o600); err != nil {
		t.Fatal(err)
	}
	g := harness.Serve(t, "--agents-file", file, "--local-agent", "none", "--rate", "1000")
	cmd := harness.Farwire(t, "agent", "--gateway", g.HTTP(""), "--slug", "at1", "--country", "AT", "--allow-private")
	cmd.Env = append(cmd.Env, "FARWIRE_TOKEN="+token)
	harness.Start(t, cmd)
	awaitNetwork(t, g, func(ids string) bool { return strings.Contains(ids, "farwire-de7") })
	c, answer := connect(t, g.WS("/ws"), ask{"apiKey": g.Key, "url": target(t, harness.Echo), "geo": "DE"})
	if answer["node_id"] != "farwire-de7" {
		t.Fatalf("answered %v", answer)
	}
	exchange(t, c, "hello")
	c.CloseNow()

	wrong := harness.Start(t, harness.Farwire(t, "agent", "--gateway", g.HTTP(""), "--slug", "at1", "--country", "AT", "--secret", "not the secret of anybody"))
	wrong.Await(wrong.Stderr, `level=WARN`)
	wrong.Signal(harness.Terminate)
	if status := wrong.Status(); status != 0 {
		t.Errorf("the agent ended with status %d: %s", status, wrong.Stderr)
	}
	if said := wrong.Stderr.String() + g.Stderr.String(); strings.Contains(said, "not the secret") || strings.Contains(said, token) {
		t.Errorf("a secret was said:\n%s", said)
	}
}
