package htmlpage

import (
	"bytes"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"github.com/farwire/farwire/llmstxt/internal/plain"
)

// Forms. Most stand beside what a page says: a search, a subscription. Some servers put the
// whole page into one, as ASP.NET's Web Forms do, and SharePoint and DNN with them.

// form begins one: it stands beside the main content unless it holds it.
func (s *scanner) form(tag atom.Atom) {
	s.nav.forget()
	s.posted = strings.EqualFold(s.attrs("method")[0], "post")
	if s.skipDepth > 0 || !s.holdsPage(leastForm) {
		s.container(tag)
	}
}

// leastForm is what a form that is the page weighs: see holdsPage.
const leastForm = 3

// holdsPage reports whether the form whose start tag was just read holds what the page
// says: an article or a heading of the first level, or as many headings and paragraphs as least
// says and half of the page's prose. A subscription with the texts of the law has many, too, but
// stands beside more.
func (l *lexer) holdsPage(least int) bool {
	a := l.attrs("role", "class", "id")
	if strings.EqualFold(a[0], "search") || isPeripheral(a[1], a[2]) {
		return false
	}
	form := lexer{page: l.page, pos: l.pos}
	weight, prose, certain := form.weigh(true)
	if certain || weight < least || least < leastForm {
		return certain || weight >= least
	}
	if l.pageProse == 0 {
		all := lexer{page: l.page}
		_, n, _ := all.weigh(false)
		l.pageProse = n + 1
	}
	return 2*prose >= l.pageProse-1
}

// weigh counts headings and paragraphs, a long one twice, and the bytes of these paragraphs. Of
// a form it looks up to its end, or the next form, so that all forms of a page together are read
// once; it is certain of one with an article or a heading of the first level.
func (l *lexer) weigh(form bool) (weight, prose int, certain bool) {
	said, control, para := 0, 0, false
	end := func() {
		if control == 0 && (para && said >= leastParagraph || said >= leastBare) {
			prose += said
			if weight++; said >= leastBare {
				weight++
			}
		}
		said, para = 0, false
	}
	for kind := l.next(); kind != endOfPage; kind = l.next() {
		tag := l.tag
		switch {
		case kind == textToken && control == 0:
			said += len(bytes.TrimSpace(l.bytes()))
		case (kind == startTag || kind == endTag) && tag == atom.Form:
			if end(); form {
				return weight, prose, false
			}
			control = 0
		case kind == startTag && (tag == atom.Script || tag == atom.Style || tag == atom.Noscript || tag == atom.Textarea || tag == atom.Title):
			if l.next() != textToken {
				l.pos, l.raw = l.start, ""
			}
		case kind == startTag && isControl(tag):
			control++
		case kind == endTag && isControl(tag):
			control = max(0, control-1)
		case kind == startTag && control == 0:
			switch tag {
			case atom.H1, atom.Article, atom.Main:
				if end(); form {
					return weight, prose, true
				}
			case atom.H2, atom.H3:
				end()
				weight++
			case atom.P:
				end()
				para = true
			case atom.Div, atom.Li, atom.Td, atom.Section, atom.A:
				if tag != atom.A || !para { // a menu's links are no paragraph
					end()
				}
			}
		case kind == endTag && (tag == atom.P || tag == atom.Div || tag == atom.Li || tag == atom.Td || tag == atom.H1 || tag == atom.H2 || tag == atom.H3):
			end()
		}
	}
	end()
	return weight, prose, false
}

// isControl reports an element of a form that is worked with and not read.
func isControl(tag atom.Atom) bool {
	switch tag {
	case atom.Label, atom.Button, atom.Select, atom.Fieldset:
		return true
	}
	return false
}

// speaks reports a form that has a heading or a paragraph, where a page says nothing else.
func speaks(form *html.Node) bool {
	for n := range form.Descendants() {
		switch n.DataAtom {
		case atom.H1, atom.H2, atom.H3:
			return true
		case atom.P:
			if len(plain.OneLine(nodeText(n))) >= leastParagraph {
				return true
			}
		}
	}
	return false
}
