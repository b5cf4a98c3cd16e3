package llmstxt_test

import (
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/farwire/farwire/llmstxt"
)

// What stands before a site until somebody agrees to something is named and is no page: in
// place of the base page it is an error, and elsewhere the page is left out.
func TestCrawl_Wall_IsNoPage(t *testing.T) {
	form := `<form method=post action="/ok"><input type=hidden name=to value="/"><button name=ok>%s</button></form>`
	for page, want := range map[string]string{
		"<title>Terms of use | Tea</title><h1>Terms of use</h1><p>By entering this portal you accept that its data comes without any warranty of its keeper.</p>" + fmt.Sprintf(form, "I agree"):                       "terms",
		"<title>Tea</title><h1>Please read and accept the terms and conditions</h1><p>They say what may be done with the data of this portal, and what may not.</p>" + fmt.Sprintf(form, "Accept"):                     "terms",
		"<title>Nutzungsbedingungen</title><p>Wer dieses Portal betritt, ist mit dem einverstanden, was hier in einem Satz steht.</p>" + fmt.Sprintf(form, "Akzeptieren"):                                              "terms",
		"<title>Choose your country or region</title><h1>Choose your country or region</h1><form method=post><select name=c><option value=us>United States<option value=de>Germany</select><button>Go</button></form>": "country",
		"<title>Tea - Wählen Sie Ihr Land</title><a href=/>Tea</a><p>Damit wir Ihnen Preise und Lieferzeiten zeigen können.</p>" + fmt.Sprintf(form, "Deutschland"):                                                    "country",
		"<title>Cookies</title><h1>We use cookies</h1><p>We and our 842 partners store and access information on a device to show personalised advertising. Please accept.</p>" + fmt.Sprintf(form, "Accept all"):      "consent",
		"<title>Before you continue to Tea</title><div><p>We use cookies and data to deliver and maintain our services, and to develop new ones.</p>" + fmt.Sprintf(form, "I agree") + "</div>":                        "consent",
		"<title>Tea | Cookie-Einstellungen</title><h1>Wir verwenden Cookies</h1><p>Wir und unsere Partner speichern Informationen auf Ihrem Gerät und lesen sie aus.</p>" + fmt.Sprintf(form, "Alle akzeptieren"):      "consent",
		"<title>Tea</title><main><h1>Avant de continuer…</h1><p>Nous utilisons des traceurs pour mesurer l'audience de notre site et de ses services.</p><button>J'accepte</button></main>":                            "consent",
		"<title>Verify your age</title><h1>Are you over 18?</h1><p>You must be of legal drinking age in your country to enter this site.</p>" + fmt.Sprintf(form, "Yes"):                                               "age",
		"<title>Tea - Age verification</title><p>This website requires you to be 18 years or older to enter it.</p><a href=/enter>Enter</a> <a href=https://elsewhere.test/>Leave</a>":                                 "age",
		"<title>Altersprüfung</title><h1>Sind Sie über 18?</h1><p>Diese Seite enthält Inhalte für Erwachsene. Bitte bestätigen Sie Ihr Alter.</p>" + fmt.Sprintf(form, "Ja"):                                           "age",
		"<title>年齢確認</title><p>当サイトにはお酒に関する情報が含まれています。二十歳以上の方のみご覧いただけます。</p><button>はい</button>":                                                                                                                       "age",
	} {
		for _, moved := range []bool{false, true} {
			w := &web{pages: map[string]answer{"http://docs.test/": doc("Home", "/a", "/b"), "http://docs.test/b": doc("B"), "http://docs.test/a": html(page)}}
			at := "/a"
			if moved {
				at = "/gate?return=/a"
				w.pages["http://docs.test/a"], w.pages["http://docs.test"+at] = answer{status: http.StatusFound, header: map[string]string{"Location": at}}, html(page)
			}
			s := everyWay(t, w, "http://docs.test/", llmstxt.Options{})
			if len(s.Pages) != 2 || len(s.Skipped) != 1 || s.Skipped[0].Reason != llmstxt.SkipLogin || !strings.Contains(s.Skipped[0].Detail, want) {
				t.Errorf("%s: %v, %v", page, urls(s), s.Skipped)
			}
		}
		w := &web{pages: map[string]answer{"http://docs.test/": html(page)}}
		_, err := llmstxt.Crawl(t.Context(), "http://docs.test/", llmstxt.Options{Client: w.client()})
		var fetch *llmstxt.FetchError
		if !errors.As(err, &fetch) || !strings.Contains(fetch.Detail(), want) {
			t.Errorf("%s: %v", page, err)
		}
	}
}

