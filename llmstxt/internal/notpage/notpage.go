// Package notpage tells logins, and errors that come with a status of 200, from pages.
package notpage

import (
	"net/url"
	"path"
	"regexp"
	"strings"

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
var loginHosts = plain.Set(`login signin sso auth accounts account id idp cas identity oauth`)

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

// notFound are what pages are called that are not there.
var notFound = regexp.MustCompile(`(?i)^(?:(?:error|fehler|erreur)?[ :]*404\b.*|.*\b404\b[^\pL]*(?:error|not found)?|(?:the |this )?page (?:was )?(?:not found|does(?:n.t| not) exist|cannot be found|could not be found|is missing|unavailable)\b.*|not found|.*\bpage not found\b.*|` +
	`seite (?:wurde )?nicht gefunden.*|page (?:introuvable|non trouvée).*|p[áa]gina no encontrada.*|p[áa]gina n[ãa]o encontrada.*|pagina non trovata.*|pagina niet gevonden.*|` +
	`страница не найдена.*|nie znaleziono strony.*|strona nie (?:została )?znaleziona.*|sidan hittades inte.*|siden (?:blev )?ikke fundet.*|sivua ei löydy.*|sayfa bulunamadı.*|` +
	`ページが見つかりません.*|お探しのページは.*|页面(?:不存在|未找到|找不到).*|找不到(?:该)?(?:页面|頁面).*|페이지를 찾을 수 없.*)$`)

// SaysNotFound reports a page that says that it does not exist: in its title, or in a
// heading of a page that names the path that was asked for.
func SaysNotFound(p *htmlpage.Page, blocks []htmlpage.Block, u *url.URL) bool {
	names := u.Path != "/" && (strings.Contains(p.Short, u.Path) || strings.Contains(p.Short, u.EscapedPath()))
	heading := ""
	for _, b := range blocks {
		if b.Kind == htmlpage.Title || b.Kind == htmlpage.Heading {
			heading = b.Text
			break
		}
	}
	title := p.Title
	for _, separator := range []string{" | ", " - ", " — ", " – ", " · "} {
		title, _, _ = strings.Cut(title, separator)
	}
	// A page about the status is longer than a page that has it.
	return len(p.Short) < 1000 && notFound.MatchString(strings.TrimSpace(title)) && (heading == "" || names || notFound.MatchString(heading) || len(p.Short) < 400) ||
		len(p.Short) < 1000 && names && notFound.MatchString(heading)
}

// WithoutPath is a short text without the path of its own address that it names,
// so that what answers every address alike is seen to be one page; "" if it does
// not name it.
func WithoutPath(short string, u *url.URL) string {
	if short == "" || u.Path == "/" {
		return ""
	}
	rest := short
	for _, name := range []string{u.String(), u.EscapedPath(), u.Path} {
		rest = strings.ReplaceAll(rest, name, "")
	}
	if rest == short {
		return ""
	}
	return rest
}
