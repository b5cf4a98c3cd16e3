package agent_test

import (
	"strings"
	"testing"
	"time"

	"github.com/farwire/farwire/agent"
)

// Headers that were written long ago may have been kept by somebody else; so may those of
// a time to come.
func TestPeer_HelloOfAnotherTime_IsRefused(t *testing.T) {
	nonce := strings.Repeat("a1", 32)
	now := time.Now()
	for name, tt := range map[string]struct {
		caller, nonce string
		at            time.Time
		want          bool
	}{
		"now":              {"eu-1", nonce, now, true},
		"a clock behind":   {"eu-1", nonce, now.Add(-15 * time.Second), true},
		"a clock ahead":    {"eu-1", nonce, now.Add(15 * time.Second), true},
		"an hour ago":      {"eu-1", nonce, now.Add(-time.Hour), false},
		"in an hour":       {"eu-1", nonce, now.Add(time.Hour), false},
		"of 1970":          {"eu-1", nonce, time.Unix(0, 0), false},
		"no name":          {"", nonce, now, false},
		"a long name":      {strings.Repeat("n", 129), nonce, now, false},
		"the longest name": {strings.Repeat("n", 128), nonce, now, true},
		"no nonce":         {"eu-1", "", now, false},
		"a short nonce":    {"eu-1", nonce[1:], now, false},
		"a long nonce":     {"eu-1", nonce + "a", now, false},
	} {
		if got := agent.AcceptsPeerHello(tt.caller, tt.nonce, tt.at); got != tt.want {
			t.Errorf("%s: accepted %v", name, got)
		}
	}
}
