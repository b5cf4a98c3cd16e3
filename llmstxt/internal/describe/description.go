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

// What a page says of itself, and short words of its own for want of more.

// description is what the page says of itself, if that is worth anything, as a
// sentence.
func (d *describer) description(p *Page) string {
	for _, said := range descriptions(p.Evidence) {
		desc := withoutMarks(said)
		if strings.HasPrefix(desc, "API documentation for the Rust ") || d.descs[said] > 1 || !worth(desc) || labelled(desc) || d.forms[form(said, p)] >= formsOfAGenerator || broken(desc, p.Evidence.Blocks) || runsOn(desc, p.Evidence.Blocks) || spansHeadings(desc, p.Evidence.Blocks) ||
			all(plain.Sentences(desc), func(s string) bool { return d.isCourtesy(p, strings.TrimSpace(s)) }) {
			continue
		}
		if k := plain.Key(desc); k != plain.Key(p.Title) && k != plain.Key(p.Evidence.Title) {
			return asSentence(desc)
		}
	}
	return ""
}

// withoutMarks returns a description without the marks of Markdown's links, which rustdoc leaves in it:
// "Opens [`Lid`][lid::Lid] of the [kettle](../kettle.html)."
func withoutMarks(desc string) string {
	if !strings.Contains(desc, "](") && !strings.Contains(desc, "][") && !strings.Contains(desc, "[`") {
		return desc
	}
	return linkMarks.ReplaceAllStringFunc(desc, func(link string) string {
		text := linkMarks.FindStringSubmatch(link)
		return text[1] + text[2] + text[3]
	})
}

// linkMarks matches a link with an address or a reference, and a reference that is code. Behind
// a word brackets hold an index: "matrix[i][j]".
var linkMarks = regexp.MustCompile("(^|[^\\pL\\pN_\\])])\\[([^\\[\\]]+)\\](?:\\([^()\\s]*\\)|\\[[^\\[\\]]*\\])|\\[(`[^`]+`)\\]")

// areBadges reports a text of nothing but names of badges, the pictures with which a README begins:
// "github crates-io docs-rs".
func areBadges(desc string) bool {
	n := 0
	for w := range strings.FieldsSeq(strings.ToLower(desc)) {
		if n++; !badges[plain.Key(w)] {
			return false
		}
	}
	return n > 0
}

var badges = plain.Set("github gitlab cratesio docsrs crate docs documentation build status license licence version npm pypi codecov coverage ci discord gitter downloads badge")

// shared is a description that other pages have too: what a site says of itself on
// all of them is about its base page at least.
func (d *describer) shared(p *Page) string {
	for _, desc := range descriptions(p.Evidence) {
		if k := plain.Key(desc); worth(desc) && d.descs[desc]*2 > d.pages && !labelled(desc) && k != plain.Key(p.Title) && k != plain.Key(p.Evidence.Title) {
			return asSentence(desc)
		}
	}
	return ""
}

// ofHome is the first description that a base page without words of its own has, though other pages
// have it too: a blog gives the site's to all its lists.
func (d *describer) ofHome(p *Page) string {
	for _, desc := range descriptions(p.Evidence) {
		if k := plain.Key(desc); worth(desc) && !labelled(desc) && k != plain.Key(p.Title) && k != plain.Key(p.Evidence.Title) {
			return asSentence(desc)
		}
	}
	return ""
}

// formsOfAGenerator is how many descriptions of one form show that a generator made them,
// which only put a page's title into words: "API documentation for the Rust `Pot` struct in crate `tea`."
const formsOfAGenerator = 5

// form is a description without the words of its page's title.
func form(desc string, p *Page) string {
	words := map[string]bool{}
	for _, title := range []string{p.Title, p.Evidence.Title} {
		for w := range strings.FieldsFuncSeq(strings.ToLower(title), notWord) {
			words[w] = true
		}
	}
	var b strings.Builder
	for w := range strings.FieldsFuncSeq(strings.ToLower(desc), notWord) {
		if !words[w] {
			b.WriteString(w)
			b.WriteByte(' ')
		}
	}
	return b.String()
}

// placeholders are what generators put where a site is to describe itself.
var placeholders = plain.Set(`descriptionwillgointoametataginhead websitecreatedusingcreatereactapp generatedbycreatenextapp
	justanotherwordpresssite avitepresssite avuepresssite builtwithdocusaurus`)

// labelled reports data with their names, as a generator writes them:
// "declaration: package: org.example, enum class: Box".
func labelled(desc string) bool {
	first := true
	for part := range strings.SplitSeq(strings.TrimSuffix(desc, "."), ", ") {
		name, value, ok := strings.Cut(part, ": ")
		if kind, what, more := strings.Cut(name, " "); more && !first && lowerCase(kind) && lowerCase(what) {
			name = kind
		}
		if first = false; !ok || strings.Contains(name, " ") || strings.Count(value, " ") > strings.Count(value, ": ") {
			return false
		}
	}
	return true
}

// descriptions are all that a page has of itself.
func descriptions(e *htmlpage.Evidence) []string {
	if e.Description == "" {
		return e.Others
	}
	return append([]string{e.Description}, e.Others...)
}

// worth reports a description with something to say: of three words, or of as
// many characters in a script without spaces, that no machine cut off.
func worth(desc string) bool {
	n := utf8.RuneCountInString(desc)
	if n < 60 && placeholders[plain.Key(desc)] {
		return false
	}
	if cutOff(desc) || areBadges(desc) {
		return false
	}
	if spaceless(desc) {
		return n >= 8
	}
	return n >= 15 && strings.Count(desc, " ") >= 2
}

