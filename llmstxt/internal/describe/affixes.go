package describe

import (
	"cmp"
	"strings"
	"unicode/utf8"

	"github.com/farwire/farwire/llmstxt/internal/plain"
)

// What the titles of a site have in common.

// maxAffix is how many bytes what titles have in common has at most: a longer one
// names nothing, and a title may be made of separators.
const maxAffix = 2 * MaxTitle

// affixes are what a site's titles have in common.
type affixes struct {
	suffix, prefix string // separators included
	whole          string // the base page's title, if it is one of them without its separator
	outer          string // with the separator, if one of them has more before or behind it: the name of a part
}

// findAffixes looks for the longest suffix and prefix that at least half of the
// titles share, three of them at the least. The first is the base page's.
func findAffixes(titles []string) affixes {
	need := max(3, (len(titles)+1)/2)
	if len(titles) == 2 {
		need = 2
	}
	suffixes, prefixes := map[string]int{}, map[string]int{}
	separators := separatorsIn(titles...)
	for _, t := range titles {
		for i := range t {
			if plain.IsLetter(t[i]) {
				continue // none begins with one
			}
			for _, sep := range separators {
				if i == 0 || !strings.HasPrefix(t[i:], sep) || i+len(sep) == len(t) || bracket(t, i, sep) {
					continue
				}
				if len(t)-i <= maxAffix {
					suffixes[t[i:]]++
				}
				if i+len(sep) <= maxAffix {
					prefixes[t[:i+len(sep)]]++
				}
			}
			if n := wideSeparator(t, i); n > 0 {
				if len(t)-i <= maxAffix {
					suffixes[t[i:]]++
				}
				if i+n <= maxAffix {
					prefixes[t[:i+n]]++
				}
			}
			if i > 0 && len(t)-i <= maxAffix && inBrackets(t[i:]) {
				suffixes[t[i:]]++
			}
		}
	}
	longest := func(m map[string]int) string {
		best := ""
		for s, n := range m {
			if n >= need && (len(s) > len(best) || len(s) == len(best) && s < best) {
				best = s
			}
		}
		return best
	}
	a := affixes{suffix: longest(suffixes), prefix: longest(prefixes)}
	if len(titles) < 2 {
		return affixes{}
	}
	// What fewer titles begin or end with is the site's name when its base page has that
	// name and nothing else: "Soup – 3.0" and "Soup – 3.0: Building with libsoup".
	for _, sep := range separators {
		if whole := titles[0] + sep; strings.HasPrefix(cmp.Or(a.prefix, whole), whole) && prefixes[whole] >= 3 {
			a.prefix, a.whole, a.outer = cmp.Or(a.prefix, whole), titles[0], whole
		}
		if whole := sep + titles[0]; strings.HasSuffix(cmp.Or(a.suffix, whole), whole) && suffixes[whole] >= 3 {
			a.suffix, a.whole, a.outer = cmp.Or(a.suffix, whole), titles[0], whole
		}
	}
	if a.outer == "" {
		a.outer = cmp.Or(outerPart(a.suffix, suffixes, separators), outerPart(a.prefix, prefixes, separators))
	}
	// "Tea: All of It: Tea: All of It", as gtk-doc writes before "Pots: Tea: All of It".
	if own := a.own(titles[0]); a.whole == "" && own != titles[0] && (own == trimSeparator(a.suffix) || own == trimSeparator(a.prefix)) {
		a.whole = own
	}
	return a
}

// outerPart is the end or the beginning of what most titles have in common that yet more titles have: " — Tea 9"
// of " – Package — Tea 9"; "" without one. count has those of all titles.
func outerPart(common string, count map[string]int, separators []string) string {
	best := ""
	for i := range common {
		for _, sep := range separators {
			if i == 0 || !strings.HasPrefix(common[i:], sep) {
				continue
			}
			for _, part := range []string{common[i:], common[:i+len(sep)]} {
				if n := count[part]; part != common && n > count[common] && n > count[best] {
					best = part
				}
			}
		}
	}
	return best
}

