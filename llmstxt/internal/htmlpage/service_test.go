package htmlpage_test

import (
	"strings"
	"testing"
)

const teaPage = "<h1>Tea</h1><p>Tea is hot when it comes out of the kettle.</p>"

// What a site says below a page of the page itself is no part of the text, nor of a short page.
func TestService_OfAPage_IsLeftOut(t *testing.T) {
	for name, below := range map[string]string{
		"VuePress":   `<div class="page-edit"><div class="edit-link"><a href="https://forge.test/a/b/edit/main/tea.md">Edit this page</a></div><div class="last-updated"><span class="prefix">Last Updated:</span> <span class="time">3/5/2024, 10:12 AM</span></div></div>`,
		"VuePress 2": `<footer class="vp-page-meta"><div class="vp-meta-item git-info"><div class="contributors"><span class="label">Contributors:</span> <span>ann</span>, <span>bob</span></div></div></footer>`,
		"Docusaurus": `<span class="theme-last-updated">Last updated<!-- --> on <b><time datetime="2024-05-03">May 3, 2024</time></b> by <b>Ann</b></span>`,
		"camel case": `<div class="pageLastUpdated_x1"><p>Updated on 3 May</p></div><p class="docEditLink">Improve it</p>`,
		"Zendesk":    `<div class="article-votes"><span class="article-votes-question">Was this article helpful?</span><div class="article-votes-controls"><button>Yes</button></div><small>3 out of 7 found this helpful</small></div>`,
		"buttons":    `<hr><div><div><p>Was this page helpful?</p></div><div><button type=button>Yes</button> <button>No</button></div></div><footer>Imprint</footer>`,
		"a line":     `<div>Did you find it helpful? <button>Yes</button><button>No</button></div><p>Thanks for telling us.</p>`,
		"a heading":  `<h4>War diese Seite hilfreich?</h4><label><input type=radio name=a> Ja</label> <label><input type=radio name=a> Nein</label>`,
		"not paper":  `<div class="d-print-none"><a href=/e>Edit</a></div><p class="x:print:hidden">Question? <a href=/q>Give us feedback →</a></p>`,
		"a section":  `<section class="article-rating"><h2>Was this article useful?</h2><p>Tell us what we can do better.</p><button>Yes</button></section>`,
		"Slate":      `<div class="lang-selector"><a data-language-name=shell>Shell</a> <a data-language-name=go>Go</a></div>`,
		"languages":  `<ul class="page-language-switcher"><li><a href="#" data-lang=ruby>ruby</a><li><a href="#" data-lang=go>go</a></ul>`,
		"Japanese":   `<div><span>このページは役に立ちましたか？</span><button>はい</button><button>いいえ</button></div>`,
		"French":     `<p><strong>Cette page vous a-t-elle été utile&nbsp;?</strong></p><button>Oui</button><button>Non</button>`,
	} {
		page := "<title>Tea</title><body><main>" + teaPage + below + "</main>"
		if got := markdown(t, page); got != "# Tea\n\nTea is hot when it comes out of the kettle.\n" {
			t.Errorf("%s:\n%s", name, got)
		}
		blocks, _ := parse(t, page).Blocks("tea")
		if got := texts(blocks); got[len(got)-1] != "Tea is hot when it comes out of the kettle." {
			t.Errorf("%s: %s", name, got)
		}
		short := "<title>Tea</title><body><main><h1>Tea</h1>" + below + "</main>"
		if got := markdown(t, short); got != "# Tea\n" {
			t.Errorf("%s, short:\n%s", name, got)
		}
	}
}

