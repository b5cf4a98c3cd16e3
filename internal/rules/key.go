package rules

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"github.com/farwire/farwire/internal/fault"
)

// A Key is what one key of a caller may reach, and by which kinds of sessions. The zero
// Key allows everything. It is never changed and safe for concurrent use.
type Key struct {
	targets Set
	kinds   []string // empty: all
	token   *Key     // of a token that was narrowed, which holds as well; nil: none
}

// ParseKey reads the rules of a key, or of a token that was narrowed. A list that is nil
// allows everything, one that is empty is an error; known are the kinds that there are.
func ParseKey(allow, deny, kinds, known []string) (k Key, err error) {
	if k.targets, err = Parse(allow, deny); err != nil {
		return k, err
	}
	for _, kind := range kinds {
		if !slices.Contains(known, kind) {
			return k, fmt.Errorf("kinds: there is no kind %q; write one of %s", fault.Clip(kind), strings.Join(known, ", "))
		}
	}
	switch {
	case kinds != nil && len(kinds) == 0:
		return k, errors.New("kinds is empty; nil allows every kind")
	case allow != nil && len(allow) == 0:
		return k, errors.New("allow is empty; nil allows everything")
	}
	k.kinds = kinds
	return k, nil
}

// Lists are the rules of a key as they are written.
type Lists struct{ Allow, Deny, Kinds []string }

// Written takes rules from a file or a request, where nil says nothing and an empty list
// is an error; known are the kinds that there are.
func Written(allow, deny, kinds *[]string, known []string) (l Lists, err error) {
	if allow != nil {
		if l.Allow = *allow; len(l.Allow) == 0 {
			return l, errors.New("allow is empty; leave it out to allow everything")
		}
	}
	if deny != nil {
		if l.Deny = *deny; len(l.Deny) == 0 {
			return l, errors.New("deny is empty; leave it out")
		}
	}
	if kinds != nil {
		if l.Kinds = *kinds; len(l.Kinds) == 0 {
			return l, errors.New("kinds is empty; leave it out to allow every kind")
		}
	}
	_, err = ParseKey(l.Allow, l.Deny, l.Kinds, known)
	return l, err
}

// Narrowed returns the rules of a key to which those of a token of its own are added.
func (k Key) Narrowed(token Key) Key {
	k.token = &token
	return k
}

// Prefixes are those of all rules on addresses.
func (k Key) Prefixes() []netip.Prefix {
	list := k.targets.Prefixes()
	if k.token != nil {
		list = append(list, k.token.Prefixes()...)
	}
	return list
}

// CheckKind judges the kind of a session.
func (k Key) CheckKind(kind string) error {
	if len(k.kinds) > 0 && !slices.Contains(k.kinds, kind) {
		return fault.Newf(fault.TargetForbidden, "this key is not for sessions of kind %s", kind)
	}
	if k.token != nil {
		return k.token.CheckKind(kind)
	}
	return nil
}

// Check judges a target by its kind, its name, as Host writes it, and its port. What
// depends on its address is returned, for whoever dials it.
func (k Key) Check(kind, host string, port uint16) (on Addresses, err error) {
	if err := k.CheckKind(kind); err != nil {
		return on, err
	}
	if on, err = k.targets.Check(host, port); err != nil || k.token == nil {
		return on, err
	}
	narrow, err := k.token.targets.Check(host, port)
	if err != nil {
		return on, err
	}
	return on.And(narrow, host)
}
