package farwire

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/net/idna"

	"github.com/farwire/farwire/internal/fault"
)

// A Target is what a session, a redirect, a page of a crawl or the hop to a
// client's proxy is about to reach.
type Target struct {
	Kind   Kind
	Scheme string // as in its URL; empty where only the connection is known
	Host   string // in lower case, as punycode, without a final dot
	Port   uint16 // zero for the name that a client's proxy will look up
}

// rules are a principal's Allow, Deny and Kinds, parsed.
type rules struct {
	allow, deny []rule
	kinds       []Kind // empty: all
	token       *rules // of a token that was narrowed, which hold as well
}

// A rule is one entry: a prefix, a host name or "*.host", each with an optional
// port.
type rule struct {
	prefix netip.Prefix // valid: a rule on addresses
	host   string
	below  bool   // what is below host, and not host itself
	port   uint16 // zero: any
}

// rules parses the principal's rules.
func (p *Principal) rules() (r rules, err error) {
	if r.allow, err = parseRules("allow", p.Allow); err != nil {
		return r, err
	}
	if r.deny, err = parseRules("deny", p.Deny); err != nil {
		return r, err
	}
	for _, k := range p.Kinds {
		if !slices.Contains(allKinds, k) {
			return r, fmt.Errorf("kinds: there is no kind %q; write one of %s", k, joinKinds(allKinds))
		}
	}
	r.kinds = p.Kinds
	if p.Kinds != nil && len(p.Kinds) == 0 {
		return r, errors.New("kinds is empty; nil allows every kind")
	}
	if p.Allow != nil && len(p.Allow) == 0 {
		return r, errors.New("allow is empty; nil allows everything")
	}
	if n := p.narrow; n.isNarrow() {
		narrow, err := (&Principal{Allow: n.Allow, Kinds: n.Kinds}).rules()
		if err != nil {
			return r, err
		}
		r.token = &narrow
	}
	return r, nil
}

// allKinds are those that rules may name. A recrawl is a crawl to them.
var allKinds = []Kind{KindRelay, KindAMQP, KindCrawl, "http", "tunnel"}

func joinKinds(list []Kind) string {
	words := make([]string, len(list))
	for i, k := range list {
		words[i] = k.String()
	}
	return strings.Join(words, ", ")
}

func parseRules(field string, entries []string) ([]rule, error) {
	list := make([]rule, 0, len(entries))
	for _, e := range entries {
		r, err := parseRule(e)
		if err != nil {
			return nil, fmt.Errorf("%s: %q is not a rule; write a CIDR, a host name or *.host, with :port behind it if need be", field, clip(e))
		}
		list = append(list, r)
	}
	return list, nil
}

// notInHost reports whether a character can stand in no host name.
func notInHost(r rune) bool {
	return (r < 'a' || r > 'z') && (r < '0' || r > '9') && !strings.ContainsRune("-._", r)
}

var errNotARule = errors.New("not a rule")

func parseRule(s string) (r rule, err error) {
	if p, ok := parsePrefix(s); ok {
		return rule{prefix: p}, nil
	}
	if i := strings.LastIndexByte(s, ':'); i >= 0 {
		port, err := strconv.ParseUint(s[i+1:], 10, 16)
		if err != nil || port == 0 || strconv.FormatUint(port, 10) != s[i+1:] {
			return r, errNotARule
		}
		r.port, s = uint16(port), s[:i]
		inner, bracketed := strings.CutPrefix(s, "[")
		if bracketed {
			if s, bracketed = strings.CutSuffix(inner, "]"); !bracketed {
				return r, errNotARule
			}
		}
		if p, ok := parsePrefix(s); ok && (bracketed || p.Addr().Is4()) {
			r.prefix = p
			return r, nil
		}
		if bracketed {
			return r, errNotARule
		}
	}
	s, r.below = strings.CutPrefix(s, "*.")
	r.host = normalHost(s)
	if r.host == "" || strings.ContainsFunc(r.host, notInHost) || strings.HasPrefix(r.host, ".") || strings.Contains(r.host, "..") {
		return r, errNotARule
	}
	if last := r.host[strings.LastIndexByte(r.host, '.')+1:]; strings.Trim(last, "0123456789") == "" {
		return r, errNotARule // an address with a typing error
	}
	return r, nil
}