// Pages about such things have all of their words.
func TestService_WhatAPageIsAbout_IsKept(t *testing.T) {
	for _, page := range []string{
		"<h1>Feedback</h1><p>Ask at the end of a page.</p><div class=demo><p>Was this page helpful?</p><button>Yes</button></div><h2>Answers</h2><p>They come by mail.</p>",
		"<h1>Surveys</h1><p>Was this page helpful?</p><p>So asks each page.</p>",
		"<h1>Languages</h1><div class=language-selector-api><p>It has a language.</p></div><section id=lang-selector><p>It has two.</p></section><p class=lang-selector>A selector of languages is a list.</p>",
		"<h1>Surveys</h1><p>Put one question. Do you like tea?</p><button>Yes</button>",
		"<h1>Feedback</h1><p>Ask whether it is useful?</p><button>Try</button><p>" + strings.Repeat("Then read what they say. ", 20) + "</p>",
		"<h1>Editing</h1><div class=edit-page-example><p>Press Edit this page.</p></div><section class=last-updated-plugin><p>The plugin has a date.</p></section>",
		"<h1>Editing</h1><section class=edit-page><h2>Edit a page</h2><p>Press the pen.</p></section>",
		"<h1>Dates</h1><div class=last-updated><p>" + strings.Repeat("The date is that of the last commit. ", 10) + "</p></div>",
		"<h1>Policy</h1><p>Last updated: 3 May 2024</p><p>We keep nothing.</p>",
		"<h1>Thanks</h1><ul class=contributors><li>Ann<li>Bob</ul><div class=rating>Stars are given by readers.</div>",
		"<h1>Widgets</h1><p>For instance:</p><p>Was this article helpful?</p><button>Copy</button><p>The answer stays in the session.</p>",
		"<h1>Widgets</h1><p>Was this article helpful?</p><button>Yes</button><button>No</button><p>Both buttons send an event.</p>",
		"<h1>Widgets</h1><p>Was this article helpful?</p><button>Yes</button><button>No</button><pre>ask()</pre>",
		"<h1>FAQ</h1><h2>Is a timer useful? <button>Link</button></h2><p>Yes, for green tea.</p>",
		"<h1>FAQ</h1><h3>Wann ist das hilfreich?</h3><button>Teilen</button><p>Bei jedem Fehler.</p>",
		"<h1>FAQ</h1><p>この機能は役に立ちますか。</p><button>コピー</button><p>はい、役に立ちます。</p>",
		"<h1>When is a cache useful?</h1><button>Share</button><p>When reads are more than writes.</p>",
		"<h1>Forms</h1><p>Is a placeholder useful?</p><p><input placeholder=Name></p><p>It is not.</p>",
		"<h1>Quiz</h1><ul><li>Which flag is useful?<ul><li><input type=radio>a<li><input type=radio>b</ul></ul>",
		"<h1>Print</h1><p class='print:overflow-hidden'>Press Ctrl and P.</p><p class='not-print:hidden'>On paper</p>",
		"<h1>Lids</h1><div class=d-print-none><p>Never open the lid.</p></div><p class='print:hidden'>Steam is hot.</p>",
		"<h1>Lids</h1><div class=no-print>Never open the lid.</div>",
		"<h1>Git</h1><div class=git-info><p>Clone the branch called main.</p></div><p class=last-updated-text>It holds the time.</p>",
		"<h1>Wiki</h1><div class=edit-page><p>Open the page 7.</p><dl><dd>Type</dl></div><p class=doc-votes>See <kbd>1</kbd></p>",
		"<h1>Shops</h1><section class=article-rating><h2>Stars of an article</h2><p>How many has it, of 5?</p></section>",
		"<h1>Shops</h1><section class=ratings><h2>Is a star useful?</h2><p>It sorts what is found.</p></section>",
		"<h1>API</h1><div class=updated>The time of the last change.</div><div class=edit>Edits a pot.</div><div class=link-edit>Edits a link.</div>",
	} {
		got := strings.Join(strings.Fields(strings.NewReplacer("#", "", "- ", "", "`", "").Replace(markdown(t, "<title>x</title><main>"+page+"</main>"))), " ")
		if want := shownText(page); got != want {
			t.Errorf("%s:\n%s, want\n%s", page, got, want)
		}
	}
}

// shownText is what stands outside of tags and buttons.
func shownText(page string) string {
	var b strings.Builder
	for i, part := range strings.Split(page, "<") {
		tag, text, ok := strings.Cut(part, ">")
		switch {
		case i > 0 && !ok, strings.HasPrefix(tag, "button"):
		default:
			b.WriteString(" " + text)
		}
	}
	return strings.Join(strings.Fields(b.String()), " ")
}
