package describe

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/farwire/farwire/llmstxt/internal/htmlpage"
	"github.com/farwire/farwire/llmstxt/internal/plain"
)

// What is said of a page that has no prose.

// outline is a note for a page without prose: its headings, else the words of
// its links, else its title.
func (d *describer) outline(p *Page, limit int) string {
	n := &noteParts{d: d, page: p, seen: map[string]bool{plain.Key(p.Title): true, "": true}}
	if n.addPosts(); len(n.list) > 0 {
		return inALine(n.list, limit)
	}
	title := plain.Cut(strings.TrimRight(cmp.Or(p.shared, p.Title), ".")+".", limit)
	n.addBlocks(htmlpage.Heading, htmlpage.Term)
	if len(n.list) == 0 && isWay(p.Evidence.Anchors, p.Title) {
		return title
	}
	if len(n.list) < 3 {
		n.addAnchors()
	}
	if len(n.list) == 0 && isCodeAlone(p) {
		return title
	}
	n.addTexts()
	if len(n.list) < 2 && !(len(n.list) == 1 && strings.Count(n.list[0], " ") >= leastSpaces) {
		n.addCommon()
	}
	if len(n.list) == 1 && makers[strings.ToLower(n.list[0])] {
		n.list = nil // the foot of an empty page
	}
	if i := slices.IndexFunc(n.list, versionLine.MatchString); i >= 0 && len(n.list) <= 2 && !slices.ContainsFunc(n.list[i+1:], versionLine.MatchString) {
		n.list = slices.Delete(n.list, i, i+1) // of what has the title
	}
	if len(n.list) == 0 {
		n.letters = true
		n.addBlocks(htmlpage.Heading)
	}
	if len(n.list) == 0 {
		return title
	}
	return inALine(n.list, limit)
}

// leastSpaces are in words of a page's own that say enough alone: "To use kettle in a project".
const leastSpaces = 4

// noteParts are the words that a note is made of.
type noteParts struct {
	d    *describer
	page *Page

	common  bool // what stands on many pages may be taken too
	letters bool // and so may single letters
	list    []string
	seen    map[string]bool
}

func (n *noteParts) add(said string) {
	t := strings.TrimRight(said, ".:;,")
	if !n.letters && isLetter(t) {
		return // of an index; what stands below it says more
	}
	if !strings.ContainsFunc(t, unicode.IsLetter) && !strings.ContainsFunc(t, unicode.IsDigit) || areSteps(t) {
		return
	}
	if dated(t) || isAddress(t) || ofGraph.MatchString(t) || len(n.list) > 0 && htmlpage.IsMore(said) || ofGenerator(t) || htmlpage.Nameless(t) || n.page == n.d.base && vague(t) {
		return
	}
	if k := plain.Key(t); !n.seen[k] && (n.common || !n.d.votes.boilerplate(t) && !n.d.votes.boilerplate(said)) {
		n.seen[k] = true
		n.list = append(n.list, t)
	}
}

// areSteps reports the words of links to the neighbours of a page: "Previous | Contents | Next".
// Of an iterator "next" and "Next()" are what it does.
func areSteps(t string) bool {
	if strings.ContainsAny(t, "()_") || lowerCase(t) && !strings.ContainsAny(t, steps) {
		return false
	}
	found := false
	for part := range strings.FieldsFuncSeq(t, func(r rune) bool { return strings.ContainsRune(steps, r) }) {
		k := plain.Key(part)
		if found = found || step[k]; k != "" && !step[k] && !vague(part) {
			return false
		}
	}
	return found && plain.Key(t) != "more" // which leads on to the rest of a text
}

// steps are what stands between the words of such links, and points.
const steps = "|<>«»‹›←→[]·•/"

// ofGraph matches what Doxygen writes above and below a picture: "Inheritance diagram for Lid:", "[legend]".
var ofGraph = regexp.MustCompile(`^(?:(?:Inheritance diagram|Collaboration diagram|Include dependency graph|Directory dependency graph) for \S+|\[?legend\]?)$`)

// isAddress reports a link that shows where it leads to.
func isAddress(t string) bool {
	return strings.Contains(t, "://") && !strings.Contains(t, " ")
}

