package llmstxt_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/farwire/farwire/llmstxt"
)

func troubled(title, heading, text string) string {
	if heading != "" {
		heading = "<h1>" + heading + "</h1>"
	}
	return "<title>" + title + "</title>" + heading + "<p>" + text + "</p>"
}

// What a site sends to browsers that it is not made for, to those who have not paid, and when its
// software has failed is no page of it.
func TestCrawl_BrowsersMembersAndFailures_AreNoPages(t *testing.T) {
	for page, lost := range map[string]int{
		troubled("WordPress &rsaquo; Error", "", "There has been a critical error on this website. Please check your site admin email inbox for instructions."):                                             1,
		troubled("WordPress › Fehler", "", "Es gab einen kritischen Fehler auf deiner Website. Bitte überprüfe den Posteingang deiner Website-Administrator-E-Mail-Adresse."):                               1,
		troubled("WordPress › Ошибка", "", "На сайте возникла критическая ошибка. Узнайте больше."):                                                                                                         1,
		"<br />\n<b>Fatal error</b>:  Uncaught Error: Call to undefined function pot() in /var/www/html/tea.php:12\nStack trace:\n#0 {main} thrown in <b>/var/www/html/tea.php</b> on line <b>12</b><br />": 1,
		troubled("Error | Kettle", "The website encountered an unexpected error. ", "Please try again later."):                                                                                              1,
		troubled("Kettle - Unsupported browser", "Your browser is not supported", "To use Kettle, take the latest <a href=https://www.google.com/chrome>Chrome</a>."):                                       0,
		troubled("Browser not supported | Kettle", "Please update your browser", "You are using an outdated browser."):                                                                                      0,
		troubled("Kettle", "Your browser is out of date!", "Please take a newer one."):                                                                                                                      0,
		troubled("Kettle", "Ihr Browser wird nicht unterstützt", "Bitte verwenden Sie einen neueren."):                                                                                                      0,
		troubled("Navigateur obsolète", "Votre navigateur n’est plus supporté", "Veuillez le mettre à jour."):                                                                                               0,
		troubled("お使いのブラウザはサポートされていません", "", "別のブラウザをご利用ください。"):                                                                                                                                             0,
		troubled("Kettle", "This content is for members only", "Please log in or join to read it."):                                                                                                         0,
		troubled("Subscribers only – Kettle", "Subscribe to continue reading", "It costs a cup a month."):                                                                                                   0,
	} {
		for _, at := range []string{"/pots", "/tea/12", "/?p=12", "/node/20"} {
			w := &web{pages: map[string]answer{"http://docs.test/": doc("Home", "/a", at), "http://docs.test/a": doc("A"), "http://docs.test" + at: html(page)}}
			s := everyWay(t, w, "http://docs.test/", llmstxt.Options{})
			if got := urls(s); !slices.Equal(got, []string{"/", "/a"}) || s.Stats.Skipped[llmstxt.SkipStatus] != 1 || len(s.Lost) != lost {
				t.Errorf("%s, %s: %v, %v, lost %v", at, page, got, s.Skipped, s.Lost)
			}
		}
	}
}

// What names a feature, a setting or an event as well sends a reader away where it speaks to one.
func TestCrawl_NamesOfFeatures_AreNoPagesThatSpeakToTheReader(t *testing.T) {
	for name, texts := range map[string][2]string{
		"Members-only content":             {"Turn this on to show posts to members alone.", "Already a member? Log in."},
		"This content is for members only": {"The text of the block that others see.", "Sign in to read on."},
		"Subscribers only":                 {"A post with this setting goes to those who have subscribed.", "Subscribe now for a cup a month."},
		"Private site":                     {"Set this so that nobody sees your work.", "You must be logged in."},
		"Nur für Mitglieder":               {"So heißt der Bereich, den andere nicht sehen.", "Bitte anmelden."},
		"Unsupported browser":              {"This event is sent when a visitor comes with one that is too old.", "Please use a newer one."},
		"Update your browser":              {"Take the latest version of Firefox, which the console needs.", "You are using an old one."},
		"Browser veraltet":                 {"Was diese Meldung heißt, und was zu tun ist.", "Bitte nehmen Sie einen neueren."},
		"Navigateur obsolète":              {"Ce que dit ce message.", "Veuillez le mettre à jour."},
	} {
		for i, text := range texts {
			for title, heading := range map[string]string{name: name, name + " | Kettle": "", "Kettle": name} {
				w := &web{pages: map[string]answer{"http://docs.test/": doc("Home", "/a", "/tea/12"), "http://docs.test/a": doc("A"), "http://docs.test/tea/12": html(troubled(title, heading, text))}}
				s := crawl(t, w, "http://docs.test/", llmstxt.Options{})
				if got := slices.Contains(urls(s), "/tea/12"); got != (i == 0) {
					t.Errorf("%q, %q, %q: read %v, %v", title, heading, text, got, s.Skipped)
				}
			}
		}
	}
}

// A page about such a thing, and one with words of its own beside it, is read.
func TestCrawl_PagesAboutBrowsersAndMembers_AreKept(t *testing.T) {
	short := func(title string) string { return troubled(title, title, "The client is sent away.") }
	for at, page := range map[string]string{
		"/browsers": short("Your browser is not supported"), "/docs/pots/7": short("Browser not supported"), "/kb/12": short("Unsupported browser"), "/system/pots": short("Unsupported browser"), "/compatibility": short("Unsupported browser"),
		"/pots/1": short("Unsupported browsers"), "/pots/2": short("How to update your browser"), "/pots/3": short("Update your browser settings"), "/members": short("Members only"), "/pots/4": short("A private site in the woods"),
		"/docs/critical-error": short("There has been a critical error on this website"), "/faq/3": short("There has been a critical error on this website"),
		"/news/tea":  "<title>Tea</title><h1>Tea is dear</h1><p>" + gadget + "</p><div><h2>Subscribe to continue reading</h2><p>This article is for subscribers only.</p><a href=/subscribe>Subscribe</a></div>",
		"/pots/5":    troubled("WordPress › Themes", "", "Kettle is a theme for shops of tea. It has pots."),
		"/pots/6":    "<title>Fatal errors</title><h1>Fatal errors</h1><p>Fatal error: Uncaught Error: Call to pot() in /var/www/tea.php:12</p>",
		"/pots/long": troubled("Your browser is not supported", "Your browser is not supported", strings.Repeat(gadget+" ", 8)),
	} {
		w := &web{pages: map[string]answer{"http://docs.test/": doc("Home", "/a", at), "http://docs.test/a": doc("A"), "http://docs.test" + at: html(page)}}
		s := everyWay(t, w, "http://docs.test/", llmstxt.Options{})
		if got := urls(s); !slices.Contains(got, at) {
			t.Errorf("%s, %s: %v, %v", at, page, got, s.Skipped)
		}
	}
}
