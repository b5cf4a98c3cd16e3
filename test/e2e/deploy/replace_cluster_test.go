//go:build unix

package deploy

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/coder/websocket"

	"github.com/farwire/farwire/internal/harness"
)

const ofCluster = "key-of-alice-key-of-alice"

// A member is a gateway on NATS, or a worker, with a token secret of its own file.
type member struct {
	*harness.TestProcess
	gateway *harness.Gateway // nil: a worker
	dir     string
	reloads int
}

// A cluster has members whose token secret is replaced.
type cluster struct {
	t       *testing.T
	nats    string
	members []*member
	running []*websocket.Conn
	joined  int
}

func (c *cluster) command(dir string, args ...string) *harness.Gateway {
	c.t.Helper()
	cmd := harness.Farwire(c.t, append([]string{"serve", "--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0", "--agent-secret", agentSecret,
		"--api-keys", "alice=" + ofCluster, "--rate", "1000", "--keepalive", "10m"}, args...)...)
	cmd.Env = append(cmd.Env, "NATS_URL="+c.nats, "FARWIRE_BROWSER=none", "FARWIRE_TOKEN_SECRET_FILE="+filepath.Join(dir, "token-secret"))
	return harness.StartGateway(c.t, cmd)
}

// folder is a member's, with a token secret.
func (c *cluster) folder(secret string) string {
	c.t.Helper()
	dir := c.t.TempDir()
	c.write(filepath.Join(dir, "token-secret"), secret)
	return dir
}

func (c *cluster) write(file, text string) {
	c.t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		c.t.Fatal(err)
	}
}

// hold has an agent with one link, to g.
func (c *cluster) hold(slug string, g *harness.Gateway) (agent *harness.TestProcess) {
	c.t.Helper()
	agent = harness.Start(c.t, harness.Farwire(c.t, "agent", "--gateway", g.HTTP(""), "--secret", agentSecret, "--slug", slug, "--country", "AT", "--links", "1"))
	g.Await(g.Stderr, `msg="agent attached" .*slug=`+slug+` `)
	return agent
}

// reaches has a request answered through an agent, once the gateway has heard of it.
func (c *cluster) reaches(g *harness.Gateway, slug string) {
	c.t.Helper()
	var status int
	var body string
	eventually(c.t, slug+" is heard of", func() bool {
		_, body = ask(c.t, g.HTTP("/network"), ofCluster)
		return strings.Contains(body, `"`+slug+`"`)
	})
	defer func() {
		if status != http.StatusOK {
			c.t.Logf("%s was answered last: %d %s", slug, status, body)
		}
	}()
	eventually(c.t, slug+" is reached", func() bool { // a first hop may take longer than a dial waits for it
		status, body = ask(c.t, g.HTTP("/to/agent="+slug+"/http/echo.farwire.alt/"), ofCluster)
		return status == http.StatusOK
	})
}

func (c *cluster) relay(g *harness.Gateway, slug string) {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), harness.Timeout)
	defer cancel()
	q := url.Values{"url": {"ws://echo.farwire.alt/"}, "api_key": {ofCluster}, "agent": {slug}}
	conn, _, err := websocket.Dial(ctx, g.WS("/ws?"+q.Encode()), nil)
	if err != nil {
		c.t.Fatal(err)
	}
	c.t.Cleanup(func() { conn.CloseNow() })
	c.running = append(c.running, conn)
}

// talk has all sessions echo.
func (c *cluster) talk() {
	c.t.Helper()
	ctx, cancel := context.WithTimeout(c.t.Context(), harness.Timeout)
	defer cancel()
	for i, conn := range c.running {
		want := fmt.Sprint("frame of ", i)
		if err := conn.Write(ctx, websocket.MessageText, []byte(want)); err != nil {
			c.t.Fatal(err)
		}
		if _, b, err := conn.Read(ctx); err != nil || string(b) != want {
			c.t.Fatalf("session %d echoes %q, %v", i, b, err)
		}
	}
}

// join has a gateway with the secrets of a member come, reach all and be reached by all,
// each over a hop that has just proved itself, and go.
func (c *cluster) join(m *member) {
	c.t.Helper()
	c.joined++
	g := c.command(c.folder(read(c.t, filepath.Join(m.dir, "token-secret"))))
	slug := fmt.Sprint("guest", c.joined)
	guest := c.hold(slug, g)
	for i, m := range c.members {
		if m.gateway != nil {
			c.reaches(g, fmt.Sprint("at", i))
			c.reaches(m.gateway, slug)
		}
	}
	c.undropped(g)
	guest.Signal(harness.Terminate)
	guest.Status()
	g.Stop()
}

var dropped = regexp.MustCompile(`(?m)^farwire_cluster_messages_total\{what="dropped"\} (\d+)$`)

