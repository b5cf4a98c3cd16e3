// Package notpage tells logins, and errors that come with a status of 200, from pages.
package notpage

import (
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/farwire/farwire/llmstxt/internal/htmlpage"
	"github.com/farwire/farwire/llmstxt/internal/plain"
)

var loginWords = plain.Set(`login signin sso auth authenticate authorize oauth oauth2 saml logon sessions users account accounts idp cas`)

var withoutDashes = strings.NewReplacer("-", "", "_", "")

// IsLogin reports the path of an address on which a site asks who one is.
func IsLogin(p string) bool {
	for segment := range strings.SplitSeq(p, "/") {
		segment = strings.TrimSuffix(segment, path.Ext(segment))
		if loginWords[withoutDashes.Replace(segment)] {
			return true
		}
	}
	return false
}

// unlessAsked reports a login's path that is not one because the address that was asked for
// has the same: /api/users leads to /api/users/.
func unlessAsked(p string, asked *url.URL) bool {
	var left []string
	for segment := range strings.SplitSeq(strings.ToLower(p), "/") {
		if !strings.Contains("/"+strings.ToLower(asked.Path)+"/", "/"+segment+"/") {
			left = append(left, segment)
		}
	}
	return IsLogin(strings.Join(left, "/"))
}

// loginHosts are the first labels of hosts on which people say who they are.
var loginHosts = plain.Set(`login adfs sts signin sso auth accounts account id idp cas identity oauth`)

// IsLoginElsewhere reports a redirect to where a site, or another, asks who one is.
func IsLoginElsewhere(to, asked *url.URL) bool {
	host, _, _ := strings.Cut(to.Hostname(), ".")
	return unlessAsked(to.Path, asked) || to.Host != asked.Host && loginHosts[host]
}

// waysBack are parameters that say where to go after a login.
var waysBack = plain.Set(`next return returnurl returnto returnpath redirect redirecturl redirecturi redirectto continue goto dest destination
	backurl rd rurl target referer referrer from service samlrequest relaystate`)

// leadsBack reports a query that says where to go after a login.
func leadsBack(u, asked *url.URL) bool {
	for field := range strings.SplitSeq(u.RawQuery, "&") {
		name, value, _ := strings.Cut(field, "=")
		if value, err := url.QueryUnescape(value); err == nil && len(asked.Path) > 1 && strings.Contains(value, asked.Path) {
			return true
		}
		if value != "" && waysBack[withoutDashes.Replace(strings.ToLower(name))] {
			return true
		}
	}
	return false
}

// asksForLogin are titles of pages with a form that is all they are for.
var asksForLogin = regexp.MustCompile(`(?i)\b(?:log ?[io]n|sign[- ]?in|sign[- ]?up|password|anmelden|anmeldung|einloggen|passwort|connexion|iniciar sesión|acceder|entrar|accedi|inloggen|zaloguj)\b|войти|вход|登录|登入|ログイン|로그인`)

// IsLoginPage reports a page that asks who one is: by a form for a password and next to no
// text, or by where the address that was asked for led.
func IsLoginPage(p *htmlpage.Page, blocks []htmlpage.Block, u, asked *url.URL) bool {
	if p.Short == "" && p.Sum != "" || len(blocks) >= 12 {
		return false
	}
	said := 0
	for _, b := range blocks {
		if (b.Kind == htmlpage.Paragraph || b.Kind == htmlpage.Item) && len(b.Text) >= 80 && b.Links < 50 {
			said++
		}
	}
	path := strings.ToLower(u.Path)
	if p.Password && (said < 2 || IsLogin(path) || asksForLogin.MatchString(p.Title)) {
		return true
	}
	moved := u.Host != asked.Host || u.Path != asked.Path
	return moved && unlessAsked(path, asked) && (said == 0 || p.Address || leadsBack(u, asked))
}

