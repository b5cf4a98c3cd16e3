package htmlpage_test

import "testing"

// Code and paragraphs above the heading, in the element that holds it, are the page's.
func TestMarkdown_TextAboveTheHeading_IsKept(t *testing.T) {
	const name = "<h1>Kettle</h1><p>It boils water for tea in a little while.</p>"
	const text = "# Kettle\n\nIt boils water for tea in a little while.\n"
	const note = "<p>The pot has come in place of the kettle, and is warmer.</p>"
	const noteText = "The pot has come in place of the kettle, and is warmer.\n\n"
	for page, want := range map[string]string{
		"<div class=content><pre>$ boil</pre>" + name + "</div>":                                  "```\n$ boil\n```\n\n" + text,
		"<div><p><a href=a>A</a></p></div><pre>$ boil</pre>" + name:                               "```\n$ boil\n```\n\n" + text,
		"<div id=c><div class=highlight><div><pre>$ boil</pre></div></div><hr>" + name + "</div>": "```\n$ boil\n```\n\n---\n\n" + text,
		"<table><tr><td><pre>menu</pre></td><td><pre>$ boil</pre>" + name + "</td></tr></table>":  "```\n$ boil\n```\n\n" + text,
		"<table><tr><td><pre>menu</pre><td>" + name + "</table>":                                  text,
		"<div><pre>$ other</pre></div><div>" + name + "</div>":                                    text,
		"<div><div class=sidebar><pre>$ other</pre></div>" + name + "</div>":                      text,
		"<section>" + note + name + "</section>":                                                  noteText + text,
		"<section><div class=note>" + note + "</div><pre>$ boil</pre>" + name + "</section>":      noteText + "```\n$ boil\n```\n\n" + text,
		"<section><p>Docs</p>" + name + "</section>":                                              text,
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
