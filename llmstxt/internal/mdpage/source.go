// Package mdpage reads a page of Markdown or of plain text: its title, its links
// and its words, and the text that remains of it without what a reader cannot
// see.
package mdpage

import (
	"bytes"
	"strings"

	"github.com/farwire/farwire/llmstxt/internal/htmlpage"
	"github.com/farwire/farwire/llmstxt/internal/plain"
)

// A source hands out the lines of a page, one after the other: without the front
// matter and without comments, which no reader sees. It keeps nothing, so that a
// page of a million empty lines costs no more than any other.
type source struct {
	rest     []byte
	markdown bool
	title    string // of the front matter
	summary  string // its description
	until    string // the end of the program or the style sheet that has begun
	module   bool   // an import or an export has begun
	filled   bool   // the line before was not empty
	nested   bool   // an item or a note has begun, whose further lines are indented
	endless  string // programs or style sheets of which no further one ends

	fence   string // that a block of code ends with; "": not in one
	deep    int    // columns that the block is indented by inside an item
	comment bool   // inside <!--

	titles bool     // the titles of containers are wanted
	shown  []string // lines with one that come next
}

// open skips the byte order mark and reads the front matter.
func open(text []byte, markdown bool) *source {
	s := &source{rest: bytes.TrimPrefix(text, []byte("\ufeff")), markdown: markdown}
	if markdown {
		s.frontMatter()
	}
	return s
}

const maxFront = 64 << 10 // bytes of front matter

// frontMatter reads title and description between two lines of "---" (YAML) or
// "+++" (TOML).
func (s *source) frontMatter() {
	text := s.rest[:min(len(s.rest), maxFront)]
	mark, at := nextLine(text)
	mark = bytes.TrimRight(mark, " \t")
	sign := string(mark)
	if sign != "---" && sign != "+++" {
		return
	}
	var title, summary string
	for at < len(text) {
		line, n := nextLine(text[at:])
		at += n
		if end := string(bytes.TrimRight(line, " \t")); end == sign || end == "..." {
			s.title, s.summary, s.rest = title, summary, s.rest[at:]
			return
		}
		name, value, ok := bytes.Cut(line, []byte(map[string]string{"---": ":", "+++": "="}[sign]))
		if !ok {
			continue
		}
		switch v := unquote(string(bytes.TrimSpace(value))); strings.ToLower(string(bytes.TrimSpace(name))) {
		case "title":
			title = plain.OneLine(v)
		case "description", "summary":
			summary = htmlpage.WithoutMarkup(v)
		}
	}
}

func unquote(v string) string {
	if n := len(v); n >= 2 && (v[0] == '"' || v[0] == '\'') && v[n-1] == v[0] {
		return v[1 : n-1]
	}
	if v == ">" || v == "|" || v == ">-" || v == "|-" {
		return ""
	}
	return v
}

// nextLine is the first line of a text, without its end, and how far it goes.
func nextLine(text []byte) (line []byte, n int) {
	i := bytes.IndexByte(text, '\n')
	if i < 0 {
		return text, len(text)
	}
	return bytes.TrimSuffix(text[:i], []byte("\r")), i + 1
}

// next returns the next line and whether it belongs to a block of code, whose
// fences do as well.
func (s *source) next() (line []byte, code, ok bool) {
	for len(s.rest) > 0 || len(s.shown) > 0 {
		if len(s.shown) > 0 {
			line, s.shown = []byte(s.shown[0]), s.shown[1:]
			return line, false, true
		}
		line, n := nextLine(s.rest)
		s.rest = s.rest[n:]
		if !s.markdown {
			return line, false, true
		}
		trimmed := bytes.TrimSpace(line)
		if s.fence != "" && len(trimmed) > 0 && columns(line) < s.deep {
			s.fence = "" // the item that the block stands in has ended
		}
		if s.fence != "" {
			if f := fenceOf(line, s.deep > 0); strings.HasPrefix(f, s.fence) && len(trimmed) == len(f) {
				s.fence = ""
			}
			return line, true, true
		}
		if !s.comment {
			if f := fenceOf(line, s.nested); f != "" {
				if s.fence, s.deep = f, columns(line); s.deep < codeColumns {
					s.deep = 0
				}
				return line, true, true
			}
		}
		if s.unread(line) {
			continue
		}
		seen := s.uncomment(line)
		if len(seen) < len(line) && len(bytes.TrimSpace(seen)) == 0 || isRemark(seen) {
			continue
		}
		return seen, false, true
	}
	return nil, false, false
}

