// Package deflate is permessage-deflate (RFC 7692) as far as a relay needs it
// that passes compressed frames on unread: it reads what was offered and what
// was agreed on, and inflates messages for a target that wants none of it.
package deflate

import (
	"errors"
	"slices"
	"strconv"
	"strings"
)

const name = "permessage-deflate"

// Stateless is what a client is told that must be answered before the target:
// each of its messages can then be inflated by itself. The target is offered
// the same.
const Stateless = name + "; client_no_context_takeover"

// Offers returns the offers of permessage-deflate in the values of a client's
// Sec-WebSocket-Extensions, each as it was written. Other extensions, and
// offers that are not valid, are left out.
func Offers(values []string) []string {
	var out []string
	for _, value := range values {
		for item := range split(value, ',') {
			if p, ok := parse(item); ok && validOffer(p) {
				out = append(out, item)
			}
		}
	}
	return out
}

// FitsStateless reports whether one of the offers can be answered with
// Stateless: it demands nothing of what the server sends (RFC 7692, sections
// 7.1.1.1 and 7.1.2.1).
func FitsStateless(offers []string) bool {
	return slices.ContainsFunc(offers, func(offer string) bool {
		p, _ := parse(offer)
		return !p.has("server_no_context_takeover") && !p.has("server_max_window_bits")
	})
}

var (
	errOther     = errors.New("it is not permessage-deflate, or more than one")
	errParameter = errors.New("its parameters answer no offer")
)

// Agreed returns the one extension that the values of a server's answer hold,
// as it is written there; empty when they hold no extension. An
// extension that answers none of the offers is an error (RFC 7692, section 7.1).
func Agreed(values, offers []string) (string, error) {
	var items []string
	for _, value := range values {
		for item := range split(value, ',') {
			items = append(items, item)
		}
	}
	if len(items) == 0 {
		return "", nil
	}
	answer, ok := parse(items[0])
	if !ok || len(items) > 1 {
		return "", errOther
	}
	for _, offer := range offers {
		if p, _ := parse(offer); answers(answer, p) {
			return items[0], nil
		}
	}
	return "", errParameter
}

// answers reports whether a server may say this to that offer.
func answers(answer, offer params) bool {
	for _, p := range answer {
		switch p.name {
		case "server_no_context_takeover", "client_no_context_takeover":
			if p.given {
				return false
			}
		case "server_max_window_bits":
			n, ok := p.bits()
			asked, given := offer.bits("server_max_window_bits")
			if !ok || given && n > asked {
				return false
			}
		case "client_max_window_bits":
			n, ok := p.bits()
			asked, given := offer.bits("client_max_window_bits")
			if !ok || !offer.has("client_max_window_bits") || given && n > asked {
				return false
			}
		default:
			return false
		}
	}
	return (answer.has("server_no_context_takeover") || !offer.has("server_no_context_takeover")) &&
		(answer.has("server_max_window_bits") || !offer.has("server_max_window_bits"))
}

func validOffer(all params) bool {
	for _, p := range all {
		switch p.name {
		case "server_no_context_takeover", "client_no_context_takeover":
			if p.given {
				return false
			}
		case "server_max_window_bits":
			if _, ok := p.bits(); !ok {
				return false
			}
		case "client_max_window_bits":
			if _, ok := p.bits(); p.given && !ok {
				return false
			}
		default:
			return false
		}
	}
	return true
}

// A param is one parameter of an extension.
type param struct {
	name, value string
	given       bool // it has a value
}

type params []param

func (all params) has(name string) bool {
	return slices.ContainsFunc(all, func(p param) bool { return p.name == name })
}

// bits returns the value of a parameter, where it is there and has one.
func (all params) bits(name string) (int, bool) {
	for _, p := range all {
		if p.name == name {
			return p.bits()
		}
	}
	return 0, false
}

// bits reads a window size: 8 to 15, without leading zeros.
func (p param) bits() (int, bool) {
	n, err := strconv.Atoi(p.value)
	return n, err == nil && 8 <= n && n <= 15 && strconv.Itoa(n) == p.value
}

// parse reads one element of the header; false when it is another extension or
// has a parameter twice.
func parse(item string) (params, bool) {
	var all params
	first := true
	for part := range split(item, ';') {
		if first {
			if first = false; !strings.EqualFold(part, name) {
				return nil, false
			}
			continue
		}
		key, value, given := strings.Cut(part, "=")
		key = strings.ToLower(strings.TrimSpace(key))
		value = strings.TrimSpace(value)
		if n := len(value); n >= 2 && value[0] == '"' && value[n-1] == '"' {
			value = value[1 : n-1]
		}
		if all.has(key) {
			return nil, false
		}
		all = append(all, param{key, value, given})
	}
	return all, !first
}

// split yields what stands between separators outside quotes, blanks around it
// taken off; empty items are left out.
func split(s string, separator byte) func(func(string) bool) {
	return func(yield func(string) bool) {
		start, quoted := 0, false
		for i := 0; i <= len(s); i++ {
			if i < len(s) && s[i] == '"' {
				quoted = !quoted
			}
			if i < len(s) && (s[i] != separator || quoted) {
				continue
			}
			if item := strings.Trim(s[start:i], " \t"); item != "" && !yield(item) {
				return
			}
			start = i + 1
		}
	}
}
