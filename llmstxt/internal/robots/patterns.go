package robots

import (
	"hash/maphash"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/farwire/farwire/llmstxt/internal/weburl"
)

// A rule allows or refuses the paths that match its pattern.
type rule struct {
	pattern string // normalised escapes; '*' and a final '$' are special
	allow   bool
}

// patterns are rules of which the longest that matches a path counts (section 2.2.2). The
// zero value allows everything.
type patterns struct {
	plain   map[uint64]rule // rules without wildcards, by their hash
	lengths []int           // of their patterns, longest first
	wild    []rule          // the others
	strict  bool            // of rules of equal length one that refuses counts, else one that allows
}

// maxWild is how many rules with wildcards are matched one by one.
const maxWild = 1000

// maxStars is how many wildcards these have together.
const maxStars = 16 * maxWild

// index makes looking a path up cost as much as the path is long, however many
// rules there are. Of too many with wildcards the rest counts up to its first
// one: what is forbidden stays so.
func (r *patterns) index(rules []rule) {
	r.plain = map[uint64]rule{}
	wild := map[string]int{}
	lengths := map[int]bool{}
	stars := 0
	for _, ru := range rules {
		if strings.ContainsAny(ru.pattern, "*$") {
			if at, seen := wild[ru.pattern]; seen {
				r.wild[at].allow = r.both(r.wild[at].allow, ru.allow)
				continue
			}
			if n := strings.Count(ru.pattern, "*"); len(r.wild) < maxWild && stars+n <= maxStars {
				stars += n
				wild[ru.pattern] = len(r.wild)
				r.wild = append(r.wild, ru)
				continue
			}
			if ru.allow {
				continue
			}
			ru.pattern = strings.TrimSuffix(ru.pattern, "$")
			ru.pattern, _, _ = strings.Cut(ru.pattern, "*")
		}
		h := hash(ru.pattern)
		if was, seen := r.plain[h]; seen && was.pattern == ru.pattern {
			ru.allow = r.both(ru.allow, was.allow)
		}
		r.plain[h] = ru
		lengths[len(ru.pattern)] = true
	}
	r.lengths = slices.Sorted(maps.Keys(lengths))
	slices.Reverse(r.lengths)
}

// both returns what counts of two rules of equal length.
func (r *patterns) both(a, b bool) bool {
	if r.strict {
		return a && b
	}
	return a || b
}

var seed = maphash.MakeSeed()

func hash(s string) uint64 { return maphash.String(seed, s) }

// requested returns the part of an address that patterns are matched with.
func requested(u *url.URL) string {
	p := strings.ReplaceAll(weburl.Escape(u.EscapedPath()), "*", star)
	if p == "" {
		p = "/"
	}
	if u.RawQuery != "" {
		p += "?" + strings.ReplaceAll(weburl.Escape(u.RawQuery), "*", star)
	}
	return p
}

// allow reports what the longest pattern that matches a path says; true if none matches.
func (r *patterns) allow(p string) bool {
	best, allow := -1, true
	for _, n := range r.lengths {
		if n > len(p) {
			continue
		}
		if ru, ok := r.plain[hash(p[:n])]; ok && ru.pattern == p[:n] {
			best, allow = n, ru.allow
			break
		}
	}
	for _, ru := range r.wild {
		if n := len(ru.pattern); (n > best || n == best && r.both(allow, ru.allow) == ru.allow) && matchRobots(ru.pattern, p) {
			best, allow = n, ru.allow
		}
	}
	return allow
}

// star stands for a star that is not a wildcard, "%2A" in a rule (section 2.2.3).
const star = "\x00"

func robotsPattern(value string) string {
	parts := strings.Split(value, "*")
	for i := range parts {
		parts[i] = strings.ReplaceAll(weburl.Escape(parts[i]), "*", star)
	}
	return strings.Join(parts, "*")
}

// matchRobots matches from the start of the path, in time linear in both for
// each star and without going back more than to the last one.
func matchRobots(pattern, p string) bool {
	anchored := strings.HasSuffix(pattern, "$")
	if anchored {
		pattern = pattern[:len(pattern)-1]
	}
	head, rest, starred := strings.Cut(pattern, "*")
	if !strings.HasPrefix(p, head) {
		return false
	}
	p = p[len(head):]
	if !starred {
		return !anchored || p == ""
	}
	for {
		part, more, again := strings.Cut(rest, "*")
		if !again {
			if anchored {
				return strings.HasSuffix(p, part)
			}
			return strings.Contains(p, part)
		}
		i := strings.Index(p, part)
		if i < 0 {
			return false
		}
		p, rest = p[i+len(part):], more
	}
}
