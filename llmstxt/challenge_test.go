package llmstxt_test

import (
	"bytes"
	"compress/gzip"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/farwire/farwire/llmstxt"
)

// A challenge is no page, whatever its status, and is not asked for again.
func TestCrawl_ChallengeInTheBody_IsNamed(t *testing.T) {
	for name, page := range map[string]string{
		"Anubis":       "<title>Making sure you&#39;re not a bot!</title><script id='anubis_version' type='application/json'>1</script><h1>Making sure you&#39;re not a bot!</h1><p>Loading, please wait for a few seconds until this is done…</p><details><summary>Why am I seeing this?</summary><p>You are seeing this because the administrator of this website protects it.</p></details>",
		"Anubis's":     `<title>Un instant de vérification</title><script id="anubis_challenge" type="application/json">{"rules":{}}</script><p>Une vérification est en cours, merci de patienter.</p>`,
		"Cloudflare":   "<title>Just a moment...</title><h1>docs.test</h1><p>Checking if the site connection is secure before you go on to it.</p><script>window._cf_chl_opt={cvId:'3'}</script>",
		"Cloudflare's": "<title>Подождите</title><p>Проверяем, что соединение безопасно для вас и для нас.</p><script>(function(){window._cf_chl_opt = {}})()</script>",
		"Fastly":       "<title>Client Challenge</title><noscript>JavaScript is disabled in your browser.</noscript><p>A required part of this site could not load just now. Please check again.</p>",
		"a challenge":  "<title>One moment, please...</title><h1>Please wait while your request is being verified...</h1><p>It takes a second.</p>",
		"a challenge:": "<title>Checking your browser before accessing docs.test</title><h1>This process is automatic for all of you.</h1>",
		"Imperva":      "<title>Pardon Our Interruption</title><h1>Pardon Our Interruption</h1><p>As you were browsing something about your browser made us think you were a bot.</p>",
		"Imperva's":    `<html><head><META NAME="robots" CONTENT="noindex,nofollow"></head><body><iframe id="main-iframe" src="/_Incapsula_Resource?SWUDNSAI=31&xinfo=5" frameborder=0>Request unsuccessful. Incapsula incident ID: 12-34</iframe></body>`,
		"DDoS-Guard":   "<title>DDoS-Guard</title><h1>Checking your browser before accessing docs.test.</h1><script src='/.well-known/ddos-guard/js-challenge/index.js'></script>",
		"AWS WAF":      "<title></title><script>window.gokuProps = {key:'x'};</script><h1>JavaScript is disabled</h1><p>In order to continue we need to verify that you're not a robot.</p>",
		"HUMAN":        "<title>Access to this page has been denied.</title><div id='px-captcha'></div><p>Please press and hold the button until we know who you are.</p>",
		"Akamai":       "<title>Challenge Validation</title><div id='sec-if-cpt-container'></div><p>Powered and protected by the people who run the edge of it.</p>",
		"AWS WAF's":    `<html><head><title>Human Verification</title><script src="https://ab12.cd.eu-central-1.captcha-sdk.awswaf.com/ab12/captcha.js"></script></head><body><p>Let us know that you are one of us, by solving a puzzle.</p></body>`,
		"go-away":      `<title>Checking you are not a bot</title><h1>Checking you are not a bot</h1><p>Loading challenge <em>js-pow-sha256</em>, which takes a few seconds at most.</p>`,
		"F5":           `<title></title><script type="text/javascript" src="/TSPD/08x?type=11"></script><noscript>Please enable JavaScript to view the page content.<br>Your support ID is: 1.</noscript>`,
		"F5's":         `<html><head><script>window["bobcmn"]="1011";</script><script src="/TSPD/08x?type=25"></script></head><body></body></html>`,
		"Radware":      "<title>Radware Bot Manager Captcha</title><h1>We apologize for the inconvenience...</h1><p>...but your activity and behavior on this website made us think that you are a bot.</p>",
		"StackPath":    `<title>Site verification</title><script src="/sbbi/?sbbpg=sbbShell&gprid=ab"></script>`,
		"Kasada":       `<!DOCTYPE html><html><head></head><body><script>window.KPSDK={};KPSDK.now=typeof performance!=='undefined';KPSDK.start=KPSDK.now();</script><script src="/149e9513/ips.js?x=1"></script></body></html>`,
		"a captcha":    "<title>Security check | Tea</title><h1>One more step</h1><p>Please complete the security check to see this site.</p><form method=post><div class='h-captcha' data-sitekey='x'></div><button>Go on</button></form>",
		"a captcha:":   `<title>Human verification</title><p>Please confirm that you are a person to go on to the site.</p><div class="g-recaptcha" data-sitekey="x"></div>`,
	} {
		for _, status := range unlessRace([]int{200, 202, 403, 405, 418, 429, 503}, []int{200, 403, 503}) {
			w := &web{pages: map[string]answer{"http://docs.test/": doc("Home", "/a", "/b"), "http://docs.test/a": {status: status, body: page}, "http://docs.test/b": doc("B")}}
			if status == 403 {
				var b bytes.Buffer
				z := gzip.NewWriter(&b)
				z.Write([]byte(page))
				z.Close()
				w.pages["http://docs.test/a"] = answer{status: status, body: b.String(), header: map[string]string{"Content-Encoding": "gzip"}}
			}
			s := everyWay(t, w, "http://docs.test/", llmstxt.Options{})
			who, _, _ := strings.Cut(name, "'")
			if len(s.Pages) != 2 || len(s.Skipped) != 1 || s.Skipped[0].Reason != llmstxt.SkipChallenge || !strings.HasPrefix(s.Skipped[0].Detail, strings.TrimRight(who, ":")) || s.Stats.Lost != 0 {
				t.Errorf("%s with %d: %v", name, status, s.Skipped)
			}
			w = w.clone()
			if crawl(t, w, "http://docs.test/", llmstxt.Options{}); w.asked("http://docs.test/a") != 1 {
				t.Errorf("%s with %d: asked for %d times", name, status, w.asked("http://docs.test/a"))
			}
		}
	}
}

