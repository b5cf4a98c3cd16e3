package htmlpage_test

import (
	"strings"
	"testing"
)

func TestMarkdown_Emphasis_HasSignsThatAreRead(t *testing.T) {
	wantMarkdown(t, map[string]string{
		"<p>docnames<em>: Set[str]</em></p>":                                              "docnames: *Set[str]*\n",
		"<p>x (Optional<em>[</em><em>str</em><em>]</em>) is":                              "x (Optional[*str]*) is\n",
		"<p>the <i><code>package</code></i>s are":                                         "the `package`s are\n",
		"<p>the <i>package</i>s are":                                                      "the *package*s are\n",
		"<p><b>Note:</b>The rest":                                                         "**Note**:The rest\n",
		"<p><b>Note:</b> The rest":                                                        "**Note:** The rest\n",
		"<p><b>(Note)</b>The rest":                                                        "(Note)The rest\n",
		"<p><b>「検索」</b>を押す":                                                               "「検索」を押す\n",
		"<p><b>検索</b>を押す":                                                                 "**検索**を押す\n",
		"<p>a<b>b</b><b>c</b>d <i>e</i><i>f</i><b>g</b>":                                  "a**bc**d *ef*g\n",
		"<p>a<b>b</b><b>c.</b>d":                                                          "a**b**c.d\n",
		"<p><b>a <strong>b</strong></b> <i><i>c</i></i> <b><i>d</i></b>":                  "**a b** *c* ***d***\n",
		"<p><b>a<i>b!</i></b>c, <b><i>d.</i></b>e":                                        "**a*b***!c, ***d***.e\n",
		"<p>(<b>*</b>) and <b>\\</b>, <i>_</i>":                                           "(**\\***) and **\\\\**, *\\_*\n",
		"<p><b>k</b> (<b>f</b>)<p>abc <b>d</b>":                                           "**k** (**f**)\n\nabc **d**\n",
		"<p>a <i>b</i><a href=x>c</a> <i>d,</i><a href=x>e</a> <i>f!</i><a href=#y>g</a>": "a *b*[c](http://a.test/x) *d,*[e](http://a.test/x) *f*!g\n",
		"<table><tr><th>A<th><b>B:</b>c<tr><td><b>d</b><td><b>e</b>f</table>":             "| A | **B**:c |\n| --- | --- |\n| **d** | **e**f |\n",
	})
}

func TestMarkdown_SignsOfTheText_AreReadAsText(t *testing.T) {
	wantMarkdown(t, map[string]string{
		"<p>master~10..master, master~9 <del>a~b</del>":                    "master~10..master, master\\~9 ~~a\\~b~~\n",
		"<p>see ~/.profile":                                                "see ~/.profile\n",
		"<p>you\u00a0_must_\u00a0install DW_OP_\u00a0now （_x_） snake_case": "you \\_must\\_ install DW_OP\\_ now （\\_x\\_） snake_case\n",
		"<p>Mail &lt;<a href='mailto:a@b.test'>a@b.test</a>>, 1 < 2":       "Mail \\<a@b.test>, 1 < 2\n",
		"<p>a entity is &amp;lt; or &amp;#65533; in AT&amp;T":              "a entity is \\&lt; or \\&#65533; in AT&T\n",
		"<p>[1]: x, [2] y<p>[3]: z<p>[4](x): u":                            "\\[1]: x, [2] y\n\n\\[3]: z\n\n[4\\](x): u\n",
		"<p>Hi!<a href=x>there</a> and![y]":                                "Hi\\![there](http://a.test/x) and\\![y]\n",
		"<p><a href=x>rangeExcl(int[][])</a> <a href=x>; N]</a>":           "[rangeExcl(int\\[\\]\\[\\])](http://a.test/x) [; N\\]](http://a.test/x)\n",
		"<p>* no<p>a<br>- b<br># c<br>1. d<br>>e<br>+":                     "\\* no\n\na  \n\\- b  \n\\# c  \n1\\. d  \n\\>e  \n\\+\n",
		"<p>1.<p>2)": "1\\.\n\n2\\)\n",
		"<table><tr><th>A<th>B<tr><td><code>a|b</code><td><pre>c|d</pre></table>": "| A | B |\n| --- | --- |\n| `a\\|b` | `c\\|d` |\n",
		"<table><tr><td><p>Use <code>a|b</code> or c|d</table>":                   "Use `a|b` or c|d\n",
	})
}

