package describe

import (
	"cmp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/farwire/farwire/internal/safetext"
	"github.com/farwire/farwire/llmstxt/internal/htmlpage"
	"github.com/farwire/farwire/llmstxt/internal/plain"
)

// Excerpts. No single source of a description can be trusted, so there is a
// cascade, decided when every page has been read:
//
//  1. the page's own description (meta, Open Graph, JSON-LD and others), the first
//     that no other page has, that no machine cut off and that does not only
//     repeat the title or the first paragraph; with a full stop or without;
//  2. the prose of the main content, from its first real paragraph on;
//  3. items, definitions and cells, where there are no paragraphs;
//  4. a paragraph that is short or has no full stop;
//  5. the headings, else the words of the links, as a note.
//
// Whatever stands on a fifth of the pages is boilerplate and is left out.

// NoteLength is how many characters a note has at most.
const NoteLength = 200

// describer composes the texts of one site's pages.
type describer struct {
	limit int
	votes *voters
	descs map[string]int // how many pages have a description
	forms map[string]int // how many have one that differs in the page's title alone
	links map[string]int // how many have a link of these words, by their key
	base  *Page
	pages int // how many there are

	headings map[string]int // how many have one
}

// newDescriber has the pages' votes counted.
func newDescriber(pages []Page, limit int, votes *Votes) *describer {
	d := &describer{limit: limit, descs: map[string]int{}, forms: map[string]int{}, links: map[string]int{}, headings: map[string]int{}, votes: &votes.count, base: &pages[0], pages: len(pages)}
	setAbout(pages)
	d.votes.need, d.votes.half = int32(max(3, (len(pages)+4)/5)), int32((len(pages)+1)/2)
	for i := range pages {
		for _, desc := range descriptions(pages[i].Evidence) {
			d.descs[desc]++
		}
		seen := map[string]bool{}
		for _, a := range pages[i].Evidence.Anchors {
			if k := plain.Key(a); !seen[k] {
				seen[k] = true
				d.links[k]++
			}
		}
		clear(seen)
		for _, b := range pages[i].Evidence.Blocks {
			if b.Kind == htmlpage.Heading && !seen[b.Text] {
				seen[b.Text] = true
				d.headings[b.Text]++
			}
		}
		if desc := pages[i].Evidence.Description; desc != "" {
			d.forms[form(desc, &pages[i])]++
		}
	}
	return d
}

// piece is a stretch of an excerpt that is taken whole or not at all.
type piece struct {
	text  string
	sep   string // before it: "", " ", "\n", "\n\n"
	first bool   // of its block
}

// excerpt is the page's own words, at most d.limit characters, never empty.
func (d *describer) excerpt(p *Page) string {
	pieces := d.prose(p, func(i int, s string) bool {
		return d.votes.boilerplate(s) || p.Said[i].formal && formal(s) || d.isCourtesy(p, s)
	})
	if !slices.ContainsFunc(pieces, func(p piece) bool { return !cutOff(p.text) }) {
		pieces = nil // teasers of other pages
	}
	for _, drop := range []func(string) bool{d.votes.repeated, d.votes.common} {
		if len(pieces) == 0 {
			// Pages that a template wrote say the same of different things.
			pieces = d.prose(p, func(i int, s string) bool {
				return drop(s) || ofGenerator(s) || p.Said[i].formal && d.isFooter(p, s) || d.isCourtesy(p, s)
			})
		}
	}
	if !slices.ContainsFunc(pieces, func(p piece) bool { return !cutOff(p.text) }) {
		pieces = nil
	}
	text := d.fill(pieces, d.limit)
	desc := d.description(p)
	if desc == "" && p == d.base && !(says(p.Evidence.Blocks) && slices.ContainsFunc(pieces, func(p piece) bool { return len(p.text) >= leastSaid })) {
		if desc = cmp.Or(d.shared(p), d.subtitle(p)); desc == "" && text == "" {
			desc = cmp.Or(d.ofHome(p), tagline(p))
		}
	}
	if text == "" && desc == "" {
		text = d.short(p)
	}
	if desc != "" {
		switch {
		case text == "":
			text = plain.Cut(desc, d.limit)
		case !strings.Contains(plain.Key(join(pieces)), safetext.Cut(plain.Key(desc), 60)):
			text = plain.Cut(desc, d.limit)
			if rest := d.limit - utf8.RuneCountInString(text) - 2; rest >= 40 {
				if more := d.fill(pieces, rest); more != "" && plain.IsComplete(more) {
					text += "\n\n" + more
				}
			}
		}
	}
	if text != "" && !plain.IsComplete(text) && utf8.RuneCountInString(text) < d.limit {
		text = asSentence(text)
	}
	if strings.HasSuffix(text, "…") && isCodeAlone(p) {
		text = ""
	}
	if text = plain.GuardLines(text, d.limit); text == "" {
		text = plain.GuardLines(d.outline(p, d.limit), d.limit)
		p.outlined = true
	}
	return text
}

