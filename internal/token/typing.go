package token

import (
	"bytes"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// A token may carry claims of other programs, which mean nothing here (RFC 7519, section 4).
// A claim of ours that is written wrong would mean nothing, too, and open what its writer
// meant to close.

var (
	claims   = []string{"iss", "sub", "aud", "exp", "nbf", "iat", "jti", "allow", "kinds", "kid", "limits", "own"}
	ownRules = []string{"allow", "deny", "kinds", "labels"}
	closing  = []string{"allow", "deny", "kinds", "limits"}
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

// closes reports whether a name is like one that forbids: it has it inside
// ("farwire_allow", "allowed"), or a word of it differs by one letter.
func closes(name string) bool {
	words := strings.FieldsFunc(strings.ToLower(name), func(r rune) bool { return r < 'a' || r > 'z' })
	for _, word := range append(words, strings.Join(words, "")) {
		for _, c := range closing {
			if strings.Contains(word, strings.TrimSuffix(c, "s")) || oneLetterOff(word, c) {
				return true
			}
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
