package agent

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// A PortRange is the TCP ports from First to Last, both included.
type PortRange struct{ First, Last uint16 }

// ParsePorts reads ports and ranges of them, "443" or "8000-8100".
func ParsePorts(list []string) ([]PortRange, error) {
	var ranges []PortRange
	for _, s := range list {
		first, last, isRange := strings.Cut(s, "-")
		if !isRange {
			last = first
		}
		a, errA := strconv.ParseUint(first, 10, 16)
		b, errB := strconv.ParseUint(last, 10, 16)
		if errA != nil || errB != nil || a == 0 || b < a {
			return nil, fmt.Errorf("%q is not a port or a range of ports; write 443 or 8000-8100", s)
		}
		ranges = append(ranges, PortRange{uint16(a), uint16(b)})
	}
	return ranges, nil
}

// usualPorts are all but 25: a relay of mail is what attackers look for first.
var usualPorts = []PortRange{{1, 24}, {26, 65535}}

func allowsPort(ranges []PortRange, port uint16) bool {
	return slices.ContainsFunc(ranges, func(r PortRange) bool { return r.First <= port && port <= r.Last })
}
