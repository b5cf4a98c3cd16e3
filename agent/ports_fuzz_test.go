package agent_test

import (
	"strconv"
	"strings"
	"testing"

	"github.com/farwire/farwire/agent"
)

// FuzzParsePorts gives anything as ports. A range that is taken is one that means the same
// when it is written again.
func FuzzParsePorts(f *testing.F) {
	for _, seed := range []string{"443", "443,8000-8100", "1-65535", "0", "65536", "8-7", "+80", "80-", "-80", " 80", "0080", "8_0", "0x50", ""} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		list := strings.Split(text, ",")
		ranges, err := agent.ParsePorts(list)
		if err != nil {
			if ranges != nil {
				t.Fatalf("%q: ranges beside an error", text)
			}
			return
		}
		if len(ranges) != len(list) {
			t.Fatalf("%q: %d ranges", text, len(ranges))
		}
		for i, r := range ranges {
			if r.First == 0 || r.Last < r.First || strings.Trim(list[i], "0123456789-") != "" {
				t.Fatalf("%q is taken as %v", list[i], r)
			}
			again, err := agent.ParsePorts([]string{strconv.Itoa(int(r.First)) + "-" + strconv.Itoa(int(r.Last))})
			if err != nil || len(again) != 1 || again[0] != r {
				t.Fatalf("%v is read as %v, %v", r, again, err)
			}
		}
	})
}