// A proseReader picks sentences of a page.
type proseReader struct {
	d    *describer
	page *Page
	drop func(block int, sentence string) bool

	beginning  int  // the block with which the page begins, if it may be taken though it is short; else -1
	paragraphs bool // the page has some that may be taken
	noted      bool // and these are not only notes
	begun      bool // what goes on with a sentence before it may be taken too
	teasing    bool // the page has the beginnings of others
	listed     bool // the items being read follow a sentence that leads to them

	out  []piece
	said map[string]bool
	size int // of out, in bytes
}

// prose picks the sentences that may stand in an excerpt, in the page's order.
func (d *describer) prose(p *Page, drop func(block int, sentence string) bool) []piece {
	if p != d.base && listsNames(p) {
		return nil
	}
	blocks := p.Evidence.Blocks
	r := &proseReader{d: d, page: p, drop: drop, said: map[string]bool{}, teasing: isTeaserList(blocks), beginning: -1}
	if p != d.base {
		if r.beginning = manName(blocks); r.beginning < 0 {
			r.beginning = beginning(p)
		}
	}
	for i, b := range blocks {
		if b.Kind == htmlpage.Paragraph && p.Said[i].prose && !p.quotes(i) && !all(p.Said[i].Sentences, func(s string) bool { return drop(i, s) }) {
			r.paragraphs = true
			if r.noted = !isNote(b); r.noted {
				break
			}
		}
	}
	// What goes on with a sentence that led to code says little without it.
	r.begun = !r.paragraphs || !r.has(func(i int) bool {
		return blocks[i].Kind == htmlpage.Paragraph && p.Said[i].prose && !lowerCase(blocks[i].Text)
	})
	// A motto is about the page only if nothing else is.
	own := r.has(func(i int) bool {
		return (blocks[i].Kind == htmlpage.Paragraph || blocks[i].Kind == htmlpage.Cell) && p.Said[i].prose && !motto(blocks[i].Text)
	})
	titleKey := plain.Key(p.Title)
	for i := range blocks {
		if r.size > 4*d.limit {
			break
		}
		if b := blocks[i]; b.Kind == htmlpage.Cell && own && motto(b.Text) || b.Kind == htmlpage.Paragraph && (own && motto(b.Text) || p == d.base && (saysNothing(b.Text, p.Title) || len(r.out) == 0 && adds(p.Said[i].Sentences))) || !r.takes(i) {
			continue
		}
		if text := blocks[i].Text; !plain.KeyIs(text, "") && !plain.KeyIs(text, titleKey) {
			r.read(i)
		}
	}
	return r.out
}

// has reports whether one of the page's blocks is one of those.
func (r *proseReader) has(those func(i int) bool) bool {
	for i := range r.page.Evidence.Blocks {
		if those(i) {
			return true
		}
	}
	return false
}

// takes reports whether a block may stand in an excerpt.
func (r *proseReader) takes(i int) bool {
	blocks := r.page.Evidence.Blocks
	b, prose := blocks[i], r.page.Said[i].prose
	if r.teasing && cutOff(b.Text) || r.page.quotes(i) {
		return false // what another page says
	}
	if r.noted && len(r.out) == 0 && isNote(b) {
		return false // the text says more
	}
	if i == r.beginning {
		return r.begun || !continues(blocks, i)
	}
	switch b.Kind {
	case htmlpage.Omitted, htmlpage.Heading, htmlpage.Title, htmlpage.Term:
		return false
	case htmlpage.Cell:
		return !r.paragraphs && prose
	case htmlpage.Item, htmlpage.Definition:
		// Before the first paragraph a list is navigation, later it belongs to
		// what stands above it.
		n := len(r.out)
		r.listed = n > 0 && leads(r.out[n-1].text) || i > 0 && r.listed && blocks[i-1].Kind == htmlpage.Item
		if r.paragraphs {
			return r.listed || n > 0 && b.Links <= 60
		}
		return r.listed || prose
	}
	return prose && (r.begun || !continues(blocks, i))
}

