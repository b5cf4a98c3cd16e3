package relay

import (
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/farwire/farwire/internal/harness"
)

// serveTwoAgents is a gateway with an agent of its own process, de1, and one of
// another, at5.
func serveTwoAgents(t *testing.T) *harness.Gateway {
	t.Helper()
	g := harness.Serve(t, "--allow-private", "--local-agent", "de1:DE", "--agent-secret", agentSecret, "--rate", "1000")
	attach(t, g, "at5", "--secret", agentSecret, "--allow-private")
	return g
}

// through is the address of the direct form through an agent; URL stands in it for
// the target's.
func through(g *harness.Gateway, agent string) string {
	return g.WS("/ws") + "?api_key=" + g.Key + "&agent=" + agent + "&url=URL"
}

// A feed that its server compresses takes the same number of bytes on both sides as
// on a connection without a gateway.
func TestDeflate_Feeds_SameBytesOnBothSides(t *testing.T) {
	t.Parallel()
	g := serveTwoAgents(t)
	connect, err := json.Marshal(ask{"apiKey": g.Key, "url": "URL", "agent": "at5"})
	if err != nil {
		t.Fatal(err)
	}
	ways, err := json.Marshal(map[string]any{
		"direct form, agent of this process": through(g, "de1"), "direct form, agent of another": through(g, "at5"),
		"message form": []string{g.WS("/ws"), string(connect)},
	})
	if err != nil {
		t.Fatal(err)
	}
	p := harness.Start(t, harness.Node(t, "testdata/npm/deflate-feeds.cjs", string(ways)))
	if status := p.Status(); status != 0 {
		t.Fatalf("status %d: %s", status, p.Stderr)
	}
	type sides struct{ Client, Target int }
	var feeds []string
	for line := range strings.Lines(p.Stdout.String()) {
		var row struct {
			Feed          string
			Count, Bytes  int
			Plain, Direct sides
			Ways          map[string]sides
		}
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		feeds = append(feeds, row.Feed)
		if row.Direct.Client != row.Direct.Target || row.Direct.Client >= row.Plain.Client {
			t.Errorf("%s without a gateway: %+v compressed, %+v plain", row.Feed, row.Direct, row.Plain)
		}
		if len(row.Ways) != 3 {
			t.Errorf("%s: %d ways", row.Feed, len(row.Ways))
		}
		for name, got := range row.Ways {
			if got != row.Direct {
				t.Errorf("%s, %s: %+v, without a gateway %+v", row.Feed, name, got, row.Direct)
			}
		}
		t.Logf("%s | %d | %d | %d | %d", row.Feed, row.Bytes/row.Count, row.Plain.Client/row.Count, row.Direct.Client/row.Count, row.Ways["message form"].Client/row.Count)
	}
	if !slices.Equal(feeds, []string{"odds", "trades", "tickers", "book"}) {
		t.Errorf("measured %v", feeds)
	}
}

// Whatever client and target agree on, window sizes and context takeover of both
// sides, they agree on through the gateway and an agent, and their messages arrive.
func TestDeflate_EveryAgreement_MessagesArrive(t *testing.T) {
	t.Parallel()
	g := serveTwoAgents(t)
	p := harness.Start(t, harness.Node(t, "testdata/npm/deflate-matrix.cjs", through(g, "at5")))
	if status := p.Status(); status != 0 {
		t.Fatalf("status %d: %s", status, p.Stderr)
	}
	said := p.Stdout.String()
	const cases = 3 + 7*4*2
	if !strings.HasSuffix(said, fmt.Sprintf("\n%d cases\n", cases)) {
		t.Errorf("it ends with %.200q", said[max(0, len(said)-200):])
	}
	for bits := 9; bits <= 15; bits++ {
		for _, side := range []string{"server", "client"} {
			if pattern := fmt.Sprintf(`: permessage-deflate;.*%s_max_window_bits=%d\b`, side, bits); !regexp.MustCompile(pattern).MatchString(said) {
				t.Errorf("no case with %s bits %d:\n%s", side, bits, said)
			}
		}
	}
}
