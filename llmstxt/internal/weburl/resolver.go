package weburl

import (
	"net/url"
	"strings"
)

// ResolverMemory is what a Resolver of one page's addresses may take, in bytes.
const ResolverMemory = 32 << 20

// Resolver resolves the addresses of one page until that has taken Left bytes of memory,
// garbage included: to resolve an address takes up to thirty times its length, and ten
// times that of the base.
type Resolver struct {
	Base *url.URL
	Left int

	folder *folder // of Base; nil: not looked at
}

// Resolve is the function Resolve with the Resolver's base; nil of what is not looked at
// any more.
func (r *Resolver) Resolve(ref string) *url.URL {
	plain := isPlain(ref)
	if r.Left >= 0 {
		r.Left -= cost(r.Base, ref, plain)
	}
	if r.Left < 0 {
		return nil
	}
	if plain {
		if r.folder == nil {
			f := folderOf(r.Base)
			r.folder = &f
		}
		if u := r.folder.resolve(ref); u != nil {
			return u
		}
	}
	return resolve(r.Base, ref)
}

// LeadsTo reports whether an address may lead to a host. It is sure of those alone that name
// another one in the usual way.
func LeadsTo(host, ref string) bool {
	rest, ok := strings.CutPrefix(ref, "https://")
	if !ok {
		rest, ok = strings.CutPrefix(ref, "http://")
	}
	n := 0
	for n < len(rest) && ('a' <= rest[n] && rest[n] <= 'z' || '0' <= rest[n] && rest[n] <= '9' || rest[n] == '-' || rest[n] == '.') {
		n++
	}
	name, end := rest[:n], n == len(rest) || strings.IndexByte("/?#", rest[n]) >= 0
	return !ok || name == "" || !end || strings.TrimSuffix(name, ".") == host || strings.Contains(name, "xn--")
}

// cost is the most that Resolve allocates for an address, about.
func cost(base *url.URL, ref string, plain bool) int {
	if plain && (ref[0] == '/' || isPlain(base.Path)) {
		return 256 + 2*(len(base.Path)+len(ref))
	}
	n := 600 + 10*(max(len(base.Path), len(base.RawPath))+len(base.RawQuery)+len(ref))
	for i := range len(ref) {
		if c := ref[i]; c == '%' || escaped(c) {
			n += 30
		}
	}
	return n
}
