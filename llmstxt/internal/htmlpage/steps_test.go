package htmlpage_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/farwire/farwire/llmstxt/internal/htmlpage"
)

// Generators without a word for navigation in their mark-up end each page with its neighbours.
func TestMarkdown_PagerInText_IsLeftOut(t *testing.T) {
	for name, pager := range map[string]string{
		"Texinfo":        "<hr><div class=header><p>Next: <a href=a rel=next>Lids</a>, Previous: <a href=b rel=prev>Pots</a>, Up: <a href=c rel=up>Tea</a> &nbsp; [<a href=d rel=contents>Contents</a>][<a href=e rel=index>Index</a>]</p></div>",
		"last node":      "<hr><p>Previous: <a href=b>Pots</a>, Up: <a href=c>Tea</a> [<a href=d>Contents</a>]</p>",
		"LaTeX2HTML":     "<p><a href=a><img alt=next src=n.png></a> <a href=c><img alt=up src=u.png></a><br><b> Next:</b> <a href=a>2 Lids</a> <b> Up:</b> <a href=c>Tea (all of it)</a> <b> Previous:</b> <a href=b>1 Pots</a> <b><a href=d>Contents</a></b></p>",
		"with brackets":  "<p>Next: <a href=a>a[1]</a> | Prev: <a href=b>The ] sign</a></p>",
		"other order":    "<div>Up: <a href=c>Tea</a>; Next: <a href='a_(pots)'>Lids</a></div>",
		"in small signs": "<p>Previous: <a href=b>&lt;Pots&gt;</a> &lt; Next: <a href=a>Lids</a> &gt;</p>",
	} {
		if got := markdown(t, "<title>x</title><main><p>Tea.</p>"+pager+"</main>"); got != "Tea.\n" {
			t.Errorf("%s: %q", name, got)
		}
	}
	for _, text := range []string{
		"Next: <a href=a>Lids</a>",
		"Next: <a href=a>Lids</a>, Previous: <a href=b>Pots</a>, and tea.",
		"Next: boil water. Previous: fill the pot.",
		"Up: Next: Previous: are the labels of <a href=a>Texinfo</a>.",
		"Previous: 3, Next: 4, Up: 1",
	} {
		if got := markdown(t, "<title>x</title><main><p>Tea.</p><p>"+text+"</p></main>"); !strings.Contains(got, text[:4]) {
			t.Errorf("%s: %q", text, got)
		}
	}
}

// An anchor that leads nowhere and is an arrow opens what stands below it; other arrows are text.
func TestMarkdown_ArrowThatUnfolds_IsLeftOut(t *testing.T) {
	for _, arrow := range []string{"<a class='icon caret-right'>▸</a>", "<a>\n▼ </a>", "<a tabindex=0><span>&#9654;</span></a>"} {
		page := "<title>x</title><main><h1>Pots</h1><div><div>" + arrow + "<span>boil()</span></div></div><p>Boils the water in a pot.</p></main>"
		if got := markdown(t, page); got != "# Pots\n\nboil()\n\nBoils the water in a pot.\n" {
			t.Errorf("%s: %q", arrow, got)
		}
		blocks, _ := parse(t, page).Blocks("x")
		if got := texts(blocks); got[1] != "boil()" {
			t.Errorf("%s: %q", arrow, got)
		}
	}
	for _, text := range []string{"<a href=up>▲</a>", "<a name=x>▸ boil()</a>", "<b>▶</b>", "▾"} {
		if got := markdown(t, "<title>x</title><main><p>Press "+text+" now.</p></main>"); !strings.ContainsAny(got, "▲▸▶▾") {
			t.Errorf("%s: %q", text, got)
		}
	}
}

