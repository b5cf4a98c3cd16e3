package htmlpage

import (
	"regexp"
	"strings"

	"golang.org/x/text/language"
)

// In which language a page is, by what it says itself. Tags are those of BCP 47, as
// people write them: "pt-BR", "pt_br".

// Sources of a page's language, in order. What the alternates say comes behind the
// first, and the header before the last.
const (
	fromLang = iota
	fromXMLLang
	fromContentLanguage
	fromLocale
	languageSources
)

const maxTag = 35 // bytes

var languageTag = regexp.MustCompile(`^[A-Za-z]{2,3}(?:[-_][A-Za-z0-9]{1,8}){0,4}$`)

// noLanguage are tags for text in no language, in several and in one that nobody knows.
var noLanguage = map[string]bool{"mul": true, "und": true, "zxx": true, "mis": true}

// Tag is a language tag that a page or its header has; "" for a list of several, for
// "x-default" and for what is not a tag.
func Tag(s string) string {
	if s = strings.TrimSpace(s); len(s) > maxTag || !languageTag.MatchString(s) || noLanguage[strings.ToLower(s)] {
		return ""
	}
	return s
}

// says notes a language, the first of each source.
func (p *Page) says(source int, tag string) {
	if p.langs[source] == "" {
		p.langs[source] = Tag(tag)
	}
}

// Language is the tag of the page's language; "" if nothing says it. The two are what
// the alternate says that is the page itself, and its header Content-Language. Where the
// alternate is only more or less exact than the page, "en-GB" for "en", it has the tag
// by which the page's other forms are to be told from it.
func (p *Page) Language(alternate, header string) string {
	alternate = Tag(alternate)
	for _, tag := range []string{p.langs[fromLang], alternate, p.langs[fromXMLLang], p.langs[fromContentLanguage], Tag(header), p.langs[fromLocale]} {
		switch {
		case tag == "":
		case alternate != "" && SameLanguage(alternate, tag):
			return alternate
		default:
			return tag
		}
	}
	return ""
}

const maxAlternates = 100

// AddAlternate notes that the page is elsewhere in another language, and reports whether
// there was room for that.
func (p *Page) AddAlternate(href, lang string) bool {
	if len(p.Alternates) >= maxAlternates {
		return false
	}
	p.Alternates = append(p.Alternates, Link{Href: href, Lang: lang})
	return true
}

// SameLanguage compares the primary subtags of two language tags; an unknown
// language is any.
func SameLanguage(a, b string) bool {
	a, b = primary(a), primary(b)
	return a == "" || b == "" || a == "x" || a == b
}

// primary is the first subtag of a tag, in lower case.
func primary(tag string) string {
	tag, _, _ = strings.Cut(strings.ReplaceAll(strings.ToLower(tag), "_", "-"), "-")
	return tag
}

// Nearness says how near a language tag is to the one that is wanted: 4 for that tag
// itself, 3 if one of the two names no region ("pt" and "pt-BR", "zh-Hant" and "zh-TW"),
// 2 for another region, 1 for another script ("zh-TW" and "zh-CN"), 0 for another
// language.
func Nearness(tag, wanted string) int {
	tag, wanted = strings.ReplaceAll(tag, "_", "-"), strings.ReplaceAll(wanted, "_", "-")
	switch {
	case tag == "" || primary(tag) != primary(wanted):
		return 0
	case strings.EqualFold(tag, wanted):
		return 4
	case len(tag) > maxTag || len(wanted) > maxTag:
		return 1
	}
	a, errA := language.Parse(tag)
	b, errB := language.Parse(wanted)
	scriptA, _ := a.Script()
	scriptB, _ := b.Script()
	if errA != nil || errB != nil || scriptA != scriptB {
		return 1
	}
	_, _, regionA := a.Raw()
	_, _, regionB := b.Raw()
	switch {
	case regionA == regionB:
		return 4 // "zh-Hant-TW" and "zh-TW"
	case regionA != (language.Region{}) && regionB != (language.Region{}):
		return 2
	}
	return 3
}
