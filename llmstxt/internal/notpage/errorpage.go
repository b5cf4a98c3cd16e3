package notpage

import (
	"net/url"
	"path"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/farwire/farwire/llmstxt/internal/htmlpage"
)

// Errors that a site sends in place of a page with a status of 200: that it is too busy, is being
// worked on, has failed, or shows the page to others alone. What they are called, by language.

// Trouble is what such a page says.
type Trouble int8

// Kinds of trouble.
const (
	NoTrouble   Trouble = iota
	TooMany             // requests: later it may be a page
	Down                // the site is: later it may be a page
	Denied              // the page is for others
	Unsupported         // the browser is
)

var troubles = []struct {
	kind   Trouble
	called *regexp.Regexp
}{
	{TooMany, titles(`(?:error )?429(?:[ :–—-]+too many requests)?`, `too many requests`, `(?:api )?rate limit(?:ed| exceeded| reached)?`, `(?:you have been|you are being) rate[- ]limited`, `zu viele anfragen`, `trop de requêtes`, `demasiadas (?:solicitudes|peticiones)`, `troppe richieste`, `muitas (?:solicitações|requisições)`, `te veel verzoeken`, `zbyt wiele żądań`,
		`слишком много запросов`, `リクエストが多すぎます`, `(?:请求|访问)过于频繁`, `요청이 너무 많습니다`)},
	{Down, titles(`(?:(?:this |our |the )?(?:web)?site (?:is )?)?(?:currently |temporarily )?(?:under|down for|undergoing) (?:scheduled |routine |planned )?maintenance`, `(?:briefly |temporarily )?unavailable for scheduled maintenance`, `maintenance mode`, `scheduled maintenance`, `(?:we.ll|we will) be (?:right )?back(?: soon| shortly| later)?`,
		`wartung(?:sarbeiten|smodus)`, `(?:(?:diese |unsere )?(?:web)?seite )?(?:wird (?:gerade|derzeit) gewartet|(?:ist )?in wartung)`, `(?:site )?en (?:cours de )?maintenance`, `maintenance en cours`, `(?:sitio |página )?en mantenimiento`, `(?:sito )?in manutenzione`, `(?:site )?em manutenção`, `(?:website )?in onderhoud`, `(?:przerwa techniczna|prace konserwacyjne)`,
		`(?:сайт на (?:обслуживании|реконструкции)|(?:ведутся )?технические работы|техническое обслуживание)`, `(?:サイト)?(?:只今)?メンテナンス中(?:です)?`, `(?:网站|系统|系統|網站)维?維?护?護?中`, `(?:서비스|시스템|사이트) 점검(?: 중)?`,
		`(?:error |http )?5\d\d(?:[ :–—-]+(?:internal server error|bad gateway|service (?:temporarily )?unavailable|gateway time-?out|server error))?`, `(?:internal )?server error`, `bad gateway`, `service (?:temporarily )?unavailable`, `gateway time-?out`, `database (?:connection )?error`, `error establishing a database connection`, `server error in '[^']*' application`,
		`there has been a critical error on (?:this|your) website`, `(?:es gab|auf deiner website gab es) einen kritischen fehler.*`, `il y a eu une erreur critique sur .*`, `ha habido un error crítico en .*`, `si è verificato un errore critico sul .*`, `houve um erro (?:crítico|fatal) .*`, `er heeft zich een kritieke fout voorgedaan op .*`, `wystąpił błąd krytyczny .*`, `на сайте возникла критическая ошибка`, `このサイトで重大なエラーが発生しました`,
		`the website encountered an unexpected error`, `whoops, looks like something went wrong`, `whitelabel error page`)},
	{Denied, titles(`(?:error |http )?40[13](?:[ :–—-]+(?:forbidden|unauthorized|access denied))?`, `access (?:denied|forbidden|restricted)`, `forbidden`, `permission denied`, `(?:you are )?not authorized`, `unauthorized(?: access)?`, `(?:zugriff|zugang) verweigert`, `kein(?:e zugriffs?berechtigung| zugriff)`, `accès (?:refusé|interdit)`, `acceso (?:denegado|prohibido)`, `accesso negato`, `acesso negado`,
		`toegang geweigerd`, `(?:dostęp zabroniony|brak dostępu|odmowa dostępu)`, `доступ (?:запрещ[её]н|закрыт)`, `アクセス(?:が)?(?:拒否|禁止)(?:されました|されています)?`, `(?:访问被拒绝|拒绝访问|禁止访问|存取被拒)`, `접근이 거부되었습니다`,
		`(?:(?:this|the) )?(?:content|page|article|post|story|section) is (?:only )?(?:for|(?:available|restricted|limited) to|reserved for) (?:our |paying |paid |registered |logged[- ]in )?(?:members|subscribers|users)(?: only)?`, `(?:for )?(?:members|subscribers)[- ]only(?: (?:content|area|page|article))?`, `subscribe to (?:continue reading|read(?: (?:more|this (?:article|story)))?)`, `(?:this )?(?:site|blog|page) is private`, `private (?:site|blog)`,
		`nur für (?:mitglieder|abonnenten|registrierte (?:nutzer|benutzer))`, `(?:article|contenu|page) réservée? (?:aux|à nos) (?:abonnés|membres)`, `contenido exclusivo para (?:suscriptores|miembros|socios)`, `contenuto riservato agli abbonati`, `conteúdo exclusivo para assinantes`)},
	{Unsupported, titles(`(?:sorry, )?(?:your|this|the) (?:current )?(?:web ?|internet )?browser (?:version )?(?:is(?: not|n.t| no longer) (?:currently )?supported|is (?:unsupported|outdated|out of date|too old|incompatible)|is not compatible)(?: (?:by|on|with) .{1,40})?`, `(?:unsupported|outdated|incompatible) (?:web ?)?browser(?: detected)?`, `(?:web ?)?browser (?:is )?(?:not supported|unsupported|out of date|outdated|no longer supported)`,
		`(?:you are|you.re) using an (?:outdated|unsupported|old) (?:web ?)?browser`, `we (?:do not|don.t|no longer) support (?:your|this) (?:web ?)?browser`, `(?:please )?(?:update|upgrade) your (?:web ?)?browser(?: to continue)?`, `(?:(?:ihr|dein) )?(?:web)?browser (?:wird |ist )?(?:leider )?(?:nicht (?:mehr )?unterstützt|veraltet)`, `(?:nicht unterstützter|veralteter) browser`,
		`(?:votre )?navigateur (?:web )?(?:n.est (?:pas|plus) (?:pris en charge|supporté|compatible)|non (?:supporté|pris en charge|compatible)|obsolète|est obsolète)`, `(?:tu |su )?navegador (?:no (?:es compatible|está soportado|soportado|compatible)|obsoleto)`, `(?:o )?(?:seu )?navegador (?:não (?:é )?(?:suportado|compatível)|desatualizado)`, `(?:il )?(?:tuo )?browser non (?:è )?(?:più )?supportato`, `(?:uw|je) browser wordt niet (?:meer )?ondersteund`,
		`(?:twoja )?przeglądarka nie jest (?:już )?obsługiwana`, `(?:ваш )?браузер (?:больше )?(?:не поддерживается|устарел)`, `お使いのブラウザ(?:ー)?は(?:サポートされて|対応して)(?:いません|おりません)`, `(?:您的)?浏览器(?:版本过低|版本太低|不受支持)`, `지원(?:되지|하지) 않는 브라우저(?:입니다)?`)},
}

