package farwire_test

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/harness"
)

// A turning resolver gives a name another address at each look-up.
type turningResolver struct {
	mu    sync.Mutex
	addrs []string
	asked int
}

func (r *turningResolver) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	a := r.addrs[r.asked%len(r.addrs)]
	r.asked++
	return []netip.Addr{netip.MustParseAddr(a)}, nil
}

func keyed(t *testing.T, p farwire.Principal) farwire.Authenticator {
	t.Helper()
	p.Subject = "alice"
	keys, err := farwire.NewKeySet(map[string]farwire.Principal{testKey: p})
	if err != nil {
		t.Fatal(err)
	}
	return keys
}

// The address that was judged is the one that is dialled: there is one look-up, the
// dial's own.
func TestRules_NameChangesItsAddress_JudgedWhereItIsDialled(t *testing.T) {
	target := newTarget(t, echo)
	port := target[strings.LastIndexByte(strings.TrimSuffix(target, "/"), ':')+1:]
	for name, c := range map[string]struct {
		allow, deny, addrs []string
		refused            bool
	}{
		"allowed, then not": {[]string{"127.0.0.0/8"}, nil, []string{"127.0.0.1", "10.0.0.1"}, false},
		"not allowed":       {[]string{"10.0.0.0/8"}, nil, []string{"127.0.0.1", "10.0.0.1"}, true},
		"denied":            {nil, []string{"127.0.0.0/8"}, []string{"127.0.0.1", "203.0.113.1"}, true},
	} {
		t.Run(name, func(t *testing.T) {
			r := &turningResolver{addrs: c.addrs}
			w := newWorld(t, func(o *farwire.Options) {
				o.Auth = keyed(t, farwire.Principal{Allow: c.allow, Deny: c.deny})
				o.Agents = direct(t, agent.DirectOptions{Slug: "de1", Country: "DE", AllowPrivate: true, Resolver: r})
			})
			p := w.open("/ws")
			p.ask("ws://turning.test:"+port, "")
			if c.refused {
				p.wantError(1008, "is not allowed to this key")
			} else {
				p.wantConnected()
			}
			if r.asked != 1 {
				t.Errorf("the name was looked up %d times, want once", r.asked)
			}
		})
	}
}

// missing is a resolver that knows no name.
type missing struct{}

func (missing) LookupNetIP(_ context.Context, _, host string) ([]netip.Addr, error) {
	return nil, &net.DNSError{Err: "no such host", Name: host, IsNotFound: true}
}

// A name without an address is forbidden only where its address would have to be
// allowed: elsewhere the look-up has failed, and a client may try again.
func TestRules_NameWithoutAddress_RefusedOnlyWhereAddressesAreAllowed(t *testing.T) {
	const refused, unreachable = `"code":"target_forbidden"`, `"code":"target_unreachable"`
	exits := map[string]farwire.AgentSelector{
		"direct":   direct(t, agent.DirectOptions{Slug: "de1", Country: "DE", AllowPrivate: true, Resolver: missing{}}),
		"enforced": exitBy("", nil, new(dialList)),
	}
	for name, c := range map[string]struct {
		allow, deny []string
		want        string
	}{
		"denied addresses":               {nil, []string{"10.0.0.0/8", "fc00::/7"}, unreachable},
		"allowed by name":                {[]string{"*.test", "203.0.113.0/24"}, []string{"10.0.0.0/8"}, unreachable},
		"allowed by address":             {[]string{"203.0.113.0/24"}, nil, refused},
		"allowed by address, one denied": {[]string{"203.0.113.0/24"}, []string{"203.0.113.9"}, refused},
		"denied by name":                 {nil, []string{"gone.test", "10.0.0.0/8"}, refused},
	} {
		for exit, agents := range exits {
			t.Run(name+", "+exit, func(t *testing.T) {
				w := newWorld(t, func(o *farwire.Options) {
					o.Auth, o.Agents = keyed(t, farwire.Principal{Allow: c.allow, Deny: c.deny}), agents
				})
				p := w.open("/ws")
				p.ask("ws://gone.test/", "")
				p.wantError(map[string]int{refused: 1008, unreachable: 1011}[c.want], c.want)
			})
		}
	}
}

// oldAgents are those of a selector whose agents know nothing of rules: it offers
// none where there are any.
type oldAgents struct{ exit agent.Exit }

func (s oldAgents) SelectAgent(ctx context.Context, q agent.Query) (agent.Exit, error) {
	if _, err := s.exit.Resolve(ctx, "10.0.0.1"); agent.RefusedByRules(err) {
		return agent.Exit{}, agent.ErrNoAgent
	}
	return s.exit.SelectAgent(ctx, q)
}

