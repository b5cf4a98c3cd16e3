package agent_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/farwire/farwire/agent"
)

// names is a resolver with fixed answers, one list for each look-up in turn;
// the last one stays.
type names struct {
	mu      sync.Mutex
	answers map[string][][]string
	asked   int
}

func (n *names) LookupNetIP(_ context.Context, network, host string) ([]netip.Addr, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.asked++
	list := n.answers[strings.TrimSuffix(host, ".")]
	if len(list) == 0 {
		return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
	}
	if len(list) > 1 {
		n.answers[host] = list[1:]
	}
	var addrs []netip.Addr
	for _, s := range list[0] {
		a := netip.MustParseAddr(s)
		if network == "ip" || (network == "ip4") == a.Unmap().Is4() {
			addrs = append(addrs, a)
		}
	}
	return addrs, nil
}

func fixed(m map[string][]string) *names {
	n := &names{answers: map[string][][]string{}}
	for host, addrs := range m {
		n.answers[host] = [][]string{addrs}
	}
	return n
}

// A canary listens where no guarded dial may arrive.
type canary struct {
	port string
	hits atomic.Int32
}

// newCanary listens on every local address.
func newCanary(t *testing.T) *canary {
	t.Helper()
	ln, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	c := &canary{port: strconv.Itoa(ln.Addr().(*net.TCPAddr).Port)}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			c.hits.Add(1)
			conn.Close()
		}
	}()
	t.Cleanup(func() { ln.Close(); <-done })
	return c
}

// forbidden are hosts as a client may send them, none of which is public.
var forbidden = []string{
	// Loopback, in every spelling that some resolver understands.
	"127.0.0.1", "127.0.0.2", "127.255.255.254", "127.1", "127.0.1", "2130706433", "0x7f000001", "0x7f.0.0.1",
	"0X7F.1", "0177.0.0.1", "017700000001", "0177.1", "127.0.0.1.", "127.0.0.01", "00127.0.0.1", "0x7f.0x0.0x0.0x1",
	"::1", "0:0:0:0:0:0:0:1", "::0001", "::ffff:127.0.0.1", "::ffff:7f00:1", "0:0:0:0:0:ffff:127.0.0.1",
	"::127.0.0.1", "::ffff:0:127.0.0.1", "::1%lo", "127.0.0.1%lo", "::ffff:127.0.0.1%lo",
	// Unspecified: the kernel takes these for loopback.
	"0.0.0.0", "0", "0x0", "0.0.0.1", "0.255.255.255", "::", "::ffff:0.0.0.0",
	// Private use.
	"10.0.0.1", "10.255.255.255", "172.16.0.1", "172.31.255.255", "192.168.0.1", "192.168.255.255",
	"::ffff:10.0.0.1", "::ffff:192.168.1.1", "167772161", "0xa000001", "012.0.0.1", "fc00::1", "fd00::1", "fdff:ffff::1",
	"100.64.0.1", "100.127.255.255", "fec0::1",
	// Link-local and metadata services.
	"169.254.0.1", "169.254.169.254", "169.254.170.2", "2852039166", "0xa9fea9fe", "0251.0376.0251.0376",
	"::ffff:169.254.169.254", "fe80::1", "fe80::1%lo", "fe80::1%25lo", "fd00:ec2::254", "168.63.129.16",
	"::ffff:168.63.129.16", "100.100.100.200", "192.0.0.192",
	// IPv4 behind a gateway: NAT64, 6to4, Teredo, ISATAP.
	"64:ff9b::127.0.0.1", "64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::7f00:1", "64:ff9b:1:ffff::10.0.0.1",
	"2002:7f00:1::", "2002:7f00:1::1", "2002:a9fe:a9fe::", "2001:0:7f00:1::", "2001:0:53aa:64c:0:0:80ff:fffe",
	"2606:4700::5efe:127.0.0.1", "2606:4700::200:5efe:7f00:1", "fe80::5efe:127.0.0.1",
	// Special ranges.
	"192.0.0.1", "192.0.2.1", "192.88.99.1", "198.18.0.1", "198.19.255.255", "198.51.100.1", "203.0.113.1",
	"224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255", "100::1", "2001:2::1", "2001:10::1", "2001:20::1",
	"2001:db8::1", "3fff::1", "5f00::1", "ff02::1", "ff0e::1", "4000::1", "1fff::1",
	// Names.
	"localhost", "loop.test", "loop.test.", "loop6.test", "mapped.test", "private.test", "meta.test", "zero.test",
	"nat64.test", "isatap.test", "both.test",
}

