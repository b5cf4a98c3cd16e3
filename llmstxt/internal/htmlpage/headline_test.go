package htmlpage_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/farwire/farwire/llmstxt/internal/htmlpage"
)

// classList is a page of Doxygen whose title stands in no heading.
func classList(above, title string) string {
	var rows strings.Builder
	for i, said := range []string{"Holds tea.", "Closes a pot, and keeps the steam in.", strings.Repeat("Pours what is in the pot into a cup. ", 6)} {
		fmt.Fprintf(&rows, "<tr><td class=entry><span class=icon>C</span><a class=el href=c%d.html>Pot%d</a></td><td class=desc>%s</td></tr>\n", i, i, said)
	}
	return "<title>" + title + "</title><body>" + above + "<div class=header><div class=headertitle><div class=title>Class List</div></div></div><div class=contents>" +
		"<div class=textblock>All classes:</div><table class=directory>" + rows.String() + "</table></div>"
}

func TestRegion_TitleInNoHeading_BeginsBehindIt(t *testing.T) {
	menu := "<table><tr><td><a href=/><h2>Kettle Home</h2></a><td><a href=/use><h2>Use of it</h2></a></table>"
	for name, page := range map[string]string{
		"no heading":          classList("", "Kettle 1.2: Class List"),
		"headings are a menu": classList(menu, "Kettle 1.2: Class List"),
		"of a site":           classList(menu, "Kettle"),
	} {
		got := markdown(t, page)
		if !strings.HasPrefix(got, "All classes:") || !strings.Contains(got, "[Pot0]") || !strings.Contains(got, "Closes a pot") {
			t.Errorf("%s:\n%s", name, got)
		}
		blocks, _ := parse(t, page).Blocks("list.html")
		if len(blocks) == 0 || blocks[0].Text != "All classes:" {
			t.Errorf("%s: %q", name, texts(blocks))
		}
	}
	// A heading that the title names, and a title that is the site's, say more and less.
	for name, page := range map[string]string{
		"a heading that is named": "<title>Pots - Kettle</title><div class=title>Kettle</div><p>A line of the site, on each of its pages and long.</p><h2>Pots</h2><p>Tea.</p>",
		"the site's title":        "<title>Kettle</title><div class=title>Kettle</div><p class=x>Home</p><h2>Pots and lids</h2><p>Tea.</p>",
	} {
		if got := markdown(t, page); !strings.HasPrefix(got, "## Pots") {
			t.Errorf("%s:\n%s", name, got)
		}
	}
}

// A box whose title is like the page's does not begin it.
func TestRegion_BoxThatIsCalledLikeThePage_LosesNothingAboveIt(t *testing.T) {
	said := "<p>Kettles boil water, and these are made for those who have no time to wait for that.</p>"
	box := "<div class=card><div class=title>Fast</div><p>It boils within a minute.</p></div>"
	for _, page := range []string{
		"<title>Fast kettles</title><body>" + said + box, "<title>Breakfast</title><body>" + said + strings.Replace(box, "Fast", "fast", 1),
		"<title>Kettle: Fast</title><body>" + strings.Repeat(said, 5) + box, "<title>Fast - Kettle</title><body>" + strings.Repeat(said, 5) + box + "<h2>Slow</h2>" + said,
	} {
		if got := markdown(t, page); !strings.HasPrefix(got, "Kettles boil water") || !strings.Contains(got, "within a minute") {
			t.Errorf("%.60s:\n%s", page, got)
		}
	}
}

// A region that begins within a table has its rows and cells apart.
func TestBlocks_TableThatBeginsBefore_HasCellsApart(t *testing.T) {
	long := strings.Repeat("Pours what is in the pot into a cup. ", 6)
	page := "<title>x</title><body><table><tr><td>Pot<td>Holds.</tr><tr><td>Cup<td>" + long + "</tr><tr><td>Lid<td>Closes.</tr></table>"
	blocks, _ := parse(t, page).Blocks("x")
	if got := texts(blocks); !slices.Contains(got, "Lid") || !slices.Contains(got, "Closes.") {
		t.Errorf("blocks %q", got)
	}
}

func texts(blocks []htmlpage.Block) (all []string) {
	for _, b := range blocks {
		all = append(all, b.Text)
	}
	return all
}

func TestBlocks_MembersOfAList_AreNamed(t *testing.T) {
	page := `<title>pot.h File Reference</title><div class=title>pot.h File Reference</div><div class=contents><table class=memberdecls><tr class=heading><td colspan=2><h2>Functions</h2></td></tr>
		<tr><td class=memItemLeft><a href=t.html>tea_t</a></td><td class=memItemRight><a href=g.html#a>brew</a> (<a href=t.html>tea_t</a> t)</td></tr>
		<tr><td class=memItemLeft>void</td><td class="memItemRight"><a href=g.html#b>pour</a> ()</td></tr></table><p><a href=g.html>&lt;pot.h&gt;: Pots</a> <a href=n.html>&lt; Back</a></p></div>`
	if _, got := parse(t, page).Blocks("pot.h"); !slices.Equal(got, []string{"brew", "pour", "<pot.h>: Pots", "Back"}) {
		t.Errorf("anchors %q", got)
	}
}

func TestCrumbs_PartsOfAName_StayTogether(t *testing.T) {
	for trail, want := range map[string][]string{
		"<li><a href=/>Docs</a> &raquo;</li><li><a href=use.html><span class=section-number>5. </span>Using tea</a> &raquo;</li><li><span class=section-number>5.2. </span>Pots</li>": {"Docs", "5. Using tea", "5.2. Pots"},
		"<li><a href=/><span>Docs</span></a></li><li><a href=a><span>Pots</span> <span>and lids</span></a></li>":                                                                      {"Docs", "Pots and lids"},
		"<span>Docs</span><span>A.1. </span><span>Pots</span>":                                                                                                                        {"Docs", "A.1. Pots"},
		"<span>2024</span> / <span>05</span> / <span>Tea</span>":                                                                                                                      {"2024", "05", "Tea"},
	} {
		if got := parse(t, "<title>x</title><ul class=breadcrumbs>"+trail+"</ul><h1>x</h1>").Crumbs; !slices.Equal(got, want) {
			t.Errorf("%s: %q, want %q", trail, got, want)
		}
	}
}
