package htmlpage_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"github.com/farwire/farwire/llmstxt/internal/htmlpage"
)

// TestMarkdown_TableThatPlaces_IsNoTable: a page that is laid out with tables keeps its
// headings, lists, code and tables of data.
func TestMarkdown_TableThatPlaces_IsNoTable(t *testing.T) {
	const page = "<h1>Tea</h1><p>One.</p><p>Two.</p><ul><li>a<li>b</ul><pre>x\n y</pre><table><tr><td>k<td>v<tr><td>1<td>2</table>"
	const want = "# Tea\n\nOne.\n\nTwo.\n\n- a\n- b\n\n```\nx\n y\n```\n\n| k | v |\n| --- | --- |\n| 1 | 2 |\n"
	long := strings.Repeat("Many words that stand in one cell. ", 40)
	wantMarkdown(t, map[string]string{
		"<table><tr><td>" + page + "</table>":                                                                                            want,
		"<table width=100%><tr><td>" + page + "<tr><td>Foot</table>":                                                                     want + "\nFoot\n",
		"<table><tr><td><table><tr><td>" + page + "</table></table>":                                                                     want,
		"<table role=presentation><tr><td>a<td>b<tr><td>c<td>d</table>":                                                                  "a\n\nb\n\nc\n\nd\n",
		"<table><tr><td>Side<td><p>" + long + "<p>More.<tr><td>x<td>y</table>":                                                           "Side\n\n" + strings.TrimSpace(long) + "\n\nMore.\n\nx\n\ny\n",
		"<table><tr><td><ul><li>a<li>b</ul><td><ul><li>c<li>d</ul></table>":                                                              "- a\n- b\n\n- c\n- d\n",
		"<div class=note><table><tr><td rowspan=2><img alt='[Note]' src=n.png><th>Note<tr><td><p>Mind it.</table></div>":                 "![(Note)](http://a.test/n.png)\n\nNote\n\nMind it.\n",
		"<div class='admonitionblock tip'>\n<table><tr><td class=icon><div class=title>Tip</div><td class=content>Use it.</table></div>": "**Tip**\n\nUse it.\n",
		"<table><tr><th>Before<th>After<tr><td><pre>a\nb</pre><td><pre>c\nd</pre></table>":                                               "Before\n\nAfter\n\n```\na\nb\n```\n\n```\nc\nd\n```\n",
		"<table class=highlighttable><tr><th colspan=2 class=filename><span>a.py</span></th></tr><tr><td class=linenos><pre><span></span><span>1</span></pre></td><td class=code><pre><code><span>x</span> = 1\n</code></pre></td></tr></table>": "a.py\n\n```\nx = 1\n```\n",
		"<table><tr><td>Before<td>After<tr><td><pre><b>a</b>\n<b>b</b></pre><td><pre>c</pre></table>":                                                                                                                                            "Before\n\nAfter\n\n```\na\nb\n```\n\n```\nc\n```\n",
		"<ol><li>x<table><tr><td>" + "<p>a<p>b" + "</table><li>y</ol>":                                                                                                                                                                           "1. x\n\n   a\n\n   b\n\n2. y\n",
	})
}

// Tables of data stay tables, with lists, code and headings in their cells.
func TestMarkdown_TableOfData_StaysATable(t *testing.T) {
	wantMarkdown(t, map[string]string{
		"<table><tr><th>Name<th>Means<tr><td>a<td><p>One.<p>Two.<ul><li>x<li>y</ul><tr><td>b<td><pre>c d</pre></table>":                      "| Name | Means |\n| --- | --- |\n| a | One. Two. x y |\n| b | `c d` |\n",
		"<table><tr><th>A<th><table><tr><td>in</table><tr><td>1<td>2</table>":                                                                "| A | in |\n| --- | --- |\n| 1 | 2 |\n",
		"<table><tr><td colspan=2><h2>Functions</h2><tr><td>int<td>f()<tr><td><td>Does it.</table>":                                          "## Functions\n\n| int | f() |\n| --- | --- |\n|  | Does it. |\n",
		"<table><tr><td>a<td><pre><b>x</b>\n</pre><tr><td>b<td><pre>\n<b>y</b>\n \n</pre><tr><td class=ln>1</td><td>2</td></table>":          "| a | `x` |\n| --- | --- |\n| b | `y` |\n| 1 | 2 |\n",
		"<table><tr><td><p>a</p><td><p>b</p><tr><td><p>c</p><td><p>d</p></table>":                                                            "| a | b |\n| --- | --- |\n| c | d |\n",
		"<table><tr><td>a<td><ul><li>b<li>c</ul><tr><td>d<td>e</table>":                                                                      "| a | b c |\n| --- | --- |\n| d | e |\n",
		"<table><tr><th>N<th>A<th>B<tr><td rowspan=2>x<td>1<td>2<tr><td>3<td>4<tr><td>y<td colspan=2>5<tr><td>6<td rowspan=x>7<td>8</table>": "| N | A | B |\n| --- | --- | --- |\n| x | 1 | 2 |\n|  | 3 | 4 |\n| y | 5 |  |\n| 6 | 7 | 8 |\n",
		"<table><tr><th colspan=2>Size<th rowspan=2>Made of<tr><th>cm<th>in<tr><td>1<td>2<td>tin</table>":                                    "| Size |  | Made of |\n| --- | --- | --- |\n| cm | in |  |\n| 1 | 2 | tin |\n",
		"<table><tr><td colspan=999999999>All<tr><td>1<td rowspan=999999999>2<tr><td>3</table>":                                              "All\n\n| 1 | 2 |\n| --- | --- |\n| 3 |  |\n",
		"<div class=note>Words.<table><tr><td>a<td>b<tr><td>c<td>d</table></div>":                                                            "Words.\n\n| a | b |\n| --- | --- |\n| c | d |\n",
	})
}

