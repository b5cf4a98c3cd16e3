package notpage

import (
	"bytes"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/farwire/farwire/llmstxt/internal/htmlpage"
	"github.com/farwire/farwire/llmstxt/internal/plain"
)

// Walls: pages that stand before others until somebody agrees to something, by a form or a
// script. What they are called, by language; each also has a control with which to agree.
var (
	consentTitle = regexp.MustCompile(`(?i)^(?:` + strings.Join([]string{
		`cookies?(?: (?:wall|consent|notice|settings|preferences|policy))?`, `(?:we|this (?:web)?site) (?:uses?|values?|cares? about|respects?) (?:cookies|your (?:privacy|data))\b.*`, `before you continue\b.*`,
		`(?:your )?privacy(?: and cookies| choices| matters| settings| preferences)?`, `(?:your )?consent(?: required| settings)?`, `manage (?:cookies|consent|your privacy)`,
		`cookie-?(?:einstellungen|hinweis|zustimmung|richtlinie)`, `(?:wir|diese (?:web)?seite) (?:verwende[nt]|nutz(?:en|t)|benutz(?:en|t)) cookies.*`, `bevor (?:sie|du) (?:fortfahren|fortfährst|weitermach).*`, `datenschutz-?einstellungen`, `(?:ihre )?(?:einwilligung|zustimmung)(?: erforderlich)?`,
		`avant d(?:e |.)(?:continuer|accéder).*`, `nous utilisons des cookies.*`, `(?:gestion|paramètres) des cookies`, `votre vie privée.*`, `antes de continuar.*`, `(?:usamos|utilizamos) cookies.*`, `(?:aviso|configuración|política) de cookies`,
		`prima di continuare.*`, `(?:usiamo|utilizziamo) i? ?cookies?.*`, `voordat (?:je|u) (?:verder ?gaat|doorgaat).*`, `(?:wij|we) gebruiken cookies.*`, `zanim przejdziesz.*`, `używamy (?:plików )?cookies.*`, `мы используем (?:файлы )?cookies?.*`,
	}, "|") + `)$`)
	ageTitle = regexp.MustCompile(`(?i)^(?:` + strings.Join([]string{
		`age[- ](?:verification|check|gate|restrict\w+|confirmation)\b.*`, `(?:please )?(?:verify|confirm|enter) your (?:age|date of birth)\b.*`, `(?:are )?you (?:must be )?(?:over |at least |of )?(?:the )?(?:1[6-9]|2[01]|legal)\b.*`,
		`alters(?:prüfung|verifikation|kontrolle|nachweis|abfrage|bestätigung).*`, `(?:sind sie|bist du) (?:über|mindestens|schon|bereits|älter|volljährig|1[68])\b.*`, `vérification de l.âge.*`, `(?:avez-vous|as-tu) (?:plus de )?18.*`, `êtes-vous majeure?.*`,
		`verificación de (?:la )?edad.*`, `¿?(?:eres|es usted) mayor de.*`, `verificação de idade.*`, `você tem (?:mais de )?18.*`, `verifica dell.età.*`, `hai (?:più di |compiuto )?18.*`, `leeftijds(?:controle|verificatie|check).*`, `ben (?:je|u) (?:ouder dan |al )?18.*`,
		`(?:weryfikacja|potwierdź swój) wiek.*`, `czy masz (?:ukończone )?18.*`, `подтвердите (?:свой |ваш )?возраст.*`, `вам (?:уже )?(?:есть|исполнилось) 18.*`, `年齢(?:確認|認証).*`, `あなたは18歳.*`, `年[龄齡](?:验证|驗證|确认|確認).*`, `(?:연령|나이|성인) ?(?:확인|인증).*`,
	}, "|") + `)$`)
	termsTitle = regexp.MustCompile(`(?i)^(?:` + strings.Join([]string{
		`(?:please )?(?:accept|agree to|review|read)(?: and (?:accept|agree to))? (?:the|our|these) (?:terms|conditions|disclaimer|agreement|licen[cs]e|policy)\b.*`, `terms(?: (?:of (?:use|service)|(?:and|&) conditions))?(?: agreement)?`, `(?:legal )?disclaimer`, `(?:end[- ]user |user |licen[cs]e )(?:licen[cs]e )?agreement`,
		`nutzungsbedingungen(?: akzeptieren)?`, `haftungsausschluss`, `conditions (?:générales )?d.utilisation`, `avertissement(?: légal)?`, `(?:términos|condiciones)(?: y condiciones)? de uso`, `aviso legal`, `termos de (?:uso|serviço)`, `(?:condizioni|termini) d.uso`, `gebruiksvoorwaarden`, `warunki korzystania`, `regulamin`, `利用規約`, `使用条款`, `이용 ?약관`,
	}, "|") + `)$`)
	regionTitle = regexp.MustCompile(`(?i)^(?:` + strings.Join([]string{
		`(?:please )?(?:choose|select|confirm|set) (?:your|a) (?:country|region|location|market|store|shop|delivery|shipping)\b.*`, `where are you(?: located| shopping from| visiting from)?\??`,
		`(?:bitte )?(?:wählen sie|wähle) (?:ihr|dein|ihre|deine)e? (?:land|region|standort|markt)\b.*`, `(?:choisissez|sélectionnez) votre (?:pays|région|magasin)\b.*`, `(?:elige|elija|selecciona|seleccione) (?:tu|su) (?:país|región|ubicación)\b.*`, `(?:escolha|selecione) (?:o )?seu (?:país|local)\b.*`, `(?:scegli|seleziona) il tuo paese\b.*`, `kies (?:je|uw) land\b.*`, `wybierz (?:swój )?kraj\b.*`, `выберите (?:страну|регион|город)\b.*`,
	}, "|") + `)$`)

	// about is a name of a page that is about what walls ask for.
	about = regexp.MustCompile(`(?i)cookie|privacy|privaci|privee|confidentialit|consent|datenschutz|einwilligung|zustimmung|(?:^|[-_.])(?:age|idade|edad|leeftijd)(?:[-_.]|$)|^alters|^terms|[-_]terms|^tos(?:\.|$)|^agb|legal|disclaimer|agreement|licen[cs]e|nutzungsbedingungen|haftungsausschluss|conditions|condiciones|terminos|aviso|condizioni|voorwaarden|regulamin|country|countries|region|location|store`)

	// agrees is not an agreement, an acceptable use or an acceptance, to which pages link.
	agrees = regexp.MustCompile(`(?i)\b(?:accept(?:[^a]|a[^bn]|a?$)|agree(?:[^m]|$)|consent|allow all|akzeptier|zustimm|einverstanden|accepte[rz]?\b|acepto|aceptar|aceit|concord|accett|accepteer|akkoord|akceptuj|zgadzam)|приня|соглас|同意|동의`)
)