func titles(names ...string) *regexp.Regexp {
	return regexp.MustCompile(`(?i)^(?:` + strings.Join(names, "|") + `)[ .!…]*$`)
}

var (
	// phpError is all that a script of PHP says that has failed, where its errors are shown.
	phpError = regexp.MustCompile(`^(?:PHP )?(?:Fatal|Parse) error ?: .* in \S+\.php(?::\d+| on line \d+)`)
	// aboutErrors is in the addresses of pages about errors, explains in those of a manual.
	aboutErrors = regexp.MustCompile(`(?i)error|fehler|erreur|errore|code|status|http|exception|message|problem|trouble|faq|issue|/[45]\d\d(?:[/.]|$)`)
	// tellsNews is in the addresses of what a site announces, which says when that is.
	tellsNews = regexp.MustCompile(`(?i)incident|outage|announce|news|blog|forum|thread|topic|event|notice|/t/|/posts?/`)
	// aboutBrowsers is in the addresses of pages about which ones a site is for.
	aboutBrowsers = regexp.MustCompile(`(?i)brows|navigat|navegador|браузер|compat|support|require|system`)
	explains      = regexp.MustCompile(`(?i)/(?:docs?|documentation|manual|reference|api|guides?|help|kb|support|wiki|articles?|learn|handbook)(?:/|$)`)
)