func TestRules_AgentsWithoutRules_AreSkipped(t *testing.T) {
	target := newTarget(t, echo)
	for name, c := range map[string]struct {
		allow, deny []string
		served      bool
	}{
		"no rules":              {nil, nil, true},
		"names":                 {[]string{"localhost"}, []string{"*.test"}, true},
		"addresses denied":      {nil, []string{"10.0.0.0/8"}, false},
		"addresses allowed":     {[]string{"0.0.0.0/0"}, []string{"10.0.0.1"}, false},
		"addresses of one port": {nil, []string{"10.0.0.0/8:25"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(o *farwire.Options) {
				o.Auth = keyed(t, farwire.Principal{Allow: c.allow, Deny: c.deny})
				o.Agents = oldAgents{direct(t, agent.DirectOptions{Slug: "de1", Country: "DE", AllowPrivate: true})}
			})
			p := w.open("/ws")
			p.ask(strings.Replace(target, "127.0.0.1", "localhost", 1), "")
			if c.served {
				p.wantConnected()
			} else {
				p.wantError(1011, "no agent is attached that fits")
			}
		})
	}
}

// Behind a client's proxy each address must pass, and a name that the exit does not
// know is refused where the rules speak of addresses.
func TestRules_BehindProxy_EveryAddressMustPass(t *testing.T) {
	for name, c := range map[string]struct {
		deny    []string
		names   map[string][]string
		resolve bool
		refused bool
	}{
		"all pass":           {[]string{"10.0.0.0/8"}, map[string][]string{"a.test": {"203.0.113.7"}}, true, false},
		"one does not":       {[]string{"10.0.0.0/8"}, map[string][]string{"a.test": {"203.0.113.7", "10.0.0.1"}}, true, true},
		"unknown here":       {[]string{"10.0.0.0/8"}, nil, true, true},
		"nobody can resolve": {[]string{"10.0.0.0/8"}, nil, false, true},
		"no rules, unknown":  {[]string{"*.b.test"}, nil, true, false},
	} {
		t.Run(name, func(t *testing.T) {
			var dialled dialList
			exit := exitBy(harness.FreeAddr(t), c.names, &dialled) // a proxy that is not there: to reach for it is to be let through
			if !c.resolve {
				exit.Resolve = nil
			}
			w := newWorld(t, func(o *farwire.Options) {
				o.Auth, o.Agents = keyed(t, farwire.Principal{Deny: c.deny}), exit
			})
			p := w.open("/ws")
			p.ask("ws://a.test/", `"proxy":"http://203.0.113.99:3128"`)
			if c.refused {
				p.wantError(1008, "is not allowed to this key")
			} else {
				p.wantError(1011, "")
			}
			if reached := slices.Contains(dialled.all(), "203.0.113.99:3128"); reached == c.refused {
				t.Errorf("dialled %q", dialled.all())
			}
		})
	}
}

// The hop to a client's proxy is judged as a target is: by its name, its port and its
// address, whatever the proxy speaks.
func TestRules_HopToAProxy_JudgedAsATarget(t *testing.T) {
	names := map[string][]string{"a.test": {"203.0.113.7"}, "hop.test": {"10.0.0.1"}}
	for scheme, port := range map[string]string{"http": "3128", "https": "3129", "socks5": "1080", "socks5h": "1081"} {
		for name, c := range map[string]struct {
			allow, deny []string
			hop         string
			refused     bool
		}{
			"not allowed":             {[]string{"a.test"}, nil, "hop.test", true},
			"denied":                  {nil, []string{"hop.test"}, "hop.test", true},
			"denied below":            {nil, []string{"*.test:" + port}, "HOP.test.", true},
			"denied at that port":     {nil, []string{"hop.test:" + port}, "hop.test", true},
			"denied at another port":  {nil, []string{"hop.test:25"}, "hop.test", false},
			"its address denied":      {nil, []string{"10.0.0.0/8"}, "hop.test", true},
			"its address not allowed": {[]string{"a.test", "203.0.113.0/24"}, nil, "hop.test", true},
			"written as an address":   {nil, []string{"10.0.0.0/8:" + port}, "[::ffff:10.0.0.1]", true},
			"allowed":                 {[]string{"a.test", "hop.test:" + port}, nil, "hop.test", false},
		} {
			t.Run(scheme+" "+name, func(t *testing.T) {
				var dialled dialList
				w := newWorld(t, func(o *farwire.Options) {
					o.Auth = keyed(t, farwire.Principal{Allow: c.allow, Deny: c.deny})
					o.Agents = exitBy(harness.FreeAddr(t), names, &dialled)
				})
				p := w.open("/ws")
				p.ask("ws://a.test/", `"proxy":"`+scheme+"://"+c.hop+":"+port+`"`)
				if c.refused {
					p.wantError(1008, "is not allowed to this key")
				} else {
					p.wantError(1011, "")
				}
				if got := dialled.all(); (len(got) == 0) != c.refused {
					t.Errorf("dialled %q", got)
				}
			})
		}
	}
}
