package network_test

import (
	"crypto/sha256"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/farwire/farwire/internal/harness"
)

func record(slug, country, token, more string) string {
	return fmt.Sprintf(`{"slug": %q, "country": %q, "token_sha256": "%x"%s}`, slug, country, sha256.Sum256([]byte(token)), more)
}

// The record says who an agent is, and not the agent.
func TestAgentsFile_AgentClaimsAnother_RecordWins(t *testing.T) {
	t.Parallel()
	const token, exclusive = "the-token-of-agent-at5", "the-token-of-agent-us1"
	target, _ := target(t)
	file := writeFile(t, "["+record("at5", "AT", token, "")+","+record("us1", "US", exclusive, `, "exclusive": true`)+"]")
	g := harness.Serve(t, "--local-agent", "none", "--agents-file", file, "--agent-secret", agentSecret, "--rate", "1000")
	gateway := "http://" + g.Addr

	claims := newAgent(t, nil, "--gateway", gateway, "--token", token, "--slug", "other", "--country", "FR", "--allow-private")
	claims.Await(claims.Stderr, `msg=attached .*agent=farwire-at5 slug=at5 country=AT`)
	awaitNetwork(t, g, func(list []agentInfo) bool {
		return len(list) == 1 && list[0].ID == "farwire-at5" && list[0].Country == "AT" && list[0].State == "available" &&
			list[0].RTT > 0 && list[0].Version != ""
	})
	if s := open(t, g, target, "geo", "at"); s.node != "farwire-at5" {
		t.Errorf("connected through %q, %s", s.node, s.text)
	}
	open(t, g, target, "geo", "FR").mustBeRefused(1011)

	thief := newAgent(t, nil, "--gateway", gateway, "--secret", agentSecret, "--slug", "at5", "--country", "AT")
	thief.Await(thief.Stderr, `gateway refuses this agent: .*at5.*token of its own`)

	older := newAgent(t, nil, "--gateway", gateway, "--token", exclusive, "--slug", "us1", "--country", "US", "--allow-private")
	awaitAttached(older, g, "us1")
	s := open(t, g, target, "agent", "us1")
	s.mustEcho()
	newer := newAgent(t, nil, "--gateway", gateway, "--token", exclusive, "--slug", "us1", "--country", "US", "--allow-private")
	newer.Await(newer.Stderr, `msg=attached`)
	g.Await(g.Stderr, `(?s)msg="agent attached" agent=farwire-us1.*msg="agent attached" agent=farwire-us1`)
	s.mustEcho() // what the older one carries it may finish
	s.close()
	older.Await(older.Stderr, `another agent has taken this one's place.*us1`)
	open(t, g, target, "agent", "us1").mustEcho()
}

// An agent's own token is replaced as docs/operating.md says: what runs and what begins
// meanwhile is not cut.
func TestAgentsFile_TokenReplaced_NothingIsCut(t *testing.T) {
	t.Parallel()
	for name, more := range map[string]string{"any": "", "exclusive": `, "exclusive": true`} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			const before, after = "the-token-that-at5-has-now", "the-token-that-at5-has-then"
			target, _ := target(t)
			file := writeFile(t, "["+record("at5", "AT", before, more)+"]")
			g := harness.Serve(t, "--local-agent", "none", "--agents-file", file, "--rate", "1000")
			reloads := 0
			reload := func(tokens ...string) {
				t.Helper()
				var list []string
				for _, token := range tokens {
					list = append(list, record("at5", "AT", token, more))
				}
				if err := os.WriteFile(file, []byte("["+strings.Join(list, ",")+"]"), 0o600); err != nil {
					t.Fatal(err)
				}
				g.Signal(syscall.SIGHUP)
				reloads++
				g.Await(g.Stderr, fmt.Sprintf(`(?s)(?:reload ended.*?){%d} refused=0\n`, reloads))
			}
			attach := func(token string) *harness.TestProcess {
				return newAgent(t, nil, "--gateway", "http://"+g.Addr, "--token", token, "--allow-private", "--drain-timeout", "120s")
			}
			old := attach(before)
			awaitAttached(old, g, "at5")
			running := open(t, g, target)
			running.mustEcho()

			reload(before, after)
			fresh := attach(after)
			fresh.Await(fresh.Stderr, `msg=attached .*agent=farwire-at5`)
			g.Await(g.Stderr, `(?s)(?:msg="agent attached" agent=farwire-at5.*?){2}`)
			running.mustEcho()
			old.Signal(harness.Terminate)
			if name == "any" { // an exclusive one takes none since the other is attached
				g.Await(g.Stderr, `msg="agent takes no more sessions" agent=farwire-at5`)
			}
			running.mustEcho()
			begun := open(t, g, target)
			begun.mustEcho()
			running.close()
			if status := old.Status(); status != 0 {
				t.Errorf("the first agent ended with status %d: %s", status, old.Stderr)
			}
			reload(after)
			begun.mustEcho()
			open(t, g, target).mustEcho()
			late := attach(before)
			late.Await(late.Stderr, "gateway refuses this agent: agent secret or token missing or wrong")
		})
	}
}

// An agent with a wrong token says so once, however often it tries.
func TestAgent_WrongToken_SaysSoOnce(t *testing.T) {
	t.Parallel()
	g := serve(t)
	to, err := url.Parse("http://" + g.Addr)
	if err != nil {
		t.Fatal(err)
	}
	var tries atomic.Int64
	third := make(chan struct{})
	proxy := httputil.NewSingleHostReverseProxy(to)
	door := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if tries.Add(1) == 3 {
			close(third)
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(http.DefaultTransport.(*http.Transport).CloseIdleConnections)
	t.Cleanup(door.Close)

	a := newAgent(t, nil, "--gateway", door.URL, "--token", "no-token-of-anybody", "--slug", "x1", "--country", "DE")
	const no = "gateway refuses this agent: agent secret or token missing or wrong"
	a.Await(a.Stderr, no)
	select {
	case <-third:
	case <-time.After(harness.Timeout):
		t.Fatalf("%d tries", tries.Load())
	}
	if n := strings.Count(a.Stderr.String(), no); n != 1 {
		t.Errorf("said %d times:\n%s", n, a.Stderr)
	}
	if list, err := network(g); err != nil || len(list) != 0 {
		t.Errorf("the network is %v, %v", list, err)
	}
}
