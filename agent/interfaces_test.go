package agent_test

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farwire/farwire/agent"
)

func cidrs(t *testing.T, list ...string) (addrs []net.Addr) {
	t.Helper()
	for _, s := range list {
		ip, n, err := net.ParseCIDR(s)
		if err != nil {
			t.Fatal(err)
		}
		n.IP = ip
		addrs = append(addrs, n)
	}
	return addrs
}

// A machine with public addresses: they are its own, and what is on their
// networks is on-link.
func TestGuard_OwnAndOnLinkAddresses_CountAsPrivate(t *testing.T) {
	defer agent.SetInterfaceAddrs(cidrs(t, "127.0.0.1/8", "8.8.4.4/24", "2a00:1450:4001:5::1/64", "9.9.9.9/32", "1.1.1.1/0", "::1/128"), nil)()
	const elsewhere, onLink, own = "", "--allow-on-link", "--allow-private"
	for addr, flag := range map[string]string{
		"8.8.4.4": own, "::ffff:8.8.4.4": own, "9.9.9.9": own, "1.1.1.1": own, "2a00:1450:4001:5::1": own,
		"8.8.4.5": onLink, "::ffff:8.8.4.77": onLink, "8.8.4.255": onLink, "2a00:1450:4001:5::2": onLink, "2a00:1450:4001:5:ffff::": onLink,
		"8.8.5.4": elsewhere, "9.9.9.8": elsewhere, "1.1.1.2": elsewhere, "2a00:1450:4001:6::1": elsewhere,
		"127.0.0.1": own, "10.0.0.1": own,
	} {
		for _, c := range []struct {
			o      agent.DirectOptions
			allows bool
		}{
			{agent.DirectOptions{}, flag == elsewhere},
			{agent.DirectOptions{AllowOnLink: true}, flag != own},
			{agent.DirectOptions{AllowPrivate: true}, true},
			{agent.DirectOptions{AllowPrivate: true, Policy: agent.Rules{PublicOnly: true}}, flag == elsewhere},
			{agent.DirectOptions{AllowOnLink: true, Policy: agent.Rules{PublicOnly: true}}, flag == elsewhere},
		} {
			err := agent.GuardCheck(c.o, "target.test", netip.AddrPortFrom(netip.MustParseAddr(addr), 443))
			if (err == nil) != c.allows {
				t.Errorf("%s with %+v: %v", addr, c.o, err)
			}
			if err != nil && !c.o.Policy.PublicOnly && !c.o.AllowOnLink && (!strings.Contains(err.Error(), flag) || strings.Contains(err.Error(), addr)) {
				t.Errorf("%s: %q; want the flag %s and no address", addr, err, flag)
			}
		}
	}
}

func TestGuard_AddressComesLater_CountsFromThenOn(t *testing.T) {
	restore := agent.SetInterfaceAddrs(cidrs(t, "10.1.1.1/24"), nil)
	target := netip.MustParseAddrPort("8.8.4.4:443")
	if err := agent.GuardCheck(agent.DirectOptions{}, "a", target); err != nil {
		t.Fatal(err)
	}
	restore()
	defer agent.SetInterfaceAddrs(cidrs(t, "10.1.1.1/24", "8.8.4.4/24"), nil)()
	if err := agent.GuardCheck(agent.DirectOptions{}, "a", target); err == nil {
		t.Error("a new address of this machine is dialled")
	}
}

// A system that does not tell its addresses opens nothing.
func TestGuard_AddressesUnknown_FailsClosed(t *testing.T) {
	defer agent.SetInterfaceAddrs(nil, errors.New("not permitted"))()
	if err := agent.GuardCheck(agent.DirectOptions{}, "a", netip.MustParseAddrPort("8.8.4.4:443")); err == nil {
		t.Error("dialled blindly")
	}
}