// parsePrefix reads a CIDR or an address alone.
func parsePrefix(s string) (netip.Prefix, bool) {
	if a, err := netip.ParseAddr(s); err == nil && a.Zone() == "" {
		a = a.Unmap()
		return netip.PrefixFrom(a, a.BitLen()), true
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return netip.Prefix{}, false
	}
	if p.Addr().Is4In6() {
		if p.Bits() < 96 {
			return netip.Prefix{}, false
		}
		p = netip.PrefixFrom(p.Addr().Unmap(), p.Bits()-96)
	}
	return p.Masked(), true
}

// normalHost writes a host as rules compare it: in lower case, as punycode,
// without a final dot.
func normalHost(host string) string {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if ascii, err := idna.Lookup.ToASCII(host); err == nil {
		return ascii
	}
	return host
}

// names reports whether the rule names the host, an address as the one it is.
func (r rule) names(t Target) bool {
	if r.port != 0 && r.port != t.Port {
		return false
	}
	if r.prefix.IsValid() {
		a, err := netip.ParseAddr(t.Host)
		return err == nil && r.prefix.Contains(a.Unmap())
	}
	if r.below {
		return strings.HasSuffix(t.Host, "."+r.host)
	}
	return t.Host == r.host
}

// AddressRules are what holds for the address of a dial, where the dial is made.
type AddressRules struct {
	Allow, Deny []netip.Prefix // an empty Allow allows every address
}

// checkKind judges the kind of a session.
func (r rules) checkKind(k Kind) error {
	if k == KindRecrawl {
		k = KindCrawl
	}
	if len(r.kinds) > 0 && !slices.Contains(r.kinds, k) {
		return fault.Newf(fault.TargetForbidden, "this key is not for sessions of kind %s", k)
	}
	if r.token != nil {
		return r.token.checkKind(k)
	}
	return nil
}

// check judges a target by its kind and name. What depends on its address is
// returned, for whoever dials it.
func (r rules) check(t Target) (on AddressRules, err error) {
	if err := r.checkKind(t.Kind); err != nil {
		return on, err
	}
	if on, err = r.checkTarget(t); err != nil || r.token == nil {
		return on, err
	}
	narrow, err := r.token.checkTarget(t)
	if err != nil {
		return on, err
	}
	return on.and(narrow, t)
}

// and returns the rules under which both hold.
func (on AddressRules) and(other AddressRules, t Target) (AddressRules, error) {
	on.Deny = append(on.Deny, other.Deny...)
	switch {
	case len(on.Allow) == 0:
		on.Allow = other.Allow
		return on, nil
	case len(other.Allow) == 0:
		return on, nil
	}
	var both []netip.Prefix
	for _, a := range on.Allow {
		for _, b := range other.Allow {
			if a.Overlaps(b) {
				narrower := a
				if b.Bits() > a.Bits() {
					narrower = b
				}
				both = append(both, narrower)
			}
		}
	}
	if on.Allow = both; len(both) == 0 {
		return on, notAllowedTarget(t)
	}
	return on, nil
}

func notAllowedTarget(t Target) error {
	return fault.Newf(fault.TargetForbidden, "target refused: %q is not allowed to this key", clip(t.Host))
}

func (r rules) checkTarget(t Target) (on AddressRules, err error) {
	refused := notAllowedTarget(t)
	for _, d := range r.deny {
		if t.Port == 0 {
			d.port = 0 // it may be any
		}
		if d.names(t) {
			return on, refused
		}
		if d.prefix.IsValid() && (d.port == 0 || d.port == t.Port) {
			on.Deny = append(on.Deny, d.prefix)
		}
	}
	if len(r.allow) == 0 {
		return on, nil
	}
	for _, a := range r.allow {
		if a.names(t) {
			on.Allow = nil
			return on, nil
		}
		if a.prefix.IsValid() && (a.port == 0 || a.port == t.Port) {
			on.Allow = append(on.Allow, a.prefix)
		}
	}
	if _, err := netip.ParseAddr(t.Host); err == nil || len(on.Allow) == 0 {
		return on, refused
	}
	return on, nil
}
