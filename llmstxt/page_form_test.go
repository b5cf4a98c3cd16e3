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
	const more = "Whoever pours it over the leaves too early has nothing but a cup of hot water with leaves in it. The people next door have known this since their grandmother told them about it, and they tell it to everybody who comes to see them. "
	const still = "A lid is the better half of a pot, and a cloth around both is better than a lid. Nobody has found out yet why the second cup is darker than the first one, though all the books of this house have a page about it, with drawings."
	const end = "<p>" + more + "</p><p>" + still + "</p>"
	for name, form := range map[string]string{
		"Mailchimp": "<div id=mc_embed_signup><form action=https://x.list-manage.com/subscribe method=post id=mc-embedded-subscribe-form class=validate><div id=mc_embed_signup_scroll><h2>Subscribe</h2><div class=mc-field-group><label for=e>Email Address</label><input type=email id=e></div>" +
			"<div class=content__gdpr><label>Marketing Permissions</label><p>Please select all the ways you would like to hear from Kettles:</p><fieldset><label><input type=checkbox><span>Email</span></label></fieldset><p>You can unsubscribe at any time by clicking the link in the footer of our emails. For information about our privacy practices, please visit our website.</p></div>" +
			"<div class=content__gdprLegal><p>We use Mailchimp as our marketing platform. By clicking below to subscribe, you acknowledge that your information will be transferred to Mailchimp for processing. <a href=/x>Learn more about their privacy practices here.</a></p></div></div></form></div>",
		"newsletter": "<form><h3>Our letter</h3><p>Be the first to learn what is new, once a month at most.</p><input name=mail></form>",
		"comments":   "<form id=commentform class=comment-form><p>Your email address will not be published by anybody here.</p><p><label>Say what you think of all this, please, in a few words</label></p></form>",
		"search":     "<form role=search><h1>Search</h1><p>Type what you look for into the field and press the button.</p></form>",
		"cookies":    "<form class=cookie-consent><h2>Cookies</h2><p>We keep a few small files on your machine, as all do.</p><p>You may refuse them here, or take those that you like.</p><h3>More</h3></form>",
		"settings":   "<form><fieldset><legend>Colours</legend><p>Choose the colours that you like best for this site.</p><p>They are kept in your browser and nowhere else.</p><h3>x</h3></fieldset></form>",
	} {
		for _, text := range []string{"<h1>Tea</h1><p>" + gadget + "</p>" + end, "<main><h1>Tea</h1><p>" + gadget + "</p>" + end + "%s</main>", "<main><h1>Tea</h1>%s<p>" + gadget + "</p>" + end + "</main>", "<main>%s<h1>Tea</h1><p>" + gadget + "</p>" + end + "</main>"} {
			page := strings.Replace(text, "%s", form, 1)
			pages := []string{page}
			if page == text {
				pages = []string{form + page, page + form}
			}
			for _, page := range pages {
				p := one(t, "<title>Tea</title>"+page, llmstxt.Options{})
				if got := strings.ReplaceAll(p.Excerpt, "\n\n", " "); len(got) < 100 || !strings.HasPrefix(gadget+" "+more+still, got) {
					t.Errorf("%s: %q", name, p.Excerpt)
				}
			}
		}
	}
}
