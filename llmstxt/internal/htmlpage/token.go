package htmlpage

import (
	"bytes"

	"github.com/farwire/farwire/llmstxt/internal/plain"
	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// A tokenizer for a page that is in memory and of which little is wanted. It
// finds the same tokens as html.Tokenizer (a test holds it to that), but hands
// out pieces of the page instead of copies, looks into a tag's attributes only
// when asked, and leaves entities alone until somebody wants the text. That is
// worth it: reading every byte of a page is most of what a crawl costs.
//
// HTML standard, section 13.2.5.

type tokenKind int8

const (
	endOfPage tokenKind = iota
	textToken
	startTag
	endTag
	otherToken // comments, doctypes, processing instructions
)

type lexer struct {
	page      []byte
	start     int // of the token
	pos       int // behind it
	tag       atom.Atom
	name      int    // end of the tag's name
	clicks    bool   // the tag has an attribute onclick or data-href
	method    bool   // it has one that names the method of a request
	raw       string // the element whose text is coming has no tags in it
	pageProse int    // bytes of it in all paragraphs, 1 more; 0: not counted
	plain     bool   // what the token has is text without entities
	ahead     int    // bytes that were looked at to know what an element is, all together: see service
	noMath    bool   // no formula ends from here on

	found  [maxFound]attribute // of the tag, the first ones
	count  int                 // of these
	beyond int                 // where the others begin

	// What was met before, by a hash: a page says the same few things over and over.
	tags   [64]tagName
	values [64]string
}

// tagName is a name of eight bytes at most, in lower case, and zero if HTML does not know it.
type tagName struct {
	name uint64
	tag  atom.Atom
}

// next finds the next token.
func (l *lexer) next() tokenKind {
	l.start, l.tag, l.plain = l.pos, 0, false
	if l.raw != "" {
		name := l.raw
		l.raw = ""
		if end := l.rawEnd(name); end > l.pos {
			l.pos, l.plain = end, name != "title" && name != "textarea"
			return textToken
		}
	}
	for at := l.pos; ; {
		if at >= len(l.page) || l.page[at] != '<' { // most tags stand behind another
			if i := bytes.IndexByte(l.page[at:], '<'); i >= 0 {
				at += i
			} else {
				at = len(l.page)
			}
		}
		if at+1 >= len(l.page) {
			l.pos = len(l.page)
			if l.start < l.pos {
				return textToken
			}
			return endOfPage
		}
		c := l.page[at+1]
		if !plain.IsLetter(c) && c != '/' && c != '!' && c != '?' {
			at++ // a "<" of the text
			continue
		}
		if at > l.start {
			l.pos = at
			return textToken
		}
		switch {
		case c == '!':
			return l.declaration()
		case c == '?':
			return l.until(at + 2)
		case c != '/':
			return l.element(at+1, startTag)
		case at+2 >= len(l.page):
			l.pos = len(l.page)
			return textToken
		case plain.IsLetter(l.page[at+2]):
			return l.element(at+2, endTag)
		}
		return l.until(at + 2)
	}
}

// bytes is the token as it stands in the page.
func (l *lexer) bytes() []byte { return l.page[l.start:l.pos] }

// text is the beginning of a text token with its entities resolved.
func (l *lexer) text(limit int) string {
	b := l.bytes()
	if len(b) > limit {
		b = b[:limit]
	}
	if l.plain || bytes.IndexByte(b, '&') < 0 {
		return string(b)
	}
	return html.UnescapeString(string(b))
}

// until reads an invalid comment, up to the next ">".
func (l *lexer) until(at int) tokenKind {
	l.pos = len(l.page)
	if i := bytes.IndexByte(l.page[at:], '>'); i >= 0 {
		l.pos = at + i + 1
	}
	return otherToken
}

func (l *lexer) declaration() tokenKind {
	at := l.pos + 2
	if !bytes.HasPrefix(l.page[at:], []byte("--")) {
		return l.until(at)
	}
	at += 2
	if rest := l.page[at:]; bytes.HasPrefix(rest, []byte(">")) {
		l.pos = at + 1
		return otherToken
	} else if bytes.HasPrefix(rest, []byte("->")) {
		l.pos = at + 2
		return otherToken
	}
	for {
		i := bytes.Index(l.page[at:], []byte("--"))
		if i < 0 {
			l.pos = len(l.page)
			return otherToken
		}
		at += i + 2
		for at < len(l.page) && l.page[at] == '-' {
			at++
		}
		switch rest := l.page[at:]; {
		case bytes.HasPrefix(rest, []byte(">")):
			l.pos = at + 1
			return otherToken
		case bytes.HasPrefix(rest, []byte("!>")):
			l.pos = at + 2
			return otherToken
		}
	}
}

// element reads a tag whose name begins at at.
func (l *lexer) element(at int, kind tokenKind) tokenKind {
	p := l.page
	i, name := at, uint64(0)
	for i < len(p) && nameBytes[p[i]] != 0 {
		name = name<<8 | uint64(nameBytes[p[i]])
		i++
	}
	l.name, l.clicks, l.method, l.count, l.beyond = i, false, false, 0, i
	for i < len(p) && p[i] != '>' {
		next, a := l.attribute(i)
		key := p[a.name:a.nameEnd]
		l.clicks, l.method = l.clicks || isClick(key), l.method || isMethod(key)
		if l.count < len(l.found) {
			l.found[l.count] = a
			l.count++
			l.beyond = next
		}
		i = next
	}
	if i >= len(p) {
		l.pos = len(p) // a tag that does not end is not a tag
		return endOfPage
	}
	l.pos = i + 1
	l.tag = l.lookup(p[at:l.name], name)
	if kind == startTag {
		switch l.tag {
		case atom.Script, atom.Style, atom.Title, atom.Textarea, atom.Noscript, atom.Iframe, atom.Noembed, atom.Noframes, atom.Xmp, atom.Plaintext:
			l.raw = l.tag.String()
		}
	}
	return kind
}

// rawEnd is where the text of an element without tags ends: at its end tag.
func (l *lexer) rawEnd(name string) int {
	if name == "plaintext" {
		return len(l.page)
	}
	const (
		open    = iota // plain script
		escaped        // behind <!--
		double         // behind <script in that
	)
	p, state := l.page, open
	comment := -1 // where the next "-->" is; kept, or each "<" would look for it again
	for i := l.pos; ; {
		j := bytes.IndexByte(p[i:], '<')
		if state != open {
			// Only a comment's end matters before the next tag.
			if comment < i {
				if comment = bytes.Index(p[i:], []byte("-->")); comment < 0 {
					comment = len(p)
				} else {
					comment += i
				}
			}
			if comment < len(p) && (j < 0 || comment < i+j) {
				state = open
				i = comment + 3
				continue
			}
		}
		if j < 0 {
			return len(p)
		}
		i += j
		switch rest := p[i+1:]; {
		case bytes.HasPrefix(rest, []byte("/")) && opens(rest[1:], name):
			if state != double {
				return i
			}
			state = escaped
			i += 2
		case name == "script" && state == open && bytes.HasPrefix(rest, []byte("!--")):
			state = escaped
			i += 2 // its dashes may be those of the end
		case state == escaped && opens(rest, "script"):
			state = double
			i++
		default:
			i++
		}
	}
}

// opens reports a tag's name at the start of b.
func opens(b []byte, name string) bool {
	return len(b) > len(name) && equalFold(b[:len(name)], name) && (isTagSpace(b[len(name)]) || b[len(name)] == '/' || b[len(name)] == '>')
}

// lookup finds a name in any case, of which short is what element has read; zero if HTML does
// not know it.
func (l *lexer) lookup(b []byte, short uint64) atom.Atom {
	var name [16]byte
	if len(b) > len(name) {
		return 0
	}
	known := &l.tags[short*0x9e3779b97f4a7c15>>58]
	if known.name == short && len(b) <= 8 {
		return known.tag
	}
	for i, c := range b {
		name[i] = nameBytes[c]
	}
	tag := atom.Lookup(name[:len(b)])
	if len(b) <= 8 {
		known.name, known.tag = short, tag
	}
	return tag
}

// equalFold compares with a name in lower case of the same length.
func equalFold(b []byte, name string) bool {
	for i := range b {
		c := b[i]
		if 'A' <= c && c <= 'Z' {
			c |= 0x20
		}
		if c != name[i] {
			return false
		}
	}
	return true
}

// nameBytes are the bytes of a tag's name in lower case, with zero for those that end it.
var nameBytes = func() (of [256]byte) {
	for i := range of {
		switch c := byte(i); {
		case 'A' <= c && c <= 'Z':
			of[i] = c | 0x20
		case c == 0:
			of[i] = 0xff // a name may have it, and none that is known has
		case c != '/' && c != '>' && !isTagSpace(c):
			of[i] = c
		}
	}
	return of
}()

func isTagSpace(c byte) bool {
	return c <= ' ' && (c == ' ' || c == '\n' || c == '\t' || c == '\r' || c == '\f')
}
