package pathform

import (
	"net/url"
	"slices"
	"strings"

	"github.com/farwire/farwire/internal/refresh"
)

// Rewrite returns an address of the target's as one below /to/, with the
// options of the request. It reads addresses as browsers do, who take "\" for
// "/" and any number of slashes for two (WHATWG URL standard, section 4.4). An
// address that is neither http nor ws stays as it is: it leads away from HTTP.
func (r *Request) Rewrite(address string) string {
	address = deleteBytes(address, func(c byte) bool { return c == '\t' || c == '\n' || c == '\r' })
	address = strings.TrimFunc(address, func(c rune) bool { return c <= ' ' })
	scheme, rest := r.Scheme, address
	if s, behind, ok := cutScheme(address); ok {
		switch s {
		case "http", "ws":
			scheme = "http"
		case "https", "wss":
			scheme = "https"
		default:
			return address
		}
		// The base's own scheme without two slashes is a relative reference.
		if s != r.Scheme || beginsAuthority(behind) {
			return r.absolute(scheme, strings.TrimLeft(behind, `/\`))
		}
		rest = behind
	}
	if beginsAuthority(rest) {
		return r.absolute(scheme, strings.TrimLeft(rest, `/\`))
	}
	base := r.prefix + r.Scheme + "/" + r.Host
	switch {
	case rest == "" || rest[0] == '#': // the base's own query (RFC 3986, section 5.2.2)
		query := ""
		if r.Asked {
			query = "?" + r.Query
		}
		return base + withoutDots(r.Path) + query + rest
	case isSlash(rest[0]):
		path, tail := cutPath(rest)
		return base + withoutDots(path) + tail
	case rest[0] == '?':
		return base + withoutDots(r.Path) + rest
	}
	path, tail := cutPath(rest)
	folder := r.Path[:strings.LastIndexByte(r.Path, '/')+1]
	return base + withoutDots(folder+path) + tail
}

// absolute returns the address for an authority and what stands behind it.
func (r *Request) absolute(scheme, rest string) string {
	end := strings.IndexAny(rest, `/\?#`)
	if end < 0 {
		end = len(rest)
	}
	authority, rest := rest[:end], rest[end:]
	if at := strings.LastIndexByte(authority, '@'); at >= 0 {
		authority = authority[at+1:] // a path has no place for a password
	}
	if host, err := url.PathUnescape(authority); err == nil {
		authority = host
	}
	authority = deleteBytes(authority, func(c byte) bool {
		return c == '/' || c == '\\' || c == '?' || c == '#' || c == ';' || c <= ' '
	})
	if authority == "" || strings.Trim(authority, ".") == "" {
		authority = "invalid"
	}
	path, tail := cutPath(rest)
	if path == "" {
		path = "/"
	}
	return r.prefix + scheme + "/" + authority + withoutDots(path) + tail
}

// cutPath returns a reference's path, and its query and fragment.
func cutPath(ref string) (path, tail string) {
	if i := strings.IndexAny(ref, "?#"); i >= 0 {
		return ref[:i], ref[i:]
	}
	return ref, ""
}

// withoutDots resolves "." and ".." (RFC 3986, section 5.2.4), in all spellings
// that browsers know, so that no address climbs out of its target. All else
// stays byte for byte.
func withoutDots(path string) string {
	path = strings.ReplaceAll(path, `\`, "/")
	segments := strings.Split(strings.TrimPrefix(path, "/"), "/")
	var out []string
	for i, s := range segments {
		last := i == len(segments)-1
		switch strings.ReplaceAll(strings.ToLower(s), "%2e", ".") {
		case "..":
			if len(out) > 0 {
				out = out[:len(out)-1]
			}
			if last {
				out = append(out, "")
			}
		case ".":
			if last {
				out = append(out, "")
			}
		default:
			out = append(out, s)
		}
	}
	return "/" + strings.Join(out, "/")
}

// deleteBytes returns s without the bytes that drop names. It goes by bytes and not by
// runes, since an address may be in Latin-1, of which no rune can be made.
func deleteBytes(s string, drop func(byte) bool) string {
	return string(slices.DeleteFunc([]byte(s), drop))
}

func beginsAuthority(s string) bool { return len(s) > 1 && isSlash(s[0]) && isSlash(s[1]) }

func isSlash(c byte) bool { return c == '/' || c == '\\' }

// cutScheme returns an address' scheme in lower case (RFC 3986, section 3.1).
func cutScheme(address string) (scheme, rest string, ok bool) {
	for i := range len(address) {
		c := address[i]
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z':
		case i > 0 && ('0' <= c && c <= '9' || c == '+' || c == '-' || c == '.'):
		case i > 0 && c == ':':
			return strings.ToLower(address[:i]), address[i+1:], true
		default:
			return "", "", false
		}
	}
	return "", "", false
}

// refresh rewrites the address in a Refresh header: "5; url=/x". One that browsers
// ignore stays as it is.
func (r *Request) refresh(value string) string {
	wait, address, ok := refresh.Parse(value)
	switch {
	case !ok:
		return value
	case address == "":
		return wait
	}
	to := r.Rewrite(address)
	if !strings.HasPrefix(to, Prefix) {
		return wait
	}
	return wait + "; url=" + to
}
