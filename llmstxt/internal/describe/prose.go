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

// What tells prose from labels, lists of names and the rest of a sentence.

// isProse tells a paragraph from a label, a menu and a line of data.
func isProse(b htmlpage.Block) bool {
	n := utf8.RuneCountInString(b.Text)
	if n < 25 && !(spaceless(b.Text) && n >= 10) || b.Links > 75 {
		return false
	}
	if !wordy(b.Text) || names(b.Text) || areFiles(b.Text) || areData(b.Text) || !spaceless(b.Text) && strings.Count(b.Text, " ") < 3 {
		return false
	}
	return plain.IsComplete(b.Text) || leads(b.Text) || n >= 80
}

// beginning is the first block of a page below its headings, if that is a sentence of its own that
// isProse finds too short: a reference says "Makes tea." first. It needs no full stop where it stands
// alone between the title and the next heading. What stands behind "Description:" in a list may be
// longer. On a page whose title stands above the text it is the first block. Else it is -1.
func beginning(p *Page) int {
	blocks := p.Evidence.Blocks
	i := 0
	for i < len(blocks) && standsBefore(blocks[i]) {
		i++
	}
	if i == len(blocks) || blocks[i].Links > 50 || i == 0 && hasHeading(p, p.Title) {
		return -1
	}
	if described := i > 0 && isDescribed(blocks[i-1]) && (blocks[i].Kind == htmlpage.Item || blocks[i].Kind == htmlpage.Definition); !described &&
		(blocks[i].Kind != htmlpage.Paragraph || isProse(blocks[i]) && all(p.Said[i].Sentences, isWhole)) {
		return -1
	}
	s := blocks[i].Text
	if !plain.IsComplete(s) && !(isBrief(s) && i > 0 && blocks[i-1].Kind == htmlpage.Title && i+1 < len(blocks) && blocks[i+1].Kind == htmlpage.Heading) {
		return -1
	}
	if lowerCase(s) || strings.Count(s, " ") < 2 || !wordy(s) || isLabel(s) || names(s) || areFiles(s) || greets.MatchString(s) {
		return -1
	}
	return i
}

// standsBefore reports a block that may stand before the first words of a page: a heading, a note, code or
// "Description:".
func standsBefore(b htmlpage.Block) bool {
	switch b.Kind {
	case htmlpage.Heading, htmlpage.Title, htmlpage.Omitted:
		return true
	}
	return isNote(b) || isDescribed(b)
}

// isDescribed reports the label of what a generator describes, as JSDoc's themes have it in a list of definitions.
func isDescribed(b htmlpage.Block) bool {
	return b.Kind == htmlpage.Term && plain.KeyIs(b.Text, "description")
}

// isWhole reports a sentence that needs no full stop.
func isWhole(s string) bool { return plain.IsComplete(strings.TrimSpace(s)) }

// manName returns the index of the block below the heading NAME of a manual page, such as "kettle -
// boil water"; -1 on other pages.
func manName(blocks []htmlpage.Block) int {
	i := slices.IndexFunc(blocks, func(b htmlpage.Block) bool {
		return b.Kind == htmlpage.Heading && nameHeadings[plain.Key(b.Text)]
	})
	if i < 0 || i > 3 || i+1 == len(blocks) || blocks[i+1].Kind != htmlpage.Paragraph || !manLine.MatchString(blocks[i+1].Text) {
		return -1
	}
	return i + 1
}

// manLine is names and what they do: "tea, teapot - make tea".
var manLine = regexp.MustCompile(`^[^\s,]+(?:, [^\s,]+)* (?:-|–|—|−|--) \S+ \S`)

// nameHeadings holds the first heading of a manual page, in the languages that have many.
var nameHeadings = plain.Set("name nom nombre nome naam nazwa имя название 名前 名称 名稱 이름 bezeichnung navn namn jméno")

// isBrief reports words that say what something does, without a full stop: "Lets the water out of
// a kettle". The title of a book, and names, have fewer words in small letters.
func isBrief(s string) bool {
	words, small, own := 0, 0, false
	for w := range strings.FieldsSeq(s) {
		if words++; lowerCase(w) {
			small++
			own = own || !between[w]
		}
	}
	return words >= 3 && own && small*2 >= words && !leads(s) && !vague(s)
}

