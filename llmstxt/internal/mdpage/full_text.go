package mdpage

import (
	"bytes"
	"context"
	"strings"

	"github.com/farwire/farwire/internal/safetext"
	"github.com/farwire/farwire/llmstxt/internal/plain"
)

// Whole is the text of a page that is UTF-8 already without front matter,
// comments, ids of headings and what a reader cannot see, the titles of its containers in bold, its links made absolute by resolve,
// which returns "" for those to be left as they are; at most limit bytes, cut
// says that there is more. It looks at ctx every few kilobytes and returns its
// error.
func Whole(ctx context.Context, text []byte, markdown bool, limit int, resolve func(href string) string) (out []byte, cut bool, err error) {
	s := open(text, markdown)
	s.titles = true
	out = make([]byte, 0, min(limit, len(text)+64))
	empty := true // the line before
	looked := len(text)
	for {
		line, code, ok := s.next()
		if !ok {
			break
		}
		if looked-len(s.rest) >= 16<<10 {
			if looked = len(s.rest); ctx.Err() != nil {
				return nil, false, ctx.Err()
			}
		}
		clean := strings.TrimRight(plain.Visible(strings.ToValidUTF8(string(line), "\ufffd")), " \t\r\n")
		if markdown && !code && len(clean) <= maxParagraph {
			if clean = absolute(clean, resolve); strings.HasPrefix(clean, "#") {
				clean = withoutAttributes(clean)
			}
			if len(line)-len(bytes.TrimRight(line, " ")) >= 2 && clean != "" {
				clean += "  " // a line's end that counts
			}
		}
		if clean == "" && empty && !code {
			continue
		}
		empty = clean == ""
		if len(out)+len(clean)+1 > limit {
			return append(out, safetext.Cut(clean, max(0, limit-len(out)))...), true, nil
		}
		out = append(append(out, clean...), '\n')
	}
	if out = bytes.TrimRight(out, "\n"); len(out) > 0 {
		out = append(out, '\n')
	}
	return out, false, nil
}

var parentheses = strings.NewReplacer("(", "%28", ")", "%29")

// absolute rewrites the targets of a line's links.
func absolute(line string, resolve func(string) string) string {
	if text := strings.TrimSpace(line); text != "" && isDefinition(text) {
		head, rest, _ := strings.Cut(line, "]:")
		target, title, _ := strings.Cut(strings.TrimSpace(rest), " ")
		if u := resolve(strings.Trim(target, "<>")); u != "" && !strings.HasPrefix(target, "#") {
			return strings.TrimRight(head+"]: "+u+" "+title, " ")
		}
		return line
	}
	at := strings.Index(line, "](")
	if at < 0 {
		return line
	}
	var b strings.Builder
	for at >= 0 {
		b.WriteString(line[:at+1])
		line = line[at+1:]
		target, n := destination(line)
		if u := ""; n > 0 && target != "" && target[0] != '#' {
			if u = resolve(target); u != "" {
				b.WriteString(strings.Replace(line[:n], target, parentheses.Replace(u), 1))
				line = line[n:]
			}
		}
		at = strings.Index(line, "](")
	}
	b.WriteString(line)
	return b.String()
}
