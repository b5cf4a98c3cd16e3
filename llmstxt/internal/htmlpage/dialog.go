package htmlpage

import (
	"bytes"

	"golang.org/x/net/html/atom"
)

const (
	maxDialog     = 16 << 10 // bytes of one, with its tags
	maxDialogText = 500      // of its words
)

// namesDialog reports names of what opens above the page for somebody to do there, as to search.
// An article about dialogs has such names, too.
func namesDialog(class, id subject) bool {
	return class&ofDialog != 0 && (class|id)&ofTool != 0 && (class|id)&ofMiddle == 0
}

// isDialog reports one whose start tag was just read: it has a control or not one sentence, says
// little, in no code, and nothing has it shown where it stands.
func (l *lexer) isDialog(tag atom.Atom, class, style string) bool {
	if l.ahead > maxLooked*len(l.page) || hasWord(class, "show", "static", "block", "demo", "example", "preview") || hasWord(style, "block", "static", "relative") {
		return false
	}
	look := lexer{page: l.page[:min(len(l.page), l.pos+maxDialog)], pos: l.pos}
	defer func() { l.ahead += look.pos - l.pos }()
	said, controls, depth, sentence := 0, 0, 1, false
	for kind := look.next(); kind != endOfPage && said <= maxDialogText; kind = look.next() {
		switch {
		case kind == textToken:
			t := bytes.TrimSpace(look.bytes())
			said += len(t)
			sentence = sentence || bytes.HasSuffix(t, []byte("."))
		case kind == startTag && (look.tag == atom.Pre || look.tag == atom.Table || look.tag == atom.Main || look.tag == atom.Article):
			return false
		case kind == startTag && (look.tag == atom.Input || look.tag == atom.Select || look.tag == atom.Textarea):
			controls++
		case kind == startTag && look.tag == tag:
			depth++
		case kind == endTag && look.tag == tag:
			if depth--; depth == 0 {
				return controls > 0 || !sentence
			}
		}
	}
	return false
}
