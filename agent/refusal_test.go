package agent_test

import (
	"context"
	"net/netip"
	"strings"
	"testing"

	"github.com/farwire/farwire/agent"
)

// ownAddress is a resolver that gives every name the address of this machine.
type ownAddress struct{}

func (ownAddress) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	return []netip.Addr{netip.MustParseAddr("127.0.0.1")}, nil
}

// What a caller sent is cut between letters, wherever the cut falls.
func TestDirect_LongTarget_IsCutBetweenLetters(t *testing.T) {
	e, err := agent.Direct(agent.DirectOptions{Resolver: ownAddress{}})
	if err != nil {
		t.Fatal(err)
	}
	for before := range 4 {
		name := strings.Repeat("a", before) + strings.Repeat("€", 80)
		_, err := e.DialContext(t.Context(), "tcp", name+":80")
		if err == nil || !strings.Contains(err.Error(), `€…"`) || strings.Contains(err.Error(), `\x`) {
			t.Errorf("after %d letters: %v", before, err)
		}
	}
}