// The list of a machine's addresses is at most a second old, and one that cannot be
// asked for any more counts no longer.
func TestGuard_InterfacesChange_CountWithinASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var addrs []net.Addr
		var failed error
		defer agent.SetInterfaces(func() ([]net.Addr, error) { return addrs, failed })()
		target := netip.MustParseAddrPort("8.8.4.4:443")
		alone, beside := cidrs(t, "10.1.1.1/24"), cidrs(t, "10.1.1.1/24", "8.8.4.4/24")
		for _, c := range []struct {
			what   string
			addrs  []net.Addr
			failed error
			passes bool
		}{
			{"elsewhere", alone, nil, true},
			{"come later", beside, nil, false},
			{"gone again", alone, nil, true},
			{"no longer told", alone, errors.New("too many open files"), false},
			{"still not told", alone, errors.New("too many open files"), false},
			{"told again", alone, nil, true},
		} {
			addrs, failed = c.addrs, c.failed
			time.Sleep(time.Second)
			for range 2 { // asked, and remembered
				if err := agent.GuardCheck(agent.DirectOptions{}, "a", target); (err == nil) != c.passes {
					t.Errorf("%s: %v", c.what, err)
				}
			}
		}
	})
}

func TestGuard_OwnListeners_AreNeverDialled(t *testing.T) {
	defer agent.SetInterfaceAddrs(cidrs(t, "127.0.0.1/8", "10.1.1.1/24", "fd00::1/64"), nil)()
	at := func(list ...string) func() []net.Addr {
		return func() (addrs []net.Addr) {
			for _, s := range list {
				addrs = append(addrs, net.TCPAddrFromAddrPort(netip.MustParseAddrPort(s)))
			}
			return addrs
		}
	}
	for _, c := range []struct {
		listeners func() []net.Addr
		target    string
		refused   bool
	}{
		{at("127.0.0.1:8080"), "127.0.0.1:8080", true},
		{at("127.0.0.1:8080"), "[::ffff:127.0.0.1]:8080", true},
		{at("127.0.0.1:8080"), "127.0.0.1:8081", false},
		{at("127.0.0.1:8080"), "10.1.1.1:8080", false},
		{at("[::]:8080"), "127.0.0.1:8080", true},
		{at("[::]:8080"), "127.9.9.9:8080", true},
		{at("[::]:8080"), "[::1]:8080", true},
		{at("[::]:8080"), "10.1.1.1:8080", true},
		{at("[::]:8080"), "[fd00::1]:8080", true},
		{at("0.0.0.0:8080"), "10.1.1.1:8080", true},
		{at("[::]:8080"), "10.1.1.2:8080", false},
		{at("10.1.1.1:9", "127.0.0.1:8080"), "10.1.1.1:9", true},
		{nil, "127.0.0.1:8080", false},
	} {
		o := agent.DirectOptions{AllowPrivate: true, AllowOnLink: true, AllowPorts: []agent.PortRange{{1, 65535}}, Listeners: c.listeners}
		if err := agent.GuardCheck(o, "a", netip.MustParseAddrPort(c.target)); (err != nil) != c.refused {
			t.Errorf("%s beside %v: %v", c.target, c.listeners(), err)
		}
	}
}

func TestGuard_PortsGiven_OthersAreRefused(t *testing.T) {
	some, err := agent.ParsePorts([]string{"443", "8000-8100"})
	if err != nil {
		t.Fatal(err)
	}
	all, err := agent.ParsePorts([]string{"1-65535"})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		ports []agent.PortRange
		port  uint16
		want  bool
	}{
		{nil, 24, true}, {nil, 25, false}, {nil, 26, true}, {nil, 65535, true},
		{some, 443, true}, {some, 442, false}, {some, 8000, true}, {some, 8100, true}, {some, 8101, false}, {some, 80, false},
		{all, 25, true},
	} {
		err := agent.GuardCheck(agent.DirectOptions{AllowPorts: c.ports}, "a", netip.AddrPortFrom(netip.MustParseAddr("8.8.8.8"), c.port))
		if (err == nil) != c.want || err != nil && !strings.Contains(err.Error(), "--allow-ports") {
			t.Errorf("port %d of %v: %v", c.port, c.ports, err)
		}
	}
	for _, bad := range []string{"", "0", "65536", "-1", "8100-8000", "80-", "-80", "http", "1-2-3", " 80", "+80"} {
		if got, err := agent.ParsePorts([]string{bad}); err == nil {
			t.Errorf("%q is read as %v", bad, got)
		}
	}
}

