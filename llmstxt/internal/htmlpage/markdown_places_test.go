package htmlpage_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/farwire/farwire/llmstxt/internal/htmlpage"
)

// Signs of notes and the notes, as generators write them, stay together; the way back goes.
func TestMarkdown_Notes_StayWithTheirSigns(t *testing.T) {
	for name, c := range map[string][2]string{
		"kramdown":    {"<p>Tea<sup id='fnref:1'><a href='#fn:1' class=footnote rel=footnote>1</a></sup> is hot.</p><div class=footnotes role=doc-endnotes><ol><li id='fn:1'><p>So is soup. <a href='#fnref:1' class=reversefootnote>&#8617;</a></p></li></ol></div>", "Tea[1] is hot.\n\n1. So is soup.\n"},
		"pandoc":      {"<p>Tea<a href=#fn1 class=footnote-ref id=fnref1 role=doc-noteref><sup>1</sup></a> is hot.</p><section class='footnotes footnotes-end-of-document' role=doc-endnotes><hr><ol><li id=fn1 role=doc-endnote><p>So is soup.<a href=#fnref1 class=footnote-back role=doc-backlink>↩︎</a></p></li></ol></section>", "Tea[1] is hot.\n\n---\n\n1. So is soup.\n"},
		"sphinx":      {"<p>Tea <a class='footnote-reference brackets' href=#f1 id=id1>1</a> is hot.</p><dl class='footnote brackets'><dt class=label id=f1><span class=brackets><a class=fn-backref href=#id1>1</a></span></dt><dd><p>So is soup.</p></dd></dl>", "Tea[1] is hot.\n\n1\n\nSo is soup.\n"},
		"docutils":    {"<p>Tea <a class='footnote-reference brackets' href=#f1 id=id1 role=doc-noteref><span class=fn-bracket>[</span>1<span class=fn-bracket>]</span></a> is hot.</p><aside class='footnote-list brackets'><aside class='footnote brackets' id=f1 role=doc-footnote><span class=label><span class=fn-bracket>[</span><a role=doc-backlink href=#id1>1</a><span class=fn-bracket>]</span></span><p>So is soup.</p></aside></aside>", "Tea[1] is hot.\n\n[1]\n\nSo is soup.\n"},
		"asciidoctor": {"<p>Tea<sup class=footnote>[<a id=_footnoteref_1 class=footnote href=#_footnotedef_1 title='View footnote.'>1</a>]</sup> is hot.</p><div id=footnotes><hr><div class=footnote id=_footnotedef_1><a href=#_footnoteref_1>1</a>. So is soup.</div></div>", "Tea[1] is hot.\n\n---\n\n1\\. So is soup.\n"},
		"texinfo":     {"<p>Tea<a class=footnote id=DOCF1 href=#FOOT1><sup>*</sup></a> is hot.</p><div class=footnotes-segment><hr><h4 class=footnotes-heading>Footnotes</h4><h5 class=footnote-body-heading><a id=FOOT1 href=#DOCF1>(*)</a></h5><p>So is soup.</p></div>", "Tea[\\*] is hot.\n\n---\n\n#### Footnotes\n\n##### (\\*)\n\nSo is soup.\n"},
		"wiki":        {"<p>Tea<sup class=reference><a href=#cite_note-1>[note 1]</a></sup> is hot.</p><ol class=references><li id=cite_note-1><b><a href=#cite_ref-1>^</a></b> <span>So is soup.</span></li></ol>", "Tea[note 1] is hot.\n\n1. So is soup.\n"},
		"hidden":      {"<p>Tea</p><div class=footnotes hidden>1</div><aside class=footnote style='display:none'>2</aside>", "Tea\n"},
		"words":       {"<p>See <a href=#pots>pots</a>, <a href=#top class=link>^^</a> and <a class=footnote href=#long-one>a long sentence</a>.</p>", "See pots, ^^ and a long sentence.\n"},
		"unclosed":    {"<p>See <a href=#x class=footnote>1", "See 1\n"},
	} {
		if got := markdown(t, "<title>x</title><main>"+c[0]+"</main>"); got != c[1] {
			t.Errorf("%s:\n%q, want\n%q", name, got, c[1])
		}
	}
}