func (n *noteParts) addBlocks(kinds ...htmlpage.BlockKind) {
	for _, b := range n.page.Evidence.Blocks {
		if slices.Contains(kinds, b.Kind) && (n.common || n.letters || b.Kind != htmlpage.Heading || !n.d.ofTemplate(b.Text)) {
			n.add(b.Text)
		}
	}
}

// ofTemplate reports a heading that so many pages have that it says nothing of one of them: "Member Functions".
func (d *describer) ofTemplate(heading string) bool {
	n := d.headings[heading]
	return n >= leastEverywhere && n*leastShare >= d.pages
}

// leastShare is the share of pages, as its reciprocal, that have a heading at least which is of a template.
const leastShare = 10

// addPosts adds the headings of what a list of pages shows of them.
func (n *noteParts) addPosts() {
	n.common = true // a side bar may have the last of them on every page
	defer func() { n.common = false }()
	for i, b := range n.page.Evidence.Blocks {
		if (b.Kind == htmlpage.Heading || b.Kind == htmlpage.Title) && b.Links >= 90 && n.page.quotes(i) {
			n.add(b.Text)
		}
	}
}

// isWay reports the links of a page without words to be the way to it: the folders that it is in, and then its own
// name, with which the title begins: "include; tea; lid.h" of "lid.h File Reference".
func isWay(links []string, title string) bool {
	if len(links) < 2 || len(links) > maxWay {
		return false
	}
	rest, ok := strings.CutPrefix(title, links[len(links)-1])
	return ok && strings.HasPrefix(rest, " ")
}

const maxWay = 12 // links, one for each folder

func (n *noteParts) addAnchors() {
	for _, a := range n.page.Evidence.Anchors {
		// A card begins with its heading, which is named already. What most pages lead to says
		// nothing of this one.
		if most := n.d.links[plain.Key(a)]; most >= leastEverywhere && most*2 > n.d.pages {
			continue
		}
		if !slices.ContainsFunc(n.list, func(p string) bool { return plain.StartsWith(a, p) }) {
			n.add(a)
		}
	}
}

// addTexts adds what stands in no heading, while there are few parts.
func (n *noteParts) addTexts() {
	for i, b := range n.page.Evidence.Blocks {
		if len(n.list) < 3 && b.Kind != htmlpage.Omitted && !(b.Kind == htmlpage.Heading && n.d.ofTemplate(b.Text)) && !all(n.page.Said[i].Sentences, n.d.votes.boilerplate) && !isWritten(b.Text) && !areFiles(b.Text) && (len(n.list) == 0 || !names(b.Text) && !formal(b.Text)) {
			n.add(b.Text)
		}
	}
}

// addCommon adds what stands on many pages, such as a list of what the site links to
// everywhere.
func (n *noteParts) addCommon() {
	n.common = true
	n.addBlocks(htmlpage.Heading)
	own := len(n.list)
	for _, a := range n.page.Evidence.Anchors {
		if made, _, ok := strings.Cut(a, " "); !ok || !makers[strings.ToLower(made)] {
			n.add(a)
		}
	}
	if len(n.list) <= fewLinks && own == 0 && !slices.ContainsFunc(n.list, func(t string) bool { return !n.d.votes.boilerplate(t) }) {
		n.list = nil // a line at the foot or the head of all pages
	}
	for i, b := range n.page.Evidence.Blocks {
		if len(n.list) == 0 && b.Kind != htmlpage.Omitted && b.Links < 50 && wordy(b.Text) && strings.Count(b.Text, " ") >= 5 && !all(n.page.Said[i].Sentences, n.d.votes.common) {
			n.add(b.Text)
		}
	}
}

// leastEverywhere is how many pages have a link at least that is no page's own.
const leastEverywhere = 5

// makers are generators whose names, with a version, stand at the foot of what they made.
var makers = plain.Set(`ldoc luadoc doxygen jsdoc typedoc yard rdoc sphinx mkdocs hugo jekyll hexo pelican gitbook docusaurus vitepress vuepress antora texinfo makeinfo gtk-doc edoc dokka
	texi2html texi2any latex2html hevea hacha tex4ht make4ht tth latexml pod2html man2html rman polyglotman robodoc epydoc pdoc asciidoc asciidoctor docutils pandoc txt2tags groff linuxdoc ocamldoc odoc`)

// fewLinks are no list of what a site has.
const fewLinks = 3

