package htmlpage

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"github.com/farwire/farwire/llmstxt/internal/plain"
)

// Text of attributes and of JSON, into which editors paste HTML, and which templates escape
// once too often: "<p>Learn tea</p>", "Tom &amp;amp; Jerry".

var entity = regexp.MustCompile(`&(?:#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[A-Za-z][A-Za-z0-9]{1,30});`)

// WithoutMarkup is a text of the head in one line, without entities and tags of HTML. A tag
// that the text speaks about stays: "Use the <div> element".
func WithoutMarkup(text string) string {
	for range 2 {
		if !entity.MatchString(text) {
			break
		}
		text = entity.ReplaceAllStringFunc(text, html.UnescapeString)
	}
	if strings.IndexByte(text, '<') >= 0 {
		text = withoutTags(text)
	}
	return plain.OneLine(text)
}

// withoutTags drops the tags that lay a text out: those that come in pairs, have attributes,
// or touch a word.
func withoutTags(text string) string {
	open := map[atom.Atom]int{}
	count := func(kind tokenKind, tag atom.Atom) {
		if kind == endTag {
			open[tag] |= 2
		} else {
			open[tag] |= 1
		}
	}
	l := lexer{page: []byte(text)}
	for kind := l.next(); kind != endOfPage; kind = l.next() {
		if l.raw = ""; (kind == startTag || kind == endTag) && l.tag != 0 {
			count(kind, l.tag)
		}
	}
	var out strings.Builder
	l = lexer{page: []byte(text)}
	for kind := l.next(); kind != endOfPage; kind = l.next() {
		token := string(l.bytes())
		switch {
		case kind == otherToken && strings.HasPrefix(token, "<!--"):
			out.WriteByte(' ')
		case kind != startTag && kind != endTag:
			out.WriteString(token)
		case l.tag == 0 || mixedCase(token) || open[l.tag] != 3 && !strings.Contains(token, "=") && !touches(text, l.start, l.pos):
			l.raw = ""
			out.WriteString(token)
		default:
			if l.raw != "" && l.tag != atom.Title && l.tag != atom.Textarea {
				l.next() // a program
			}
			if l.raw = ""; !inline[l.tag] {
				out.WriteByte(' ')
			}
		}
	}
	if rest := text[l.start:]; !strings.HasPrefix(rest, "</") && !strings.Contains(rest, "=") { // else a tag that was cut off
		out.WriteString(rest)
	}
	return out.String()
}

// mixedCase reports a name that is not written as HTML's are: the type in "List<Object>".
func mixedCase(tag string) bool {
	return strings.ToLower(tag) != tag && strings.ToUpper(tag) != tag && !strings.ContainsAny(tag, " =")
}

// touches reports what stands at from to to in a text right before or behind a word.
func touches(text string, from, to int) bool {
	before, _ := utf8.DecodeLastRuneInString(text[:from])
	behind, _ := utf8.DecodeRuneInString(text[to:])
	return unicode.IsLetter(before) || unicode.IsDigit(before) || unicode.IsLetter(behind) || unicode.IsDigit(behind)
}
