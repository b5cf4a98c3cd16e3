package token

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode"
)

// A token may carry claims of other programs, which mean nothing here (RFC 7519, section 4).
// A claim of ours that is written wrong would mean nothing, too, and open what its writer
// meant to close.

var (
	claims   = []string{"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "allow", "kinds", "kid", "limits", "own"}
	ownRules = []string{"allow", "deny", "kinds", "labels"}
	closing  = []string{"allow", "deny", "kinds", "limits"}

	inflected = []string{"allow", "allowed", "allowing", "deny", "denies", "denied", "denying", "kind", "limit", "limited"}
)

// ReadLimits decodes the limits into a struct. A name that it does not have is an error, as a
// claim is that is like one of ours.
func (c Claims) ReadLimits(into any) error {
	switch {
	case c.Mistyped != "":
		return fmt.Errorf("there is no claim %q", c.Mistyped)
	case len(c.Limits) == 0:
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(c.Limits))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("limits: %w", err)
	}
	return nil
}

// mistyped returns the name of a claim that its writer may have meant to forbid something:
// one like ours, or any name in the claim that is ours alone.
func mistyped(all, own map[string]json.RawMessage) string {
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if !known(name, claims) && closes(name) {
			return name
		}
	}
	for _, name := range slices.Sorted(maps.Keys(own)) {
		if !known(name, ownRules) {
			return "own." + name
		}
	}
	return ""
}

// known reports whether encoding/json takes a name for one of the list.
func known(name string, list []string) bool {
	return slices.ContainsFunc(list, func(s string) bool { return strings.EqualFold(s, name) })
}

// Words that a name may have beside one that forbids and be meant for it all the same. Any
// other word makes it the name of something else: Keycloak has "allowed-origins" in every
// token, and RFC 9560 "rdap_allowed_purposes".
var besides = []string{"list", "lists", "rule", "rules", "only", "key", "token", "v",
	"address", "addresses", "cidr", "cidrs", "domain", "domains", "host", "hosts", "hostname", "hostnames", "ip", "ips",
	"port", "ports", "session", "sessions", "site", "sites", "target", "targets", "url", "urls"}

// ours is the name that our own claims would have before them, were there such.
const ours = "farwire"

// closes reports whether a name is like one that forbids, with nothing beside it that makes
// it another ("allowed_hosts", "denylist"), or has one inside after our own name.
func closes(name string) bool {
	words := wordsOf(name)
	own := slices.Contains(words, ours)
	like, other := isLike(strings.Join(words, "")), false
	for _, word := range words {
		switch {
		case isLike(word):
			like = true
		case word != ours && !slices.Contains(besides, word):
			other = true
		}
	}
	return like && (own || !other || isLike(strings.Join(words, "")))
}

// wordsOf are the words of a name in lower case: "allowHosts" and "allow-hosts" have the
// same two.
func wordsOf(name string) []string {
	var spaced strings.Builder
	lower := false // the letter before is one
	for _, r := range name {
		if lower && unicode.IsUpper(r) {
			spaced.WriteByte(' ')
		}
		lower = unicode.IsLower(r)
		spaced.WriteRune(r)
	}
	return strings.FieldsFunc(strings.ToLower(spaced.String()), func(r rune) bool { return r < 'a' || r > 'z' })
}

// isLike reports whether a word is one that forbids, has another ending, or differs by one
// letter.
func isLike(word string) bool {
	for _, ending := range []string{"", "s", "list", "lists"} {
		stem := strings.TrimSuffix(word, ending)
		if slices.Contains(inflected, stem) || slices.ContainsFunc(closing, func(c string) bool { return oneLetterOff(stem, c) }) {
			return true
		}
	}
	return false
}

// oneLetterOff reports whether one letter is missing, too many, another, or has changed
// places with its neighbour.
func oneLetterOff(a, b string) bool {
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	for len(a) > 0 && len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	return len(a) <= 1 && len(b) <= 1 || len(a) == 2 && len(b) == 2 && a[0] == b[1] && a[1] == b[0]
}