// Links to the pages before and behind are no text, whatever stands in them, nor is the name of
// navigation that is left out.
func TestMarkdown_NavigationInTheText_IsLeftOut(t *testing.T) {
	for name, page := range map[string]string{
		"two links":        "<p>Tea.</p><div class=prev-next-area><a class=left-prev href=a.html title='previous page'><i class=fas></i><div class=prev-next-info><p>previous</p><p class=prev-next-title>Pots</p></div></a><a class=right-next href=c.html><div><p>next</p><p class=prev-next-title>Pans</p></div></a></div>",
		"links alone":      "<p>Tea.</p><div class=around><a class='post-nav-previous' href=a><p>before</p><p>Pots</p></a><a class='navigation navigation-next' href=c>Pans</a></div>",
		"of the page":      "<p>Tea.</p><div class=side><div class=page-menu><h3>Settings</h3></div><details open class='x-accordion x-page-navigation'><summary><h3>On This Page</h3></summary><div><a href=#a>a</a><a href=#b>b</a></div></details><ul class=pageNav><li>a</ul></div>",
		"its name":         "<div class=bar><div class=tocsection>Contents</div><nav aria-label=Page><ul><li><a href=#a>a</a></ul></nav></div><p>Tea.</p>",
		"its name, behind": "<p>Tea.</p><div><h2>ON THIS PAGE</h2><div role=navigation><ul><li><a href=#a>a</a></ul></div></div>",
		"its name in bold": "<p>Tea.</p><div><p class=rubric-title>Inhaltsverzeichnis</p><nav><a href=#a>a</a></nav></div>",
	} {
		if got := markdown(t, "<title>x</title><main>"+page+"</main>"); got != "Tea.\n" {
			t.Errorf("%s:\n%s", name, got)
		}
	}
	wantMarkdown(t, map[string]string{
		"<h1>Contents</h1><nav><a href=#a>a</a></nav><p>Tea.</p>":                                  "# Contents\n\nTea.\n",
		"<h2>Brewing</h2><nav><a href=#a>a</a></nav><p>Tea.</p>":                                   "## Brewing\n\nTea.\n",
		"<h2>See also</h2><p>Pots.</p><nav><a href=#a>a</a></nav>":                                 "## See also\n\nPots.\n",
		"<p>Go to the <a class=next href=b>next page</a> now.</p>":                                 "Go to the [next page](http://a.test/b) now.\n",
		"<div class='page with-sidebar'><p>Tea.</p></div><div class='page toc'><p>Pots.</p></div>": "Tea.\n\nPots.\n",
		"<div class=has-page-sidebar><p>Tea.</p></div><div class=next>Pots.</div>":                 "Tea.\n\nPots.\n",
	})
}

// What is only named like navigation is a part of the page.
func TestMarkdown_PartsNamedLikeNavigation_Stay(t *testing.T) {
	const tea = "<p>Tea is hot.</p>"
	for page, want := range map[string]string{
		"<h2>Navigation</h2><nav class=demo><a href=#>Home</a></nav>":                                              "## Navigation\n",
		"<h3>Menu</h3><div role=navigation><a href=#>Home</a></div><p>It opens.</p>":                               "### Menu\n\nIt opens.\n",
		"<blockquote><p>Pots.</p><footer>— Ada, <cite>Lids</cite></footer></blockquote><footer>a</footer>":         "> Pots.\n>\n> — Ada, Lids\n",
		"<blockquote class=quote><div><p>Pots.</p><footer class=blockquote-footer>Ada</footer></div></blockquote>": "> Pots.\n>\n> Ada\n",
		"<blockquote><h2>Related</h2><nav><a href=#>a</a></nav><p>Pots.</p></blockquote>":                          "> ## Related\n>\n> Pots.\n",
		"<ul><li><a class=next-step href=a>Deploy</a><li><a class='next-step x' href=b>Brew</a></ul>":              "- [Deploy](http://a.test/a)\n- [Brew](http://a.test/b)\n",
		"<a class='next-btn next-medium' href=a>Deploy</a>":                                                        "[Deploy](http://a.test/a)\n",
		"<a class=preview href=a>Deploy</a>":                                                                       "[Deploy](http://a.test/a)\n",
		"<div class=page-sidebar-left><p>Pots.</p></div>":                                                          "Pots.\n",
		"<div class='pageTocVisible dark'><p>Pots.</p></div>":                                                      "Pots.\n",
		"<div class='page-nav_open'><p>Pots.</p></div>":                                                            "Pots.\n",
		"<div id=next-and-previous><h2>Next and previous</h2><p>Pots.</p></div>":                                   "## Next and previous\n\nPots.\n",
		"<div class=next id=previous><p>Pots.</p></div>":                                                           "Pots.\n",
	} {
		if got := markdown(t, "<title>x</title><main>"+tea+page+"</main>"); got != "Tea is hot.\n\n"+want {
			t.Errorf("%s:\n%s", page, got)
		}
	}
	for _, class := range []string{"right-next", "next", "nav-link nav-link--next", "next_page", "post-nav-prev", "previous-chapter", "prev-next-link", "prevPost"} {
		if got := markdown(t, "<title>x</title><main>"+tea+"<a class='"+class+"' href=a>Pots</a></main>"); got != "Tea is hot.\n" {
			t.Errorf("%s:\n%s", class, got)
		}
	}
}

