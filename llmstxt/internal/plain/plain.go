// Package plain works on plain text: white space, sentences, lines of Markdown,
// and characters that a reader cannot see.
package plain

import (
	"strings"
	"unicode/utf8"
)

// Plain text: white space, headings' ornaments, keys for comparisons.

// OneLine collapses white space, takes out what a reader cannot see and makes
// the text valid UTF-8.
func OneLine(s string) string {
	if isCollapsed(s) {
		return s // all of it is seen
	}
	one := Collapse(s)
	if seen := Visible(one); len(seen) < len(one) {
		return Collapse(seen) // spaces stood on both sides
	}
	return one
}

// Collapse puts a space for all white space and makes the text valid UTF-8.
func Collapse(s string) string {
	if isCollapsed(s) {
		return s
	}
	var b strings.Builder
	gap := false
	for i := 0; i < len(s); {
		from := i
		for i < len(s) && s[i] > ' ' && s[i] < 0x7f {
			i++
		}
		r, n := rune(-1), 0
		if i == from {
			r, n = utf8.DecodeRuneInString(s[i:])
			if i += n; IsSpace(r) {
				gap = b.Len() > 0
				continue
			}
		}
		if gap {
			b.WriteByte(' ')
			gap = false
		} else if b.Len() == 0 {
			b.Grow(len(s) - from)
		}
		if n > 0 {
			b.WriteRune(r) // an invalid byte is U+FFFD
		} else {
			b.WriteString(s[from:i])
		}
	}
	return b.String()
}

// isCollapsed reports ASCII with single spaces between its words.
func isCollapsed(s string) bool {
	last := byte(' ')
	for i := range len(s) {
		c := s[i]
		if c < ' ' || c >= 0x7f || c == ' ' && last == ' ' {
			return false
		}
		last = c
	}
	return last != ' ' || s == ""
}

// IsSpace reports white space, and controls, which count as such.
func IsSpace(r rune) bool {
	switch r {
	case ' ', '\t', '\n', '\r', '\f', '\v', 0x85, 0xa0, 0x1680, 0x2028, 0x2029, 0x202f, 0x205f, 0x2800, 0x3000:
		return true
	}
	return r >= 0x2000 && r <= 0x200a || r < 0x20 || r == 0x7f
}

// Heading takes the permanent-link sign off a heading.
func Heading(s string) string {
	if s = OneLine(s); s == "" || s[len(s)-1] < utf8.RuneSelf && s[len(s)-1] != '#' {
		return strings.TrimSpace(s) // no sign
	}
	for _, sign := range []string{"¶", "#", "§", "🔗", "⚓"} {
		if sign == "#" && LanguageName(s) {
			break
		}
		s = strings.TrimSpace(strings.TrimSuffix(s, sign))
	}
	return s
}

// LanguageName reports a text that ends with a name such as C# or C++.
func LanguageName(s string) bool {
	rest, ok := strings.CutSuffix(s, "++")
	if !ok {
		rest, ok = strings.CutSuffix(s, "#")
	}
	n := len(rest)
	return ok && n > 0 && 'A' <= rest[n-1] && rest[n-1] <= 'Z' && (n == 1 || rest[n-2] == ' ' || rest[n-2] == '/')
}

// Key is a text's letters and digits in lower case, for comparisons.
func Key(s string) string {
	return string(AppendKey(make([]byte, 0, 64), s))
}

// AppendKey appends the Key of a text, for one that is not kept.
func AppendKey(key []byte, s string) []byte {
	begin := len(key)
	for i := range len(s) {
		switch c := s[i]; {
		case c >= utf8.RuneSelf:
			return append(key[:begin], wideKey(s)...)
		case IsLetter(c):
			key = append(key, c|0x20)
		case '0' <= c && c <= '9':
			key = append(key, c)
		}
	}
	return key
}

// KeyIs reports whether key is the Key of a text, and reads no more of it than that takes.
func KeyIs(s, key string) bool {
	at := 0
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= utf8.RuneSelf:
			return wideKey(s) == key
		case IsLetter(c):
			c |= 0x20
		case c < '0' || c > '9':
			continue
		}
		if at == len(key) || key[at] != c {
			return false
		}
		at++
	}
	return at == len(key)
}

// wideKey is the Key of a text that is not all ASCII.
func wideKey(s string) string {
	var b strings.Builder
	b.Grow(len(s))
	for _, r := range strings.ToLower(s) {
		if r > utf8.RuneSelf && !IsSpace(r) || 'a' <= r && r <= 'z' || '0' <= r && r <= '9' {
			b.WriteRune(r)
		}
	}
	return b.String()
}

// StartsWith reports a text that begins with the words of another, in any
// case.
func StartsWith(text, words string) bool {
	if words == "" || len(text) < len(words) || !strings.EqualFold(text[:len(words)], words) {
		return false
	}
	r, _ := utf8.DecodeRuneInString(text[len(words):])
	return len(text) == len(words) || IsSpace(r) || strings.ContainsRune(",:;|", r)
}

func IsLetter(c byte) bool { return 'a' <= c|0x20 && c|0x20 <= 'z' }

func Set(words string) map[string]bool {
	m := map[string]bool{}
	for w := range strings.FieldsSeq(words) {
		m[w] = true
	}
	return m
}