func TestCrawl_FirewallThatBlocks_IsNamedAndNotAskedAgain(t *testing.T) {
	for name, page := range map[string]string{
		"Akamai":     `<HTML><HEAD><TITLE>Access Denied</TITLE></HEAD><BODY><H1>Access Denied</H1>You don't have permission to access "http&#58;&#47;&#47;docs&#46;test&#47;a" on this server.<P>Reference&#32;&#35;18&#46;9d3&#46;17&#46;3c</BODY></HTML>`,
		"Akamai,":    `<HTML><HEAD><TITLE>Access Denied</TITLE></HEAD><BODY><H1>Access Denied</H1>You don't have permission to access "/a" on this server.<P>Reference #18.9d3.17.3c</P></BODY></HTML>`,
		"Sucuri":     `<html><head><title>Sucuri WebSite Firewall - Access Denied</title></head><body><h1>Access Denied - Sucuri Website Firewall</h1><p>If you are the site owner, whitelist your IP.</p></body></html>`,
		"Wordfence":  `<html><head><title>Your access to this site has been limited by the site owner</title></head><body><h1>Your access to this site has been limited by the site owner</h1><p>Block Reason: Access from your area has been temporarily limited.</p><p><em>Generated by Wordfence at Sun, 29 Nov 2026</em></p></body></html>`,
		"CloudFront": `<HTML><HEAD><TITLE>ERROR: The request could not be satisfied</TITLE></HEAD><BODY><H1>403 ERROR</H1>Request blocked. We can't connect to the server for this app or website at this time.<PRE>Generated by cloudfront (CloudFront)</PRE></BODY></HTML>`,
		"Cloudflare": `<html><head><title>Access denied | docs.test used Cloudflare to restrict access</title></head><body><h1>Error 1020</h1></body></html>`,
	} {
		for _, status := range []int{403, 405, 429, 503} {
			w := &web{pages: map[string]answer{"http://docs.test/": doc("Home", "/a", "/b"), "http://docs.test/a": {status: status, body: page}, "http://docs.test/b": doc("B")}}
			s := everyWay(t, w, "http://docs.test/", llmstxt.Options{})
			if who := strings.TrimRight(name, ","); len(s.Pages) != 2 || len(s.Skipped) != 1 || s.Skipped[0].Reason != llmstxt.SkipChallenge || s.Skipped[0].Detail != "blocked by "+who+", the site's firewall" {
				t.Errorf("%s with %d: %v", name, status, s.Skipped)
			}
			w = w.clone()
			if crawl(t, w, "http://docs.test/", llmstxt.Options{}); w.asked("http://docs.test/a") != 1 {
				t.Errorf("%s with %d: asked for %d times", name, status, w.asked("http://docs.test/a"))
			}
		}
	}
	// The words of one that wants a client to be slower, of a server, and of a page about it.
	for _, a := range []answer{
		{status: 503, body: "<title>Your access to this site has been limited by the site owner</title><p>Exceeded the maximum number of page requests per minute for crawlers.</p><p>Generated by Wordfence</p>"},
		{status: 403, body: "<title>403 Forbidden</title><h1>Forbidden</h1><p>You don't have permission to access /a on this server.</p>"},
	} {
		w := &web{pages: map[string]answer{"http://docs.test/": doc("Home", "/a"), "http://docs.test/a": a}}
		if s := everyWay(t, w, "http://docs.test/", llmstxt.Options{}); len(s.Skipped) != 1 || s.Skipped[0].Reason != llmstxt.SkipStatus {
			t.Errorf("%v", s.Skipped)
		}
	}
	w := &web{pages: map[string]answer{"http://docs.test/": doc("Home", "/a"), "http://docs.test/a": html("<title>Access denied</title><h1>Access denied</h1><p>" + gadget + " Akamai says: Reference #18, on this server; errors.edgesuite.net.</p>")}}
	if s := crawl(t, w, "http://docs.test/", llmstxt.Options{}); len(s.Pages) != 2 {
		t.Errorf("%v", s.Skipped)
	}
}