// numericDate is a day in numbers, or a month with a year of four digits.
var numericDate = regexp.MustCompile(`\b([0-9]{1,2}[-/.][0-9]{1,2}[-/.]([0-9]{2}|[12][0-9]{3})|[12][0-9]{3}[-/.]([0-9]{2}|[0-9]{1,2}[-/.][0-9]{1,2})|[0-9]{1,2}[-/.][12][0-9]{3})\b`)

// months are the names of months, in full and as they are shortened, and the characters
// behind their numbers.
var months = plain.Set(`january february march april may june july august september october november december
	jan feb mar apr jun jul aug sep sept oct nov dec januar februar märz mai juni juli oktober dezember okt dez
	janvier février mars avril juin juillet août septembre octobre novembre décembre janv févr avr juil déc
	enero febrero marzo abril mayo junio julio agosto septiembre octubre noviembre diciembre
	janeiro fevereiro março maio junho julho setembro outubro novembro dezembro
	gennaio febbraio aprile maggio giugno luglio settembre ottobre dicembre
	januari februari maart mei augustus augusti maj marts desember
	stycznia lutego marca kwietnia maja czerwca lipca sierpnia września października listopada grudnia
	января февраля марта апреля мая июня июля августа сентября октября ноября декабря
	年 月 日 년 월 일`)

// dated reports a date, and the number of a note: digits alone, or for the most part
// digits, with the name of a month or as a date is written in numbers. A version such as
// "3.40.1" is not a date, and "RFC 9110" is not one either.
func dated(s string) bool {
	digits, letters, run, year := 0, 0, 0, false
	for _, r := range s {
		if run++; !unicode.IsDigit(r) {
			run = 0
		} else if digits++; run == 4 {
			year = true
		}
		if unicode.IsLetter(r) {
			letters++
		}
	}
	if digits*2 <= letters || !year && strings.Contains(s, ".") {
		return false
	}
	isMonth := func(word string) bool { return months[strings.ToLower(word)] }
	return letters == 0 || numericDate.MatchString(s) ||
		slices.ContainsFunc(strings.FieldsFunc(s, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsMark(r) }), isMonth)
}

// tagline is what the title of a base page has behind or before the site's name.
func tagline(p *Page) string {
	best := ""
	for _, sep := range separatorsIn(p.Evidence.Title) {
		for part := range strings.SplitSeq(p.Evidence.Title, sep) {
			if part = strings.TrimSpace(part); part != p.Evidence.Title && worth(part) && !onlyNames(part, p) && strings.Count(part, " ") >= 3 && len(part) > len(best) {
				best = part
			}
		}
	}
	if best == "" {
		return ""
	}
	return asSentence(best)
}

// onlyNames reports a part of a title that greets the reader, or is a name and the kind of its book:
// "Welcome to the Kettle documentation!", "Kettle 9 9.18.2-1 documentation".
func onlyNames(part string, p *Page) bool {
	if welcomed(part) != "" {
		return true
	}
	last := plain.Key(part[strings.LastIndexByte(part, ' ')+1:])
	if !bookWords[last] || between[last] {
		return false
	}
	for w := range strings.FieldsSeq(bareName(part)) {
		if strings.ContainsAny(w, "0123456789") || between[w] {
			continue
		}
		if r, _ := utf8.DecodeRuneInString(w); !unicode.IsUpper(r) && !hasWord(strings.ToLower(heading(p.Evidence)), w) {
			return false
		}
	}
	return true
}

// subtitle is what a base page has right behind its first heading: the site in a line.
func (d *describer) subtitle(p *Page) string {
	blocks := p.Evidence.Blocks
	for i, b := range blocks {
		if b.Kind == htmlpage.Title && i+1 < len(blocks) {
			if leadsToList(blocks, i+1) && !isPhrase(blocks[i+1].Text) {
				break
			}
			t := blocks[i+1].Text
			if blocks[i+1].Kind == htmlpage.Paragraph && blocks[i+1].Links == 0 && !p.quotes(i+1) && worth(t) && wordy(t) && !names(t) && !areData(t) && !isNote(blocks[i+1]) && !leads(t) &&
				!isLabel(t) && !formal(t) && !d.isCourtesy(p, p.Said[i+1].Sentences[0]) && !motto(t) && !saysNothing(t, p.Title) && !all(p.Said[i+1].Sentences, d.votes.repeated) && plain.Key(t) != plain.Key(p.Title) {
				return asSentence(t)
			}
			break
		}
	}
	return ""
}
