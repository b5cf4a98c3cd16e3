package llmstxt

import (
	"strings"
	"unicode/utf8"
)

// Lines of an excerpt in a file that is also Markdown.

// guardLines keeps text from being read as structure: no line of it begins with
// a sign that Markdown would take for a heading, a quotation, code or HTML. The
// backslashes count towards limit.
func guardLines(text string, limit int) string {
	for {
		out := escapeLines(text)
		over := utf8.RuneCountInString(out) - limit
		if over <= 0 {
			return out
		}
		text = cut(text, max(1, utf8.RuneCountInString(text)-over))
	}
}

func escapeLines(text string) string {
	var b strings.Builder
	for i, line := range strings.Split(text, "\n") {
		if i > 0 {
			b.WriteByte('\n')
		}
		line = strings.TrimLeftFunc(line, isSpace)
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

func unescapeLines(text string) string {
	lines := strings.Split(text, "\n")
	for i, l := range lines {
		if len(l) > 1 && l[0] == '\\' && strings.IndexByte("#>=<~`-_*", l[1]) >= 0 {
			lines[i] = l[1:]
		}
	}
	return strings.Join(lines, "\n")
}