// undropped looks whether the gateway took each message on NATS for one of the cluster.
func (c *cluster) undropped(g *harness.Gateway) {
	c.t.Helper()
	resp, err := http.Get(g.Await(g.Stderr, `(?m)^metrics at (http://\S+)$`)[1])
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		c.t.Fatal(err)
	}
	if m := dropped.FindSubmatch(b); m == nil || string(m[1]) != "0" {
		c.t.Errorf("messages on NATS are dropped: %s", m)
	}
}

func (c *cluster) token(g *harness.Gateway) string {
	c.t.Helper()
	req, err := http.NewRequest(http.MethodPost, g.HTTP("/auth/token"), nil)
	if err != nil {
		c.t.Fatal(err)
	}
	req.Header.Set("X-API-Key", ofCluster)
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		c.t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	m := token.FindSubmatch(b)
	if err != nil || m == nil {
		c.t.Fatalf("no token in %s, %v", b, err)
	}
	return string(m[1])
}

// take has a member take a step, after which the cluster works as before.
func (c *cluster) take(m *member, script string) {
	c.t.Helper()
	runStep(c.t, script, m.dir, m.Pid())
	m.reloads++
	m.Await(m.Stderr, fmt.Sprintf(`(?s)(?:reload ended.*?){%d} refused=0\n`, m.reloads))
	c.talk()
}

// The secret of a cluster is replaced as the page says. After each reload of each member,
// when some sign with one secret and some with the other, the messages on NATS, the proofs
// of new hops and the tokens of each count at all, and sessions stay.
func TestReplaceSecrets_TokenSecretOfACluster_NothingIsCut(t *testing.T) {
	t.Parallel()
	c := &cluster{t: t, nats: harness.NATS(t).URL}
	const before = "token-secret-1-token-secret-1-token-secret-1"
	for range 3 {
		dir := c.folder(before)
		g := c.command(dir)
		c.members = append(c.members, &member{TestProcess: g.TestProcess, gateway: g, dir: dir})
	}
	gateways := c.members[:3]
	dir := c.folder(before)
	cmd := harness.Farwire(t, "work", "--data-dir", dir, "--log-level", "debug")
	cmd.Env = append(cmd.Env, "NATS_URL="+c.nats, "FARWIRE_BROWSER=none", "FARWIRE_TOKEN_SECRET_FILE="+filepath.Join(dir, "token-secret"))
	worker := harness.Start(t, cmd)
	worker.Await(worker.Stderr, "recrawling due sites")
	c.members = append(c.members, &member{TestProcess: worker, dir: dir})
	for i, m := range gateways {
		c.hold(fmt.Sprint("at", i), m.gateway)
	}
	for _, m := range gateways {
		for j := range gateways {
			c.reaches(m.gateway, fmt.Sprint("at", j))
			c.relay(m.gateway, fmt.Sprint("at", j))
		}
	}
	c.talk()
	old := c.token(gateways[0].gateway)

	recipe := steps(t, "replace token-secret")
	if len(recipe) != 4 {
		t.Fatalf("the recipe has %d steps", len(recipe))
	}
	runStep(t, recipe[0], gateways[0].dir, gateways[0].Pid())
	fresh := read(t, filepath.Join(gateways[0].dir, "token-secret.new"))
	for _, m := range c.members[1:] {
		c.write(filepath.Join(m.dir, "token-secret.new"), fresh)
	}
	for i, script := range recipe[1:] {
		for _, m := range c.members {
			c.take(m, script)
			if m.gateway == nil {
				continue
			}
			c.join(m)
			issued := c.token(m.gateway)
			for _, other := range gateways {
				if status, body := ask(t, other.gateway.HTTP("/usage"), issued); status != http.StatusOK {
					t.Errorf("step %d: a new token: %d %s", i, status, body)
				}
				if i == 2 {
					continue // it would have ended by now
				}
				if status, body := ask(t, other.gateway.HTTP("/usage"), old); status != http.StatusOK {
					t.Errorf("step %d: a token of before: %d %s", i, status, body)
				}
			}
		}
	}
	for _, m := range gateways {
		c.undropped(m.gateway)
		if status, _ := ask(t, m.gateway.HTTP("/usage"), old); status != http.StatusForbidden {
			t.Errorf("a token of the secret that is gone: %d", status)
		}
		if got := read(t, filepath.Join(m.dir, "token-secret")); got != fresh {
			t.Errorf("the file holds %q", got)
		}
	}
	for _, m := range c.members {
		if strings.Contains(m.Log(), "are dropped") {
			t.Errorf("messages on NATS are dropped:\n%s", m.Log())
		}
	}
	c.talk()
}
