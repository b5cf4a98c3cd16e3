package notpage

import (
	"bytes"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/net/html"

	"github.com/farwire/farwire/llmstxt/internal/htmlpage"
	"github.com/farwire/farwire/llmstxt/internal/plain"
)

// Challenges: pages that ask a browser to prove itself before it gets what it asked for,
// with whatever status. Each product writes its own.
var challenges = []struct {
	name   string   // "": that of no product
	titles []string // that begin such a page's, in lower case
	marks  []string // in its HTML, in lower case, and in that of no page
}{
	{"Anubis", []string{"making sure you're not a bot", "making sure you’re not a bot"}, []string{`id="anubis_challenge"`, "/.within.website/x/cmd/anubis"}},
	{"Cloudflare", []string{"just a moment...", "just a moment…", "attention required! | cloudflare", "nur einen moment", "un momento…", "um momento…", "un instant…", "even geduld…", "один момент…", "chwileczkę…", "请稍候…", "잠시만 기다리십시오…", "しばらくお待ちください..."},
		[]string{"_cf_chl_opt", "cf-browser-verification", "/orchestrate/chl_page", "/orchestrate/jsch", "/orchestrate/managed"}},
	{"DDoS-Guard", []string{"ddos-guard"}, []string{"/.well-known/ddos-guard/", "check.ddos-guard.net"}},
	{"Imperva", []string{"pardon our interruption"}, []string{"incapsula incident id", `src="/_incapsula_resource?cwudnsai`, "<iframe id=\"main-iframe\" src=\"/_incapsula_resource"}},
	{"AWS WAF", nil, []string{"window.gokuprops", "awswafintegration.checkforcerefresh", ".captcha-sdk.awswaf.com/"}},
	{"go-away", []string{"checking you are not a bot"}, []string{"/go-away/cmd/go-away/"}},
	{"F5", nil, []string{`window["bobcmn"]`}},
	{"Radware", []string{"radware bot manager captcha"}, nil},
	{"StackPath", nil, []string{"/sbbi/?sbbpg=sbbshell"}},
	{"HUMAN", []string{"access to this page has been denied"}, []string{`id="px-captcha"`, "id='px-captcha'"}},
	{"Akamai", []string{"challenge validation"}, []string{"sec-if-cpt-container", "/_sec/cp_challenge/"}},
	{"Fastly", []string{"client challenge"}, []string{"/_fs-ch-"}},
	{"Kasada", nil, []string{"window.kpsdk"}},
	{"DataDome", nil, []string{"captcha-delivery.com/"}},
	{"Sucuri", []string{"you are being redirected..."}, []string{"sucuri_cloudproxy_js"}},
	{"", []string{"checking your browser", "one moment, please", "verifying you are human", "verify you are human", "please verify you are a human", "are you a robot?", "bot verification", "robot check"}, nil},
}

// captchas are widgets that ask whether one is a person. Forms of pages have them, too: they
// say something of a page that names what it wants, and has no control for anything else.
var (
	captchas      = []string{`class="h-captcha"`, `class='h-captcha'`, `class="g-recaptcha"`, `class='g-recaptcha'`, `class="cf-turnstile"`, `class='cf-turnstile'`, `class="frc-captcha"`}
	captchaTitles = []string{"security check", "one more step", "human check", "human verification", "captcha", "please complete the security check", "please verify", "verify you", "verification required", "are you human", "you are not a robot", "i'm not a robot", "i am human", "bot check"}
	controls      = []string{"<textarea", `type="email"`, "type=email", `type="text"`, "type=text", `type="password"`, "type=password", "<select"}
)

// scriptPaths are where the scripts of challenges are, and, on some sites, a script that watches
// over every page, its errors included: they say something of what was refused alone, and
// nothing of a site that is too busy.
var scriptPaths = []string{"/cdn-cgi/challenge-platform/", "/_incapsula_resource", f5Script}

// F5 puts its script into each page of a site; its challenge has nothing else, or these words.
const (
	f5Script = `src="/tspd/`
	f5Words  = "please enable javascript to view the page content"
)

const (
	longestChallenge = 1000 // bytes of its text
	challengeLinks   = 5    // of it, at most
	longestTag       = 1000 // bytes of one before an attribute
	beginning        = 64 << 10
)

