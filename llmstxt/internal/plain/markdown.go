package plain

import (
	"strings"
	"unicode/utf8"
)

// Lines of an excerpt in a file that is also Markdown.

// GuardLines keeps text from being read as structure: no line of it begins with
// a sign that Markdown would take for a heading, a quotation, code or HTML. The
// backslashes count towards limit.
func GuardLines(text string, limit int) string {
	for {
		out := EscapeLines(text)
		over := utf8.RuneCountInString(out) - limit
		if over <= 0 {
			return out
		}
		text = Cut(text, max(1, utf8.RuneCountInString(text)-over))
	}
}

func EscapeLines(text string) string {
	var b strings.Builder
	for i, line := range strings.Split(text, "\n") {
		if i > 0 {
			b.WriteByte('\n')
		}
		line = strings.TrimLeftFunc(line, IsSpace)
		if line != "" && (strings.IndexByte("#>=<~`", line[0]) >= 0 && !strings.HasPrefix(line, "<http") ||
			strings.Trim(line, "-_* ") == "") && !inlineCode(line) {
			b.WriteByte('\\')
		}
		b.WriteString(line)
	}
	return b.String()
}

// inlineCode reports a line that begins with a span of code, not with a fence.
func inlineCode(line string) bool {
	return line[0] == '`' && !strings.HasPrefix(line, "```")
}

func UnescapeLines(text string) string {
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		if len(l) > 1 && l[0] == '\\' && strings.IndexByte("#>=<~`-_*", l[1]) >= 0 {
			lines[i] = l[1:]
		}
	}
	return strings.Join(lines, "\n")
}

// IsEntity reports a text that begins with what Markdown takes for a character's name or
// number (CommonMark, section 2.5).
func IsEntity(s string) bool {
	name, ok := strings.CutPrefix(s, "&")
	if !ok || name == "" {
		return false
	}
	of, least, most := isAlphanumeric, 2, 41
	switch {
	case strings.HasPrefix(name, "#x"), strings.HasPrefix(name, "#X"):
		name, of, least, most = name[2:], isHex, 1, 6
	case name[0] == '#':
		name, of, least, most = name[1:], isDigit, 1, 7
	case !IsLetter(name[0]):
		return false
	}
	n := 0
	for n < len(name) && n <= most && of(name[n]) {
		n++
	}
	return least <= n && n <= most && strings.HasPrefix(name[n:], ";")
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

func isHex(c byte) bool { return isDigit(c) || 'a' <= c|0x20 && c|0x20 <= 'f' }

func isAlphanumeric(c byte) bool { return isDigit(c) || IsLetter(c) }

// pair reports whether s has c more than once: what only one begins is no markup.
func pair(s string, c byte) bool { return strings.IndexByte(s, c) != strings.LastIndexByte(s, c) }

// EscapeTitle writes a title so that Markdown shows exactly it, in a heading and as the
// words of a link. Only what would be read as markup gets a backslash: snake_case and
// 2 * 3 stay as they are. A backtick always does, because one behind the link could end
// its code, and code binds before links; emphasis within a link ends there.
func EscapeTitle(s string) string {
	s = Collapse(s)
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		c := s[i]
		var prev, next byte = ' ', ' '
		if i > 0 {
			prev = s[i-1]
		}
		if i+1 < len(s) {
			next = s[i+1]
		}
		esc := false
		switch c {
		case '\\':
			esc = isPunct(next) || next == ' ' && i+1 == len(s)
		case '[', ']', '`':
			esc = true
		case '*', '~':
			esc = (prev != ' ' || next != ' ') && pair(s, c)
		case '_':
			esc = !IsWordByte(prev) || !IsWordByte(next)
			esc = esc && (prev != ' ' || next != ' ') && pair(s, c)
		case '<':
			esc = next == '/' || next == '!' || next == '?' || IsWordByte(next)
		case '&':
			esc = IsEntity(s[i:])
		case '#':
			// At the end, or a heading's end for a parser.
			esc = strings.Trim(s[i:], "#") == "" || i == 0
		}
		if esc {
			b.WriteByte('\\')
		}
		b.WriteByte(c)
	}
	return b.String()
}

// UnescapeTitle is escapeTitle backwards.
func UnescapeTitle(s string) string {
	if strings.IndexByte(s, '\\') < 0 {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '\\' && i+1 < len(s) && isPunct(s[i+1]) {
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

func isPunct(c byte) bool {
	return '!' <= c && c <= '/' || ':' <= c && c <= '@' || '[' <= c && c <= '`' || '{' <= c && c <= '~'
}

func IsWordByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c >= 0x80
}