// YARD has "collapse" in its headings and "show all" behind what a class inherits.
func TestMarkdown_LinkThatUnfolds_IsLeftOut(t *testing.T) {
	wantMarkdown(t, map[string]string{
		"<h2>Lids <small><a href='#' class=summary_toggle>collapse</a></small></h2><p>Tea.":        "## Lids\n\nTea.\n",
		"<dl><dt>Inherits:</dt><dd><ul><li>Pot</ul> <a href='#' class=tree>show all</a></dd></dl>": "**Inherits:**\n\n- Pot\n",
		"<p>Tea.</p><div><a href='#' class=all>Expand all</a>\n</div>":                             "Tea.\n",
		"<p>To close it, press <a href='#' class=b>Collapse</a></p>":                               "To close it, press Collapse\n",
		"<h2><a href='#' class=b>Toggle</a></h2><p>Tea.":                                           "## Toggle\n\nTea.\n",
		"<h2>How to <a href='#'>collapse</a></h2><p>Tea.":                                          "## How to collapse\n\nTea.\n",
		"<p>Tea. <a href='#expand'>Expand all</a></p>":                                             "Tea. Expand all\n",
		"<p>Tea. <a href=all>Show all</a></p>":                                                     "Tea. [Show all](http://a.test/all)\n",
		"<p>Press <a href='#'>Collapse</a> to close it.</p>":                                       "Press Collapse to close it.\n",
		"<p>Read <a href='#'>Collapse of the wave</a></p>":                                         "Read Collapse of the wave\n",
		"<p>new(pot) <span class=method-click-advice>click to toggle source</span></p>":            "new(pot)\n",
		"<p>Or <span class=advice>click to toggle source</span></p>":                               "Or click to toggle source\n",
		"<p>Tea.</p><div class=modal id=documenter-settings><p>Settings</p><p>Theme</p></div>":     "Tea.\n",
		"<p>Tea.</p><div class='modal fade' id=loginModal><p>Sign in</p></div>":                    "Tea.\n",
		"<p>Tea.</p><section class='php-search-results__dialog'><h2>Results</h2></section>":        "Tea.\n",
		"<p>Tea.</p><div class='modal fade' id=teapot><p>The pot.</p></div>":                       "Tea.\n\nThe pot.\n",
		"<p>Tea.</p><div class=example id=settings-dialog><p>The pot.</p></div>":                   "Tea.\n\nThe pot.\n",
		"<p>Tea.</p><section id=search-dialog><h2>Dialog</h2><p>It finds.</p></section>":           "Tea.\n\n## Dialog\n\nIt finds.\n",
		"<p>Tea.</p><div class='section modal' id=search><p>It finds.</p></div>":                   "Tea.\n\nIt finds.\n",
	})
}

// RDoc shows the source of a method below it: it is nobody's description.
func TestBlocks_SourceOfAMethod_IsNoText(t *testing.T) {
	source := "<div class=method-source-code id=s><pre># File pot.rb, line 1\n" + strings.Repeat("def pot(lid) = fill(lid)\n", 40) + "</pre></div>"
	const head = "<title>Pot</title><main><h1>class Pot</h1><div class=method-detail><div class=method-heading><span class=method-name>pot</span><span class=method-args>(lid)</span> " +
		"<span class=method-click-advice>click to toggle source</span></div>"
	blocks, _ := parse(t, head+"<div class=method-description>"+source+"</div></div></main>").Blocks("pot")
	var texts []string
	for _, b := range blocks {
		if b.Kind != htmlpage.Omitted {
			texts = append(texts, b.Text)
		}
	}
	if !slices.Equal(texts, []string{"class Pot", "pot(lid)"}) {
		t.Errorf("%q", texts)
	}
	if got := markdown(t, head+source+"</div></main>"); !strings.Contains(got, "def pot(lid)") || strings.Contains(got, "click") {
		t.Error(got)
	}
}

// The same links are no words of descriptions, in sentences they are.
func TestBlocks_LinkThatUnfolds_IsNoText(t *testing.T) {
	for page, want := range map[string]string{
		"<h2>Lid Summary <small><a href='#' class=toggle>collapse</a></small></h2>":  "Lid Summary",
		"<dl><dd><ul><li>Pot</li></ul> <a href='#' class=tree>show all</a></dd>":     "Pot",
		"<h2>How to <a href='#'>collapse</a></h2>":                                   "How to collapse",
		"<h2><a href='#' class=b>Toggle</a></h2>":                                    "Toggle",
		"<p>Press <a href='#' class=b>Collapse</a> to close it.</p>":                 "Press Collapse to close it.",
		"<p>To close it, press <a href='#' class=b>Collapse</a></p>":                 "To close it, press Collapse",
		"<p><a href='#' class=b>Collapse</a> is what closes it, and nothing else is": "Collapse is what closes it, and nothing else is",
	} {
		blocks, _ := parse(t, "<title>x</title><main><h1>Pot</h1>"+page+"</main>").Blocks("pot")
		if len(blocks) != 2 || blocks[1].Text != want {
			t.Errorf("%s: %v", page, blocks)
		}
	}
}