// Tables in each other, ended or not, take time in proportion to the page.
func TestMarkdown_TablesInTables_EndInTime(t *testing.T) {
	for _, part := range []string{"<table>", "<table><tr><td>", "<table><tr><td>x", "<table><th>", "<table><td><pre>", "<pre><span class=ln>1", "<table><td><pre>1</pre>", "<div class=fragment><div class=line>"} {
		p, err := htmlpage.Parse(context.Background(), []byte("<main>"+strings.Repeat(part, 60_000)), 1500)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
		if _, _, err := p.Markdown(ctx, 10<<20, resolve); err != nil {
			t.Errorf("%s: %v", part, err)
		}
		cancel()
	}
}

// An icon beside a note is read as what it is called, once.
func TestMarkdown_IconOfANote_IsItsName(t *testing.T) {
	note := func(row string) string { return "<div class='admonitionblock note'>\n<table>" + row + "</table></div>" }
	wantMarkdown(t, map[string]string{
		note("<tr><td class=icon>\n<i class='fa icon-note' title=Note></i>\n</td><td class=content>Boil it.</td></tr>"):                           "**Note**\n\nBoil it.\n",
		note("<tr><td class=icon><img src=tip.png alt=Tip></td><td class=content><div class=title>Hot</div><p>Boil it.</p></td></tr>"):            "**Tip**\n\n**Hot**\n\nBoil it.\n",
		note("<tr><td class=icon><div class=title>Astuce</div></td><td>Boil it.</td></tr>"):                                                       "**Astuce**\n\nBoil it.\n",
		note("<tr><td rowspan=2><img alt='[Note]' src=n.png></td><th align=left>Note</th></tr><tr><td><p>Boil it.</p></td></tr>"):                 "**Note**\n\nBoil it.\n",
		note("<tr><td class=icon><img alt=Tip src=x.png></td><td>Tip</td></tr><tr><td>Tip</td><td>More</td></tr>"):                                "**Tip**\n\nTip\n\nTip\n\nMore\n",
		note("<tr><td><img alt=Pot src=a.png></td><td>A pot.</td></tr><tr><td><img alt=Lid src=b.png></td><td>A lid.</td></tr>"):                  "![Pot](http://a.test/a.png)\n\nA pot.\n\n![Lid](http://a.test/b.png)\n\nA lid.\n",
		note("<tr><td rowspan=2><img alt=Note src=n.png></td><th>Hot water</th></tr><tr><td>Boil it.</td></tr>"):                                  "**Note**\n\nHot water\n\nBoil it.\n",
		note("<tr><td>Boil it.</td><td><img alt=Pot src=pot.png></td></tr>"):                                                                      "Boil it.\n\n![Pot](http://a.test/pot.png)\n",
		note("<tr><td><img alt=Pot src=pot.png>A pot.</td><td>Boil it.</td></tr>"):                                                                "![Pot](http://a.test/pot.png)A pot.\n\nBoil it.\n",
		note("<tr><td><i></i></td><td>Boil it.</td></tr>"):                                                                                        "Boil it.\n",
		note("<tr><td class=icon><i title='A*b'></i></td><td>Boil it.</td></tr>") + "<table><tr><td><i title=x>y</i></td><td>z</td></tr></table>": "**A\\*b**\n\nBoil it.\n\n| *y* | z |\n| --- | --- |\n",
		"<table><tr><th><img alt=Note src=n.png></th><th>Note</th></tr><tr><td>a</td><td>b</td></tr></table>":                                     "| ![Note](http://a.test/n.png) | Note |\n| --- | --- |\n| a | b |\n",
	})
}
