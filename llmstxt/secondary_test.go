package llmstxt_test

import (
	"testing"

	"github.com/farwire/farwire/llmstxt"
)

// A page of code about cookies or tags is not about the site's own.
func TestIndex_PagesOfUseToFew_AreOptional(t *testing.T) {
	const code = "<pre><code>jar = kettle.get()</code></pre>"
	listing := "<pre class='prettyprint source linenums'><code>exports.boil = () => 1\n</code></pre>"
	says := "<p>What this page is about is told here in one sentence of its own, which is long enough to be a page.</p>"
	for name, c := range map[string]struct {
		at, title, body string
		want            bool
	}{
		"a policy of cookies":      {"/cookies", "Cookies", says, true},
		"cookies of a client":      {"/api/cookies.html", "Cookie handling", says + code, false},
		"a list of tags":           {"/tags", "Tags", says, true},
		"tags of an image":         {"/api/tags", "Tags", says + code, false},
		"licences that are listed": {"/rest/licenses", "Licenses", says + code, false},
		"the licence":              {"/license", "License", says + code, true},
		"changes":                  {"/changelog", "Changelog", says + code, true},
		"a policy with code":       {"/cookies", "Cookie policy", says + code, true},
		"a file":                   {"/lib_kettle.js.html", "lib/kettle.js", "<article>" + listing + "</article>", true},
		"a file in the root":       {"/kettle.ts.html", "kettle.ts", "<article>" + listing + "</article>", true},
		"a file in its folder":     {"/file/lib/kettle.js.html", "lib/kettle.js", listing, true},
		"a file above a footer":    {"/kettle.rb.html", "kettle.rb", listing + "</main><footer class=foot><p>Laid out with <a href=http://theme.test/>a theme</a> for all pages of the kettle.</p></footer>", true},
		"a page in a folder":       {"/guide/kettle.js.html", "guide/kettle.js", says, false},
		"a page about a file":      {"/kettle.config.js.html", "kettle.config.js", says + code, false},
		"another name":             {"/kettle.js.html", "Kettle", "<article>" + listing + "</article>", false},
		"a page of a library":      {"/node.js.html", "node.js", says, false},
	} {
		w := &web{pages: map[string]answer{
			"http://docs.test/":         doc("Kettle", c.at, "/use"),
			"http://docs.test/use":      doc("Use"),
			"http://docs.test" + c.at:   html("<title>" + c.title + "</title><main><h1>" + c.title + "</h1>" + c.body + "</main>"),
			"http://docs.test/cleaning": doc("Cleaning"),
		}}
		s := crawl(t, w, "http://docs.test/", llmstxt.Options{})
		if len(s.Pages) != 3 || s.Pages[1].Secondary != c.want {
			t.Errorf("%s: optional %t, want %t", name, len(s.Pages) > 1 && s.Pages[1].Secondary, c.want)
		}
	}
}
