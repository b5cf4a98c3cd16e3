package htmlpage

import (
	"bytes"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"

	"github.com/farwire/farwire/llmstxt/internal/plain"
)

// What a site says beside each page of the page and asks of its readers: who has written it, when
// it was changed, where to edit it, whether it helped, in which language it shows code. Its class
// names say so, or a question that two or more controls answer:
//
//	<div class="page-last-updated">Updated <time>3 May</time></div>
//	<p>Was this page helpful?</p> <button>Yes</button> <button>No</button>

const (
	maxService     = 4 << 10 // bytes of such an element, with its tags
	maxServiceText = 300     // of its words
	maxQuestion    = 120
	maxAnswer      = 12  // of what stands between two controls
	maxLooked      = 4   // times the length of a page, that is looked at for such elements
	maxNodes       = 200 // in one
)

// isService reports class names of such an element. They join two words, since "contributors" or
// "updated" alone may name a part of the text.
func isService(class string) bool {
	for name := range strings.FieldsSeq(class) {
		if serves(name) || notPrinted(name) {
			return true
		}
	}
	return false
}

// notPrinted reports the class of what is left out where a page is printed: Tailwind's, with any
// prefix, and Bootstrap's.
func notPrinted(name string) bool {
	switch name {
	case "d-print-none", "hidden-print", "no-print":
		return true
	}
	when, what, _ := strings.Cut(name, "print:")
	prefix, ok := strings.CutSuffix(what, "hidden")
	return ok && (when == "" || isPrefix(when)) && (prefix == "" || isPrefix(prefix))
}

// servicePairs are words of a name of which the second, at the end of the name or before a word
// of serviceEnds, makes it one of these.
var servicePairs = map[string][]string{
	"last":     {"updated", "modified", "update", "edited"},
	"edit":     {"link", "button", "btn", "page", "meta", "info"},
	"page":     {"edit", "votes", "vote", "reactions", "rating", "helpful"},
	"git":      {"meta", "info"},
	"article":  {"votes", "vote", "reactions", "rating", "helpful"},
	"docs":     {"votes", "vote", "reactions", "rating", "helpful"},
	"doc":      {"votes", "vote", "reactions", "rating", "helpful"},
	"language": {"selector", "switcher"},
	"lang":     {"selector", "switcher"}, // of the code that is shown
}

var serviceEnds = plain.Set(`wrapper container box block row text label date time count controls question this page link`)

func serves(name string) bool {
	if len(name) < len("doc-vote") || len(name) > 60 {
		return false
	}
	var after []string // that make a pair with a word before
	found := false
	for w, end := range words(name) {
		if found && name[end-len(w)-1] == '_' {
			return true // a module's hash follows
		}
		w = strings.ToLower(w)
		switch {
		case slices.Contains(after, w):
			found = true
		case found && !serviceEnds[w]:
			found = false
		}
		after = append(after, servicePairs[w]...)
	}
	return found
}

// mayServe reports an element that can be one.
func mayServe(tag atom.Atom) bool {
	switch tag {
	case atom.P, atom.Div, atom.Section, atom.Span, atom.Ul:
		return true
	}
	return false
}

// service reports such an element, whose start tag was just read: it says little, in no code, and in no
// heading but one that asks whether the page was of use.
func (l *lexer) service(tag atom.Atom, class string) bool {
	if !mayServe(tag) || !isService(class) || l.ahead > maxLooked*len(l.page) {
		return false
	}
	look := lexer{page: l.page[:min(len(l.page), l.pos+maxService)], pos: l.pos}
	defer func() { l.ahead += look.pos - l.pos }()
	var says serviceText
	depth, heading := 1, false
	for kind := look.next(); kind != endOfPage && says.size <= maxServiceText; kind = look.next() {
		switch {
		case kind == textToken && heading:
			if !says.heading(string(bytes.TrimSpace(look.bytes()))) {
				return false
			}
		case kind == textToken:
			says.text(string(bytes.TrimSpace(look.bytes())))
		case ofSection(look.tag) && (kind == startTag || kind == endTag):
			heading = kind == startTag
		case kind == startTag && barsService(look.tag):
			return false
		case kind == startTag && look.tag == tag:
			depth++
		case kind == endTag && look.tag == tag:
			if depth--; depth == 0 {
				return says.fits(class)
			}
		case kind == startTag:
			says.element(look.tag)
		}
	}
	return false
}

// serviceText is what such an element says.
type serviceText struct {
	size     int
	sentence bool
	offers   bool // a link, a control, a question or a number
}

func (s *serviceText) text(t string) {
	s.size += len(t)
	s.sentence = s.sentence || endsSentence(t)
	s.offers = s.offers || strings.ContainsAny(t, "0123456789?？")
}

// heading takes a text of a heading, and reports false unless it asks whether the page was of use: other
// headings are of the text.
func (s *serviceText) heading(t string) bool {
	s.text(t)
	return t == "" || asksOpinion(plain.OneLine(html.UnescapeString(t)))
}

func (s *serviceText) element(tag atom.Atom) {
	switch tag {
	case atom.A, atom.Time, atom.Button, atom.Input:
		s.offers = true
	}
}

// fits reports whether an element of this class can say that. A sentence is documentation if the
// class says only that it is not printed, or if nothing is offered with it.
func (s *serviceText) fits(class string) bool {
	return s.size <= maxServiceText && (!s.sentence || s.offers && slices.ContainsFunc(strings.Fields(class), serves))
}