// notFound are what pages are called that are not there, by language.
var notFound = regexp.MustCompile(`(?i)^(?:` + strings.Join([]string{
	`(?:error|fehler|erreur|erro|errore)?[ :]*404\b.*`, `.*\b404\b[^\pL]*(?:error|not found)?`,
	`(?:oops|uh[- ]oh|sorry|whoops)[^\pL]*(?:(?:the|this|that|we|page|something|nothing|no)\b.*)?`,
	`(?:sorry, )?(?:(?:the|this|that) )?(?:requested )?(?:page|file|document|object|resource|url|address|content|article|topic)(?: you [\pL' ]{1,40}?)? ` +
		`(?:(?:was|is|has|could|can|does|did)(?: ?not|n.t) (?:be |been )?(?:found|exist|available|located)|cannot be (?:found|located)|not (?:found|available)|is (?:missing|unavailable|gone)|unavailable|no longer (?:exists|available)|is no longer available)\b.*`,
	`not found`, `nothing (?:was )?found(?: here)?`, `.*\bpage not found\b.*`, `there is no (?:such )?page\b.*`, `no such page\b.*`, `we (?:can.t|cannot|couldn.t|could not) find (?:the|that|this|your) page.*`,
	`nicht gefunden`, `(?:die |diese |das )?(?:angeforderte |gesuchte |gewünschte )?(?:seite|datei|dokument) (?:wurde |konnte |existiert |gibt es |ist )?(?:leider )?nicht\b.*`,
	`introuvable`, `(?:la |cette |le )?(?:page|document|fichier) (?:demandée? )?(?:(?:est )?introuvable|non trouvée?|n.existe (?:pas|plus)|n.a pas été trouvée?).*`,
	`no encontrad[ao]`, `(?:la |esta )?p[áa]gina (?:solicitada |que [\pL ]{1,20} )?no (?:encontrada|existe|se encuentra|se ha encontrado|fue encontrada|(?:está )?disponible).*`, `no se (?:encontr[óo]|ha encontrado|encuentra) (?:la|esta) p[áa]gina.*`,
	`n[ãa]o encontrad[ao]`, `(?:a |esta )?p[áa]gina (?:solicitada )?n[ãa]o (?:encontrada|existe|foi encontrada|est[áa] dispon[ií]vel).*`,
	`(?:la |questa )?pagina (?:richiesta )?(?:non (?:trovata|esiste|è stata trovata|(?:è )?disponibile)|inesistente).*`,
	`niet gevonden`, `(?:de |deze )?pagina (?:niet gevonden|bestaat niet|is niet gevonden|kon niet worden gevonden).*`,
	`(?:такая |эта |запрашиваемая |запрошенная )?страница (?:не найдена|не существует|отсутствует|(?:была )?удалена).*`, `такой страницы (?:нет|не существует).*`, `не найдено`, `сторінк[ау] не (?:знайдено|знайдена|існує).*`,
	`nie znaleziono(?: strony.*)?`, `(?:ta )?strona nie (?:została )?(?:znaleziona|istnieje).*`, `str[áa]nk[au] (?:nebyla nalezena|nenalezena|neexistuje|nebola nájdená|sa nenašla).*`,
	`sidan (?:hittades inte|kunde inte hittas|finns inte|saknas).*`, `sid(?:en|a) (?:blev |ble |kunne )?ikke (?:fundet|funnet|findes|finnes).*`, `sid(?:en|a) (?:findes|finnes|eksisterer) ikke.*`,
	`sivua ei (?:löydy|löytynyt|ole).*`, `(?:az? )?oldal nem (?:található|létezik).*`, `pagina nu (?:a fost găsită|există).*`, `(?:aradığınız )?sayfa (?:bulunamadı|mevcut değil|yok).*`, `η σελίδα δεν (?:βρέθηκε|υπάρχει).*`,
	`(?:お探しの|指定された|該当する|ご指定の)?(?:ページ|ファイル)(?:が|は)(?:見つかりません|存在しません|ありません|見つかりませんでした).*`, `お探しのページは.*`,
	`(?:(?:很?抱歉|对不起|對不起)[,，! ！]*)?(?:[您你]?所?(?:访问|請求|请求|查找|要找|造訪)的)?(?:页面|頁面|网页|網頁|文件)(?:不存在|未找到|找不到|已删除|无法找到).*`, `(?:找不到|未找到|無法找到)(?:[该該您你][^。]{0,10})?(?:页面|頁面|网页|網頁).*`,
	`(?:요청하신 |찾으시는 )?페이지(?:를|가) (?:찾을 수 없|존재하지 않).*`, `không tìm thấy trang.*`, `trang (?:này )?không tồn tại.*`, `halaman tidak (?:ditemukan|ada).*`,
	`الصفحة غير موجودة.*`, `لم يتم العثور على الصفحة.*`, `ה(?:דף|עמוד) לא נמצא.*`, `पृष्ठ नहीं मिला.*`, `ไม่พบหน้า.*`,
}, "|") + `)$`)

// errorPages are last segments of addresses to which sites send those who ask for what is
// not there.
var errorPages = plain.Set(`404 404error 404page 404notfound error404 notfound pagenotfound filenotfound error errorpage missing nichtgefunden introuvable`)

// IsErrorPath reports the path of an address to which a site sends those who ask for what is
// not there.
func IsErrorPath(p string) bool {
	last := path.Base(strings.TrimSuffix(p, "/"))
	return errorPages[withoutDashes.Replace(strings.ToLower(strings.TrimSuffix(last, path.Ext(last))))]
}

