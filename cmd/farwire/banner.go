package main

import (
	"cmp"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/farwire/farwire/agent"
)

// A banner is what serve prints when it is ready.
type banner struct {
	addr    *net.TCPAddr
	admin   net.Addr // nil: none
	uses    string   // the services
	secure  bool     // by https
	key     string   // made for this run; empty: the operator has keys
	private bool     // whether that agent reaches this machine
	agent   string   // slug of the agent in this process; empty: none
	binary  string   // how this program is called
}

// printBanner prints where the gateway is, the key if one was made, lines that work
// when they are pasted as they stand, and what operators look for.
func printBanner(w io.Writer, g banner) {
	var b strings.Builder
	fmt.Fprintf(&b, "listening on %s://%v\n", schemeOf(g.secure), g.addr)
	if g.key != "" {
		fmt.Fprintf(&b, "API key of this run: %s\n", g.key)
		b.WriteString("paste into another terminal:\n")
	} else {
		b.WriteString("paste into another terminal, where FARWIRE_KEY is one of your keys:\n")
	}
	fmt.Fprintf(&b, "  %s\n  %s\n  %s\n", g.relayLine(), g.amqpLine(), g.crawlLine())
	fmt.Fprintf(&b, "or open %s://%s/ in a browser\n", schemeOf(g.secure), g.reachable())
	fmt.Fprintf(&b, "using: %s\n", g.uses)
	if g.admin != nil {
		fmt.Fprintf(&b, "metrics at http://%v/metrics\n", g.admin)
		fmt.Fprintf(&b, "profiles at http://%v/debug/pprof/\n", g.admin)
	}
	io.WriteString(w, b.String())
}

// relayLine relays to the echo, which any agent answers itself.
func (g banner) relayLine() string {
	line := "echo hello | " + g.binary + " relay"
	if at := g.reachable(); g.secure || at != defaultGatewayAddr {
		line += " --gateway " + strings.Replace(schemeOf(g.secure), "http", "ws", 1) + "://" + at
	}
	if g.key != "" {
		line += " --key " + g.key
	}
	if g.agent != "" {
		line += " --agent " + g.agent
	}
	return line + " ws://" + agent.EchoHost
}

// amqpLine streams what is published to a topic exchange that every RabbitMQ
// has: of a broker with its defaults on this machine where that may be reached,
// else of one whose name is still to be filled in.
func (g banner) amqpLine() string {
	broker := `{"host": "broker.example.com", "username": "user", "password": "pass", "exchange": "amq.topic"}`
	if g.private {
		broker = `{"host": "localhost", "username": "guest", "password": "guest", "exchange": "amq.topic"}`
	}
	key := `"X-API-Key: $FARWIRE_KEY"`
	if g.key != "" {
		key = "'X-API-Key: " + g.key + "'"
	}
	return "curl -N " + schemeOf(g.secure) + "://" + g.reachable() + "/amqp -H 'Content-Type: application/json' -H " + key + " -d '" + broker + "'"
}

// crawlLine crawls a small site. It needs no gateway and no key.
func (g banner) crawlLine() string { return g.binary + " crawl --max-pages 10 https://llmstxt.org/" }

func schemeOf(secure bool) string {
	if secure {
		return "https"
	}
	return "http"
}

// reachable is the listener's address for a client on this machine.
func (g banner) reachable() string { return reachable(g.addr) }

func reachable(addr *net.TCPAddr) string {
	host := addr.IP.String()
	if addr.IP.IsUnspecified() {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, fmt.Sprint(addr.Port))
}

// programCommand returns the words that start this program from another terminal:
// its name where the PATH has it, as go run has it for who runs it so from a
// checkout, else its full path, which go run keeps for as long as it runs.
func programCommand() string {
	self, err := os.Executable()
	if err != nil {
		return "farwire"
	}
	if found, err := exec.LookPath(filepath.Base(self)); err == nil && sameFile(found, self) {
		return filepath.Base(self)
	}
	if _, err := os.Stat("cmd/farwire/main.go"); err == nil && strings.Contains(filepath.ToSlash(self), "/go-build") {
		return "go run ./cmd/farwire"
	}
	return shellWord(self)
}

func sameFile(a, b string) bool {
	ai, err := os.Stat(a)
	bi, err2 := os.Stat(b)
	return cmp.Or(err, err2) == nil && os.SameFile(ai, bi)
}

// shellWord quotes s where a shell would take it apart.
func shellWord(s string) string {
	plain := func(r rune) bool {
		return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || strings.ContainsRune("/._-+:@%", r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