// inBrackets reports the end of a title that stands in brackets: "Install [Kettle Wiki]".
func inBrackets(end string) bool {
	for _, pair := range [][2]string{{" (", ")"}, {" [", "]"}, {"【", "】"}} {
		if strings.HasPrefix(end, pair[0]) && strings.HasSuffix(end, pair[1]) {
			return true
		}
	}
	return false
}

// wideSeparator is the length of a sign that parts titles in scripts without spaces: "设置_水壶".
func wideSeparator(t string, at int) int {
	if at == 0 || t[at] != '-' && t[at] != '_' {
		return 0
	}
	before, _ := utf8.DecodeLastRuneInString(t[:at])
	behind, _ := utf8.DecodeRuneInString(t[at+1:])
	if before < 0x2e80 || behind < 0x2e80 || behind == utf8.RuneError {
		return 0
	}
	return 1
}

// bracket reports a separator that is one of the two of a pair, as in
// "Box< T, N > Class".
func bracket(t string, at int, sep string) bool {
	switch sep {
	case " > ":
		return strings.Contains(t[:at], "<")
	case " < ":
		return strings.Contains(t[at+len(sep):], ">")
	}
	return false
}

// name is the site's name as the affixes give it: the outermost part.
func (a affixes) name() string {
	if a.whole != "" {
		for _, sep := range separatorsIn(a.whole) {
			if i := strings.LastIndex(a.whole, sep); i > 0 && hosts[plain.Key(a.whole[i:])] {
				return a.whole[:i]
			}
		}
		return a.whole
	}
	s, last := a.suffix, true
	if s == "" {
		s, last = a.prefix, false
	}
	whole := s
	s = trimSeparator(s)
	for _, sep := range separatorsIn(s) {
		for {
			i := strings.Index(s, sep)
			if last {
				i = strings.LastIndex(s, sep)
			}
			if i < 0 {
				break
			}
			inner, outer := s[:i], s[i:]
			if !last {
				inner, outer = s[i+len(sep):], s[:i]
			}
			outer = trimSeparator(outer)
			if !hosts[plain.Key(outer)] && !isState(outer) {
				s = outer
				break
			}
			s = trimSeparator(inner) // "Install - Kettle - Confluence", "Install | Kettle: 1.2"
		}
	}
	if strings.Count(s, "(") > strings.Count(s, ")") && strings.Contains(whole, s+")") {
		s += ")"
	}
	return s
}

// own takes the affixes off a title. One that is nothing else stays, unless a template has made it.
func (a affixes) own(t string) string {
	if a.alone(t) {
		return ""
	}
	for _, end := range []string{a.suffix, a.outer} {
		if s, ok := strings.CutSuffix(t, end); ok && end != "" && strings.TrimSpace(s) != "" {
			t = s
			break // the second is for a page in no part, or in a small one
		}
	}
	for _, begin := range []string{a.prefix, a.outer} {
		s, ok := strings.CutPrefix(t, begin)
		if !ok || begin == "" || strings.TrimSpace(s) == "" {
			continue
		}
		// "Index - A" of "Kettle (Index - A)".
		if open := strings.LastIndexByte(begin, '('); open > strings.LastIndexByte(begin, ')') && strings.HasSuffix(s, ")") {
			s = begin[open+1:] + s[:len(s)-1]
		}
		t = s
		break
	}
	return strings.TrimSpace(t)
}

// alone reports a title that a template has made for a page without one: the separator and the site's
// name.
func (a affixes) alone(t string) bool {
	suffix, prefix := strings.TrimSpace(a.suffix), strings.TrimSpace(a.prefix)
	return t != "" && (t == suffix && trimSeparator(suffix) != suffix || t == prefix && trimSeparator(prefix) != prefix)
}