// Pages about challenges, and those that a script watches over, are pages; a plain refusal is
// for haste.
func TestCrawl_NoChallenge_IsTakenAsItIs(t *testing.T) {
	long := strings.Repeat("The service asks each browser to compute something that takes a second, and sets a cookie then. ", 12)
	for name, page := range map[string]string{
		"about one":      "<title>Checking your browser: how it works</title><main><h1>Checking your browser</h1><p>" + long + "</p></main>",
		"about a mark":   "<title>Options</title><main><h1>Options</h1><p>The page sets window._cf_chl_opt and window.gokuProps.</p><p>" + long + "</p></main>",
		"a form":         "<title>Security check of pots</title><main><h1>Security check of pots</h1><p>" + gadget + "</p><form><input type=email><div class='h-captcha'></div><button>Subscribe</button></form></main>",
		"a captcha":      "<title>Contact</title><main><h1>Contact</h1><p>" + gadget + "</p><form><div class='g-recaptcha'></div><button>Send</button></form></main>",
		"about captchas": `<title>Captcha | Tea</title><main><h1>Captcha</h1><p>` + gadget + `</p><pre><code>&lt;div class="h-captcha" data-sitekey="x"&gt;</code></pre></main>`,
		"in a script":    `<title>Verify your domain</title><main><h1>Verify your domain</h1><p>` + gadget + `</p></main><script>const form = '<div>', at = 'class="g-recaptcha"'</script>`,
		"F5's script":    `<title>Pots</title><script type="text/javascript" src="/TSPD/08x?type=9"></script><main><h1>Pots</h1><p>` + gadget + `</p></main>`,
		"watched over":   "<title>Pots</title><main><h1>Pots</h1><p>" + gadget + "</p></main><script src='/cdn-cgi/challenge-platform/scripts/jsd/main.js'></script><script src='/_Incapsula_Resource?SWJIYLWA=719d'></script>",
	} {
		w := &web{pages: map[string]answer{"http://docs.test/": doc("Home", "/a"), "http://docs.test/a": html(page)}}
		if s := everyWay(t, w, "http://docs.test/", llmstxt.Options{}); len(s.Pages) != 2 {
			t.Errorf("%s: %v", name, s.Skipped)
		}
	}
	w := &web{pages: map[string]answer{"http://docs.test/": doc("Home", "/a"), "http://docs.test/a": {status: http.StatusServiceUnavailable, body: "<title>Too busy</title><p>Come again later.</p>"}}}
	if s := everyWay(t, w, "http://docs.test/", llmstxt.Options{}); s.Stats.Skipped[llmstxt.SkipStatus] != 1 || s.Stats.Lost != 1 {
		t.Errorf("%v", s.Skipped)
	}
}