// greets matches a short text that speaks to its reader, says where to read on, what kind of page it is
// or when it was written: "Let's begin.", "See this page.", "A short guide.", "New in version 3."
var greets = regexp.MustCompile(`(?i)^(?:see|let['’]s|welcome|hello|hi|click|read|note|also|last|new|added|changed|deprecated|removed|since|introduced|written|posted|published|updated|edited|by)\b|` +
	`\b(?:we|you|your|our|us|i|my)\b|\b(?:guide|tutorials?|introduction|overview|page|article|chapter|section|documentation)[.!]*$|[!\d]`)

// continues reports a paragraph that goes on with the sentence before it, from which
// code or a table parts it: "The rules have this form:", "where the pattern is …".
func continues(blocks []htmlpage.Block, i int) bool {
	if i < 2 || blocks[i-1].Kind != htmlpage.Omitted || blocks[i-2].Kind != htmlpage.Paragraph || plain.IsComplete(blocks[i-2].Text) {
		return false
	}
	word, _, _ := strings.Cut(blocks[i].Text, " ")
	return joining[strings.TrimRight(word, ",")]
}

// joining are words that go on with a sentence; written as they stand inside one, since
// a name such as "erl" may begin one in small letters.
var joining = plain.Set("where which and or with but whereas while so then for wobei und oder mit où et avec ou donde y con dove e gdzie i oraz где и или waarbij en met där och med")

// adds reports one sentence alone that adds something to what stands before it: "We also have manual pages."
func adds(sentences []string) bool {
	if len(sentences) != 1 {
		return false
	}
	s := sentences[0]
	for range wordsBeforeAlso {
		word, rest, ok := strings.Cut(s, " ")
		if !ok {
			return false
		}
		if also[strings.ToLower(strings.TrimRight(word, ","))] {
			return !alias.MatchString(rest)
		}
		if strings.ContainsAny(word, ",(") {
			return false // what follows is set apart: "Kettle, auch Kessel, …"
		}
		s = rest
	}
	return false
}

// alias matches what follows "also" where it gives something another name: "Kettle is also known as Pot."
var alias = regexp.MustCompile(`^(?i:known|called|named|referred to|written|spelled|abbreviated|genannt|bekannt|appelée?|connue?|llamad[oa]|conocid[oa]|chamad[oa]|conhecid[oa]|chiamat[oa]|conosciut[oa]|noto|nota|bekend|genoemd|nazywan\pL|znan\pL|называем\pL+|извест\pL+)(?:\PL|$)`)

const wordsBeforeAlso = 3

var also = plain.Set("also additionally furthermore moreover auch außerdem zudem aussi également también además anche inoltre também ook również také также")

func lowerCase(s string) bool {
	r, _ := utf8.DecodeRuneInString(s)
	return unicode.IsLower(r)
}

// names reports a list of names, as of those who wrote a book, or a date: most of its
// words are numbers or begin with a capital letter. "Revision 9.8 by J. Doe and E. Roe."
// A whole sentence with a verb is not one: "Ada Doe, Eve Roe and Max Poe wrote Tea Pots."
func names(s string) bool {
	words, capital, mails, says := 0, 0, 0, false
	for w := range strings.FieldsSeq(s) {
		words++
		first, n := utf8.DecodeRuneInString(w)
		second, _ := utf8.DecodeRuneInString(w[n:])
		mail := isMail(w)
		if mail {
			mails++
		}
		if unicode.IsDigit(first) || unicode.IsUpper(first) && !unicode.IsUpper(second) || mail {
			capital++
		}
		says = says || unicode.IsLower(first) && w == strings.ToLower(w) && !between[strings.Trim(w, ".,;:()")]
	}
	if by, who, _ := strings.Cut(s, " "); strings.EqualFold(by, "by") && !plain.IsComplete(s) && !leads(s) {
		who, _, _ = strings.Cut(who, " ")
		return who != "" && !lowerCase(who) && capital*2 >= words
	}
	return (words >= 6 || mails > 0) && capital*4 >= words*3 && !(says && plain.IsComplete(s))
}

// isMail reports an address of e-mail, in brackets or not: "<ada@tea.test>,".
func isMail(w string) bool {
	if strings.IndexByte(w, '@') < 0 {
		return false
	}
	_, host, ok := strings.Cut(strings.Trim(w, "<>()[],;"), "@")
	return ok && strings.Contains(host, ".")
}