// Challenge says what a page asks a browser to prove, "" if it is a page: it is short, and has
// the title or a mark of a challenge.
func Challenge(p *htmlpage.Page, page []byte) string {
	if p.Sum != "" && (p.Short == "" || len(p.Short) > longestChallenge) || len(p.Links) > challengeLinks {
		return ""
	}
	why := challenge(p.Title, page, false)
	if why == "" && p.Sum == "" && p.Title == "" && bytes.Contains(bytes.ToLower(page[:min(len(page), beginning)]), []byte(f5Script)) {
		why = f5Challenge
	}
	return why
}

const f5Challenge = "F5's challenge: the site asks for a browser"

var titleElement = regexp.MustCompile(`(?is)<title[^>]{0,200}>(.{0,400}?)</title`)

// Refusal says what the beginning of an answer that refuses a page, with a status, asks a
// browser to prove, or who lets this client in nowhere; "" if it says neither.
func Refusal(status int, body []byte) string {
	title := ""
	if m := titleElement.FindSubmatch(body); m != nil {
		title = html.UnescapeString(string(m[1]))
	}
	why := challenge(title, body, status == http.StatusAccepted || status == http.StatusForbidden || status == http.StatusMethodNotAllowed)
	if why == "" && status >= 400 {
		why = blocked(bytes.ToLower(body))
	}
	return why
}

// firewalls say with these words, in lower case, that they let a client in nowhere. One that
// says haste as well lets it in again when it is slower.
var firewalls = []struct {
	name  string
	words []string
	haste string
}{
	{"Akamai", []string{"access denied", "reference&#32;&#35;"}, ""},
	{"Akamai", []string{"access denied", "permission to access", "on this server", "reference #"}, ""},
	{"Akamai", []string{"access denied", "errors.edgesuite.net"}, ""},
	{"Sucuri", []string{"sucuri website firewall", "access denied"}, ""},
	{"Wordfence", []string{"generated by wordfence"}, "exceeded the maximum"},
	{"CloudFront", []string{"request blocked", "generated by cloudfront"}, "too many requests"},
	{"Cloudflare", []string{"used cloudflare to restrict access"}, "rate limited"},
}

// blocked names the firewall that refuses a client; "" if none does.
func blocked(low []byte) string {
	for _, f := range firewalls {
		if !slices.ContainsFunc(f.words, func(w string) bool { return !bytes.Contains(low, []byte(w)) }) && (f.haste == "" || !bytes.Contains(low, []byte(f.haste))) {
			return "blocked by " + f.name + ", the site's firewall"
		}
	}
	return ""
}

func challenge(title string, page []byte, scripts bool) string {
	title = strings.ToLower(plain.OneLine(title))
	low := bytes.ToLower(page[:min(len(page), beginning)])
	has := func(marks []string) bool {
		for _, m := range marks {
			if bytes.Contains(low, []byte(m)) {
				return true
			}
		}
		return false
	}
	for _, c := range challenges {
		found := has(c.marks)
		for _, t := range c.titles {
			found = found || strings.HasPrefix(title, t)
		}
		switch {
		case found && c.name == "":
			return "a challenge: the site asks for a browser"
		case found:
			return c.name + "'s challenge: the site asks for a browser"
		}
	}
	if bytes.Contains(low, []byte(f5Script)) && bytes.Contains(low, []byte(f5Words)) {
		return f5Challenge
	}
	if slices.ContainsFunc(captchas, func(mark string) bool { return inTag(low, mark) }) && !has(controls) {
		for _, t := range captchaTitles {
			if strings.HasPrefix(title, t) {
				return "a captcha: the site asks for a person"
			}
		}
	}
	if scripts && has(scriptPaths) {
		return "a challenge: the site asks for a browser"
	}
	return ""
}

// inTag reports an attribute within a tag, and not in an example or in a script.
func inTag(page []byte, attribute string) bool {
	for rest := page; ; {
		i := bytes.Index(rest, []byte(attribute))
		if i < 0 {
			return false
		}
		at := len(page) - len(rest) + i
		before := page[max(0, at-longestTag):at]
		if tag := bytes.LastIndexAny(before, "<>"); tag >= 0 && before[tag] == '<' {
			return true
		}
		rest = rest[i+len(attribute):]
	}
}
