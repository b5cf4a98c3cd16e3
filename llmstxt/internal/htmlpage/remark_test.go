package htmlpage_test

import "testing"

// A text sets apart what is said beside it; a side bar stands beside the page.
func TestMarkdown_AsideOfText_IsKept(t *testing.T) {
	const said = "A graph keeps what was said of it, and no cycle of it is negative."
	wantMarkdown(t, map[string]string{
		"<p>Tea.</p><aside><p>" + said + "</p></aside><dl><dt>pot<dd>x</dl>":                                    "Tea.\n\n" + said + "\n\n**pot**\n\nx\n",
		"<p>Tea.<aside>" + said + " <a href=b>See b</a>.</aside><p>Pots.":                                       "Tea.\n\n" + said + " [See b](http://a.test/b).\n\nPots.\n",
		"<p>Tea.<aside><p>" + said + "<ul><li><code>x</code> is a.<li>b</ul></aside><p>Pots.":                   "Tea.\n\n" + said + "\n\n- `x` is a.\n- b\n\nPots.\n",
		"<p>Tea.<aside><h2>News</h2><p>" + said + "</aside><p>Pots.":                                            "Tea.\n\nPots.\n",
		"<p>Tea.<aside><ul><li><a href=a>" + said + "</a><li><a href=b>b</a></ul></aside><p>Pots.":              "Tea.\n\nPots.\n",
		"<p>Tea.<aside class=promo><p>" + said + "</aside><p>Pots.":                                             "Tea.\n\nPots.\n",
		"<p>Tea.<aside role=complementary><p>" + said + "</aside><p>Pots.":                                      "Tea.\n\nPots.\n",
		"<p>Tea.<aside hidden><p>" + said + "</aside><aside style='display:none'>" + said + "</aside><p>Pots.":  "Tea.\n\nPots.\n",
		"<p>Tea.<aside><p>" + said + "<form><input name=a></form></aside><aside>Buy a pot.</aside><p>Pots.</p>": "Tea.\n\nPots.\n",
	})
}