// A site that is too busy says so behind those who watch over it, too: it is asked again, and
// what does not come is lost.
func TestCrawl_BusySiteBehindAWatch_IsAskedAgain(t *testing.T) {
	for _, script := range []string{"/cdn-cgi/challenge-platform/scripts/jsd/main.js", "/_Incapsula_Resource?SWJIYLWA=719d", "/TSPD/08x?type=9"} {
		for _, status := range []int{429, 503} {
			synctest.Test(t, func(t *testing.T) {
				busy := answer{status: status, body: "<title>503 Service Temporarily Unavailable</title><center><h1>503 Service Temporarily Unavailable</h1></center><script src=\"" + script + "\"></script>"}
				w := &web{pages: map[string]answer{"http://docs.test/": doc("Home", "/a", "/b"), "http://docs.test/a": busy}}
				tries := 0
				w.handler = func(r *http.Request) (answer, bool) {
					if r.URL.Path != "/b" {
						return answer{}, false
					}
					if tries++; tries == 1 {
						return busy, true
					}
					return doc("B"), true
				}
				s := crawl(t, w, "http://docs.test/", llmstxt.Options{})
				if len(s.Pages) != 2 || reasons(s)["/a"] != llmstxt.SkipStatus || s.Stats.Lost != 1 || w.asked("http://docs.test/a") < 2 {
					t.Errorf("%d with %s: %v, %v, %d lost", status, script, urls(s), s.Skipped, s.Stats.Lost)
				}
			})
		}
	}
	// One who refuses has the scripts of a challenge.
	w := &web{pages: map[string]answer{"http://docs.test/": doc("Home", "/a"), "http://docs.test/a": {status: 403, body: "<title>docs.test</title><script src='/cdn-cgi/challenge-platform/h/b/x.js'></script>"}}}
	if s := crawl(t, w, "http://docs.test/", llmstxt.Options{}); reasons(s)["/a"] != llmstxt.SkipChallenge {
		t.Errorf("%v", s.Skipped)
	}
}

// A challenge in place of robots.txt forbids nothing, and is named.
func TestCrawl_ChallengeInPlaceOfRobots_IsNamed(t *testing.T) {
	for body, want := range map[string]bool{
		"<!doctype html><title>Just a moment...</title><script>window._cf_chl_opt={cvId:'3'}</script>": true,
		"<!doctype html><title>Acme</title><h1>Acme</h1>":                                              false,
		"User-agent: *\nDisallow: /.well-known/ddos-guard/\nDisallow: /cdn-cgi/challenge-platform/\n":  false,
	} {
		w := &web{pages: map[string]answer{"http://docs.test/": doc("Home", "/a"), "http://docs.test/a": doc("A"), "http://docs.test/robots.txt": {body: body}}}
		notes := ""
		s := crawl(t, w, "http://docs.test/", llmstxt.Options{Progress: func(e llmstxt.Event) { notes += e.Message + "\n" }})
		if said := strings.Contains(notes, "In place of robots.txt there is Cloudflare's challenge"); said != want || strings.Contains(notes, "In place of") != want || len(s.Pages) != 2 {
			t.Errorf("%s: %d pages, %s", body, len(s.Pages), notes)
		}
	}
}
