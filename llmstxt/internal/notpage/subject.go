package notpage

import (
	"regexp"

	"github.com/farwire/farwire/llmstxt/internal/htmlpage"
)

// Names that the page of a feature, an event or a setting has as well as one that sends a reader
// away: "Members-only content", "Unsupported browser". The second speaks to its reader:
//
//	Members-only content ─ Turn this on to show posts to members alone.  ─▶ a page
//	Members-only content ─ Already a member? Log in.                     ─▶ none

// subjectNames are such names, by the kind of trouble.
var subjectNames = map[Trouble]*regexp.Regexp{
	Denied: titles(`(?:(?:this|the) )?(?:content|page|article|post|story|section) is .*`, `(?:for )?(?:members|subscribers)[- ]only(?: (?:content|area|page|article))?`, `(?:site|blog|page) is private`, `private (?:site|blog)`,
		`nur für .*`, `(?:article|contenu|page) réservée? .*`, `contenido exclusivo para .*`, `contenuto riservato .*`, `conteúdo exclusivo para .*`),
	Unsupported: titles(`(?:the )?(?:web ?)?browser (?:is )?(?:not supported|unsupported|incompatible|out of date|outdated|no longer supported)`, `(?:unsupported|outdated|incompatible) (?:web ?)?browser(?: detected)?`, `(?:please )?(?:update|upgrade) your (?:web ?)?browser(?: to continue)?`,
		`(?:web)?browser .*(?:unterstützt|veraltet)`, `(?:nicht unterstützter|veralteter) browser`, `navigateur .*`, `navegador .*`, `browser non .*`, `przeglądarka .*`, `браузер .*`, `浏览器.*`, `지원.* 브라우저`),
}

// speaks is what such a page says to its reader.
var speaks = map[Trouble]*regexp.Regexp{
	Denied: regexp.MustCompile(`(?i)(?:^|[.!?:,] )(?:please )?(?:(?:log|sign)[ -]?(?:in|up)|subscribe|join|register|become an?|already an?|unlock) ?|you (?:must|need to|have to) (?:be|log|sign|subscribe|join|register)|(?:please|your|this) (?:account|subscription|password|membership)|` +
		`anmeld|einlogg|abonnier|mitglied werden|connect(?:er|ez)|abonn(?:er|ez)|inici(?:a|e|ar) sesión|suscr[ií]b|acced[ie]|abb[oò]nat|entrar|assine|faça login`),
	Unsupported: regexp.MustCompile(`(?i)\byour (?:current |web ?|old )?browser|you(?:.re| are) using|please (?:use|try|switch|visit|open)|to continue|best experience|we (?:recommend|support|suggest)|(?:this|our) (?:web ?)?(?:site|page|app)|` +
		`(?:ihr|dein)(?:en|em|es)? (?:web)?browser|bitte|votre navigateur|veuillez|(?:tu|su|seu) navegador|por favor|utilice|(?:tuo|uw|je) browser|si prega|przeglądark|ваш|пожалуйста|обновите|используйте|ください|お使い|请|請|您|세요|십시오`),
}

// isSubject reports a page that is about the trouble that its name is: it says something else than
// what its reader shall do.
func isSubject(kind Trouble, title, heading string, called *regexp.Regexp, blocks []htmlpage.Block) bool {
	names := subjectNames[kind]
	if names == nil || !names.MatchString(heading) && (called.MatchString(heading) || !isTitled(title, names)) {
		return false
	}
	said := false
	for _, b := range blocks {
		if b.Kind == htmlpage.Title || b.Kind == htmlpage.Heading {
			continue
		}
		if speaks[kind].MatchString(b.Text) {
			return false
		}
		said = true
	}
	return said
}