// A page about what walls ask for is a page, and so is one behind a banner.
func TestCrawl_NoWall_IsTakenAsItIs(t *testing.T) {
	form := `<form method=post action="/ok"><button name=ok>Accept all</button></form>`
	menu := "<nav><a href=/1>1</a><a href=/2>2</a><a href=/3>3</a><a href=/4>4</a><a href=/5>5</a><a href=/6>6</a></nav>"
	for name, page := range map[string]string{
		"a policy":        "<title>Cookies</title><main><h1>Cookies</h1><p>" + strings.Repeat("We set a cookie for each pot of tea that you accept from us. ", 20) + "</p></main>" + form,
		"with navigation": "<title>Cookies</title>" + menu + "<main><h1>Cookies</h1><p>A cookie is a small file that a browser keeps for a site, if you agree to that.</p></main>" + form,
		"biscuits":        "<title>Cookies</title><main><h1>Cookies</h1><p>Flour, butter, sugar and an egg, in the oven for twelve minutes at most.</p></main><form method=post><button>Subscribe</button></form>",
		"a banner":        "<title>Tea</title><main><h1>Tea of all kinds</h1><p>This page explains tea in one honest sentence that nobody else uses.</p></main><div class=banner><h2>We use cookies</h2>" + form + "</div>",
		"a banner above":  "<title>Tea</title><div class=modal><h2>We use cookies</h2><p>Please accept them.</p>" + form + "</div><main><h1>Tea of all kinds</h1><p>This page explains tea in one honest sentence that nobody else uses.</p></main>",
		"a dialog above":  "<title>Tea</title><div><h2>Are you over 18?</h2><button>Yes</button></div><div><h1>Beer of all kinds</h1><p>This page explains beer in one honest sentence that nobody else uses.</p></div>",
		"a dialog below":  "<title>Tea</title><div><h2>Beer of all kinds</h2><p>This page explains beer in one honest sentence that nobody else uses.</p></div><div><h1>Are you over 18?</h1><button>Yes</button></div>",
		"no headings":     "<title>Tea</title><div><h2>We use cookies</h2>" + form + "</div><p>This page explains tea in one honest sentence that nobody else uses.</p><p>It has a second one, which is honest as well, and which is about pots.</p><p>And it has a third one, about the cups that go with the pots.</p>",
		"a splash":        "<title>Choose your country</title><h1>Choose your country</h1><form><button>Search</button></form><a href=/us/>USA</a><a href=/gb/>UK</a><a href=/ie/>Ireland</a>",
		"about terms":     "<title>Terms of use</title><main><h1>Terms of use</h1><p>In the trade of tea a term is a word that a seller has agreed upon with a buyer.</p></main><form><button>Subscribe</button></form>",
		"about ages":      "<title>Age of tea</title><main><h1>Age of tea</h1><p>A tea of eighteen years is called old by those who sell it, and young by those who drink it.</p></main>" + form,
	} {
		w := &web{pages: map[string]answer{"http://docs.test/": html(page)}}
		if s, err := llmstxt.Crawl(t.Context(), "http://docs.test/", llmstxt.Options{Client: w.client()}); err != nil || len(s.Pages) == 0 {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// A page whose own address says what it is about is no wall, and neither is one without a
// control with which to agree.
func TestCrawl_PageAboutWalls_IsKept(t *testing.T) {
	form := `<form method=post action="/ok"><button name=ok>%s</button></form>`
	for at, page := range map[string]string{
		"/terms-of-use.html":         "<title>Terms of use</title><main><h1>Terms of use</h1><p>Whoever reads this site may do with it whatever its licence allows.</p></main>" + fmt.Sprintf(form, "Accept cookies"),
		"/stores/region":             "<title>Select your region</title><main><h1>Select your region</h1><p>The setting says which prices are shown, in which currency.</p></main>" + fmt.Sprintf(form, "Save"),
		"/privacy":                   "<title>Privacy | Tea</title><nav><a href=/>Home</a></nav><main><h1>Privacy</h1><p>We keep no records of those who read this. If you accept our letter, we keep its address.</p></main>" + fmt.Sprintf(form, "Accept"),
		"/legal/cookie-policy.html":  "<title>Cookie policy</title><main><h1>Cookie policy</h1><p>We set one cookie, which remembers that you agree to it and nothing else at all.</p></main>" + fmt.Sprintf(form, "I agree"),
		"/datenschutz-einstellungen": "<title>Datenschutz-Einstellungen</title><main><h1>Datenschutz-Einstellungen</h1><p>Hier steht, was wir speichern und wie lange, in einem einzigen Satz.</p></main>" + fmt.Sprintf(form, "Akzeptieren"),
		"/api/age-verification":      "<title>Age verification - Tea API</title><main><h1>Age verification</h1><p>The call returns the age of a tea in years, as its seller has verified it.</p></main>" + fmt.Sprintf(form, "Try it"),
		"/age_check.html":            "<title>Age check</title><main><h1>Age check</h1><p>The module compares the age of a tea with what its package says.</p></main>",
		// Links to an agreement and to a policy are no controls.
		"/node/12": "<title>Disclaimer | Tea</title><nav><a href=/>Home</a> <a href=/node/3>User agreement</a> <a href=/node/4>Acceptable use</a></nav><main><h1>Disclaimer</h1><p>The recipes of this site are written by its readers, and nobody has tried them all.</p></main>" + fmt.Sprintf(form, "Search"),
		"/p/7":     "<title>Terms - Law of tea</title><a href=/p/8>Acceptance of an offer</a><main><h1>Terms</h1><p>The terms of a contract are what its parties have agreed upon before a court can tell.</p></main>" + fmt.Sprintf(form, "Search"),
		// The word stands in the text and in a script, and in no control.
		"/menu":   "<title>Menu | Cookies</title><main><h1>Menu of today</h1><p>Butter, oats and ginger, all of them baked today; we accept cash and cards.</p></main>" + fmt.Sprintf(form, "Order"),
		"/orders": "<title>Orders | Cookies</title><script>const consent = 1</script><main><h1>Orders of cookies</h1><p>Send us a letter with what you want and with where you live.</p></main>" + fmt.Sprintf(form, "Send"),
	} {
		w := &web{pages: map[string]answer{"http://docs.test/": doc("Home", at), "http://docs.test" + at: html(page)}}
		if s := everyWay(t, w, "http://docs.test/", llmstxt.Options{}); len(s.Pages) != 2 {
			t.Errorf("%s: %v", at, s.Skipped)
		}
	}
	page := "<title>Cookies | Ada's kitchen</title><main><h1>Cookies of all kinds</h1><p>Butter, oats and ginger, all of them baked today; we accept cash and cards.</p></main>" + fmt.Sprintf(form, "Order")
	w := &web{pages: map[string]answer{"http://docs.test/": html(page)}}
	if s, err := llmstxt.Crawl(t.Context(), "http://docs.test/", llmstxt.Options{Client: w.client()}); err != nil || len(s.Pages) != 1 {
		t.Error(err)
	}
}

// Sites of single sign-on send a form in place of the page, which a script posts.
func TestCrawl_FormThatIsSentToALogin_IsNoPage(t *testing.T) {
	form := func(action, field string) string {
		return `<html><head><title>Working...</title></head><body><form method="POST" name="hiddenform" action="` + action + `"><input type="hidden" name="` + field + `" value="eyJ" />` +
			`<noscript><p>Script is disabled. Click Submit to continue.</p><input type="submit" value="Submit" /></noscript></form><script>window.setTimeout('document.forms[0].submit()', 0);</script></body></html>`
	}
	for page, left := range map[string]bool{
		form("https://login.microsoftonline.com/login.srf", "t"): true, form("https://idp.docs.test/sso", "x"): true, form("/saml", "SAMLRequest"): true, form("https://elsewhere.test/", "wresult"): true,
		strings.Replace(form("https://elsewhere.test/", "RelayState"), "<body>", "<body onload='document.forms[0].submit()'>", 1): true,
		form("/search", "q"): false, form("https://elsewhere.test/", "q"): false,
		strings.ReplaceAll(form("/saml", "SAMLRequest"), "submit()", "reset()"): false,
		"<title>SAML</title><main><h1>SAML</h1><p>" + strings.Repeat("The form has a field of that name, and the script that posts it calls forms[0].submit() at once. ", 15) + "</p><form><input name=SAMLRequest></form></main>": false,
	} {
		w := &web{pages: map[string]answer{"http://docs.test/": doc("Home", "/a", "/b"), "http://docs.test/b": doc("B"), "http://docs.test/a": html(page)}}
		s := everyWay(t, w, "http://docs.test/", llmstxt.Options{})
		if got := len(s.Skipped) == 1 && s.Skipped[0].Reason == llmstxt.SkipLogin; got != left {
			t.Errorf("%.200s: %v, %v", page, urls(s), s.Skipped)
		}
	}
}
