package describe

import (
	"regexp"
	"strings"

	"github.com/farwire/farwire/llmstxt/internal/plain"
)

// What a site has to say, on whatever page, and what says nothing of what a page is about.

// formal reports a sentence of a licence, of cookies or of the browser, or one that the site's
// generator says.
func formal(s string) bool {
	low := strings.ToLower(s)
	return isLicence(low) || len(s) <= maxNotice && notices.in(low) || ofGenerator(s) || isWritten(s)
}

// isColophon reports what a page says of its own making: "This document was translated from LaTeX by HEVEA.",
// "Generated for Kettle by doxygen 1.9."
func isColophon(s string) bool {
	if len(s) > maxColophon || len(s) < 8 || !made.MatchString(s) {
		return false
	}
	by, found, behind := false, false, 0
	for w := range strings.FieldsFuncSeq(strings.ToLower(s), func(r rune) bool { return r != '-' && notWord(r) }) {
		by = by || w == "by" || w == "using" || w == "with"
		if by && makers[w] {
			found, behind = true, 0
		} else if strings.Trim(w, "0123456789") != "" {
			behind++
		}
	}
	return found && behind <= maxBehind // a sentence goes on
}

const maxBehind = 4 // words behind a generator's name: "translator version", a day

const maxColophon = 240 // bytes of one

// made is how it begins. What a page says of other documents, or of how things are made, begins in other ways.
var made = regexp.MustCompile(`^(?:(?:This|The) (?:HTML |web )?(?:document|documentation|page|manual|file|text|book|site|website|version|translation)(?: itself)? (?:was|has been) (?:automatically )?(?:generated|translated|converted|produced|created|formatted|made|built)\b|(?:Auto)?(?:Generated|generated|Translated|Converted|Produced|Formatted) (?:for|from|on|by|using|with|automatically) )`)

// IsNotice reports a text in which a site asks its readers for something, on whatever page: to accept
// cookies, to use another browser or to take its newsletter. A longer text is about them.
func IsNotice(s string) bool { return len(s) <= maxNotice && notices.in(strings.ToLower(s)) }

// isFooter reports a sentence of a licence, or one like it, that a site has below its pages, of which the votes know few if
// the pages are long: a page may be about a licence; a site is not, and neither are three pages.
func (d *describer) isFooter(p *Page, s string) bool {
	return formal(s) && (p == d.base || d.votes.count.pages(d.votes.whole(s)) >= leastFooter)
}

const leastFooter = 3 // pages that have it

const maxNotice = 400 // bytes of one

// isCourtesy reports a sentence of the base page that thanks or greets somebody, or only says where
// to read on.
func (d *describer) isCourtesy(p *Page, s string) bool {
	return p == d.base && (thanks(s) || onlyGreets(s, p.Title) || sendsOn(s))
}

// thanks reports a sentence in which authors thank somebody.
func thanks(s string) bool {
	low := strings.ToLower(s[:min(len(s), 80)])
	return strings.Contains(low, "thank") && thanksTo.MatchString(low) && !becauseOf(s)
}

// becauseOf reports a sentence that names a cause: "Thanks to its lid, Kettle boils water fast."
// In one that thanks people, more names follow the comma, or the reason.
func becauseOf(s string) bool {
	what, rest, ok := strings.Cut(s, ", ")
	if !ok || !strings.HasPrefix(strings.ToLower(what), "thanks to ") || strings.Contains(what, " for ") {
		return false
	}
	words := strings.Fields(rest)
	if len(words) < 2 || joins[strings.ToLower(words[0])] {
		return false
	}
	return lowerCase(words[0]) || lowerCase(words[1]) && !joins[words[1]]
}

// joins are words between the names of people, and before what they are thanked for.
var joins = plain.Set("and or who whom whose which for without as in at from of our my also especially particularly including plus de la van von der den")

// onlyGreets reports a sentence that welcomes the reader to what the title names, and says no more.
func onlyGreets(s, title string) bool {
	to, title := welcomed(s), strings.ToLower(title)
	for w := range strings.FieldsFuncSeq(strings.ToLower(to), notWord) {
		if !hasWord(title, w) && !bookWords[w] {
			return false
		}
	}
	return to != ""
}

var thanksTo = regexp.MustCompile(`^(?:(?:many|special|warm|our|my|and) )*thanks (?:also |again |go |are due )*(?:to|for)\b|^(?:we|i|the authors?)(?: would like to| want to| wish to|'d like to)?(?: also)? thank\b|^thank you for\b`)