// areFiles reports a list of the names of files: "lib/kettle.rb, lib/kettle/lid.rb".
func areFiles(s string) bool {
	if !strings.Contains(s, "/") {
		return false
	}
	words, files := 0, 0
	for w := range strings.FieldsSeq(s) {
		words++
		if w = strings.TrimRight(w, ",;"); strings.Contains(w, "/") && strings.LastIndexByte(w, '.') > strings.LastIndexByte(w, '/') {
			files++
		}
	}
	return files*4 >= words*3
}

// areData reports several data in a line, each with its name before it: "Pot: Oolong Author: Ada Lid: no".
func areData(s string) bool {
	n := strings.Count(s, ": ")
	return n >= leastData && strings.Count(s, " ") < maxDatum*n && !plain.IsComplete(s)
}

const (
	leastData = 3 // data in a line
	maxDatum  = 5 // words of one and its name, on average
)

// isNote reports what an author sets apart from the text: in a box, or behind the word "Note".
func isNote(b htmlpage.Block) bool {
	begin := b.Text[:min(len(b.Text), maxNoteLabel)]
	return b.Boxed || b.Kind == htmlpage.Paragraph && (strings.ContainsAny(begin, ":!：") && noteLabels.MatchString(begin) || isHatnote(b))
}

// isHatnote reports a paragraph that leads those on who look for something else, as an encyclopedia has it
// above its text: "For other uses, see Pot.", "This article is about the lid of a pot. For that of the eye, see …"
func isHatnote(b htmlpage.Block) bool {
	if b.Links == 0 || len(b.Text) > maxHatnote {
		return false
	}
	for _, begin := range hatnotes {
		if strings.HasPrefix(b.Text, begin.with) {
			return strings.Contains(b.Text, begin.then)
		}
	}
	return ofNamesake.MatchString(b.Text)
}

// ofNamesake matches what tells a subject from another of the same name. What only says where to read on
// does not: "This page is about lids; see also Pots."
var ofNamesake = regexp.MustCompile(`^(?:This (?:article|page) is about .*[.;] For .*\bsee |Dieser Artikel .*[.;] (?i:zu|zum|zur|für) .*\bsiehe |Cet article .*[.;] (?i:pour) .*\bvoir |Este artículo .*[.;] (?i:para) .*\bvéase )`)

const maxHatnote = 300 // bytes of one

// hatnotes are what they begin with and what follows, in the words of the templates of Wikipedia.
var hatnotes = []struct{ with, then string }{
	{"For other uses", ", see "}, {"For the ", ", see "}, {"For a ", ", see "}, {"For an ", ", see "}, {"Not to be confused with ", ""}, {"Main article", ": "},
	{"Further information", ": "}, {"See also: ", ""}, {"\"", "\" redirects here."}, {"“", "” redirects here."},
	{"Weitere Bedeutungen sind unter ", " aufgeführt"}, {"Ne doit pas être confondu avec ", ""},
	{"Pour les articles homonymes, voir ", ""}, {"Pour d’autres significations, voir ", ""}, {"Para otros usos de este término, véase ", ""},
	{"Disambiguazione", " rimanda qui"}, {"Nota disambigua.svg", ""}, {"Voor andere betekenissen, zie ", ""},
}

const maxNoteLabel = 40 // bytes of such a word and its colon

// noteLabels matches the words with which notes begin.
var noteLabels = regexp.MustCompile(`^(?i:(?:please |important |editor['’]s )?(?:note|notes|warning|caution|important|tip|hint|attention|notice|danger|deprecated|n\.?b\.?|` +
	`hinweis|achtung|warnung|wichtig|anmerkung|tipp|remarque|avertissement|astuce|nota|aviso|advertencia|importante|atención|attenzione|avviso|opmerking|waarschuwing|uwaga|примечание|внимание|важно)\s?[:!]|` +
	`(?:注意|注|备注|備註|警告|提示|重要|주의|참고)[:：])`)

// between are the words in small letters that stand between names, or in them.
var between = plain.Set(`a an the and or of by with from for to in on at as et al und von vom der die das den dem zu mit für
	y e i o de del la las los el le les du des da das do dos di della van het een en ter ten og och av af bin ibn
	oder ou con par por avec em um и с от edited translated revised updated version edition ed eds rev vol no pp p copyright`)

