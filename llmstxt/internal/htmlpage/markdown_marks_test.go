package htmlpage_test

import "testing"

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