// isLicence reports a sentence, in lower case, on what may be done with a text, which says
// nothing of what it is about.
func isLicence(low string) bool { return len(low) >= 16 && licences.in(low) }

// phrases are looked for in every sentence, and few sentences have one: each is listed under the hash
// of its first four bytes.
type phrases [1 << 10][]string

func newPhrases(all ...string) *phrases {
	p := new(phrases)
	for _, phrase := range all {
		list := &p[firstBytes(0).add(phrase[0]).add(phrase[1]).add(phrase[2]).add(phrase[3]).hash()]
		*list = append(*list, phrase)
	}
	return p
}

// in reports a text, in lower case, that has one of the phrases.
func (p *phrases) in(low string) bool {
	first := firstBytes(0)
	for i := range len(low) {
		first = first.add(low[i])
		for _, phrase := range p[first.hash()] {
			if i >= 3 && strings.HasPrefix(low[i-3:], phrase) {
				return true
			}
		}
	}
	return false
}

// firstBytes are four, the last in the lowest bits.
type firstBytes uint32

func (f firstBytes) add(c byte) firstBytes { return f<<8 | firstBytes(c) }
func (f firstBytes) hash() uint32          { return uint32(f) * 0x9e3779b1 >> 22 }

// licences are in the usual licences of documentation and nowhere else.
var licences = newPhrases(
	"redistribute it and/or modify", "redistribute and/or modify", "under the terms of the gnu", "permission is granted to copy", "permission is granted to make",
	"permission is granted to reproduce", "permission is hereby granted", "we grant permission to copy and distribute", "may also be copied and distributed", "be copied, in whole or in part", "copy of the license is included in the section", "permission notice", "verbatim copies",
	"all rights reserved", "copyright ©", "copyright 19", "copyright 20", "copyright (c)", "without even the implied warranty", "is subject to the boost software license",
	"work is licensed under", "otherwise noted, this work", "otherwise noted, this content", "otherwise noted, content on", "otherwise noted, content of", "otherwise noted, the content of", "licensed under a creative commons", "licensed under creative commons", "licensed under the creative commons", "to view a copy of this license", "along with this program", "copy of the gnu general public license",
	"gnu general public license for more details", "text of the gnu general public license", "gnu.org/licenses", "writing to the free software foundation")

// notices are in the banners of sites and of the services that make these (OneTrust,
// Cookiebot, Usercentrics, Didomi, Quantcast), in pleas for another browser and in those to
// take a newsletter.
var notices = newPhrases(
	"website uses cookies", "site uses cookies", "we use cookies", "uses cookies to ensure", "storing of cookies", "our use of cookies",
	"uses essential cookies", "accept all cookies", "we value your privacy", "store and/or access information on a device",
	"wir verwenden cookies", "wir nutzen cookies", "website verwendet cookies", "webseite verwendet cookies", "website nutzt cookies",
	"nous utilisons des cookies", "site utilise des cookies", "utilizamos cookies", "usamos cookies", "este sitio web utiliza cookies", "este site utiliza cookies",
	"utilizziamo i cookie", "questo sito utilizza", "maakt gebruik van cookies", "wij gebruiken cookies", "używamy plików cookie", "используем файлы cookie",
	"используем cookie", "использует cookie", "cookieを使用", "クッキーを使用", "使用 cookie", "使用cookie",
	"please enable javascript", "enable javascript in your browser", "javascript is disabled in your", "bitte aktivieren sie javascript", "veuillez activer javascript",
	"subscribe to our newsletter", "subscribe to our mailing list", "sign up for our newsletter", "sign up to our newsletter", "join our newsletter",
	"sign up for our weekly newsletter", "sign up for our monthly newsletter", "subscribe to our weekly newsletter", "subscribe to our monthly newsletter",
	"abonnieren sie unseren newsletter", "unseren newsletter abonnieren", "jetzt newsletter abonnieren", "abonnez-vous à notre newsletter", "inscrivez-vous à notre newsletter", "inscrivez-vous à notre lettre",
	"suscríbete a nuestro boletín", "suscríbete a nuestra newsletter", "iscriviti alla nostra newsletter", "assine nossa newsletter", "schrijf je in voor onze nieuwsbrief",
	"подпишитесь на нашу рассылку",
	"включите javascript", "using an outdated browser", "your browser is not supported", "your browser is out of date", "please upgrade your browser", "veralteten browser", "navigateur obsolète")