// cutOff reports a text that a machine has shortened.
func cutOff(s string) bool {
	if n := len(s); n > 0 && s[n-1] < utf8.RuneSelf && !strings.ContainsRune(" ]).", rune(s[n-1])) {
		return false // as most end
	}
	s = strings.TrimRight(s, " ])→»")
	return strings.HasSuffix(s, "…") || strings.HasSuffix(s, "...")
}

// broken reports the beginning of a page's own text that a machine has cut off in the
// middle of a sentence, or of a word.
func broken(desc string, blocks []htmlpage.Block) bool {
	if plain.IsComplete(desc) {
		return false
	}
	said := 0
	for _, b := range blocks {
		if b.Kind == htmlpage.Omitted || len(b.Text) <= len(desc) {
			continue
		}
		if rest, ok := strings.CutPrefix(b.Text, desc); ok {
			return strings.IndexAny(rest, ".!?;:。！？") != 0
		}
		if said++; said == 10 {
			break
		}
	}
	return false
}

// runsOn reports the page's own text that a machine has taken without its mark-up: the first paragraph
// and, in one line with it, code or a table, or items that no space parts. The paragraph alone says more.
func runsOn(desc string, blocks []htmlpage.Block) bool {
	rest, begun := desc, false
	for i, b := range blocks {
		switch {
		case !begun && i >= maxBefore:
			return false
		case b.Kind == htmlpage.Omitted:
			if begun {
				return true
			}
		case !begun && b.Kind != htmlpage.Paragraph:
		default:
			after, ok := strings.CutPrefix(rest, b.Text)
			if b.Text == "" || !ok {
				if begun {
					return false
				}
				continue
			}
			if rest = strings.TrimLeft(after, " "); rest == "" {
				return false
			}
			if r, _ := utf8.DecodeRuneInString(after); len(rest) == len(after) && !spaceless(after) && (unicode.IsLetter(r) || unicode.IsDigit(r)) {
				return true
			}
			begun = true
		}
	}
	return false
}

// spansHeadings reports the page's own text that a machine has taken in one line with its headings: the first of
// its blocks, a heading behind one of them, and what follows that: "Changes 2.1 Faster boiling 2.0 New lids".
func spansHeadings(desc string, blocks []htmlpage.Block) bool {
	for i := range blocks[:min(len(blocks), maxBefore)] {
		rest := desc
		for j, b := range blocks[i:] {
			after, ok := strings.CutPrefix(rest, b.Text)
			if !ok || b.Text == "" {
				break
			}
			if rest = strings.TrimLeft(after, " "); rest == "" {
				break
			}
			if j > 0 && b.Kind == htmlpage.Heading && i+j+1 < len(blocks) && goesOn(rest, blocks[i+j+1]) {
				return true
			}
		}
	}
	return false
}

// goesOn reports a text that begins as a block does, or is the beginning of it. What code says is not kept.
func goesOn(text string, b htmlpage.Block) bool {
	return b.Kind == htmlpage.Omitted || b.Text != "" && (strings.HasPrefix(text, b.Text) || strings.HasPrefix(b.Text, text))
}

// maxBefore is how many blocks may stand before the paragraph with which a description begins.
const maxBefore = 10

// spaceless reports a text in a script that has no spaces between words.
func spaceless(s string) bool {
	for _, r := range s {
		if r < 0xe00 {
			continue // before Thai, the first of them
		}
		if r > 0x2e80 && unicode.IsLetter(r) || unicode.In(r, unicode.Thai, unicode.Lao, unicode.Khmer, unicode.Myanmar) {
			return true
		}
	}
	return false
}

// asSentence ends a text that lacks a full stop with that of its script.
func asSentence(s string) string {
	if plain.IsComplete(s) {
		return s
	}
	s = strings.TrimRight(s, ",;:-–—， 、；：")
	for _, e := range ends {
		if r, _ := utf8.DecodeLastRuneInString(s); unicode.In(r, e.scripts...) {
			return s + e.sign
		}
	}
	return s + "."
}

// ends are the full stops of scripts that have one of their own.
var ends = []struct {
	sign    string
	scripts []*unicode.RangeTable
}{
	{"。", []*unicode.RangeTable{unicode.Han, unicode.Hiragana, unicode.Katakana}},
	{"।", []*unicode.RangeTable{unicode.Devanagari, unicode.Bengali, unicode.Gurmukhi, unicode.Oriya}},
	{"။", []*unicode.RangeTable{unicode.Myanmar}}, {"។", []*unicode.RangeTable{unicode.Khmer}},
	{"", []*unicode.RangeTable{unicode.Thai, unicode.Lao}}, // a space parts sentences
	{"።", []*unicode.RangeTable{unicode.Ethiopic}}, {"։", []*unicode.RangeTable{unicode.Armenian}},
}

// short is the first paragraph that is too short for prose, or has no full stop,
// and yet is words of the page's own and not a name.
func (d *describer) short(p *Page) string {
	if p != d.base && listsNames(p) {
		return ""
	}
	title := plain.Key(p.Title)
	for i, b := range p.Evidence.Blocks {
		if b.Kind != htmlpage.Paragraph || b.Links > 50 || p.quotes(i) || !worth(b.Text) || plain.Key(b.Text) == title || leads(b.Text) || saysNothing(b.Text, p.Title) ||
			all(p.Said[i].Sentences, d.votes.repeated) || isLabel(b.Text) || !wordy(b.Text) || names(b.Text) || areFiles(b.Text) || areData(b.Text) || ofGenerator(b.Text) || slices.ContainsFunc(p.Said[i].Sentences, func(s string) bool { return d.isFooter(p, s) }) || p == d.base && (leadsToList(p.Evidence.Blocks, i) || adds(p.Said[i].Sentences)) || d.isCourtesy(p, b.Text) {
			continue
		}
		return plain.Cut(asSentence(b.Text), d.limit)
	}
	return ""
}
