package htmlpage

import (
	"bytes"
	"strings"

	"github.com/farwire/farwire/llmstxt/internal/plain"
	"golang.org/x/net/html"
)

// unescapeAttr resolves entities as in an attribute, where "&copy=1" is not an entity.
func unescapeAttr(b []byte) string {
	if bytes.IndexByte(b, '&') < 0 {
		return string(b)
	}
	var out strings.Builder
	for s := string(b); s != ""; {
		i := strings.IndexByte(s, '&')
		if i < 0 {
			out.WriteString(s)
			break
		}
		out.WriteString(s[:i])
		s = s[i:]
		n := 1
		for n < len(s) && (plain.IsLetter(s[n]) || '0' <= s[n] && s[n] <= '9' || n == 1 && s[n] == '#') {
			n++
		}
		ref := s[:n]
		s = s[n:]
		switch {
		case strings.HasPrefix(s, ";") && ref != "&" && ref[1] != '#':
			// "&lt0;" is not a name, though text would see "&lt" in it.
			if t := html.UnescapeString(ref + ";"); t == ";" || !strings.HasSuffix(t, ";") {
				out.WriteString(t)
			} else {
				out.WriteString(ref + ";")
			}
			s = s[1:]
		case n > 1 && ref[1] == '#':
			if strings.HasPrefix(s, ";") {
				ref, s = ref+";", s[1:]
			}
			out.WriteString(html.UnescapeString(ref))
		case strings.HasPrefix(s, "="):
			out.WriteString(ref)
		default:
			// Some names need no semicolon; one with a tail of letters is a word.
			if t := html.UnescapeString(ref); strings.IndexFunc(t, func(r rune) bool { return r < 0x80 && plain.IsWordByte(byte(r)) }) < 0 {
				out.WriteString(t)
			} else {
				out.WriteString(ref)
			}
		}
	}
	return out.String()
}
