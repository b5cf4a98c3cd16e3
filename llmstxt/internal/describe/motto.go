package describe

import (
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/farwire/farwire/llmstxt/internal/htmlpage"
	"github.com/farwire/farwire/llmstxt/internal/plain"
)

// Texts that stand on a page and do not describe it: what somebody else has said, and
// headings that are paragraphs.

// quoteMarks open and close what somebody has said.
var quoteMarks = [][2]string{{`"`, `"`}, {"“", "”"}, {"„", "“"}, {"„", "”"}, {"«", "»"}, {"»", "«"}, {"「", "」"}, {"``", "''"}}

// signed is the name of who said it, at the end: ". -- Ada Doe".
var signed = regexp.MustCompile(`[.!?…"”»“」]['’]?\s*(?:--+|—|–|―)\s*(\S+(?: \S+){0,4})$`)

const maxSigned = 200 // bytes of a name and what stands before it

// motto reports a paragraph that is a quotation and nothing else, with or without the
// name of who said it.
func motto(text string) bool {
	// Each paragraph comes here: the expression sees the end of those with a dash before a name.
	if end := text[max(0, len(text)-maxSigned):]; hasDash(end) {
		if m := signed.FindStringSubmatch(end); m != nil && isName(m[1]) {
			return true
		}
	}
	for _, marks := range quoteMarks {
		rest, ok := strings.CutPrefix(text, marks[0])
		if !ok {
			continue
		}
		said, after, ok := strings.Cut(rest, marks[1])
		if after = strings.TrimLeft(strings.Trim(after, " .,"), "-—–―( "); !ok || !spaceless(said) && strings.Count(said, " ") < 3 {
			continue
		}
		if after == "" || strings.Count(after, " ") < 5 && isName(strings.TrimRight(after, ")")) {
			return true
		}
	}
	return false
}

func hasDash(s string) bool {
	return slices.ContainsFunc(dashes, func(dash string) bool { return strings.Contains(s, dash) })
}

var dashes = []string{"--", "—", "–", "―"}

// isName reports words that begin with capital letters, but for those between names.
func isName(s string) bool {
	for w := range strings.FieldsSeq(s) {
		r, _ := utf8.DecodeRuneInString(w)
		if !unicode.IsUpper(r) && !unicode.IsDigit(r) && !unicode.In(r, unicode.Lo) && !between[strings.Trim(w, ".,;:()")] {
			return false
		}
	}
	return s != ""
}

// saysNothing reports a text made of titles that name no site and of the words of a title:
// "Documentation Table of Contents".
func saysNothing(text, title string) bool {
	if len(text) > 80 {
		return false
	}
	var words []string
	for _, of := range []string{"This is the API documentation for ", "This is the documentation for "} {
		text = strings.TrimPrefix(text, of)
	}
	for w := range strings.FieldsSeq(text) {
		if said := strings.Trim(w, ".,;:!()"); !hasWord(strings.ToLower(title), strings.ToLower(said)) && !(strings.ContainsAny(said, "0123456789") && strings.Contains(title, said)) {
			words = append(words, w)
		}
	}
	for len(words) > 0 {
		n := len(words)
		for n > 0 && !vague(strings.Join(words[:n], " ")) {
			n--
		}
		if n == 0 {
			return false
		}
		words = words[n:]
	}
	return true
}

// define gives the base page a note that says what the site is, where a paragraph of its
// own does and its first ones do not: "Start here", "Download the latest version".
func (d *describer) define(p *Page, title string) {
	name := bareName(title)
	if d.description(p) != "" || p.outlined || name == "" || definition(p.Note, name) {
		return
	}
	for _, kind := range []htmlpage.BlockKind{htmlpage.Paragraph, htmlpage.Item} {
		for i, b := range p.Evidence.Blocks[:min(len(p.Evidence.Blocks), maxDefined)] {
			if b.Kind != kind || !isProse(b) || p.quotes(i) || len(p.Said[i].Sentences) == 0 || !definition(p.Said[i].Sentences[0], name) || d.votes.boilerplate(p.Said[i].Sentences[0]) {
				continue
			}
			p.Note = plain.Cut(b.Text, min(NoteLength, d.limit))
			return
		}
	}
}

const maxDefined = 40 // blocks that are looked at

// withOthers is a name with others beside it: "KettleWare (short: Kettle) is …".
var withOthers = regexp.MustCompile(`^(?:The )?\S+(?: \S+){0,3}? \(([^()]{1,60})\) (\S+) (\S+) `)

// definition reports a text that begins with what something of a name is.
func definition(text, name string) bool {
	if s := plain.Sentences(text); len(s) > 0 {
		if first := strings.TrimSpace(s[0]); defines(first, name, copulas, articles) {
			return true
		} else if m := withOthers.FindStringSubmatch(first); m != nil && hasWord(strings.ToLower(m[1]), strings.ToLower(name)) {
			return plain.IsComplete(first) && copulas[m[2]] && articles[m[3]]
		}
	}
	return false
}
