package farwire_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/agent"
)

// ruleNames are the names that a ruledExit knows, with their addresses.
var ruleNames = map[string][]string{
	"pub.test": {"203.0.113.7"}, "mixed.test": {"10.0.0.1", "203.0.113.7", "2001:db8::7"}, "in.test": {"10.0.0.1"}, "six.test": {"2001:db8::7"},
}

// ruledExit notes what it is asked to dial and refuses each connection, so that all
// addresses which may be dialled are tried.
func ruledExit(dialled *dialList) agent.Exit {
	return agent.Exit{ID: "farwire-de1", Slug: "de1", Country: "DE",
		DialContext: func(_ context.Context, _, addr string) (net.Conn, error) {
			dialled.add(addr)
			return nil, &agent.DialError{Fault: agent.FaultTarget, Err: errors.New("connection refused")}
		},
		Resolve: func(_ context.Context, host string) (addrs []netip.Addr, err error) {
			for _, a := range ruleNames[strings.TrimSuffix(host, ".")] {
				addrs = append(addrs, netip.MustParseAddr(a))
			}
			if len(addrs) == 0 {
				return nil, &agent.DialError{Fault: agent.FaultTarget, Err: errors.New("no such host")}
			}
			return addrs, nil
		}}
}

// reaches returns the addresses and names that a credential makes the exit dial for a
// target; one that is refused makes it dial none. A name that is dialled as it is
// stands for all of its addresses.
func reaches(t *testing.T, h http.Handler, dialled *dialList, credential, target string) []string {
	t.Helper()
	before := len(dialled.all())
	r := httptest.NewRequest(http.MethodGet, "/to/-/http/"+target+"/", nil)
	r.Header.Set("X-API-Key", credential)
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	list := dialled.all()[before:]
	if refused := w.Code == http.StatusForbidden; refused != (len(list) == 0) || !refused && w.Code != http.StatusBadGateway {
		t.Fatalf("%s: %d %s, dialled %q", target, w.Code, w.Body, list)
	}
	var addrs []string
	for _, a := range list {
		host, port, err := net.SplitHostPort(a)
		if err != nil {
			t.Fatal(err)
		}
		all, isName := ruleNames[strings.TrimSuffix(host, ".")]
		if !isName {
			all = []string{host}
		}
		for _, a := range all {
			addrs = append(addrs, net.JoinHostPort(netip.MustParseAddr(a).Unmap().String(), port))
		}
	}
	slices.Sort(addrs)
	return slices.Compact(addrs)
}