// ofSection reports the heading of a section.
func ofSection(tag atom.Atom) bool { return tag == atom.H1 || tag == atom.H2 || tag == atom.H3 }

func barsService(tag atom.Atom) bool {
	switch tag {
	case atom.Pre, atom.Code, atom.Kbd, atom.Table, atom.Ol, atom.Dl, atom.Article, atom.Main:
		return true
	}
	return false
}

func endsSentence(text string) bool {
	return strings.HasSuffix(text, ".") || strings.HasSuffix(text, "。")
}

// isServiceNode is service of an element of a tree.
func isServiceNode(n *html.Node) bool {
	class := attr(n, "class")
	if !mayServe(n.DataAtom) || !isService(class) {
		return false
	}
	var says serviceText
	nodes := 0
	for c := range n.Descendants() {
		if nodes++; nodes > maxNodes || barsService(c.DataAtom) || ofSection(c.DataAtom) && !asksOpinion(plain.OneLine(nodeText(c))) {
			return false
		}
		if c.Type == html.TextNode {
			says.text(strings.TrimSpace(c.Data))
		}
		says.element(c.DataAtom)
	}
	return says.fits(class)
}

// helped are questions whether a page was of use, in the languages that help centres have most.
var helped = regexp.MustCompile(`(?i)\b(?:helpful|useful|help you|answer your question|find what you|hilfreich|geholfen|weitergeholfen|utile|aidé|útil|ayudó|ajudou|utilidad|nuttig|geholpen|pomocn|przydatn|hjälp|hjalp)|полезн|помогл|役に立|参考になり|有帮助|有用|有幫助|도움`)

// asksOpinion reports such a question.
func asksOpinion(text string) bool {
	text = strings.TrimRight(text, " *_")
	return len(text) <= maxQuestion && (strings.HasSuffix(text, "?") || strings.HasSuffix(text, "？") || strings.HasSuffix(text, "か。")) && helped.MatchString(text)
}

// thanked are thanks for an answer.
var thanked = regexp.MustCompile(`(?i)\b(?:thank|danke|merci|gracias|obrigad|grazie|bedankt|dank u|děkuj|dzięku|tack)|спасибо|ありがとう|谢谢|感谢|感謝|謝謝|감사`)

// endsPage reports a text that may stand behind such a question: no sentence but thanks.
func endsPage(text string) bool {
	return !endsSentence(strings.TrimRight(text, " *_")) || thanked.MatchString(text)
}

// asked notes a control: what stands before it may be such a question, and a second control
// without more than a word between is the other answer.
func (m *marker) asked() {
	now := len(m.out) + len(m.line)
	if between := now - m.control; m.asking > 0 && between <= maxAnswer {
		m.question, m.control = m.asking, now
		return
	} else if between == 0 {
		return // nothing has come since the last one
	}
	m.control, m.asking = now, 0
	text, at := m.line, len(m.out)
	if len(bytes.TrimSpace(text)) == 0 {
		if at = min(m.last, at); len(m.out)-at > maxQuestion {
			return
		}
		text = m.out[at:]
	}
	if m.table == nil && len(m.levels) == 0 && len(text) <= maxQuestion && asksOpinion(string(bytes.TrimLeft(bytes.TrimSpace(text), "#>-* "))) {
		m.asking = at + 1
	}
}

// dropQuestion takes such a question back if nothing but what belongs to it stands behind it.
func (m *marker) dropQuestion() {
	at := m.question - 1
	if at < 0 || at >= len(m.out) || m.cut || len(m.out)-at > maxServiceText {
		return
	}
	for i, line := range strings.Split(strings.TrimSpace(string(m.out[at:])), "\n") {
		if i > 0 && (strings.HasPrefix(line, "#") || strings.HasPrefix(line, "```") || strings.HasPrefix(line, "|") || !endsPage(line)) {
			return
		}
	}
	m.out = bytes.TrimRight(m.out[:at], "\n")
	m.out = bytes.TrimRight(bytes.TrimSuffix(m.out, []byte("\n\n---")), "\n")
	if len(m.out) > 0 {
		m.out = append(m.out, '\n')
	}
}

// asked notes a control in the same way.
func (w *walker) asked() {
	now := w.size + len(w.text)
	if between := now - w.control; w.asking > 0 && between <= maxAnswer {
		w.question, w.control = w.asking, now
		return
	}
	w.control, w.asking = now, 0
	text, at, kind := plain.OneLine(string(w.text[:min(len(w.text), 2*maxQuestion)])), len(w.blocks), w.kind
	if text == "" && at > 0 {
		at--
		text, kind = w.blocks[at].Text, w.blocks[at].Kind
	}
	if kind != Item && kind != Definition && kind != Term && kind != Cell && asksOpinion(text) {
		w.asking = at + 1
	}
}

func (w *walker) dropQuestion() {
	at := w.question - 1
	if at < 0 || at >= len(w.blocks) {
		return
	}
	said := 0
	for i, b := range w.blocks[at:] {
		said += len(b.Text)
		if b.Kind == Omitted || i > 0 && (b.Kind == Heading || !endsPage(b.Text)) {
			return
		}
	}
	if said <= maxServiceText {
		w.blocks = w.blocks[:at]
	}
}