const (
	longestWall = 1000 // bytes of its text
	wallLinks   = 5    // of it, at most
	wayIn       = 3    // links of a wall that has no button, at most
	longControl = 500  // bytes of what one says
)

// Wall says what a page wants somebody to agree to before others can be read, "" if it is a
// page: it is short, is called like a wall, leads nearly nowhere, and has a control with which
// to agree. A page whose address was asked for and says what it is about is not a wall.
func Wall(p *htmlpage.Page, blocks []htmlpage.Block, page []byte, final, asked *url.URL) string {
	if p.Sum != "" && (p.Short == "" || len(p.Short) > longestWall) || len(p.Links) > wallLinks {
		return ""
	}
	if final.Path == asked.Path && about.MatchString(path.Base(final.Path)) {
		return ""
	}
	low := bytes.ToLower(page[:min(len(page), 64<<10)])
	names := []string{p.Title}
	if isAlone(low, blocks) {
		names = append(names, headingOf(blocks))
	}
	called := partsOf(names)
	is := func(kind *regexp.Regexp) bool { return slices.ContainsFunc(called, kind.MatchString) }
	button := bytes.Contains(low, []byte("<button")) || bytes.Contains(low, []byte("<form")) || bytes.Contains(low, []byte("<dialog"))
	switch {
	case (button || len(p.Links) <= wayIn) && is(ageTitle):
		return "asks for the reader's age before it shows anything"
	case button && is(consentTitle) && canAgree(low):
		return "asks for consent to cookies before it shows anything"
	case button && is(termsTitle) && canAgree(low):
		return "asks the reader to accept its terms before it shows anything"
	case len(p.Links) <= 1 && (button || bytes.Contains(low, []byte("<select"))) && is(regionTitle):
		return "asks for the reader's country before it shows anything"
	}
	return ""
}

// partsOf are names and what stands before and behind each sign that may part one from the
// site's, each once.
func partsOf(names []string) (parts []string) {
	add := func(part string) {
		if part = strings.TrimRight(plain.OneLine(part), " .!…"); part != "" && !slices.Contains(parts, part) {
			parts = append(parts, part)
		}
	}
	for _, name := range names {
		add(name)
		for _, separator := range []string{" | ", " - ", " — ", " – ", " · ", " :: "} {
			if before, behind, ok := strings.Cut(name, separator); ok {
				add(before)
				add(behind)
			}
		}
	}
	return parts
}

// canAgree reports a control with which to agree: the word may stand in a text or in a script.
func canAgree(low []byte) bool {
	for i := bytes.IndexByte(low, '<'); i >= 0; i = bytes.IndexByte(low, '<') {
		low = low[i+1:]
		for _, c := range [][2]string{{"button", "</button"}, {"a", "</a"}, {"label", "</label"}, {"input", ">"}} {
			if n := len(c[0]); len(low) <= n || string(low[:n]) != c[0] || !strings.ContainsRune(" \t\r\n\f/>", rune(low[n])) {
				continue
			}
			said := low[:min(len(low), longControl)]
			if end := bytes.Index(said, []byte(c[1])); end >= 0 {
				said = said[:end]
			}
			if agrees.Match(said) {
				return true
			}
			low = low[len(said):]
			break
		}
	}
	return false
}

// isAlone reports that a page has one heading, and no more below it than a wall has: a dialog
// that lies over a page has one, too, and the page another.
func isAlone(low []byte, blocks []htmlpage.Block) bool {
	headings, paragraphs := 0, 0
	for _, tag := range []string{"<h1", "<h2", "<h3"} {
		headings += bytes.Count(low, []byte(tag))
	}
	for _, b := range blocks {
		if b.Kind == htmlpage.Paragraph {
			paragraphs++
		}
	}
	return headings <= 1 && paragraphs <= 2
}
