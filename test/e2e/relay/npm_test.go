package relay

import (
	"encoding/json"
	"net/url"
	"strings"
	"testing"

	"github.com/farwire/farwire/internal/harness"
)

// direct is the address of the direct form.
func direct(g *harness.Gateway, target string) string {
	return g.WS("/ws") + "?" + url.Values{"url": {target}, "api_key": {g.Key}}.Encode()
}

// npmServer starts a server of testdata/npm and returns its port.
func npmServer(t *testing.T, script string) (p *harness.TestProcess, port string) {
	t.Helper()
	p = harness.Start(t, harness.Node(t, "testdata/npm/"+script))
	return p, p.Await(p.Stdout, `listening on (\d+)\n`)[1]
}

func wantLines(t *testing.T, p *harness.TestProcess, want ...string) {
	t.Helper()
	if status := p.Status(); status != 0 {
		t.Errorf("status %d: %s%s", status, p.Stdout, p.Stderr)
	}
	if got, want := p.Stdout.String(), strings.Join(want, "\n")+"\n"; got != want {
		t.Errorf("it printed\n%s, want\n%s", got, want)
	}
}

func TestNPM_WS_Works(t *testing.T) {
	g := harness.Serve(t, "--allow-private", "--local-agent", "de1:DE")
	server, port := npmServer(t, "ws-server.cjs")
	target := "ws://127.0.0.1:" + port + "/"

	client := harness.Start(t, harness.Node(t, "testdata/npm/ws-client.cjs", direct(g, target)))
	wantLines(t, client, "node farwire-de1", "subprotocol chat.v2", "binary true same true", "closed 4321 as you like")
	server.Await(server.Stdout, "closed 4321 as you like")

	connect, err := json.Marshal(ask{"apiKey": g.Key, "url": target, "subprotocols": []string{"chat.v2"}})
	if err != nil {
		t.Fatal(err)
	}
	client = harness.Start(t, harness.Node(t, "testdata/npm/ws-client.cjs", g.WS("/ws"), string(connect)))
	wantLines(t, client, "subprotocol none",
		`first {"type":"connected","status":101,"node_id":"farwire-de1","subprotocol":"chat.v2"}`,
		"binary true same true", "closed 4321 as you like")
}

func TestNPM_GraphQLWS_Works(t *testing.T) {
	g := harness.Serve(t, "--allow-private")
	_, port := npmServer(t, "graphql-server.cjs")
	client := harness.Start(t, harness.Node(t, "testdata/npm/graphql-client.cjs", direct(g, "ws://127.0.0.1:"+port+"/graphql")))
	wantLines(t, client, `{"hello":"world"}`, `{"count":1}`, `{"count":2}`, `{"count":3}`, "closed 1000 Normal Closure")
}

func TestNPM_SocketIO_Works(t *testing.T) {
	g := harness.Serve(t, "--allow-private")
	server, port := npmServer(t, "socketio-server.cjs")
	client := harness.Start(t, harness.Node(t, "testdata/npm/socketio-client.cjs",
		g.HTTP(""), "ws://127.0.0.1:"+port+"/socket.io/", g.Key))
	wantLines(t, client, "connected by websocket", "sum 42", "reversed eriwraf", "tick 1", "tick 2", "tick 3",
		"disconnected io client disconnect")
	server.Await(server.Stdout, "disconnected client namespace disconnect")
}
