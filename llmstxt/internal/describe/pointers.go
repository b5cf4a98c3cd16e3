package describe

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/farwire/farwire/llmstxt/internal/htmlpage"
)

// Words that describe nothing and lead elsewhere: to the source that a page was made from, to the
// rest of a text, to another page, to the entries of an index.

// ofSource reports a sentence in which a generator says where in the source it has found something,
// or a link to the rest of a text: "Definition at line 62 of file lid.h.", "More...".
func ofSource(s string) bool {
	if len(s) > maxSource {
		return false
	}
	if htmlpage.IsMore(s) {
		return true
	}
	documentation := strings.Contains(s, "umenta") // in each of the languages
	if strings.ContainsAny(s, "0123456789") && definedAt.MatchString(s) || documentation && madeFrom.MatchString(s) {
		return true
	}
	return (strings.Contains(s, "()") || strings.Contains(s, "::")) && relates.MatchString(s)
}

const maxSource = 200 // bytes of such a sentence

var (
	// definedAt matches a line and its file, in the languages that write them in this order.
	definedAt = regexp.MustCompile(`^(?i:defin|défin|declar|déclar|dekl)\pL* (?:\pL+ ){0,3}(?i:lin|lín|lign|zeile|regel|rad|řád|wiersz|sor)\pL* [0-9]+ (?:\pL+ ){1,3}\S+\.\w{1,5}\.?$`)
	// relates matches what names the functions to which one is related.
	relates = regexp.MustCompile(`^(?:References|Referenced by|Reimplemented (?:in|from)|Implements|Implemented in) (?:(?:and )?[^\s,]*(?:[(:_]|[A-Z]{2})[^\s,]*,? ?)+$`)
	// madeFrom matches what introduces the files, one of which may follow.
	madeFrom = regexp.MustCompile(`^(?:The documentation for this .+ was generated from the following files?|Die Dokumentation für diese.+ wurde erzeugt aufgrund der Datei(?:en)?|` +
		`La documentation de cet.+ a été générée à partir d(?:u fichier suivant|es fichiers suivants)|La documentación (?:para|de) est.+ (?:fue|está) generada a partir de(?:l siguiente fichero| los siguientes ficheros))\s?[:.]`)
)

// sendsOn reports a sentence that only says what to read next, or how to get about the site: "To get
// started see the tour.", "Use the navigation bar at the top of each page."
func sendsOn(s string) bool {
	return len(s) <= maxSending && sending.MatchString(s) && !strings.Contains(s, ": ") && !strings.Contains(s, " see that ")
}

const maxSending = 200 // bytes of such a sentence

var sending = regexp.MustCompile(`^(?:(?:To [^,.;:]{1,60},?|(?:For|If|When)\b[^.;:]{1,80},|(?:New|Are you new) to [^.;:?]{1,60}\?) (?:please |then )?(?i:see|read|visit|go to|start with|begin with|check out|consult|refer to|head over to|take a look at|have a look at)\b|` +
	`(?:Please )?(?i:use|see|click|select|choose) (?:on )?(?:the|one of the|any of the|a) (?:\pL+ ){0,3}(?:navigation|menus?|sidebar|side bar|links?|tabs?|table of contents|search box)(?: bar)?(?: (?:above|below|at|in|on|to|from|or|and|for|with which)\b|[.,]|$))`)

// isLetter reports the heading of a letter's entries in an index: "g", "- g -".
func isLetter(s string) bool {
	s = strings.Trim(s, "-–— ")
	r, n := utf8.DecodeRuneInString(s)
	return n > 0 && n == len(s) && (unicode.IsUpper(r) || unicode.IsLower(r) || r == '_')
}

// ofIndex reports the heading of a letter on a page with several such headings.
func ofIndex(heading string, blocks []htmlpage.Block) bool {
	if !isLetter(heading) {
		return false
	}
	n := 0
	for _, b := range blocks {
		if (b.Kind == htmlpage.Heading || b.Kind == htmlpage.Title) && isLetter(b.Text) {
			n++
		}
	}
	return n > 1
}

// besideWelcome is what stands beside a greeting in a title and names the same: "Kettle 9
// documentation" of "Welcome to Kettle's documentation! — Kettle 9 documentation"; else "".
func besideWelcome(title string) string {
	for _, sep := range separatorsIn(title) {
		parts := strings.Split(title, sep)
		for i, part := range parts {
			to := welcomed(strings.TrimSpace(part))
			if to == "" {
				continue
			}
			for j, other := range parts {
				if other = strings.TrimSpace(other); j != i && !unnamed(other) && !topic(other, to) {
					return other
				}
			}
		}
	}
	return ""
}