// SaysNotFound reports a page that says that it does not exist: in its title, or in a
// heading of a page that names the path that was asked for.
func SaysNotFound(p *htmlpage.Page, blocks []htmlpage.Block, u *url.URL) bool {
	if len(p.Short) >= 1000 {
		return false // a page about the status is longer than a page that has it
	}
	titled := notFound.MatchString(strings.TrimSpace(p.Title))
	for _, separator := range []string{" | ", " - ", " — ", " – ", " · ", " :: ", ": "} {
		if at := strings.Index(p.Title, separator); at >= 0 && !titled {
			last := p.Title[strings.LastIndex(p.Title, separator)+len(separator):]
			titled = notFound.MatchString(strings.TrimSpace(p.Title[:at])) || notFound.MatchString(strings.TrimSpace(last))
		}
	}
	heading := headingOf(blocks)
	said := notFound.MatchString(heading)
	if titled && (heading == "" || said || len(p.Short) < 400) {
		return true
	}
	if !titled && !said {
		return false
	}
	_, names := WithoutPath(p.Short, u)
	return names
}

// MayBeNotFound reports a page whose heading says that it does not exist. It may as well be
// about that.
func MayBeNotFound(blocks []htmlpage.Block) bool { return notFound.MatchString(headingOf(blocks)) }

// headingOf is a page's first heading.
func headingOf(blocks []htmlpage.Block) string {
	for _, b := range blocks {
		if b.Kind == htmlpage.Title || b.Kind == htmlpage.Heading {
			return b.Text
		}
	}
	return ""
}

// WithoutPath is a short text without what it names of its own address: the path, its last
// segment, or the words of that. So what answers every address alike is seen to be one page;
// "" if it names nothing of it. Named reports that it does so as nobody writes a title: with
// the slashes of the path or the dashes, dots and digits of the segment.
func WithoutPath(short string, u *url.URL) (rest string, named bool) {
	p := strings.Trim(u.Path, "/")
	if short == "" || p == "" {
		return "", false
	}
	rest = short
	without := func(name, left string) {
		named = named || left != rest && strings.ContainsAny(name, "/-_.0123456789")
		rest = left
	}
	for _, name := range slices.Compact([]string{u.String(), u.EscapedPath(), u.Path}) {
		without(p, strings.ReplaceAll(rest, name, ""))
	}
	last := path.Base(p)
	stem := strings.TrimSuffix(last, path.Ext(last))
	for _, name := range slices.Compact([]string{p, strings.Trim(u.EscapedPath(), "/"), last}) {
		without(name, withoutWord(rest, name))
	}
	rest = withoutWord(rest, stem)
	if words := asWords.Replace(stem); words != stem {
		rest = withoutWord(rest, words)
	}
	if rest == short {
		return "", false
	}
	return rest, named
}

var asWords = strings.NewReplacer("-", " ", "_", " ", "+", " ")

// withoutWord takes a name out of a text where it stands as a word, in capitals or not.
func withoutWord(text, name string) string {
	if len(name) < 2 || len(name) > 200 {
		return text
	}
	var rest strings.Builder
	from, inWord := 0, false // what was not written yet; what stands before i
	for i := 0; i < len(text); {
		if c := text[i]; c < utf8.RuneSelf && name[0] < utf8.RuneSelf && c|0x20 != name[0]|0x20 {
			inWord = plain.IsWordByte(c) // and the name does not begin here
			i++
			continue
		}
		if n := lengthOf(text[i:], name); n > 0 && !inWord && !startsWord(text[i+n:]) {
			rest.WriteString(text[from:i])
			i += n
			from = i
			continue
		}
		r, size := utf8.DecodeRuneInString(text[i:])
		inWord = isWord(r)
		i += size
	}
	if from == 0 {
		return text
	}
	rest.WriteString(text[from:])
	return rest.String()
}

// lengthOf is how many bytes of a text are the name at its beginning, in capitals or not;
// zero if it begins otherwise.
func lengthOf(text, name string) int {
	n := 0
	for _, want := range name {
		r, size := utf8.DecodeRuneInString(text[n:])
		if size == 0 || r != want && unicode.ToLower(r) != unicode.ToLower(want) {
			return 0
		}
		n += size
	}
	return n
}

func startsWord(text string) bool {
	r, size := utf8.DecodeRuneInString(text)
	return size > 0 && isWord(r)
}

func isWord(r rune) bool { return unicode.IsLetter(r) || unicode.IsNumber(r) }
