package htmlpage_test

import "testing"

// Code and paragraphs above the heading, in the element that holds it, are the page's.
func TestMarkdown_TextAboveTheHeading_IsKept(t *testing.T) {
	const name = "<h1>Kettle</h1><p>It boils water for tea in a little while.</p>"
	const text = "# Kettle\n\nIt boils water for tea in a little while.\n"
	const note = "<p>The pot has come in place of the kettle, and is warmer.</p>"
	const noteText = "The pot has come in place of the kettle, and is warmer.\n\n"
	for page, want := range map[string]string{
		"<div class=content><pre>$ boil</pre>" + name + "</div>":                                                                  "```\n$ boil\n```\n\n" + text,
		"<div><p><a href=a>A</a></p></div><pre>$ boil</pre>" + name:                                                               "```\n$ boil\n```\n\n" + text,
		"<div id=c><div class=highlight><div><pre>$ boil</pre></div></div><hr>" + name + "</div>":                                 "```\n$ boil\n```\n\n---\n\n" + text,
		"<table><tr><td><pre>menu</pre></td><td><pre>$ boil</pre>" + name + "</td></tr></table>":                                  "```\n$ boil\n```\n\n" + text,
		"<table><tr><td><pre>menu</pre><td>" + name + "</table>":                                                                  text,
		"<div class=content><div class=notice><div><pre>$ boil</pre></div></div><div><section>" + name + "</section></div></div>": "```\n$ boil\n```\n\n" + text,
		"<div id=app><nav><pre>$ other</pre></nav><div>" + name + "</div></div>":                                                  text,
		"<div><pre>$ other</pre></div><div>" + name + "</div>":                                                                    text,
		"<div><div class=sidebar><pre>$ other</pre></div>" + name + "</div>":                                                      text,
		"<section>" + note + name + "</section>":                                                                                  noteText + text,
		"<section><div class=note>" + note + "</div><pre>$ boil</pre>" + name + "</section>":                                      noteText + "```\n$ boil\n```\n\n" + text,
		"<section><p>Docs</p>" + name + "</section>":                                                                              text,
		note + name: text,
		"<header>" + note + "<pre>$ boil</pre></header>" + name:                                           text,
		"<div class=top>" + note + "</div><div class=body>" + name + "</div>":                             text,
		"<div>" + note + "<form><input name=q></form>" + name + "</div>":                                  text,
		"<div class=content><h2>News</h2><pre>$ boil</pre></div><div>" + name + "<pre>$ pour</pre></div>": text + "\n```\n$ pour\n```\n",
	} {
		if got := markdown(t, "<title>Kettle - Docs</title><body>"+page); got != want {
			t.Errorf("%s:\n%q, want\n%q", page, got, want)
		}
	}
}

// Short texts and code that say what a page is about, above headings of which none is its title, are the page's.
func TestMarkdown_DescriptionAboveAllHeadings_IsKept(t *testing.T) {
	const head = "<title>Class: Tea::Pot</title><body><div id=classHeader><table><tr><td>Class<td>Tea::Pot</table></div>"
	const parts = "<div id=includes><h3>Included Modules</h3><a href=lid.html>Lid</a></div>"
	const partsText = "### Included Modules\n\n[Lid](http://a.test/lid.html)\n"
	for page, want := range map[string]string{
		"<div id=bodyContent><div id=description><p>A pot for tea.</p></div></div>":      "A pot for tea.\n\n",
		"<div><section class=docstring><pre>Pot.new.pour</pre></section></div>":          "```\nPot.new.pour\n```\n\n",
		"<div id=description><p>A pot.</p><pre>pour</pre><h2>Lids</h2><p>One.</p></div>": "A pot.\n\n```\npour\n```\n\n## Lids\n\nOne.\n\n",
		"<div class='rp-home-hero x'><div><div>Tea</div></div><p>For all</p></div>":      "Tea\n\nFor all\n\n",
		"<section class=HomeHero><p>Tea for all</p></section><div><p>Hot</p></div>":      "Tea for all\n\nHot\n\n",
		"<div class=jumbotron>Tea for all</div>":                                         "Tea for all\n\n",
		"<div class=superheroes>Tea</div>":                                               "",
		"<header><div class=hero>Tea for all</div></header>":                             "",
		"<header><div class=description>Tea for all</div></header>":                      "",
		"<h1>Tea</h1><div class=description>Tea for all</div>":                           "# Tea\n\nTea for all\n\n",
		"<div class=site-description>Tea for all</div>":                                  "",
	} {
		if got := markdown(t, head+page+parts); got != want+partsText {
			t.Errorf("%s:\n%q, want\n%q", page, got, want+partsText)
		}
	}
}
