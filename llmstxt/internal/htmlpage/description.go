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

// withoutTags drops the tags that lay a text out: those that come in pairs, have attributes
// and are not alone, or touch a word. One in backquotes is spoken about.
func withoutTags(text string) string {
	open, ends, all, pairs := map[atom.Atom]int{}, map[atom.Atom]int{}, 0, false
	l := lexer{page: []byte(text)}
	for kind := l.next(); kind != endOfPage; kind = l.next() {
		if l.raw = ""; kind != startTag && kind != endTag || l.tag == 0 {
			continue
		}
		if all++; kind == endTag {
			open[l.tag] |= 2
			ends[l.tag] = l.start
		} else {
			open[l.tag] |= 1
		}
		pairs = pairs || open[l.tag] == 3
	}
	laysOut := func(tag string) bool {
		switch {
		case l.tag == 0, mixedCase(tag), quoted(text, l.start, l.pos):
			return false
		case open[l.tag] == 3, strings.Contains(tag, "=") && (pairs || all > 1):
			return true
		}
		return layout[l.tag] && touches(text, l.start, l.pos)
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
		case !laysOut(token):
			l.raw = ""
			out.WriteString(token)
		default:
			if l.raw != "" && l.tag != atom.Title && l.tag != atom.Textarea && ends[l.tag] > l.start {
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

// layout are the elements that texts are laid out with. Others have the names of types:
// "Promise<object>".
var layout = map[atom.Atom]bool{atom.A: true, atom.B: true, atom.Big: true, atom.Blockquote: true, atom.Br: true, atom.Center: true, atom.Code: true, atom.Dd: true,
	atom.Div: true, atom.Dl: true, atom.Dt: true, atom.Em: true, atom.Font: true, atom.H1: true, atom.H2: true, atom.H3: true, atom.H4: true, atom.H5: true,
	atom.H6: true, atom.Hr: true, atom.I: true, atom.Img: true, atom.Li: true, atom.Ol: true, atom.P: true, atom.Pre: true, atom.S: true, atom.Section: true,
	atom.Small: true, atom.Span: true, atom.Strong: true, atom.Sub: true, atom.Sup: true, atom.Table: true, atom.Td: true, atom.Th: true, atom.Tr: true,
	atom.U: true, atom.Ul: true, atom.Wbr: true}

// quoted reports what stands at from to to in a text between backquotes.
func quoted(text string, from, to int) bool {
	return strings.HasSuffix(text[:from], "`") && strings.HasPrefix(text[to:], "`")
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

// WithoutSigns returns a description without what generators leave in it of the page's Markdown or
// HTML: the dash of a first item, and headings with the signs of their permalinks, as in Hugo's "Pots
// # Tea is made in them.", which is a heading and a paragraph. blocks are those of the page.
func WithoutSigns(text string, blocks []Block) string {
	if rest, ok := strings.CutPrefix(text, "- "); ok && rest != "" {
		text = rest
	}
	for _, b := range blocks {
		if !strings.Contains(text, " # ") && !strings.Contains(text, " ¶ ") {
			break
		}
		if b.Text == "" || b.Kind != Heading && b.Kind != Title {
			continue
		}
		for _, sign := range []string{" # ", " ¶ "} {
			at := strings.Index(text, b.Text+sign)
			if at < 0 || at > 0 && text[at-1] != ' ' {
				continue
			}
			if rest := text[:at] + text[at+len(b.Text)+len(sign):]; rest != "" {
				text = rest
			}
		}
	}
	return text
}