func TestMarkdown_Terms_StandOut(t *testing.T) {
	wantMarkdown(t, map[string]string{
		"<dl><dt>-f <i>file</i><dd>A file.<dt><code>-x</code><dt>- y<dd><dl><dt><b>in</b><dd><p>z</dl></dl>":  "**-f *file***\n\nA file.\n\n**`-x`**\n\n**- y**\n\n- **in**\n\n  z\n",
		"<dl><dt><i>class</i> Decoder(<i>**kwargs</i>)<dd>x</dl><p><b>f(<i>*a</i>) <i>b</i></b>, (<i>*c</i>)": "***class* Decoder(\\*\\*kwargs)**\n\nx\n\n**f(\\*a) *b***, (*\\*c*)\n",
		"<dl class=footnote><dt>[1]<dd>A note.</dl>":                                                          "[1]\n\nA note.\n",
		"<div class=note><p class=admonition-title>Note</p><p>Mind.</div>":                                    "**Note**\n\nMind.\n",
		"<details><summary>More</summary><p>Text</details><p class=rubric>Footnotes<p>end":                    "**More**\n\nText\n\n**Footnotes**\n\nend\n",
		"<div class=admonitionHeading_x><svg></svg>tip</div><div>Text</div>":                                  "**tip**\n\nText\n",
		"<div class=page-title></div><p>Text</p><div class=title><h2>A</h2></div><p>b":                        "Text\n\n## A\n\nb\n",
		"<p>Press <kbd>Ctrl</kbd><kbd>C</kbd>, <kbd>a</kbd>, <code>f(</code><code>x)</code>":                  "Press `Ctrl` `C`, `a`, `f(x)`\n",
	})
}

func TestMarkdown_LinksToTheRestOfThePage_AreLeftOut(t *testing.T) {
	wantMarkdown(t, map[string]string{
		"<p>Attributes hold metadata. <a href='#details'>More...</a></p><h2>Details</h2><p>x":                           "Attributes hold metadata.\n\n## Details\n\nx\n",
		"<p>A pot. <a href='#more'>More…</a> <a href='pot.html'>More...</a> <a href=#x>More pots</a>":                   "A pot. [More...](http://a.test/pot.html) More pots\n",
		"<p>A pot <a href='own.html#x'>More...</a> <a href='pot.html#x'>More...</a> <a href='own.html#y'>More pots</a>": "A pot [More...](http://a.test/pot.html#x) More pots\n",
	})
}

func TestMarkdown_IDsAndCodeBeforeText_LoseNothing(t *testing.T) {
	wantMarkdown(t, map[string]string{
		"<dl><dt id=SESSION_COOKIE_NAME>A<dd>b<dt id=UI_BANNER>C<dd id=menu>d</dl>":                      "**A**\n\nb\n\n**C**\n\nd\n",
		"<div class=subsection-level-extent id=The-Menu><h2>Menus</h2><p>m</div><div id=menu>gone</div>": "## Menus\n\nm\n",
		"<h1>Contents</h1><div class=toc><ul><li><a href=a>A</a><li><a href=b>B</a></ul></div>":          "# Contents\n\n- [A](http://a.test/a)\n- [B](http://a.test/b)\n",
		"<h1>Start</h1><div class=toc><ul><li><a href=a>A</a></ul></div><p>Text":                         "# Start\n\nText\n",
	})
	code := strings.Repeat("XML_ERR_OK = 0\n", 6000)
	got := markdown(t, "<title>errors</title><h2>Synopsis</h2><pre>"+code+"</pre><h2>Details</h2><p>The one who reads this page finds a text behind all of the code.</p>")
	if !strings.HasPrefix(got, "## Synopsis\n\n```\nXML_ERR_OK") || !strings.Contains(got, "```\n\n## Details\n\nThe one") {
		t.Errorf("code before the text: %.80q", got)
	}
	links := strings.Repeat("<li><a href=x>A name of a page</a>", 3000)
	got = markdown(t, "<title>errors</title><h2>Pages</h2><ul>"+links+"</ul><p>The one who reads this page finds a text behind all of the links.</p>")
	if !strings.HasPrefix(got, "The one") {
		t.Errorf("links before the text: %.80q", got)
	}
}