// What a note is called stands above it, also where only those who see the page are shown it.
// Bootstrap and others give the notes of a text the role of an alert.
func TestMarkdown_NotesThatAreAlerts_Stay(t *testing.T) {
	const around = "<title>x</title><main><h1>Tea</h1><p>Pour the water over the leaves.</p>%s<p>Wait.</p></main>"
	for note, want := range map[string]string{
		`<div class="alert alert-primary" role="alert"><h4 class="alert-heading">Hot</h4><p>The pot is <em>hot</em>.</p></div>`:                  "#### Hot\n\nThe pot is *hot*.\n\n",
		`<div class="alert alert-warning" role="alert">The pot is hot.</div>`:                                                                    "The pot is hot.\n\n",
		`<div class="flex"><div class="bar"></div><div class="callout" role="alert"><svg><path d="M1"/></svg><p>The pot is hot.</p></div></div>`: "The pot is hot.\n\n",
		`<div class="alert alert-success alert-dismissible" role="alert">You have logged out. <button class="close">×</button></div>`:            "",
		`<div role="alert" hidden>It failed.</div><div role="alert"></div>`:                                                                      "",
		`<div role="alertdialog" class="modal"><p>The pot is hot.</p></div>`:                                                                     "",
	} {
		if got, want := markdown(t, fmt.Sprintf(around, note)), "# Tea\n\nPour the water over the leaves.\n\n"+want+"Wait.\n"; got != want {
			t.Errorf("%s\n%q, want\n%q", note, got, want)
		}
	}
}

func TestMarkdown_NameOfANote_StandsAboveIt(t *testing.T) {
	wantMarkdown(t, map[string]string{
		"<aside aria-label='Hot &amp; wet' class='x-aside note'><p class=x-aside__title aria-hidden=true><svg><path></svg>Hot &amp; wet</p><div><p>Tea.</p></div></aside>": "**Hot & wet**\n\nTea.\n",
		"<section aria-label=Tip><div class=tip-title aria-hidden=true><span>Tip</span></div><p>Tea.</p></section>":                                                        "**Tip**\n\nTea.\n",
		"<div aria-label=Tip><p aria-hidden=true>★</p><p>Tea.</p></div>":                                                                                                   "Tea.\n",
		"<div aria-label=Tip><p aria-hidden=true hidden>Tip</p><p>Tea.</p></div>":                                                                                          "Tea.\n",
		"<div aria-label=Tip><p>Tea.</p></div><div><p aria-hidden=true>Tip</p></div>":                                                                                      "Tea.\n",
	})
}

