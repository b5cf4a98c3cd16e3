package htmlpage_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/farwire/farwire/llmstxt/internal/htmlpage"
)

func resolve(href string) string {
	if strings.HasPrefix(href, "javascript:") || strings.HasPrefix(href, "mailto:") || strings.HasPrefix(href, "own.html") {
		return ""
	}
	return "http://a.test/" + href
}

func markdown(t testing.TB, page string) string {
	t.Helper()
	p, err := htmlpage.Parse(context.Background(), []byte(page), 1500)
	if err != nil {
		t.Fatal(err)
	}
	text, _, err := p.Markdown(context.Background(), 10<<20, resolve)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// wantMarkdown checks what the main elements of pages become.
func wantMarkdown(t *testing.T, pages map[string]string) {
	t.Helper()
	for page, want := range pages {
		if got := markdown(t, "<title>x</title><main>"+page+"</main>"); got != want {
			t.Errorf("%s:\n%q, want\n%q", page, got, want)
		}
	}
}

func TestMarkdown_EachElement_HasItsSyntax(t *testing.T) {
	for name, c := range map[string][2]string{
		"headings":    {"<h1>A <code>b</code><a href=#x>¶</a></h1><h3>C\n d</h3>", "# A `b`\n\n### C d\n"},
		"paragraphs":  {"<p>One <b>bold</b>, <i>slanted </i>and<em></em> <a href=x>li<b>nk</b></a>.<p>Two<br>lines", "One **bold**, *slanted* and [li**nk**](http://a.test/x).\n\nTwo  \nlines\n"},
		"lists":       {"<ul><li>a<ul><li>b<li>c</ul><li><p>d</p><p>e</p></ul><ol><li>f<li>g</ol>", "- a\n  - b\n  - c\n- d\n\n  e\n\n1. f\n2. g\n"},
		"tasks":       {"<ul class=contains-task-list><li><input type=checkbox checked disabled> done<li><p><input type=checkbox><label> open</label></p><li>none <input type=checkbox><input type=text></ul><p><input type=checkbox> a</p>", "- [x] done\n- [ ] open\n- none\n\na\n"},
		"numbers":     {"<ol start=4><li>a<li>b<li value=9>c<li>d</ol><ol start=x><li value=-2>e</ol><ul><li value=3>f</ul>", "4. a\n5. b\n9. c\n10. d\n\n1. e\n\n- f\n"},
		"code":        {"<p>Use <code>a`b</code> and <kbd>x_y</kbd></p><div class='highlight'><pre class='language-go'><code>if a &lt; b {\n\t<span>f</span>()\n}\n</code></pre></div>", "Use ``a`b`` and `x_y`\n\n```go\nif a < b {\n\tf()\n}\n```\n"},
		"fences":      {"<pre>```\nx\n```</pre>", "````\n```\nx\n```\n````\n"},
		"quotation":   {"<blockquote><p>a<p>b<ul><li>c</ul></blockquote><p>d", "> a\n>\n> b\n>\n> - c\n\nd\n"},
		"table":       {"<table><tr><th>A<th>B<tr><td>1|2<td><p>x</p><p><b>y</b></p></table><p>z", "| A | B |\n| --- | --- |\n| 1\\|2 | x **y** |\n\nz\n"},
		"one cell":    {"<table><tr><td>Only words</table>", "Only words\n"},
		"image":       {"<p><img src=i.png alt='A picture'><img src=j.png></p>", "![A picture](http://a.test/i.png)\n"},
		"escapes":     {"<p>2 * 3, a*b, _x_, snake_case, &lt;div&gt;, 1 &lt; 2 \\n [a](b)</p><p># no</p><p>1. no</p><p>- no</p>", "2 * 3, a\\*b, \\_x\\_, snake_case, \\<div>, 1 < 2 \\n [a\\](b)\n\n\\# no\n\n1\\. no\n\n\\- no\n"},
		"aside":       {"<nav>menu</nav><div class=sidebar>side</div><aside>else</aside><aside class='note'>a note</aside><p>text</p><footer>foot</footer>", "a note\n\ntext\n"},
		"hidden":      {"<p hidden>a</p><div style='display:none'>b<div>c</div></div><span aria-hidden=true>d</span><script>e</script><style>f</style><!-- g --><template>h</template><noscript>i</noscript><p>shown\u200b \U000e0041</p>", "shown\n"},
		"shadow":      {"<x-y><template shadowrootmode=open><p>shown</p></template></x-y>", "shown\n"},
		"streamed":    {"<div hidden id=S:0><p>moved into place</p></div>", "moved into place\n"},
		"bad links":   {"<p><a href=javascript:x>a</a> <a href=mailto:x>b</a> <a name=x>c</a> <a href=y></a>", "a b c\n"},
		"code, lines": {"<ul><li><pre>\r\n\r\n a\r\n\n b\r\n</pre><li><pre> \r\n </pre>", "- ```\n   a\n  \n   b\n  ```\n"},
		"unclosed":    {"<p><b>a<p>b<ul><li><a href=x>c<li>d", "**a**\n\nb\n\n- [c](http://a.test/x)\n- d\n"},
		"definitions": {"<dl><dt>term<dd>meaning</dl>", "**term**\n\nmeaning\n"},
		"frames":      {"</main><frameset cols='1,2'><frame src=a.html><noframes><p>Words for those without frames.</p></noframes></frameset>", "Words for those without frames.\n"},
		"form":        {"<form id=aspnetForm><h1>Tea</h1><p>A paragraph.</p><label>Name</label></form>", "# Tea\n\nA paragraph.\n\nName\n"},
		"form beside": {"<p>text</p><form><h3>Letter</h3><p>Be the first to learn what is new in the world.</p></form>", "text\n"},
		"formula":     {"<p>It is <span><math><semantics><mi>E</mi><annotation encoding='application/x-tex'>E_{0}*x*\\frac{1}{2}</annotation></semantics></math><span aria-hidden=true>E0</span></span> and <math><mi>x</mi></math> <img class=latex alt='a_1*b*' src=x>.</p>", "It is $E_{0}*x*\\frac{1}{2}$ and x $a_1*b*$.\n"},
		"powers":      {"<p>It is 10<sup>6</sup> m<sup>2</sup>, x<sup>[</sup>, Acme<sup>TM</sup>, Pot<sup><a href=/tm>TM</a></sup>, y<sup>a <a href=#b>b</a></sup>, e<sup>x", "It is 10^6 m^2, x[, AcmeTM, Pot[TM](http://a.test//tm), ya b, ex\n"},
		"notes":       {"<p>One<sup>[1]</sup>, two<sup class=reference><a href='#cite-2'>[2]</a></sup>, three<sup><a href=#fn3 id=r3>3</a>, <a href=#fn4>4</a></sup>, four<sup><i>[<a href=/wiki/C title='x'><span>citation needed</span></a>]</i></sup>, five<sup>&#91;a&#93;</sup>.", "One, two[2], three[3][4], four, five.\n"},
		"unseen span": {"<p>The guide <span class=sr-only>(opens in a new tab)</span>is long.</p>", "The guide is long.\n"},
		"all aside":   {"<nav><p>The page is nothing but this.</p></nav>", ""},
	} {
		got := markdown(t, "<title>x</title><body><main>"+c[0]+"</main>")
		if got != c[1] {
			t.Errorf("%s:\n%q, want\n%q", name, got, c[1])
		}
	}
}

// TestMarkdown_SlotsOfAShadowRoot_HoldTheLightWords: a shadow root that lays out the whole page
// has a main element in which the words come through a slot.
func TestMarkdown_SlotsOfAShadowRoot_HoldTheLightWords(t *testing.T) {
	for _, shadow := range []string{
		"<header><slot name=h></slot></header><main><slot></slot><footer>Foot</footer></main>",
		"<nav><a href=x>Menu</a></nav><div role=main><div><slot name=content>Loading.</slot></div></div>",
	} {
		for _, light := range []string{"<h1 slot=h>Pot</h1><p>Light words on the pot, in a sentence.</p>", "<div slot=content><h1>Pot</h1><p>Light words on the pot, in a sentence.</p></div>"} {
			got := markdown(t, "<title>Pot</title><body><my-page><template shadowrootmode=open>"+shadow+"</template>"+light+"<my-box><template shadowrootmode=closed><p>Shadow words.</p></template></my-box></my-page>")
			if want := "# Pot\n\nLight words on the pot, in a sentence.\n\nShadow words.\n"; got != want {
				t.Errorf("%s%s:\n%q", shadow, light, got)
			}
		}
	}
	// A main element with words of its own stays the main one.
	got := markdown(t, "<title>Pot</title><body><x-y><template shadowrootmode=open><slot></slot></template>Menu of this site</x-y><main><h1>Pot</h1><p>Words on the pot.</p></main><p>After it.")
	if want := "# Pot\n\nWords on the pot.\n"; got != want {
		t.Errorf("%q", got)
	}
}

// TestMarkdown_WholePage_KeepsItsWords: what a browser would show of the main
// content is in the text, however long the page is, and the rest is not.
func TestMarkdown_WholePage_KeepsItsWords(t *testing.T) {
	var b strings.Builder
	b.WriteString("<title>Manual</title><body><nav><a href=x>Menu entry</a></nav><main><h1>Manual</h1>")
	for i := range 3000 {
		b.WriteString("<h2>Part</h2><p>Sentence " + strings.Repeat("word ", 20) + "of part " + string(rune('a'+i%26)) + " ends.</p>")
	}
	b.WriteString("<p>The very last sentence.</p></main><footer>Imprint</footer>")
	text := markdown(t, b.String())
	if strings.Count(text, "\n## Part\n") != 3000 || !strings.HasSuffix(text, "The very last sentence.\n") || strings.Contains(text, "Menu entry") || strings.Contains(text, "Imprint") {
		t.Errorf("%d bytes, ends with %q", len(text), text[max(0, len(text)-100):])
	}
}

// TestMarkdown_LongText_LosesNothing: one paragraph, or one piece of code, longer
// than what is worked on at once.
func TestMarkdown_LongText_LosesNothing(t *testing.T) {
	var words []string
	for i := range 60000 {
		words = append(words, fmt.Sprintf("w%d", i))
	}
	for _, c := range [][2]string{{"<p>", "</p>"}, {"<ul><li>", "</ul>"}, {"<p>before <a href=x>a</a> ", ""}, {"<p>é", ""}, {"<pre>", "</pre>"}, {"<table><tr><td>a<td>", "</table>"}} {
		text := markdown(t, "<main>"+c[0]+strings.Join(words, " ")+c[1]+"</main>")
		have := strings.Fields(text[max(0, strings.Index(text, "w0 ")):])
		for i, w := range words {
			if i >= len(have) || have[i] != w {
				t.Errorf("%s: word %d of %d is not %s: %q", c[0], i, len(have), w, have[max(0, i-1):min(len(have), i+2)])
				break
			}
		}
		if strings.Contains(text, "\n\n") {
			t.Errorf("%s: there are two paragraphs", c[0])
		}
	}
}

// Bytes of which none begins a character are cut anywhere.
func TestMarkdown_LongTextOfInvalidBytes_Ends(t *testing.T) {
	for _, tag := range []string{"<p>", "<pre>", "<h1>"} {
		if text := markdown(t, "<main>"+tag+strings.Repeat("\x80", 100<<10)); !utf8.ValidString(text) || text == "" {
			t.Errorf("%s: %d bytes", tag, len(text))
		}
	}
}

func FuzzMarkdown(f *testing.F) {
	for _, s := range []string{"<p>a<b>c</p>", "<ul><li><table><tr><td><pre>x</table>", "<a href=x><code>`</a>", "<blockquote><ol><li>", "<h1><a href=y>¶", "<script><!--<p>", "&#8203;&lt;", "\xff<p>\x00"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		text := markdown(t, "<main>"+s)
		if !utf8.ValidString(text) || strings.ContainsAny(text, "\x00\u200b\u202e") {
			t.Errorf("%q", text)
		}
	})
}
