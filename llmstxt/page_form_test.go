package llmstxt_test

import (
	"strings"
	"testing"

	"github.com/farwire/farwire/llmstxt"
)

// A form that the whole page stands in is the page.
func TestExcerpt_PageInsideAForm_IsRead(t *testing.T) {
	const second = "It takes three minutes from cold water to the first cup."
	for name, page := range map[string]string{
		"Web Forms":                 "<form id=aspnetForm method=post action='./install.aspx'><input type=hidden name=__VIEWSTATE value=dDwtMTI><h1>Tea</h1><p>" + gadget + "</p><p>" + second + "</p></form>",
		"headings of level 2":       "<form method=post id=form1><div class=content><h2>Tea</h2><p>" + gadget + "</p><h3>How long</h3><p>" + second + "</p></div></form>",
		"with a menu":               "<form id=Form runat=server><div class=nav><ul><li><a href=/x>A place that has a rather long name for a link</a></li></ul></div><div><h1>Tea</h1><p>" + gadget + "</p><p>" + second + "</p></div><div class=footer><p>The people who made this site live by the sea.</p></div></form>",
		"text in cells":             "<form name=main method=post><table><tr><td><h1>Tea</h1><p>" + gadget + "</p><p>" + second + "</p></td></tr></table></form>",
		"form that does not end":    "<form id=ctl00><h1>Tea</h1><p>" + gadget + "</p><p>" + second + "</p>",
		"a form in it":              "<main><form id=a><h1>Tea</h1><p>" + gadget + "</p><form action=/find><input name=q></form><p>" + second + "</p></form></main>",
		"forms in it":               "<main><form id=a><h1>Tea</h1><form><input name=q></form><p>" + gadget + "</p><form><input name=r><button>Go</button></form><p>" + second + "</p></form></main>",
		"nothing but one paragraph": "<form action=/go><p>" + gadget + " " + second + "</p><label>Your name is what we need here, and nothing else <input name=n></label></form>",
	} {
		p := one(t, "<title>Tea</title><body>"+page+"</body>", llmstxt.Options{})
		if got := strings.ReplaceAll(p.Excerpt, "\n\n", " "); !strings.Contains(got, gadget+" ") || !strings.Contains(got, second) || strings.Contains(got, "Your name") || strings.Contains(got, "rather long") {
			t.Errorf("%s: %q", name, p.Excerpt)
		}
	}
}

// A form beside the text stays outside of it.
func TestExcerpt_FormBesideTheText_IsLeftOut(t *testing.T) {
	for name, form := range map[string]string{
		"newsletter": "<form><h3>Our letter</h3><p>Be the first to learn what is new, once a month at most.</p><input name=mail></form>",
		"comments":   "<form id=commentform class=comment-form><p>Your email address will not be published by anybody here.</p><p><label>Say what you think of all this, please, in a few words</label></p></form>",
		"search":     "<form role=search><h1>Search</h1><p>Type what you look for into the field and press the button.</p></form>",
		"cookies":    "<form class=cookie-consent><h2>Cookies</h2><p>We keep a few small files on your machine, as all do.</p><p>You may refuse them here, or take those that you like.</p><h3>More</h3></form>",
		"settings":   "<form><fieldset><legend>Colours</legend><p>Choose the colours that you like best for this site.</p><p>They are kept in your browser and nowhere else.</p><h3>x</h3></fieldset></form>",
	} {
		for _, page := range []string{form + "<h1>Tea</h1><p>" + gadget + "</p>", "<h1>Tea</h1><p>" + gadget + "</p>" + form} {
			if p := one(t, "<title>Tea</title>"+page, llmstxt.Options{}); p.Excerpt != gadget {
				t.Errorf("%s: %q", name, p.Excerpt)
			}
		}
	}
}