func TestGuard_ForbiddenAddresses_AreRefused(t *testing.T) {
	if len(forbidden) < 60 {
		t.Fatalf("the table has only %d rows", len(forbidden))
	}
	c := newCanary(t)
	resolver := fixed(map[string][]string{
		"localhost": {"127.0.0.1", "::1"}, "loop.test": {"127.0.0.1"}, "loop6.test": {"::1"},
		"mapped.test": {"::ffff:127.0.0.1"}, "private.test": {"10.1.2.3"}, "meta.test": {"169.254.169.254"},
		"zero.test": {"0.0.0.0"}, "nat64.test": {"64:ff9b::7f00:1"}, "isatap.test": {"2606:4700::5efe:7f00:1"},
		"both.test": {"192.168.0.1", "::1", "127.0.0.1"},
	})
	for name, r := range map[string]agent.Resolver{"fake": resolver, "system": nil} {
		e, err := agent.Direct(agent.DirectOptions{Resolver: r})
		if err != nil {
			t.Fatal(err)
		}
		for _, host := range forbidden {
			if r == nil && strings.Contains(host, ".test") {
				continue // only the fake resolver knows these
			}
			for _, network := range []string{"tcp", "tcp4", "tcp6"} {
				conn, err := e.DialContext(t.Context(), network, net.JoinHostPort(host, c.port))
				if err == nil {
					conn.Close()
					t.Fatalf("%s resolver: dialled %s %s", name, network, host)
				}
				var de *agent.DialError
				if !errors.As(err, &de) || network == "tcp" && de.Fault != agent.FaultPolicy {
					t.Errorf("%s resolver: dialling %s %s: %v, want a refusal by policy", name, network, host, err)
				}
			}
			if _, err := e.Resolve(t.Context(), host); agent.Classify(err) == nil || agent.Classify(err).Fault != agent.FaultPolicy {
				t.Errorf("%s resolver: resolving %s: %v, want a refusal by policy", name, host, err)
			}
		}
	}
	if n := c.hits.Load(); n != 0 {
		t.Fatalf("%d connections reached the canary", n)
	}

	// The same canary is there for an exit that may: the table can fail.
	e, err := agent.Direct(agent.DirectOptions{AllowPrivate: true, Resolver: resolver})
	if err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"127.0.0.1", "::ffff:127.0.0.1", "loop.test", "localhost"} {
		conn, err := e.DialContext(t.Context(), "tcp", net.JoinHostPort(host, c.port))
		if err != nil {
			t.Fatalf("with AllowPrivate, %s: %v", host, err)
		}
		conn.Close()
	}
}

func TestGuard_EachKindOfAddress_DialledOrRefused(t *testing.T) {
	for _, tc := range []struct {
		addrs   string
		public  bool // may be dialled by anyone
		private bool // may be dialled with AllowPrivate
	}{
		{"1.1.1.1 8.8.8.8 100.63.255.255 100.128.0.1 172.15.0.1 172.32.0.1 169.253.1.1 192.0.1.1 198.17.0.1 223.255.255.1 " +
			"::ffff:1.1.1.1 2606:4700::1111 2a00:1450:4001::1 2400::1 2606:4700::5efd:1.1.1.1 168.63.129.17", true, true},
		{"127.0.0.1 ::1 10.0.0.1 172.16.0.1 192.168.1.1 ::ffff:10.0.0.1 fd00::1 169.254.169.254 fe80::1 100.64.0.1 " +
			"100.100.100.200 169.254.170.2 fd00:ec2::254", false, true}, // where clouds answer with credentials
		{"0.0.0.0 :: 0.1.2.3 224.0.0.1 ff02::1 255.255.255.255 240.0.0.1 192.0.2.1 64:ff9b::1.1.1.1 64:ff9b:1::1 2002:101:101::1 " +
			"2001::1 168.63.129.16 192.0.0.192 2606:4700::5efe:1.1.1.1 fe80::5efe:10.0.0.1 fe80::1%eth0 fec0::1", false, false},
	} {
		for s := range strings.FieldsSeq(tc.addrs) {
			ap := netip.AddrPortFrom(netip.MustParseAddr(s), 443)
			if err := agent.GuardCheck(agent.DirectOptions{}, s, ap); (err == nil) != tc.public {
				t.Errorf("%s: %v, want public %v", s, err, tc.public)
			}
			if err := agent.GuardCheck(agent.DirectOptions{AllowPrivate: true}, s, ap); (err == nil) != tc.private {
				t.Errorf("%s with AllowPrivate: %v, want allowed %v", s, err, tc.private)
			}
			only := agent.DirectOptions{AllowPrivate: true, Policy: agent.Rules{PublicOnly: true}}
			if err := agent.GuardCheck(only, s, ap); (err == nil) != tc.public {
				t.Errorf("%s with AllowPrivate and PublicOnly: %v, want public %v", s, err, tc.public)
			}
		}
	}
}