// wordy reports a text that is mostly letters.
func wordy(s string) bool {
	letters, n := 0, 0
	for _, r := range s {
		n++
		if r < utf8.RuneSelf {
			if plain.IsLetter(byte(r)) {
				letters++
			}
		} else if unicode.IsLetter(r) || unicode.IsMark(r) {
			letters++
		}
	}
	return letters*10 >= n*6
}

// isLabel reports a datum with its name before it: "Status: draft.", "Authors: Ada Doe <ada@…> and others."
func isLabel(s string) bool {
	name, value, ok := strings.Cut(s, ": ")
	return isWritten(s) || versionLine.MatchString(s) || ok && strings.Count(name, " ") < 3 && strings.Count(value, " ") < 4 && !strings.HasSuffix(s, ":")
}

// versionLine matches a line that only says which version something is: "Version 13.1.5."
var versionLine = regexp.MustCompile(`(?i)^(?:version|release|revision)[ :]+\d[\w.+~-]*$`)

// isWritten reports a datum of who wrote something, or of what may be done with it.
func isWritten(s string) bool {
	n := strings.Index(s[:min(len(s), maxWritten)], ": ")
	return n > 0 && written[strings.ToLower(s[:n])]
}

const maxWritten = 16 // bytes of such a name and its colon

// written are the names before those who wrote something and what may be done with it.
var written = plain.Set("author authors maintainer maintainers contributor contributors copyright license licence autor autoren autores auteur auteurs автор авторы")

func leads(s string) bool { return strings.HasSuffix(s, ":") || strings.HasSuffix(s, "：") }

// withoutLead is a text without its last sentence, which leads to what is left out: "When you boil water:". One
// that is nothing else ends there.
func withoutLead(s string) string {
	if said := plain.Sentences(s); len(said) > 1 && leads(strings.TrimSpace(said[len(said)-1])) {
		if before := strings.TrimSpace(strings.Join(said[:len(said)-1], "")); plain.IsComplete(before) && (spaceless(before) || strings.Count(before, " ") >= leastSpaces) {
			return before
		}
	}
	return strings.TrimRight(s, ":：") + "."
}

// leadsToList reports words before a list that are no sentence: "On this page you find", "Liste des illustrations".
func leadsToList(blocks []htmlpage.Block, i int) bool {
	return i+1 < len(blocks) && (blocks[i+1].Kind == htmlpage.Item || blocks[i+1].Kind == htmlpage.Term) && !plain.IsComplete(blocks[i].Text)
}

// isPhrase reports words that are no sentence and lead to nothing: "The fast kettle for small kitchens". The
// last word of what leads to a list is another: "The kettle can be used for".
func isPhrase(s string) bool {
	words := strings.Fields(strings.ToLower(s))
	return len(words) >= 5 && articles[words[0]] && !leads(s) && !leadingWords[words[len(words)-1]] && !ofBook.MatchString(s)
}

// ofBook matches words on what a list has, which say nothing of the site: "The main topics of this manual".
var ofBook = regexp.MustCompile(`(?i)\b(?:the|this|these|all|die|diese|dieses|la|le|les|cette|ce|el|este|esta)(?: the)?(?: \pL+)? ` +
	`(?:documentation|docs|manual|topics|parts|pages|sections|chapters|contents|dokumentation|handbuchs?|themen|kapitel|seiten|chapitres|rubriques|manuel|documentación|capítulos|temas|secciones)\b|\bthis (?:guide|book|page)\b`)

// leadingWords are the last words before a list.
var leadingWords = plain.Set(`the a an and or of by with from for to in on at as is are be can you we include includes including provides offers contains following below covers supports features has have
	sind ist für mit von und bietet enthält folgende sont est pour avec suivants incluye para con son`)

// pointsAt reports a sentence that points at what an excerpt leaves out: code
// or a table behind a colon.
func pointsAt(s string, blocks []htmlpage.Block, i int) bool {
	if !leads(s) {
		return false
	}
	if !strings.HasSuffix(blocks[i].Text, s) || i+1 == len(blocks) {
		return true
	}
	switch blocks[i+1].Kind {
	case htmlpage.Item:
		return false
	}
	return true
}

// leastSaid is how many bytes a paragraph of a base page has that is more than a slogan.
const leastSaid = 72

// says reports a page with a paragraph of that length, and not only with lists and tables.
func says(blocks []htmlpage.Block) bool {
	for _, b := range blocks {
		if b.Kind == htmlpage.Paragraph && len(b.Text) >= leastSaid && isProse(b) {
			return true
		}
	}
	return false
}