// Words in <span> elements beside each other that begin anew are not one.
func TestMarkdown_SpansBesideEachOther_StandApart(t *testing.T) {
	wantMarkdown(t, map[string]string{
		"<h1><span class=name>Kettle</span><span class=text>Water that is hot</span></h1>":                             "# Kettle Water that is hot\n",
		"<p><span>Guides</span><span>Answers</span>":                                                                   "Guides Answers\n",
		"<p><span>System</span><span>.</span><span>Pot</span> <span>tea::</span><span>Pot</span>":                      "System.Pot tea::Pot\n",
		"<p><span>Tea</span><span>pot</span> and <span>T</span><span>EA</span>":                                        "Teapot and TEA\n",
		"<p><code><span>new</span><span>Pot</span></code>":                                                             "`newPot`\n",
		"<pre><span>new</span><span>Pot</span></pre>":                                                                  "```\nnewPot\n```\n",
		"<dl><dt><strong>lid</strong><span class=classifier><a href=c><code>Cover</code></a></span><dd>Of it.</dl>":    "**lid** [`Cover`](http://a.test/c)\n\nOf it.\n",
		"<dl><dt>lid<span class=classifier>cover, optional</span><dd>Of it.</dl>":                                      "**lid cover, optional**\n\nOf it.\n",
		"<dl><dt>lid <span class='classifier-delimiter'>:</span> <span class='classifier'>cover</span><dd>Of it.</dl>": "**lid : cover**\n\nOf it.\n",
	})
}

// A quotation ends where the next text stands outside of it.
func TestMarkdown_Quotations_StandApart(t *testing.T) {
	wantMarkdown(t, map[string]string{
		"<p>a<blockquote><p>b<p>c</blockquote><blockquote>d<blockquote>e</blockquote>f</blockquote><p>g": "a\n\n> b\n>\n> c\n\n> d\n>\n> > e\n>\n> f\n\ng\n",
		"<ul><li>a<blockquote>b</blockquote><li>c</ul>":                                                  "- a\n\n  > b\n\n- c\n",
		"<blockquote><ul><li>a<li>b</ul></blockquote>":                                                   "> - a\n> - b\n",
	})
}

// TeX between the signs that MathJax looks for is no Markdown.
func TestMarkdown_TeXInText_StaysAsItIs(t *testing.T) {
	wantMarkdown(t, map[string]string{
		`<p><span class="math notranslate">\(a_1 * b_2 * c\)</span> is * big`: "\\(a_1 * b_2 * c\\) is * big\n",
		`<div class=math>\[\begin{split}x &amp;= 1 \\ y_1 &lt;a_\]</div>`:     "\\[\\begin{split}x &= 1 \\\\ y_1 <a_\\]\n",
		`<p>$$\sum_{i=1}^{n} *x_i*$$ costs $_5_ and \(a*b*`:                   "$$\\sum_{i=1}^{n} *x_i*$$ costs $\\_5\\_ and \\\\(a\\*b\\*\n",
		`<table><tr><th>\(|a|_b\)<th>x<tr><td>1<td>2</table>`:                 "| \\(\\|a\\|_b\\) | x |\n| --- | --- |\n| 1 | 2 |\n",
	})
}