func TestGuard_RulesOfTheGateway_OnlyNarrow(t *testing.T) {
	rules := agent.Rules{
		Ports: []uint16{443},
		Deny: []netip.Prefix{netip.MustParsePrefix("1.1.1.0/24"), netip.MustParsePrefix("::ffff:9.9.0.0/112"),
			netip.MustParsePrefix("2606:4700::/32")},
	}
	o := agent.DirectOptions{Policy: rules}
	for s, want := range map[string]bool{
		"8.8.8.8:443": true, "8.8.8.8:80": false, "1.1.1.1:443": false, "[::ffff:1.1.1.1]:443": false,
		"9.9.9.9:443": false, "9.8.9.9:443": true, "[2606:4700::1]:443": false, "10.0.0.1:443": false, "127.0.0.1:443": false,
	} {
		if err := agent.GuardCheck(o, "host", netip.MustParseAddrPort(s)); (err == nil) != want {
			t.Errorf("%s: %v, want allowed %v", s, err, want)
		}
	}
}

func TestGuard_Refusal_NamesNoAddress(t *testing.T) {
	e, err := agent.Direct(agent.DirectOptions{Resolver: fixed(map[string][]string{"intranet.test": {"10.9.8.7"}})})
	if err != nil {
		t.Fatal(err)
	}
	_, err = e.DialContext(t.Context(), "tcp", "intranet.test:80")
	if err == nil {
		t.Fatal("dialled a private address")
	}
	if s := err.Error(); strings.Contains(s, "10.9") || !strings.Contains(s, "intranet.test") ||
		!strings.Contains(s, "private") || !strings.Contains(s, "--allow-private") {
		t.Errorf("text is %q", s)
	}
}

func TestGuard_NameRebound_IsRefused(t *testing.T) {
	c := newCanary(t)
	n := &names{answers: map[string][][]string{"rebind.test": {{"8.8.8.8"}, {"127.0.0.1"}}}}
	e, err := agent.Direct(agent.DirectOptions{Resolver: n})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Resolve(t.Context(), "rebind.test"); err != nil {
		t.Fatalf("first look-up: %v", err)
	}
	_, err = e.DialContext(t.Context(), "tcp", "rebind.test:"+c.port)
	if de := agent.Classify(err); de == nil || de.Fault != agent.FaultPolicy {
		t.Errorf("second look-up: %v, want a refusal", err)
	}
	if n.asked != 2 || c.hits.Load() != 0 {
		t.Errorf("%d look-ups, %d hits", n.asked, c.hits.Load())
	}
}

