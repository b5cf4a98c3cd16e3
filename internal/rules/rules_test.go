package rules_test

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/farwire/farwire/internal/fault"
	"github.com/farwire/farwire/internal/rules"
)

func TestSet_AllowAndDeny_DecideHostAndAddresses(t *testing.T) {
	for _, c := range []struct {
		allow, deny string
		host        string
		port        uint16
		allowed     bool
		addresses   string // of those given below, the ones that may be dialled
	}{
		{"", "", "a.test", 443, true, "192.0.2.1 2001:db8::1 ::ffff:192.0.2.1"},
		{"a.test", "", "a.test", 443, true, "192.0.2.1 2001:db8::1 ::ffff:192.0.2.1"},
		{"a.test", "", "b.test", 443, false, ""},
		{"a.test", "a.test", "a.test", 443, false, ""},
		{"*.test", "", "test", 443, false, ""},
		{"*.test", "", "a.b.test", 443, true, "192.0.2.1 2001:db8::1 ::ffff:192.0.2.1"},
		{"a.test:80", "", "a.test", 443, false, ""},
		{"", "a.test:80", "a.test", 443, true, "192.0.2.1 2001:db8::1 ::ffff:192.0.2.1"},
		{"", "a.test:80", "a.test", 0, false, ""}, // a port that nobody knows yet may be any
		{"192.0.2.0/24", "", "a.test", 443, true, "192.0.2.1 ::ffff:192.0.2.1"},
		{"192.0.2.0/24:80", "", "a.test", 443, false, ""},
		{"", "2001:db8::/32", "a.test", 443, true, "192.0.2.1 ::ffff:192.0.2.1"},
		{"192.0.2.0/24", "", "198.51.100.1", 443, false, ""},
		{"::ffff:192.0.2.0/120", "", "192.0.2.1", 443, true, "192.0.2.1 2001:db8::1 ::ffff:192.0.2.1"},
	} {
		set, err := rules.Parse(strings.Fields(c.allow), strings.Fields(c.deny))
		if err != nil {
			t.Errorf("allow %q, deny %q: %v", c.allow, c.deny, err)
			continue
		}
		on, err := set.Check(c.host, c.port)
		if allowed := err == nil; allowed != c.allowed || !allowed && !fault.Is(err, fault.TargetForbidden) {
			t.Errorf("allow %q, deny %q: %s:%d: %v", c.allow, c.deny, c.host, c.port, err)
			continue
		}
		if err != nil {
			continue
		}
		var may []string
		for _, a := range []string{"192.0.2.1", "2001:db8::1", "::ffff:192.0.2.1", "2001:db8::1%eth0"} {
			if allows(on, netip.MustParseAddr(a)) {
				may = append(may, a)
			}
		}
		if got := strings.Join(may, " "); got != c.addresses {
			t.Errorf("allow %q, deny %q: %s:%d may be dialled at %q, want %q", c.allow, c.deny, c.host, c.port, got, c.addresses)
		}
	}
}

// allows judges an address as those do who dial it.
func allows(on rules.Addresses, a netip.Addr) bool {
	a = a.Unmap()
	in := func(p netip.Prefix) bool { return p.Contains(a) }
	return a.Zone() == "" && !slices.ContainsFunc(on.Deny, in) && (len(on.Allow) == 0 || slices.ContainsFunc(on.Allow, in))
}

func TestAddresses_And_IsTheIntersection(t *testing.T) {
	prefixes := func(s string) (list []netip.Prefix) {
		for f := range strings.FieldsSeq(s) {
			list = append(list, netip.MustParsePrefix(f))
		}
		return list
	}
	for _, c := range []struct{ a, b, want string }{
		{"", "10.0.0.0/8", "[10.0.0.0/8]"},
		{"10.0.0.0/8", "", "[10.0.0.0/8]"},
		{"10.0.0.0/8 192.0.2.0/24", "10.1.0.0/16", "[10.1.0.0/16]"},
		{"10.0.0.0/8", "192.0.2.0/24", "refused"},
	} {
		on, err := rules.Addresses{Allow: prefixes(c.a)}.And(rules.Addresses{Allow: prefixes(c.b)}, "a.test")
		got := "refused"
		if err == nil {
			list := make([]string, len(on.Allow))
			for i, p := range on.Allow {
				list[i] = p.String()
			}
			got = "[" + strings.Join(list, " ") + "]"
		}
		if got != c.want {
			t.Errorf("%q and %q: %s, want %s", c.a, c.b, got, c.want)
		}
	}
}

func TestParse_NotARule_Error(t *testing.T) {
	for _, entry := range []string{"", "*", "a..b", ".a", "a.test:0", "a.test:01", "[2001:db8::]/32", "2001:db8::%eth0", "1.2.3", "a/b", "::ffff:0:0/90"} {
		if _, err := rules.Parse(nil, []string{entry}); err == nil || !strings.HasPrefix(err.Error(), "deny: ") {
			t.Errorf("%q: %v, want an error that names the list", entry, err)
		}
	}
}

// FuzzParse: whatever is a rule judges any host, and refuses it as a target that
// is forbidden or not at all.
func FuzzParse(f *testing.F) {
	for _, entry := range []string{"a.test", "*.a.test:443", "192.0.2.0/24", "[2001:db8::/32]:80", "::ffff:1.2.3.4", "a..b", "1.2.3", "BÜCHER.example."} {
		f.Add(entry, "a.test", uint16(443))
	}
	f.Fuzz(func(t *testing.T, entry, host string, port uint16) {
		set, err := rules.Parse(nil, []string{entry})
		if err != nil {
			return
		}
		if _, err := set.Check(rules.Host(host), port); err != nil && !fault.Is(err, fault.TargetForbidden) {
			t.Fatalf("%q for %q: %v", entry, host, err)
		}
	})
}