// What a reader of tabs can choose is all there, each panel behind its name.
func TestMarkdown_Tabs_EachPanelHasItsName(t *testing.T) {
	code := func(s string) string { return "```\n" + s + "\n```\n" }
	for name, c := range map[string][2]string{
		"docusaurus":  {"<div class=tabs-container><ul role=tablist class=tabs><li role=tab tabindex=0 aria-selected=true class=tabs__item>npm</li><li role=tab aria-selected=false><span>Ya*rn</span></li></ul><div class=margin-top--md><div role=tabpanel class=tabItem><pre>npm i x</pre></div><div role=tabpanel class=tabItem hidden><pre>yarn add x</pre></div></div></div><p>Then go on.", "**npm**\n\n" + code("npm i x") + "\n**Ya\\*rn**\n\n" + code("yarn add x") + "\nThen go on.\n"},
		"sphinx":      {"<div class='sphinx-tabs docutils container'><div aria-label='Tabbed content' role=tablist><button role=tab aria-controls=p0>Linux</button><button role=tab>Windows</button></div><div role=tabpanel id=p0><p>a</p></div><div role=tabpanel hidden=true><p>b</p></div></div>", "**Linux**\n\na\n\n**Windows**\n\nb\n"},
		"in a panel":  {"<div role=tablist><a role=tab href=#1>One</a><a role=tab href=#2>Two</a></div><section role=tabpanel><div role=tablist><button role=tab>A</button><button role=tab>B</button></div><div role=tabpanel>1a</div><div role=tabpanel style='display:none'>1b</div></section><section role=tabpanel hidden>2</section>", "**One**\n\n**A**\n\n1a\n\n**B**\n\n1b\n\n**Two**\n\n2\n"},
		"material":    {"<div class='tabbed-set tabbed-alternate' data-tabs=1:2><input checked id=t1 type=radio><input id=t2 type=radio><div class=tabbed-labels><label for=t1>Linux</label><label for=t2>Mac</label></div>\n<div class=tabbed-content>\n<div class=tabbed-block>\n<p>a</p>\n</div><div class=tabbed-block><p>b</p></div></div></div>", "**Linux**\n\na\n\n**Mac**\n\nb\n"},
		"vitepress":   {"<div class=vp-code-group><div class=tabs><input type=radio checked><label data-title=npm>npm</label><input type=radio><label>yarn</label></div><div class=blocks><div class='language-sh vp-adaptive-theme active'><button title=Copy class=copy></button><span class=lang>sh</span><pre class=shiki><code><span class=line>npm i</span></code></pre></div><div class='language-sh vp-adaptive-theme'><button></button><span class=lang>sh</span><pre><code>yarn</code></pre></div></div></div><div class=language-ts><span class=lang>ts</span><pre><code>x</code></pre></div><p><span class=lang>sh</span></p>", "**npm**\n\n```sh\nnpm i\n```\n\n**yarn**\n\n```sh\nyarn\n```\n\n```ts\nx\n```\n\nsh\n"},
		"rspress":     {"<div class=rp-tabs><div class='rp-tabs__label rp-tabs__label--no-scrollbar'><div class='rp-tabs__label__item' data-index=0>npm</div><div class=rp-tabs__label__item data-index=1><span>Yarn</span> <div>2</div></div></div><div class=rp-tabs__content><div class='rp-tabs__content__item rp-tabs__content__item--active' aria-hidden=false><pre>npm i x</pre></div><div class=rp-tabs__content__item aria-hidden=true><div class='x-block language-sh'><pre>yarn add x</pre></div></div></div></div><p>Then go on.", "**npm**\n\n" + code("npm i x") + "\n**Yarn 2**\n\n```sh\nyarn add x\n```\n\nThen go on.\n"},
		"class names": {"<div class=tabs><ul class=tabs__nav><li>A</li><li><a href=#b>B</a></li></ul><div class=tabs__panel>a</div><div class='tabs__panel' hidden>b</div><div class=tabs__panel hidden>c</div></div>", "**A**\n\na\n\n**B**\n\nb\n"},
		"no items":    {"<div class=x-tabs__label>A word alone</div><div class=x-tabs__panel>b</div>", "A word alone\n\nb\n"},
		"no panel":    {"<div class=x-tabs__list><a href=g.html>Guide</a></div><p>a</p><div class=x-tabs__panel>b</div>", "[Guide](http://a.test/g.html)\n\na\n\nb\n"},
		"no tabs":     {"<div class=stabs__label><b>A</b></div><ul class=tabs-list__label><li>C</ul><div class=x-tabs__content>a</div><div class=x-tabs__panel aria-hidden=true>b</div>", "**A**\n\n- C\n\na\n"},
		"other tabs":  {"<div class=tabs><p>a</p></div><div class=language-x><p>b</p></div>", "a\n\nb\n"},
		"in a list":   {"<div class=tabs><div class=tabs__nav><ul><li>A</li><li>B</li></ul></div><div class=tabs__pane>a</div><div class=tabs__pane hidden>b</div></div>", "**A**\n\na\n\n**B**\n\nb\n"},
		"wrapped":     {"<div class=tabs><div class=tabs__list><div class=x><button>A</button><button>B</button></div></div><div class=tabs__panel>a</div><div class=tabs__panel hidden>b</div></div>", "**A**\n\na\n\n**B**\n\nb\n"},
		"with a text": {"<div class=tabs><div class=tabs__header><h3>Pots</h3><p>Choose one of these.</p></div><div class=tabs__panel>a</div></div>", "### Pots\n\nChoose one of these.\n\na\n"},
		"no list":     {"<p>a</p><div role=tabpanel hidden>b</div>", "a\n"},
		"unnamed":     {"<div role=tablist><button role=tab></button></div><div role=tabpanel>a</div><div role=tabpanel hidden>b</div>", "a\n\nb\n"},
		// As Radix has them: the panels that nobody has chosen are empty.
		"not there":    {"<div role=tablist><button role=tab id=t1 aria-controls=p1>npm</button><button role=tab id=t2 aria-controls=p2>pnpm</button><button role=tab id=t3>bun</button></div><div role=tabpanel id=p1 aria-labelledby=t1 hidden></div><div role=tabpanel id=p2 aria-labelledby=t2><pre>pnpm add x</pre></div><div role=tabpanel aria-labelledby=t3 hidden> <!-- --></div><p>Then.", "**pnpm**\n\n" + code("pnpm add x") + "\nThen.\n"},
		"chosen alone": {"<div role=tablist><button role=tab id=t1>Linux</button><button role=tab id=t2>Mac</button></div><div role=tabpanel aria-labelledby=t2>b</div><div role=tablist><a role=tab aria-controls=x>Red</a><a role=tab aria-controls=y>Blue</a></div><div role=tabpanel id=y>c</div><div role=tabpanel id=z>d</div>", "**Mac**\n\nb\n\n**Blue**\n\nc\n\nd\n"},
		"other order":  {"<div role=tablist><button role=tab id=t1>A</button><button role=tab id=t2>B</button></div><div role=tabpanel aria-labelledby=t2>b</div><div role=tabpanel aria-labelledby=t1>a</div>", "**B**\n\nb\n\n**A**\n\na\n"},
		"half named":   {"<div role=tablist><button role=tab>A</button><button role=tab>B</button></div><div role=tabpanel aria-labelledby=h>a</div><div role=tabpanel id=q>b</div>", "**A**\n\na\n\n**B**\n\nb\n"},
		"no panels":    {"<ul role=tablist><li role=tab>Guide</li><li role=tab>API</li></ul><p>a</p><div class='language-sh highlighter-rouge'><pre>x</pre></div><div class=tabbed-block>b</div>", "a\n\n" + "```sh\nx\n```\n" + "\nb\n"},
		"questions": {"<div class=panel-group role=tablist><div class=panel><div role=tab id=h1><h4><a role=button href=#c1>How hot?</a></h4></div><div id=c1 class='collapse in' role=tabpanel aria-labelledby=h1>Very.</div></div>" +
			"<div class=panel><div role=tab id=h2><h4><a role=button href=#c2>How long?</a></h4></div><div id=c2 class=collapse role=tabpanel aria-labelledby=h2 hidden>An hour.</div></div></div><p>Then.", "#### How hot?\n\nVery.\n\n#### How long?\n\nAn hour.\n\nThen.\n"},
		"not shown": {"<div role=tablist><button role=tab>A</button></div><div role=tabpanel>a<p hidden>c</p></div><div role=tabpanel aria-hidden=true>b</div>", "**A**\n\na\n"},
	} {
		if got := markdown(t, "<title>x</title><main>"+c[0]+"</main>"); got != c[1] {
			t.Errorf("%s:\n%q, want\n%q", name, got, c[1])
		}
	}
}

