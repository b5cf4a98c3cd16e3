package weburl

import "net/url"

// ResolverMemory is what a Resolver of one page's addresses may take, in bytes.
const ResolverMemory = 32 << 20

// Resolver resolves the addresses of one page until that has taken Left bytes of memory,
// garbage included: to resolve an address takes up to thirty times its length, and ten
// times that of the base.
type Resolver struct {
	Base *url.URL
	Left int
}

// Resolve is the function Resolve with the Resolver's base; nil of what is not looked at
// any more.
func (r *Resolver) Resolve(ref string) *url.URL {
	if r.Left >= 0 {
		r.Left -= cost(r.Base, ref)
	}
	if r.Left < 0 {
		return nil
	}
	return Resolve(r.Base, ref)
}

// cost is the most that Resolve allocates for an address, about.
func cost(base *url.URL, ref string) int {
	if isPlain(ref) && (ref[0] == '/' || isPlain(base.Path)) {
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