// read takes the sentences of a block.
func (r *proseReader) read(i int) {
	blocks := r.page.Evidence.Blocks
	first, gap := true, ""
	for _, s := range r.page.Said[i].Sentences {
		before := gap
		gap = ""
		if strings.TrimRightFunc(s, unicode.IsSpace) != s {
			gap = " " // not every script has one between sentences
		}
		t := strings.TrimSpace(s)
		if t == "" || first && !strings.ContainsFunc(t, unicode.IsLetter) || r.said[t] || r.drop(i, t) || first && isLabel(t) || pointsAt(t, blocks, i) {
			continue
		}
		r.said[t] = true
		if i == r.beginning {
			t = asSentence(t)
		}
		pc := piece{text: t, sep: before, first: first}
		if first {
			pc.sep = "\n\n"
			if blocks[i].Kind == htmlpage.Item && i != r.beginning {
				pc.text, pc.sep = "- "+t, "\n"
			}
		}
		first = false
		r.size += len(t)
		r.out = append(r.out, pc)
	}
}

// isTeaserList reports a page with the beginnings of others: half of its texts are cut off.
func isTeaserList(blocks []htmlpage.Block) bool {
	isText := func(b htmlpage.Block) bool {
		return b.Kind != htmlpage.Omitted && b.Kind != htmlpage.Heading && b.Kind != htmlpage.Title
	}
	cut, whole := 0, 0
	for _, b := range blocks {
		if isText(b) && cutOff(b.Text) {
			cut++
		}
	}
	if cut < 2 {
		return false
	}
	for _, b := range blocks {
		if isText(b) && !cutOff(b.Text) && isProse(b) {
			whole++
		}
	}
	return cut >= whole
}

func all(sentences []string, drop func(string) bool) bool {
	for _, s := range sentences {
		if !drop(s) {
			return false
		}
	}
	return true
}

// fill takes pieces while they fit and ends with a whole sentence if there is
// one at all.
func (d *describer) fill(pieces []piece, limit int) string {
	var b strings.Builder
	runes, whole := 0, 0 // whole: bytes up to the last complete sentence
	for i, p := range pieces {
		sep := p.sep
		switch {
		case b.Len() == 0:
			sep = ""
		case sep == "\n" && !strings.HasPrefix(pieces[i-1].text, "- ") && pieces[i-1].first:
			sep = "\n"
		case len(sep) < 2 && sep != "\n" && !strings.HasSuffix(b.String(), pieces[i-1].text):
			sep = "\n\n"
		}
		text := p.text
		if b.Len() == 0 {
			text = strings.TrimPrefix(text, "- ")
		}
		n := utf8.RuneCountInString(text) + len(sep)
		if runes+n > limit {
			if whole == 0 && b.Len() == 0 {
				return plain.Cut(text, limit)
			}
			break
		}
		b.WriteString(sep)
		b.WriteString(text)
		runes += n
		if plain.IsComplete(text) {
			whole = b.Len()
		}
	}
	if whole == 0 && len(pieces) > 1 && leads(pieces[0].text) {
		return enumerate(pieces, limit)
	}
	if whole == 0 {
		return b.String()
	}
	return b.String()[:whole]
}

// enumerate writes a list whose items are not sentences as one sentence.
func enumerate(pieces []piece, limit int) string {
	text := pieces[0].text
	runes := utf8.RuneCountInString(text) + 1
	sep := " "
	for _, p := range pieces[1:] {
		t := strings.TrimRight(strings.TrimPrefix(p.text, "- "), ",;")
		if runes += utf8.RuneCountInString(t) + 2; runes > limit {
			break
		}
		text += sep + t
		sep = "; "
	}
	if sep == " " {
		return plain.Cut(withoutLead(pieces[0].text), limit)
	}
	return text + "."
}

func join(pieces []piece) string {
	var b strings.Builder
	for _, p := range pieces {
		b.WriteString(p.text)
		if b.Len() > 4000 {
			break
		}
	}
	return b.String()
}

// note is the page in one line, for an index.
func (d *describer) note(p *Page) string {
	limit := min(NoteLength, d.limit)
	if desc := d.description(p); desc != "" && utf8.RuneCountInString(desc) <= limit {
		return desc
	}
	if p.outlined {
		return d.outline(p, limit)
	}
	lines := strings.Split(plain.UnescapeLines(p.Excerpt), "\n")
	if leads(lines[0]) && len(lines) > 1 {
		pieces := []piece{{text: lines[0]}}
		for _, l := range lines[1:] {
			if !strings.HasPrefix(l, "- ") {
				break
			}
			pieces = append(pieces, piece{text: strings.TrimRight(l, ".")})
		}
		return enumerate(pieces, limit)
	}
	return plain.Cut(lines[0], limit)
}
