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
		{"", "b.test", "a.test", 443, true, "192.0.2.1 2001:db8::1 ::ffff:192.0.2.1"},
		{"", "a.test:80", "a.test", 0, false, ""}, // a port that nobody knows yet may be any
		{"192.0.2.0/24", "", "a.test", 443, true, "192.0.2.1 ::ffff:192.0.2.1"},
		{"192.0.2.0/24 a.test", "", "a.test", 443, true, "192.0.2.1 2001:db8::1 ::ffff:192.0.2.1"},
		{"192.0.2.0/24:80", "", "a.test", 443, false, ""},
		{"", "2001:db8::/32", "a.test", 443, true, "192.0.2.1 ::ffff:192.0.2.1"},
		{"192.0.2.0/24", "", "198.51.100.1", 443, false, ""},
		{"::ffff:192.0.2.0/120", "", "192.0.2.1", 443, true, "192.0.2.1 2001:db8::1 ::ffff:192.0.2.1"},
		{"", "::ffff:192.0.2.1", "a.test", 443, true, "2001:db8::1"}, // an address alone, in either form
		{"", "::ffff:192.0.2.1", "192.0.2.1", 443, false, ""},
		{"", "192.0.2.1", "::ffff:192.0.2.1", 443, false, ""},
		{"[2001:db8::1]:80", "", "a.test", 80, true, "2001:db8::1"},
		{"[2001:db8::/64]:80", "", "a.test", 443, false, ""},
		{"[192.0.2.1]:80", "", "a.test", 80, true, "192.0.2.1 ::ffff:192.0.2.1"},
		{"az-09_.test", "", "az-09_.test", 443, true, "192.0.2.1 2001:db8::1 ::ffff:192.0.2.1"}, // each end of what a name may hold
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
		if on.Any() != (len(may) == 3) {
			t.Errorf("allow %q, deny %q: %s:%d: %+v holds for addresses, of which %q may be dialled", c.allow, c.deny, c.host, c.port, on, may)
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
	deny := rules.Addresses{Deny: prefixes("10.0.0.0/8")}
	if on, err := deny.And(rules.Addresses{Deny: prefixes("192.0.2.0/24")}, "a.test"); err != nil || !slices.Equal(on.Deny, prefixes("10.0.0.0/8 192.0.2.0/24")) {
		t.Errorf("both deny: %v, %v", on, err)
	}
	for _, c := range []struct{ a, b, want string }{
		{"", "10.0.0.0/8", "[10.0.0.0/8]"},
		{"10.0.0.0/8", "", "[10.0.0.0/8]"},
		{"10.0.0.0/8 192.0.2.0/24", "10.1.0.0/16", "[10.1.0.0/16]"},
		{"10.1.0.0/16", "10.0.0.0/8 192.0.2.0/24", "[10.1.0.0/16]"},
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

func TestHost_AnySpelling_IsWrittenInOneWay(t *testing.T) {
	for host, want := range map[string]string{
		"a.test": "a.test", "A.Test.": "a.test", "BÜCHER.example.": "xn--bcher-kva.example", "XN--BCHER-KVA.example": "xn--bcher-kva.example",
		"A_Ü.test": "a_ü.test", // what has no such form stays
	} {
		if got := rules.Host(host); got != want {
			t.Errorf("%q: %q, want %q", host, got, want)
		}
	}
}

func TestParse_NotARule_Error(t *testing.T) {
	for _, entry := range []string{"", "*", "a..b", ".a", "a.test:0", "a.test:01", "[2001:db8::]/32", "2001:db8::%eth0", "1.2.3", "a/b", "::ffff:0:0/90",
		"a`b", "a{b", "a:b", "a:65536", "[2001:db8::1:80", "[192.0.2.1:80", "2001:db8::/64:80", "[a.test]:80", "a.test:", ":80", "a.test.5"} {
		if _, err := rules.Parse(nil, []string{entry}); err == nil || !strings.HasPrefix(err.Error(), "deny: ") {
			t.Errorf("%q: %v, want an error that names the list", entry, err)
		}
	}
}

// What a file or a request leaves out says nothing; a list that is there and empty, a kind
// that is unknown and a rule that is invalid are errors, which name the list.
func TestWritten_EachList_EmptyIsRefused(t *testing.T) {
	known := []string{"crawl", "relay"}
	for _, c := range []struct {
		allow, deny, kinds *[]string
		want               string // how the error begins; empty: none
	}{
		{},
		{allow: &[]string{"a.test"}, deny: &[]string{"b.test"}, kinds: &[]string{"relay"}},
		{allow: &[]string{}, want: "allow is empty; leave it out"},
		{deny: &[]string{}, want: "deny is empty; leave it out"},
		{kinds: &[]string{}, want: "kinds is empty; leave it out"},
		{allow: &[]string{"a..b"}, want: "allow: "},
		{deny: &[]string{"a..b"}, want: "deny: "},
		{kinds: &[]string{"relay", "rely"}, want: "kinds: "},
	} {
		l, err := rules.Written(c.allow, c.deny, c.kinds, known)
		if c.want != "" {
			if err == nil || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("%v, want an error that begins with %q", err, c.want)
			}
			continue
		}
		for _, list := range []struct {
			got  []string
			want *[]string
		}{{l.Allow, c.allow}, {l.Deny, c.deny}, {l.Kinds, c.kinds}} {
			if err != nil || (list.got == nil) != (list.want == nil) || list.want != nil && !slices.Equal(list.got, *list.want) {
				t.Errorf("%+v, %v", l, err)
			}
		}
	}
}

// Check judges the kind as well, of the key and of a token that was narrowed.
func TestKey_Check_JudgesTheKind(t *testing.T) {
	known := []string{"crawl", "http", "relay"}
	parse := func(kinds ...string) rules.Key {
		t.Helper()
		k, err := rules.ParseKey(nil, nil, kinds, known)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	key := parse("relay", "crawl")
	for name, c := range map[string]struct {
		key  rules.Key
		want string // the kinds that pass
	}{
		"of every kind":            {parse(), "crawl http relay"},
		"a key":                    {key, "crawl relay"},
		"a token":                  {key.Narrowed(parse("relay", "http")), "relay"},
		"a token of any key":       {parse().Narrowed(parse("http")), "http"},
		"a token of all its kinds": {key.Narrowed(parse()), "crawl relay"},
	} {
		var pass []string
		for _, kind := range known {
			_, err := c.key.Check(kind, "a.test", 443)
			if err == nil {
				pass = append(pass, kind)
			} else if !fault.Is(err, fault.TargetForbidden) {
				t.Errorf("%s, %s: %v", name, kind, err)
			}
		}
		if got := strings.Join(pass, " "); got != c.want {
			t.Errorf("%s: %q may begin, want %q", name, got, c.want)
		}
	}
}

// What a token was narrowed to and what its key may reach hold both.
func TestKey_CheckNarrowed_BothHold(t *testing.T) {
	parse := func(allow, deny string) rules.Key {
		t.Helper()
		k, err := rules.ParseKey(strings.Fields(allow), strings.Fields(deny), nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	k := parse("*.test", "b.test").Narrowed(parse("a.test b.test c.test a.example", "c.test"))
	for host, allowed := range map[string]bool{"a.test": true, "b.test": false, "c.test": false, "d.test": false, "a.example": false} {
		if _, err := k.Check("relay", host, 443); (err == nil) != allowed {
			t.Errorf("%s: %v", host, err)
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
