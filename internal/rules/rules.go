// Package rules holds what a key may reach: lists of CIDRs, host names and
// "*.host", each with an optional port. A target is judged by its name and port
// before it is dialled; what depends on its address is left to whoever dials it.
package rules

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"

	"github.com/farwire/farwire/internal/fault"
)

// A Set is what a key allows and denies. The zero Set allows every target. It is
// never changed and safe for concurrent use.
type Set struct {
	allow, deny []rule
}

// A rule is one entry: a prefix, a host name or "*.host", each with an optional
// port.
type rule struct {
	prefix netip.Prefix // valid: a rule on addresses
	host   string
	below  bool   // what is below host, and not host itself
	port   uint16 // zero: any
}

// Parse reads the entries of both lists. Its error names the list.
func Parse(allow, deny []string) (s Set, err error) {
	if s.allow, err = parseList("allow", allow); err != nil {
		return s, err
	}
	s.deny, err = parseList("deny", deny)
	return s, err
}

// Check judges a target by its name, as Host writes it, and its port; port 0 may
// be any. Deny wins.
// What depends on the target's address is returned, for whoever dials it.
func (s Set) Check(host string, port uint16) (on Addresses, err error) {
	for _, d := range s.deny {
		if port == 0 {
			d.port = 0 // it may be any
		}
		if d.names(host, port) {
			return on, Refused(host)
		}
		if d.prefix.IsValid() && (d.port == 0 || d.port == port) {
			on.Deny = append(on.Deny, d.prefix)
		}
	}
	if len(s.allow) == 0 {
		return on, nil
	}
	for _, a := range s.allow {
		if a.names(host, port) {
			on.Allow = nil
			return on, nil
		}
		if a.prefix.IsValid() && (a.port == 0 || a.port == port) {
			on.Allow = append(on.Allow, a.prefix)
		}
	}
	if _, err := netip.ParseAddr(host); err == nil || len(on.Allow) == 0 {
		return on, Refused(host)
	}
	return on, nil
}

// Prefixes are those of all rules on addresses, of either list.
func (s Set) Prefixes() (list []netip.Prefix) {
	for _, r := range slices.Concat(s.allow, s.deny) {
		if r.prefix.IsValid() {
			list = append(list, r.prefix)
		}
	}
	return list
}

// Addresses are what holds for the address of a dial, where the dial is made.
type Addresses struct {
	Allow, Deny []netip.Prefix // an empty Allow allows every address
}

// Any reports whether every address is allowed.
func (on Addresses) Any() bool { return len(on.Allow) == 0 && len(on.Deny) == 0 }

// And returns the rules under which both hold; host is the target's in the error
// when no address is left.
func (on Addresses) And(other Addresses, host string) (Addresses, error) {
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
		return on, Refused(host)
	}
	return on, nil
}

// Refused is the error of a target that a key must not reach.
func Refused(host string) error {
	return fault.Newf(fault.TargetForbidden, "target refused: %q is not allowed to this key", fault.Clip(host))
}

func parseList(field string, entries []string) ([]rule, error) {
	list := make([]rule, 0, len(entries))
	for _, e := range entries {
		r, err := parseRule(e)
		if err != nil {
			return nil, fmt.Errorf("%s: %q is not a rule; write a CIDR, a host name or *.host, with :port behind it if need be", field, fault.Clip(e))
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
	r.host = Host(s)
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

// Host writes a host as rules compare it: in lower case, as punycode,
// without a final dot.
func Host(host string) string {
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if !strings.Contains(host, "xn--") && !strings.ContainsFunc(host, func(c rune) bool { return c >= utf8.RuneSelf }) {
		return host // as punycode has it, as most are
	}
	if ascii, err := idna.Lookup.ToASCII(host); err == nil {
		return ascii
	}
	return host
}

// names reports whether the rule names the host, an address as the one it is.
func (r rule) names(host string, port uint16) bool {
	if r.port != 0 && r.port != port {
		return false
	}
	if r.prefix.IsValid() {
		a, err := netip.ParseAddr(host)
		return err == nil && r.prefix.Contains(a.Unmap())
	}
	if r.below {
		return strings.HasSuffix(host, "."+r.host)
	}
	return host == r.host
}