// Whatever the rules of a key are and whatever its token was narrowed to, the token
// reaches what both would reach alone, and nothing else.
func TestToken_NarrowedOfARuledKey_NeverWidens(t *testing.T) {
	lists := []struct{ allow, deny []string }{
		{nil, nil},
		{[]string{"pub.test"}, nil},
		{[]string{"*.test"}, nil},
		{[]string{"*.test:443", "mixed.test:80"}, nil},
		{[]string{"203.0.113.0/24"}, nil},
		{[]string{"10.0.0.0/8", "pub.test:443"}, nil},
		{[]string{"0.0.0.0/0", "2001:db8::/33"}, nil},
		{[]string{"203.0.112.0/22:80"}, nil},
		{nil, []string{"pub.test", "10.0.0.0/8"}},
		{nil, []string{"*.test:443", "2001:db8::/32"}},
		{[]string{"mixed.test", "203.0.113.0/24"}, []string{"10.0.0.0/8"}},
		{[]string{"*.test"}, []string{"203.0.113.7:80"}},
	}
	targets := []string{"pub.test", "pub.test:443", "mixed.test", "mixed.test:443", "in.test", "six.test", "PUB.test.", "203.0.113.7", "10.0.0.1", "[2001:db8::7]", "[::ffff:10.0.0.1]"}
	keyOf := func(i int) string { return fmt.Sprintf("key-number-%02d-0123456789", i) }
	principals := map[string]farwire.Principal{}
	for i, l := range lists {
		principals[keyOf(i)] = farwire.Principal{Subject: "alice", Allow: l.allow, Deny: l.deny}
	}
	keys, err := farwire.NewKeySet(principals)
	if err != nil {
		t.Fatal(err)
	}
	for name, auth := range map[string]farwire.Authenticator{
		"looked up": keys,
		"in the token": authFunc(func(ctx context.Context, c farwire.Credentials) (farwire.Principal, error) { // without Lookup
			return keys.Authenticate(ctx, c)
		}),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var dialled dialList
			w := newWorld(t, withTokenKey, func(o *farwire.Options) {
				o.Auth, o.Agents, o.Limits = auth, ruledExit(&dialled), farwire.Limits{Rate: -1, HTTPRate: -1}
			})
			h := w.gw.PathForm()
			alone := map[string][]string{} // by key and target
			for i := range lists {
				for _, target := range targets {
					alone[keyOf(i)+target] = reaches(t, h, &dialled, keyOf(i), target)
				}
			}
			narrower := 0
			for i := range lists {
				for j, l := range lists {
					if l.deny != nil || l.allow == nil {
						continue // a token has no deny
					}
					status, token, _ := askToken(t, w, keyOf(i), fmt.Sprintf(`{"allow": ["%s"]}`, strings.Join(l.allow, `", "`)))
					if status != http.StatusOK {
						t.Fatalf("%q: %d", l.allow, status)
					}
					for _, target := range targets {
						var want []string
						for _, a := range alone[keyOf(i)+target] {
							if slices.Contains(alone[keyOf(j)+target], a) {
								want = append(want, a)
							}
						}
						got := reaches(t, h, &dialled, token, target)
						if !slices.Equal(got, want) {
							t.Errorf("%s by a token for %q of a key that allows %q and denies %q: dialled %q, want %q", target, l.allow, lists[i].allow, lists[i].deny, got, want)
						}
						if len(want) < len(alone[keyOf(i)+target]) {
							narrower++
						}
					}
				}
			}
			if narrower < 100 {
				t.Errorf("the tokens took something away %d times: the test compares nothing", narrower)
			}
		})
	}
}

// A token opens the kinds that both it and its key open, whatever it was narrowed by.
func TestToken_NarrowedKinds_OfARuledKey_NeverWiden(t *testing.T) {
	all := []farwire.Kind{farwire.KindRelay, farwire.KindAMQP, farwire.KindCrawl}
	for _, own := range [][]farwire.Kind{nil, {farwire.KindRelay}, {farwire.KindAMQP, farwire.KindCrawl}, {farwire.KindTunnel}} {
		for name, auth := range map[string]func(*farwire.KeySet) farwire.Authenticator{
			"looked up":    func(k *farwire.KeySet) farwire.Authenticator { return k },
			"in the token": func(k *farwire.KeySet) farwire.Authenticator { return authFunc(k.Authenticate) },
		} {
			t.Run(fmt.Sprint(name, own), func(t *testing.T) {
				t.Parallel()
				w := newWorld(t, withTokenKey, func(o *farwire.Options) {
					o.Auth = auth(keyed(t, farwire.Principal{Kinds: own}).(*farwire.KeySet))
				})
				for _, body := range []string{`{}`, `{"kinds": ["relay"]}`, `{"kinds": ["relay", "amqp", "crawl"]}`, `{"kinds": ["crawl", "tunnel"]}`, `{"allow": ["a.test"]}`} {
					_, token, _ := askToken(t, w, testKey, body)
					for _, s := range surfaces {
						kind := farwire.Kind(s.kind)
						if !slices.Contains(all, kind) {
							continue
						}
						want := (own == nil || slices.Contains(own, kind)) && (!strings.Contains(body, "kinds") || strings.Contains(body, `"`+s.kind+`"`))
						r := s.call(w, token, "ws://203.0.113.300/") // is no address: who may begin is told so
						if got := !strings.Contains(r.text, "not for sessions of kind "+s.kind); got != want {
							t.Errorf("%s by a token of %s, the key has %q: %+v", s.name, body, own, r)
						}
					}
				}
			})
		}
	}
}
