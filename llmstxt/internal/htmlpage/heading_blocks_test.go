package htmlpage_test

import (
	"strings"
	"testing"
)

// A heading with blocks in it is one; one that nobody ends is over where the next block begins.
func TestMarkdown_BlocksInHeadings_AreOneLine(t *testing.T) {
	long := strings.Repeat("A sentence that no heading has. ", 20)
	wantMarkdown(t, map[string]string{
		"<h2 class=heading><div class='heading-anchor anchor' id=u></div><div class=heading-text>Use of tea</div><a aria-label='Skip link to Use' href=#u></a></h2><p>a": "## Use of tea\n\na\n",
		"<h3><div><a href=#b>\u200b<div class=w-6><svg><path d=M1/></svg></div></a></div><span>Second <code>part</code></span></h3><p>a":                                 "### Second `part`\n\na\n",
		"<blockquote><h3><span>!</span><p>Note</p></h3><p>a</p></blockquote>":                                                                                            "> ### ! Note\n>\n> a\n",
		"<ul><li><h4><div>Pots</div><div>and lids</div></h4><p>a</ul>":                                                                                                   "- #### Pots and lids\n\n  a\n",
		"<h2><div><svg><path d='" + strings.Repeat("M1 1", 1000) + "'/></svg></div><div>Pots</div></h2>":                                                                 "## Pots\n",
		"<h2>Pots<p>a<p>b":                                                   "## Pots\n\na\n\nb\n",
		"<div><h2>Pots</div><p>a<h2>Lids</h2>":                               "## Pots\n\na\n\n## Lids\n",
		"<h2>Pots<p>" + long + "</h2><p>b":                                   "## Pots\n\n" + strings.TrimSpace(long) + "\n\nb\n",
		"<h2>Pots<div><ul><li>a</ul></div></h2><p>b":                         "## Pots\n\n- a\n\nb\n",
		"<table><tr><td><h2><div>Pots</div></h2><td>a<tr><td>b<td>c</table>": "| Pots | a |\n| --- | --- |\n| b | c |\n",
	})
}
