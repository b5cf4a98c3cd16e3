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
// Each part costs the path's length once, whatever stands in both.
type Glob struct{ parts []globPart }

type globPart struct {
	kind    globKind
	literal string
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
			g.parts = append(g.parts, globPart{literal, "/"}, globPart{segments, ""})
			for pattern = pattern[4:]; strings.HasPrefix(pattern, "**/"); pattern = pattern[3:] {
			}
		case strings.HasPrefix(pattern, "**"):
			g.parts, pattern = append(g.parts, globPart{across, ""}), pattern[2:]
		case pattern[0] == '*':
			g.parts, pattern = append(g.parts, globPart{within, ""}), pattern[1:]
		default:
			n := 1
			for n < len(pattern) && pattern[n] != '*' && !strings.HasPrefix(pattern[n:], "/**/") {
				n++
			}
			g.parts, pattern = append(g.parts, globPart{literal, pattern[:n]}), pattern[n:]
		}
	}
	return g
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
			for from := first; ; {
				i := strings.Index(path[from:], p.literal)
				if i < 0 {
					break
				}
				if ends.has(from + i) {
					next.set(from + i + len(p.literal))
				}
				from += i + 1
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