func TestGuard_NameWithPrivateAddress_IsRefused(t *testing.T) {
	c := newCanary(t)
	deny := agent.Rules{Deny: []netip.Prefix{netip.MustParsePrefix("127.0.0.2/31"), netip.MustParsePrefix("::1/128")}}
	e, err := agent.Direct(agent.DirectOptions{AllowPrivate: true, Policy: deny,
		Resolver: fixed(map[string][]string{"mixed.test": {"127.0.0.2", "::1", "127.0.0.3", "127.0.0.1"}})})
	if err != nil {
		t.Fatal(err)
	}
	for range 5 {
		conn, err := e.DialContext(t.Context(), "tcp", "mixed.test:"+c.port)
		if err != nil {
			t.Fatal(err)
		}
		if got := conn.RemoteAddr().(*net.TCPAddr).IP.String(); got != "127.0.0.1" {
			t.Errorf("connected to %s", got)
		}
		conn.Close()
	}
	_, err = e.Resolve(t.Context(), "mixed.test")
	if de := agent.Classify(err); de == nil || de.Fault != agent.FaultPolicy {
		t.Errorf("resolving a name with a forbidden address: %v", err)
	}
}

func TestGuard_FirstAddressRefused_DialsTheNext(t *testing.T) {
	ln, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	port := strconv.Itoa(ln.Addr().(*net.TCPAddr).Port)
	// Nobody listens on the first three.
	e, err := agent.Direct(agent.DirectOptions{AllowPrivate: true,
		Resolver: fixed(map[string][]string{"many.test": {"::1", "127.0.0.2", "127.0.0.3", "127.0.0.1"}})})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	conn, err := e.DialContext(ctx, "tcp", "many.test:"+port)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if got := conn.RemoteAddr().String(); got != "127.0.0.1:"+port {
		t.Errorf("connected to %s", got)
	}
}

// FuzzGuard holds the guard to what the standard library knows of an address,
// whatever host a client sends.
func FuzzGuard(f *testing.F) {
	for _, s := range forbidden {
		f.Add(s)
	}
	for _, s := range []string{"1.1.1.1", "2606:4700::1", "example.com", "xn--bcher-kva.example", "", ".", "a.0x", "0xg.test"} {
		f.Add(s)
	}
	shared := netip.MustParsePrefix("100.64.0.0/10")
	f.Fuzz(func(t *testing.T, host string) {
		a, err := netip.ParseAddr(host)
		if err != nil {
			if agent.GuardCheckHost(host) == nil && strings.ContainsAny(host, "%:[]") {
				t.Fatalf("%q passes as a name", host)
			}
			return
		}
		if agent.GuardCheck(agent.DirectOptions{}, host, netip.AddrPortFrom(a, 1)) != nil {
			return
		}
		u := a.Unmap()
		private := u.IsLoopback() || u.IsPrivate() || u.IsLinkLocalUnicast() || shared.Contains(u)
		if private || u.IsUnspecified() || u.IsMulticast() || u.Zone() != "" || !u.IsGlobalUnicast() || u.Is6() && u.As16()[0]>>5 != 1 {
			t.Fatalf("%q passes", host)
		}
		only := agent.DirectOptions{AllowPrivate: true, Policy: agent.Rules{PublicOnly: true}}
		if agent.GuardCheck(only, host, netip.AddrPortFrom(a, 1)) != nil {
			t.Fatalf("%q is public and PublicOnly refuses it", host)
		}
	})
}

// The guard is asked at the socket, too: what was allowed when the name was resolved may not be
// any more when its address is dialled.
func TestGuard_ForbiddenMeanwhile_IsNotDialled(t *testing.T) {
	for addr, nets := range map[string][]string{
		"8.8.4.4:443":              {"8.8.4.4/32"},
		"8.8.4.5:443":              {"10.0.0.1/8", "8.8.4.4/24"},
		"[2a00:1450:4001:5::2]:80": {"2a00:1450:4001:5::1/64"},
	} {
		restore := agent.SetInterfaceAddrs(cidrs(t, "10.1.1.1/24"), nil)
		came := func() { restore(); restore = agent.SetInterfaceAddrs(cidrs(t, nets...), nil) }
		ap := netip.MustParseAddrPort(addr)
		if err := agent.DialWhile(agent.DirectOptions{}, ap, func() {}); err != nil {
			t.Errorf("%s: %v", addr, err)
		}
		if err := agent.DialWhile(agent.DirectOptions{}, ap, came); agent.Classify(err) == nil || agent.Classify(err).Fault != agent.FaultPolicy {
			t.Errorf("%s, forbidden meanwhile: %v, want a refusal by policy", addr, err)
		}
		restore()
	}
}