// Code right behind code is one, since two signs would open another kind of code.
func TestMarkdown_CodeBehindCode_IsOne(t *testing.T) {
	wantMarkdown(t, map[string]string{
		"<p><code>command(S::</code><code><a href=#s>state()</a></code><code>) -&gt;</code> <code>type()</code>": "`command(S::state()) ->` `type()`\n",
		"<p><code>a</code><a href=b><code>b</code></a><code>c</code>":                                            "`a`[`b`](http://a.test/b)`c`\n",
		"<p><code>abc</code><p>xx\\`<code>d</code>":                                                              "`abc`\n\nxx\\\\\\``d`\n",
		"<table><tr><th>A<th>B<tr><td><code>a</code><code>b</code><td>`<code>c</code></table>":                   "| A | B |\n| --- | --- |\n| `ab` | \\``c` |\n",
	})
}

// A line between parts stands where there are two.
func TestMarkdown_Rules_PartTwoTexts(t *testing.T) {
	wantMarkdown(t, map[string]string{
		"<hr><p>a<hr><hr><p hidden>b</p><hr><p>c<ul><li>d</ul><hr>":   "a\n\n---\n\nc\n\n- d\n",
		"<p>a<hr><ul><li>b<hr>c</ul><hr><pre>d</pre><hr><nav>e</nav>": "a\n\n---\n\n- b\n\n  c\n\n---\n\n```\nd\n```\n",
	})
}