const (
	longestTrouble  = 400 // bytes of its text
	longestInManual = 150
	unnamedTrouble  = 120 // where the address has no words
	troubleBlocks   = 6
)

// TroubleOf says what a page is that says nothing but that there is trouble. A page about that is
// longer, or its address has a word of it: /errors/access-denied.
func TroubleOf(p *htmlpage.Page, blocks []htmlpage.Block, u *url.URL) Trouble {
	longest := longestTrouble
	if explains.MatchString(u.Path) {
		longest = longestInManual
	}
	if p.Short == "" || len(p.Short) > longest || len(blocks) > troubleBlocks || p.Code || aboutErrors.MatchString(u.Path) ||
		strings.ContainsAny(p.Short, "0123456789") && tellsNews.MatchString(u.Path) {
		return NoTrouble
	}
	heading := headingOf(blocks)
	if heading == "" && p.Title == "" && phpError.MatchString(p.Short) {
		return Down
	}
	ofWordPress := heading == "" && strings.HasPrefix(p.Title, "WordPress › ") && len(blocks) > 0
	if ofWordPress {
		heading, _, _ = strings.Cut(blocks[0].Text, ". ") // it has all that it says in one paragraph
	}
	for _, t := range troubles {
		if t.kind == Unsupported && (aboutBrowsers.MatchString(u.Path) || explains.MatchString(u.Path) || p.Twin != "") {
			continue // its Markdown needs no browser
		}
		if !t.called.MatchString(heading) && !(isTitled(p.Title, t.called) && (heading == "" || isTitled(heading, t.called) || isAny(heading))) {
			continue
		}
		shares, has := sharesWord(p.Short+" "+p.Title, u)
		if shares || isSubject(t.kind, p.Title, heading, t.called, blocks) || !has && len(p.Short) > unnamedTrouble && !ofWordPress || u.Path == "/" && len(p.Links) > wayIn {
			return NoTrouble // a home page that leads on is that of a site with such a name
		}
		return t.kind
	}
	return NoTrouble
}

// isTitled reports a title that one of the names is, or that the site's name stands beside.
func isTitled(title string, called *regexp.Regexp) bool {
	if called.MatchString(strings.TrimSpace(title)) {
		return true
	}
	for _, separator := range []string{" | ", " - ", " — ", " – ", " · ", " :: ", ": "} {
		if first, rest, ok := strings.Cut(title, separator); ok {
			last := rest[strings.LastIndex(separator+rest, separator):]
			if called.MatchString(strings.TrimSpace(first)) || called.MatchString(strings.TrimSpace(last)) {
				return true
			}
		}
	}
	return false
}

// isAny reports a heading that one of all kinds of trouble has.
func isAny(heading string) bool {
	for _, t := range troubles {
		if t.called.MatchString(heading) {
			return true
		}
	}
	return false
}

// sharesWord reports a text with a word that its address has. has says that there is one in the
// address.
func sharesWord(text string, u *url.URL) (shares, has bool) {
	text = strings.ToLower(text)
	p := strings.ToLower(strings.TrimSuffix(u.Path, path.Ext(u.Path)))
	if query, err := url.QueryUnescape(u.RawQuery); err == nil {
		p += " " + strings.ToLower(query)
	}
	for word := range strings.FieldsFuncSeq(p, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsMark(r) && !unicode.IsDigit(r) }) {
		if n := utf8.RuneCountInString(word); n >= 3 || n >= 2 && word[0] >= utf8.RuneSelf {
			if n > 4 {
				word = strings.TrimSuffix(word, "s") // "limits", of a page that says "rate limit"
			}
			if has = true; strings.Contains(text, word) {
				return true, true
			}
		}
	}
	return false, has
}

// NamesAddress reports a short text with a word of its address, as that of a page has nearly
// always. may says that the address has one.
func NamesAddress(text string, u *url.URL) (names, may bool) { return sharesWord(text, u) }
