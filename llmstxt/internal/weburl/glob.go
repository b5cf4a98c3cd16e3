package weburl

import (
	"math/bits"
	"strings"
)

// A Glob is a pattern for whole paths: "*" stays within a segment, "**" does not, and
// "/**/" is any number of segments, zero included. It is safe for concurrent use.
//
// It is matched part after part. A set of bits says where in the path what was matched so
// far can end:
//
//	/*/b**   ""  / . . . .      path /a/b/c
//	         /   . x . . . .
//	         *   . x x . . .    until the next slash
//	         /b  . . . . x .    and so on
//
// Each part costs the path's length once, whatever stands in both: a literal is found by
// Knuth, Morris and Pratt's way, which looks at no byte of the path twice.
type Glob struct{ parts []globPart }

type globPart struct {
	kind    globKind
	literal string
	borders []int32 // of its first n+1 bytes: how many they begin and end with alike
}

type globKind int

const (
	literal  globKind = iota
	within            // "*"
	across            // "**"
	segments          // "**/" behind a slash
)

// ParseGlob makes a Glob. Every string is one.
func ParseGlob(pattern string) *Glob {
	g := new(Glob)
	for pattern != "" {
		switch {
		case strings.HasPrefix(pattern, "/**/"):
			g.parts = append(g.parts, literalPart("/"), globPart{kind: segments})
			for pattern = pattern[4:]; strings.HasPrefix(pattern, "**/"); pattern = pattern[3:] {
			}
		case strings.HasPrefix(pattern, "**"):
			g.parts, pattern = append(g.parts, globPart{kind: across}), pattern[2:]
		case pattern[0] == '*':
			g.parts, pattern = append(g.parts, globPart{kind: within}), pattern[1:]
		default:
			n := 1
			for n < len(pattern) && pattern[n] != '*' && !strings.HasPrefix(pattern[n:], "/**/") {
				n++
			}
			g.parts, pattern = append(g.parts, literalPart(pattern[:n])), pattern[n:]
		}
	}
	return g
}

func literalPart(s string) globPart {
	p := globPart{literal, s, make([]int32, len(s))}
	for i := 1; i < len(s); i++ {
		p.borders[i] = int32(p.longer(int(p.borders[i-1]), s[i]))
	}
	return p
}

// longer is how many bytes of the literal what was read ends with, once it is followed by b.
// It ended with n of them.
func (p *globPart) longer(n int, b byte) int {
	for n > 0 && p.literal[n] != b {
		n = int(p.borders[n-1])
	}
	if p.literal[n] == b {
		n++
	}
	return n
}

// Match reports whether the glob is one of the path.
func (g *Glob) Match(path string) bool {
	ends, next := newPositions(len(path)), newPositions(len(path))
	ends.set(0)
	for _, p := range g.parts {
		first := ends.first()
		if first < 0 {
			return false
		}
		switch clear(next); p.kind {
		case literal:
			for i, n := first, 0; i < len(path); i++ {
				if n == len(p.literal) {
					n = int(p.borders[n-1])
				}
				if n = p.longer(n, path[i]); n == len(p.literal) && ends.has(i+1-n) {
					next.set(i + 1)
				}
			}
		case within:
			for i, on := first, false; i <= len(path); i++ {
				if on = on || ends.has(i); on {
					next.set(i)
				}
				on = on && (i == len(path) || path[i] != '/')
			}
		case across:
			for i := first; i <= len(path); i++ {
				next.set(i)
			}
		case segments:
			copy(next, ends)
			for i := first; i < len(path); i++ {
				if path[i] == '/' {
					next.set(i + 1)
				}
			}
		}
		ends, next = next, ends
	}
	return ends.has(len(path))
}

// positions are places in a path, its end included.
type positions []uint64

func newPositions(n int) positions { return make(positions, n/64+1) }
func (p positions) set(i int)      { p[i/64] |= 1 << (i % 64) }
func (p positions) has(i int) bool { return p[i/64]&(1<<(i%64)) != 0 }
func (p positions) first() (at int) {
	for i, w := range p {
		if w != 0 {
			return i*64 + bits.TrailingZeros64(w)
		}
	}
	return -1
}