// Rules hold where the connection is made, whoever's exit it is: one of this
// process, one behind a tunnel, and one of a host's own that knows no rules.
func TestRules_OfADial_HoldForTheAddressDialled(t *testing.T) {
	p, srv, _ := newPool(t, agent.PoolOptions{})
	run(t, agent.RunOptions{Gateways: []string{srv.URL}, AllowPrivate: true})
	attached(t, p, 1)
	here, err := agent.Direct(agent.DirectOptions{AllowPrivate: true})
	if err != nil {
		t.Fatal(err)
	}
	hosts := agent.Exit{ID: "host", Slug: "host", Country: "ZZ",
		DialContext: new(net.Dialer).DialContext,
		Resolve: func(ctx context.Context, host string) ([]netip.Addr, error) {
			return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
		}}
	blind := hosts
	blind.Resolve = nil
	echoes := target(t, func(c *net.TCPConn) { c.Write([]byte("hi")) })
	_, port, _ := net.SplitHostPort(echoes)
	loopback := []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	other := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}
	for name, e := range map[string]agent.Exit{
		"direct": here, "pool": selectOne(t, p, agent.Query{}), "a host's": hosts.Enforce(), "a host's without Resolve": blind.Enforce(),
	} {
		for _, c := range []struct {
			rules  agent.Rules
			host   string
			passes bool
		}{
			{agent.Rules{}, "127.0.0.1", true},
			{agent.Rules{}, "localhost", true},
			{agent.Rules{Allow: loopback}, "127.0.0.1", true},
			{agent.Rules{Allow: loopback}, "localhost", name != "a host's without Resolve"},
			{agent.Rules{Allow: other}, "127.0.0.1", false},
			{agent.Rules{Allow: other}, "localhost", false},
			{agent.Rules{Deny: loopback}, "127.0.0.1", false},
			{agent.Rules{Deny: loopback}, "localhost", false},
			{agent.Rules{Allow: loopback, Deny: loopback}, "localhost", false},
			{agent.Rules{Deny: other}, "127.0.0.1", true},
		} {
			ctx := agent.WithRules(withTimeout(t), c.rules)
			conn, err := e.DialContext(ctx, "tcp", net.JoinHostPort(c.host, port))
			if err == nil {
				conn.Close()
			}
			var de *agent.DialError
			switch {
			case c.passes && err != nil:
				t.Errorf("%s, %s under %+v: %v", name, c.host, c.rules, err)
			case !c.passes && (!errors.As(err, &de) || de.Fault != agent.FaultPolicy):
				t.Errorf("%s, %s under %+v: %v, want a refusal", name, c.host, c.rules, err)
			}
			if e.Resolve == nil {
				continue
			}
			if _, err := e.Resolve(ctx, c.host); (err == nil) != c.passes {
				t.Errorf("%s, %s resolved under %+v: %v", name, c.host, c.rules, err)
			}
		}
	}
}

// An agent that does not say that it knows rules is passed over by a dial that
// has some, and serves the others.
func TestRules_AgentWithoutRules_IsSkipped(t *testing.T) {
	p, srv, _ := newPool(t, agent.PoolOptions{})
	old, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { old.Close() })
	attachAsOld(t, old)
	attached(t, p, 1)
	ruled := agent.WithRules(t.Context(), agent.Rules{Deny: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}})
	if e, err := p.SelectAgent(ruled, agent.Query{}); !errors.Is(err, agent.ErrNoAgent) {
		t.Errorf("got %v, %v, want ErrNoAgent", e.ID, err)
	}
	selectOne(t, p, agent.Query{})
	run(t, agent.RunOptions{Gateways: []string{srv.URL}, Slug: "de1", Country: "DE"}) // a newer process of the same slug
	attached(t, p, 2)
	if _, err := p.SelectAgent(ruled, agent.Query{}); err != nil {
		t.Error(err)
	}
}
