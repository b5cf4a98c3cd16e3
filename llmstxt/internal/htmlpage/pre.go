package htmlpage

import (
	"strings"
	"unicode"

	"golang.org/x/net/html"

	"github.com/farwire/farwire/internal/safetext"
	"github.com/farwire/farwire/llmstxt/internal/plain"
)

// Pages that are one preformatted text: manual pages, requests for comments, mails.
// An empty line ends a paragraph, and so does a line that begins further left; one
// that is all in capitals is a heading:
//
//	NAME
//	       master - the process that starts the others
//
//	DESCRIPTION
//	       It starts them when they are needed, and ends them
//	       when they are not.

// readPre reads a page again that is mostly preformatted text, unless this text is programs.
func (w *walker) readPre(body *html.Node) {
	pre := walker{own: w.own, hints: w.hints, pre: true}
	pre.walk(body)
	pre.flush()
	if pre.laidOut > pre.program || len(w.blocks) == 0 {
		w.blocks = pre.blocks
	}
}

// preText makes blocks of preformatted text.
func (w *walker) preText(n *html.Node) {
	w.flush()
	var lines []string
	size, code, said, begin, before := 0, 0, 0, len(w.blocks), w.size
	defer func() {
		w.laidOut, w.program = w.laidOut+said, w.program+code
		if code > said { // a program, in which a few lines have no signs
			w.blocks, w.size = w.blocks[:begin], before
			w.omit()
		}
	}()
	paragraph := func() {
		if text := strings.Join(lines, " "); isCode(text) {
			code += len(text)
			w.omit()
		} else if text != "" {
			said += len(text)
			w.add(Paragraph, text)
		}
		lines, size = nil, 0
	}
	last := 0
	for line := range strings.SplitSeq(nodeText(n), "\n") {
		text := strings.TrimSpace(line)
		indent := len(line) - len(strings.TrimLeft(line, " \t"))
		switch {
		case len(w.blocks) >= maxBlocks || w.size >= maxWords:
			return
		case text == "":
			paragraph()
			continue
		case isCapitals(text):
			paragraph()
			w.add(Heading, text)
		case strings.Contains(strings.TrimSpace(safetext.Cut(text, 200)), "      "):
			paragraph() // columns: a header line, a table
			w.omit()
		default:
			if indent < last {
				paragraph()
			}
			if size += len(text); size < 2*maxBlock {
				lines = append(lines, text)
			}
		}
		last = indent
	}
	paragraph()
}

// add puts a block of one kind.
func (w *walker) add(kind BlockKind, text string) {
	if text = plain.OneLine(text); text != "" {
		w.size += len(text)
		w.blocks = append(w.blocks, Block{Kind: kind, Text: safetext.Cut(text, maxBlock)})
	}
}

// isCode reports a piece of a program, of markup or of a synopsis: a good part of it
// is signs that prose has few of, or it begins as a comment does.
func isCode(s string) bool {
	for _, begin := range []string{"//", "/*", "--", "; ", ";;", "#include", "#!", "<?", "<!"} {
		if strings.HasPrefix(s, begin) {
			return true
		}
	}
	signs, n := 0, 0
	for _, r := range s {
		if r != ' ' {
			n++
		}
		if strings.ContainsRune(";{}()<>[]=*&|\\$#@_+", r) {
			signs++
		}
	}
	return signs >= 4 && signs*11 >= n
}

// isCapitals reports a line of capital letters.
func isCapitals(s string) bool {
	upper := 0
	for _, r := range s {
		switch {
		case unicode.IsLower(r), unicode.IsLetter(r) && !unicode.IsUpper(r):
			return false
		case unicode.IsUpper(r):
			upper++
		}
	}
	return upper > 2 && len(s) < 80
}