// The sign of a part's own address is no word of it, wherever it stands.
func TestMarkdown_Permalinks_AreLeftOut(t *testing.T) {
	for _, sign := range []string{"¶", "#", "§", "🔗", "⚓", "&#9670;&#160;", "&sect;"} {
		page := "<title>x</title><main><h2><a class=anchor href=#a>" + sign + "</a>Pots</h2><p><span><a href='#b'>" + sign + "</a></span>Two<a href=#c>" + sign + "</a></p><dl><dt>T<a href=#d> " + sign + "</a></dt></dl></main>"
		if got := markdown(t, page); got != "## Pots\n\nTwo\n\n**T**\n" {
			t.Errorf("%s: %q", sign, got)
		}
	}
}

// Formulas that are pictures are their TeX, by their class or their signs.
func TestMarkdown_PicturesOfFormulas_AreTeX(t *testing.T) {
	wantMarkdown(t, map[string]string{
		`<p>is <img class=formulaInl alt="$(x_1)$" src=f.png width=1>.`:                     "is $(x_1)$.\n",
		`<p><img class="formulaDsp" alt="\[ |I_2|=\int_0^T \]" src=f.png>`:                  "$|I_2|=\\int_0^T$\n",
		`<p>in <img class=formulaInl alt="{\LaTeX}" src=f.png>`:                             "in ${\\LaTeX}$\n",
		`<p><img alt="$ \alpha_{i}$" src=img1.svg> or <img alt="\(b\)" src=c.png>`:          "$ \\alpha_{i}$ or $b$\n",
		`<p><img alt="$5 or 6$" src=c.png> <img alt="$" src=d.png><img alt="$$" src=d.png>`: "$5 or 6$ ![$](http://a.test/d.png)![$$](http://a.test/d.png)\n",
	})
	if got := markdown(t, "<title>x</title><main><p>"+strings.Repeat("<a href=#x class=footnote>1</a>", 3)); got != "[1][1][1]\n" {
		t.Errorf("three signs: %q", got)
	}
}

// The types in Javadoc's "Iterator<Object>" are tags that nothing ends; what follows is on the page.
func TestRead_ObjectsThatEmbedNothing_HideNothing(t *testing.T) {
	const rest = "<p>The lid of the kettle is named by its key.</p>"
	for page, want := range map[string]string{
		"<dl><dt>Returns:</dt><dd>Iterator<Object></dd></dl>" + rest:                                "**Returns:**\n\nIterator\n\nThe lid of the kettle is named by its key.\n",
		"<p>Pots are a Map<String,<OBJECT>>.</p>" + rest:                                            "Pots are a Map>.\n\nThe lid of the kettle is named by its key.\n",
		"<object>" + rest + "</object><p>More.</p>":                                                 "The lid of the kettle is named by its key.\n\nMore.\n",
		"<object data=pot.svg type='image/svg+xml'><p>Your browser has no SVG.</p></object>" + rest: "The lid of the kettle is named by its key.\n",
		"<object classid=pot><param name=a value=b>No pots.</object>" + rest:                        "The lid of the kettle is named by its key.\n",
		"<pre>List<Object> a;</pre>" + rest:                                                         "```\nList a;\n```\n\nThe lid of the kettle is named by its key.\n",
		"<object><object data=pot.svg>No SVG.</object></object>" + rest:                             "The lid of the kettle is named by its key.\n",
		"<object data=pot.svg>No SVG.</object>" + rest:                                              "The lid of the kettle is named by its key.\n",
	} {
		page = "<title>Pots</title><main><h1>Pots</h1>" + page + "</main>"
		if got := strings.TrimPrefix(markdown(t, page), "# Pots\n\n"); got != want {
			t.Errorf("%s:\n%q, want\n%q", page, got, want)
		}
		read, err := htmlpage.Parse(t.Context(), []byte(page), 1500)
		if err != nil {
			t.Fatal(err)
		}
		blocks, _ := read.Blocks("")
		if said := fmt.Sprint(blocks); !strings.Contains(said, "named by its key") || strings.Contains(said, "SVG") || strings.Contains(said, "No pots") {
			t.Errorf("%s: %s", page, said)
		}
	}
}