// unread reports a line that no reader sees as it is: of a program or a style sheet in HTML,
// of MDX's imports and exports, or one that opens or closes a container (":::note").
func (s *source) unread(line []byte) bool {
	if s.comment {
		return false
	}
	if s.until != "" {
		if endsWith(line, s.until) {
			s.until = ""
		}
		return true
	}
	text := strings.TrimSpace(string(line[:min(len(line), 400)]))
	begins := !s.filled
	s.filled = text != ""
	if opensContainer(text) {
		s.nested = true
	} else if begins && text != "" && columns(line) == 0 {
		s.nested = false
	}
	if s.module {
		s.module = text != ""
		return s.module
	}
	for _, name := range []string{"script", "style"} {
		at := len("<" + name)
		if columns(line) >= codeColumns || len(text) < at || !strings.EqualFold(text[:at], "<"+name) || len(text) > at && text[at] != ' ' && text[at] != '>' {
			continue
		}
		switch {
		case endsWith(line, name) || strings.Contains(s.endless, name):
		case endsWith(s.rest, name):
			s.until = name
		default:
			s.endless += name + " " // a sample: what follows is not its text
		}
		return true
	}
	if begins && text != "" && line[0] > ' ' && isModule(text) {
		s.module = true
		return true
	}
	if !isContainer(text) || columns(line) >= codeColumns && !s.nested {
		return false
	}
	if title := containerTitle(text); s.titles && title != "" {
		indent := string(line[:len(line)-len(bytes.TrimLeft(line, " \t"))])
		s.shown = append(s.shown, "", indent+"**"+title+"**", "")
	}
	return true
}

// codeColumns is how far a line of code is indented at least.
const codeColumns = 4

// columns is how far a line is indented.
func columns(line []byte) int {
	n := 0
	for _, c := range line {
		switch c {
		case ' ':
			n++
		case '\t':
			n += 4 - n%4
		default:
			return n
		}
	}
	return n
}

// endsWith reports a text with the end tag of an element in it.
func endsWith(text []byte, name string) bool {
	for {
		i := bytes.Index(text, []byte("</"))
		if i < 0 {
			return false
		}
		if text = text[i+2:]; len(text) >= len(name) && strings.EqualFold(string(text[:len(name)]), name) {
			return true
		}
	}
}

// opensContainer reports a line whose content goes on in indented lines: an item, what a term
// means, or a note or a tab of MkDocs.
func opensContainer(text string) bool {
	if text == "" {
		return false
	}
	_, ok := item(text)
	return ok || strings.HasPrefix(text, "!!! ") || strings.HasPrefix(text, "???") || strings.HasPrefix(text, `=== "`) || strings.HasPrefix(text, ": ")
}

// isModule reports the first line of an import or an export of MDX.
func isModule(text string) bool {
	if rest, ok := strings.CutPrefix(text, "import "); ok {
		return strings.ContainsAny(rest, `"'`) && (strings.Contains(rest, " from ") || strings.IndexAny(rest, `"'`) == 0) || strings.HasPrefix(rest, "{")
	}
	rest, ok := strings.CutPrefix(text, "export ")
	if !ok {
		return false
	}
	what, _, more := strings.Cut(rest, " ")
	switch what {
	case "const", "let", "var", "function", "async":
		return more && strings.ContainsAny(rest, "=(")
	case "default":
		return more
	}
	return strings.HasPrefix(rest, "{") || strings.HasPrefix(rest, "* from")
}

// fenceOf is the fence that a line begins with: three or more of "`" or "~", which inside an
// item may stand anywhere.
func fenceOf(line []byte, nested bool) string {
	trimmed := bytes.TrimLeft(line, " \t")
	if !nested && columns(line) >= codeColumns || len(trimmed) < 3 || trimmed[0] != '`' && trimmed[0] != '~' {
		return ""
	}
	n := 0
	for n < len(trimmed) && trimmed[n] == trimmed[0] {
		n++
	}
	if n < 3 || trimmed[0] == '`' && bytes.IndexByte(trimmed[n:], '`') >= 0 {
		return ""
	}
	return string(trimmed[:n])
}

// uncomment takes HTML's comments out of a line.
func (s *source) uncomment(line []byte) []byte {
	var out []byte
	changed := false
	for {
		if s.comment {
			i := bytes.Index(line, []byte("-->"))
			changed = true
			if i < 0 {
				return out
			}
			line, s.comment = line[i+3:], false
		}
		i := bytes.Index(line, []byte("<!--"))
		if i < 0 {
			break
		}
		out, line, s.comment = append(out, line[:i]...), line[i+4:], true
	}
	if !changed {
		return line
	}
	return append(out, line...)
}

// isRemark reports a line that defines a link nobody uses, which is how Markdown
// is commented: [//]: # (text).
func isRemark(line []byte) bool {
	rest, ok := bytes.CutPrefix(bytes.TrimLeft(line, " "), []byte("["))
	if !ok {
		return false
	}
	name, target, ok := bytes.Cut(rest, []byte("]:"))
	target = bytes.TrimSpace(target)
	return ok && (string(name) == "//" || string(name) == "comment" || string(name) == "#") && (bytes.HasPrefix(target, []byte("#")) || bytes.HasPrefix(target, []byte("<>")))
}
