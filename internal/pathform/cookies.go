package pathform

import (
	"crypto/sha256"
	"encoding/base64"
	"maps"
	"net/http"
	"slices"
	"strings"
	"time"
)

// All targets share the gateway's origin in a browser, so a target's cookies
// get another name, which says whose they are: a hash of the caller, the
// options without the key, the scheme and the host. A cookie's Path cannot
// hold ";", so its name alone confines it.
//
//	Set-Cookie: sid=1; Domain=t.test; Path=/a   from https://t.test
//	Set-Cookie: fw.3f0c…Q.sid=1; Path=/to/; HttpOnly; Secure; SameSite=None; Partitioned

const (
	cookiePrefix = "fw."

	// What a browser keeps of ours at most. Beyond that the oldest are deleted.
	maxTargetCookies = 50
	maxCookies       = 100
	maxCookieBytes   = 8 << 10
)

// scope puts options into one order, so that the same ones are the same scope.
func scope(given map[string]string) string {
	var b strings.Builder
	for _, name := range slices.Sorted(maps.Keys(given)) {
		b.WriteString(name + "\x00" + given[name] + "\x00")
	}
	return b.String()
}

// CookieScope returns what the names of this caller's cookies of this target
// begin with.
func (r *Request) CookieScope(caller string) string {
	sum := sha256.Sum256([]byte(strings.Join([]string{caller, r.Options.scope, r.Scheme, r.HostHeader()}, "\x01")))
	return cookiePrefix + base64.RawURLEncoding.EncodeToString(sum[:12]) + "."
}

// A cookie is a pair of a Cookie header.
type cookie struct{ name, value string }

// size is what it takes in a Cookie header.
func (c cookie) size() int { return len(c.name) + len(c.value) + 3 }

func readCookies(h http.Header) (list []cookie) {
	for _, line := range h.Values("Cookie") {
		for pair := range strings.SplitSeq(line, ";") {
			name, value, _ := strings.Cut(strings.TrimSpace(pair), "=")
			if name != "" {
				list = append(list, cookie{name, value})
			}
		}
	}
	return list
}

// cookiesFor returns the Cookie header for the target: the pairs of this scope
// under their own names, and with all the client's own besides.
func cookiesFor(h http.Header, scope string, all bool) string {
	var out []string
	for _, c := range readCookies(h) {
		name, ours := strings.CutPrefix(c.name, scope)
		switch {
		case ours:
		case all && !strings.HasPrefix(c.name, cookiePrefix):
			name = c.name
		default:
			continue
		}
		out = append(out, name+"="+c.value)
	}
	return strings.Join(out, "; ")
}

// confineCookies returns the target's cookies as the browser gets them, and behind
// them the deletion of those that are too many. had are those that the
// request came with, the oldest first, as browsers send them (RFC 6265,
// section 5.4).
func confineCookies(lines []string, scope string, had []cookie, https bool) []string {
	attributes := "; Path=" + Prefix + "; HttpOnly"
	if https {
		attributes += "; Secure; SameSite=None; Partitioned"
	}
	var out []string
	kept := slices.DeleteFunc(slices.Clone(had), func(c cookie) bool { return !strings.HasPrefix(c.name, cookiePrefix) })
	at := make(map[string]int, len(kept)) // by name; an answer may have thousands
	for i, c := range kept {
		at[c.name] = i
	}
	for _, line := range lines {
		c, life, gone, ok := readSetCookie(line, scope)
		if !ok || c.size() > maxCookieBytes {
			continue
		}
		out = append(out, c.name+"="+c.value+life+attributes)
		i, known := at[c.name]
		switch {
		case gone && known:
			kept[i].name = ""
			delete(at, c.name)
		case gone:
		case known:
			kept[i] = c // it keeps its age
		default:
			at[c.name] = len(kept)
			kept = append(kept, c)
		}
	}
	kept = slices.DeleteFunc(kept, func(c cookie) bool { return c.name == "" })
	if len(out) == 0 {
		return nil
	}
	for _, name := range surplus(kept, scope) {
		out = append(out, name+"=; Max-Age=0"+attributes)
	}
	return out
}

// readSetCookie reads a line of a target's Set-Cookie (RFC 6265, section 5.2), its name behind
// the scope. life are the attributes that say how long it lasts, and gone that this is over.
func readSetCookie(line, scope string) (c cookie, life string, gone, ok bool) {
	pair, rest, _ := strings.Cut(line, ";")
	name, value, found := strings.Cut(strings.TrimSpace(pair), "=")
	name, value = strings.TrimSpace(name), strings.TrimSpace(value)
	if !found || name == "" {
		return c, "", false, false
	}
	aged := false
	for a := range strings.SplitSeq(rest, ";") {
		k, v, _ := strings.Cut(strings.TrimSpace(a), "=")
		v = strings.TrimSpace(v)
		switch strings.ToLower(strings.TrimSpace(k)) {
		case "expires":
			life += "; Expires=" + v
			if t, err := http.ParseTime(v); err == nil && !aged {
				gone = !t.After(time.Now())
			}
		case "max-age":
			life += "; Max-Age=" + v
			if isMaxAge(v) { // it counts more than any Expires (RFC 6265, section 5.3)
				gone, aged = v[0] == '-' || strings.Trim(v, "0") == "", true
			}
		}
	}
	return cookie{scope + name, value}, life, gone, true
}

// surplus returns the names of the cookies that are too many, the oldest.
func surplus(kept []cookie, scope string) (gone []string) {
	ofTarget, bytes := 0, 0
	for _, c := range kept {
		bytes += c.size()
		if strings.HasPrefix(c.name, scope) {
			ofTarget++
		}
	}
	n := len(kept)
	for _, c := range kept {
		own := strings.HasPrefix(c.name, scope)
		if n <= maxCookies && bytes <= maxCookieBytes && !(own && ofTarget > maxTargetCookies) {
			continue
		}
		gone = append(gone, c.name)
		n--
		bytes -= c.size()
		if own {
			ofTarget--
		}
	}
	return gone
}

// isMaxAge reports a number of seconds that browsers take (RFC 6265, section 5.2.2).
func isMaxAge(v string) bool {
	digits := strings.TrimPrefix(v, "-")
	return digits != "" && strings.Trim(digits, "0123456789") == ""
}
