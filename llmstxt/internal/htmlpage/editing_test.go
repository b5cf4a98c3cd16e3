package htmlpage_test

import (
	"strings"
	"testing"

	"github.com/farwire/farwire/llmstxt/internal/htmlpage"
)

// Links to forms that edit the page's source are left out where they stand alone, whatever they say.
func TestMarkdown_LinkThatEditsThePage_IsLeftOut(t *testing.T) {
	const form = "https://github.com/tea/pot/edit/master/docs/src/guide/lid.md"
	for name, page := range map[string]string{
		"VuePress":   "<p>Tea.</p><div class=page-edit><div class=edit-link><a href=" + form + " target=_blank>Edit this page on GitHub</a> <svg><title>out</title></svg></div></div>",
		"with words": "<p>Tea.</p><div><a href=" + form + ">In GitHub bearbeiten</a><span><svg></svg><span class=sr-only>(opens new window)</span></span></div>",
		"paragraph":  "<p>Tea.</p><p><a href=https://gitlab.com/tea/pot/-/edit/main/lid.adoc><i class=icon></i>改善此页</a></p>",
		"DocFX":      "<p>Tea.</p><span class=small><span class=divider>|</span> <a href='https://github.com/tea/pot/new/master/spec/new?filename=Pot.md'>Improve this Doc</a></span> <span class=small><a href='https://github.com/tea/pot/blob/master/Pot.cs/#L19'>View Source</a></span><h4></h4>",
		"reference":  "<p>Tea.</p><div class=contribution><a href=https://github.com/tea/pot/blob/lts/1/Pot.cs/#L32 class=edit-link>Edit this page</a></div>",
		"two":        "<p>Tea.</p><div><a href=" + form + ">Edit</a> · <a href=https://github.com/tea/pot/blob/main/lid.md>View source</a></div>",
		"at the end": "<p>Tea.</p><footer><a href=https://codeberg.org/tea/pot/edit/main/lid.rst>Improve this page</a><div>",
	} {
		if got := markdown(t, "<title>x</title><main>"+page+"</main>"); got != "Tea.\n" {
			t.Errorf("%s:\n%s", name, got)
		}
	}
	wantMarkdown(t, map[string]string{
		"<p>To help, <a href=" + form + ">edit this page</a>.</p>":                        "To help, [edit this page](http://a.test/" + form + ").\n",
		"<p><a href=" + form + ">Edit this page</a> if you find a leak.</p>":              "[Edit this page](http://a.test/" + form + ") if you find a leak.\n",
		"<ul><li><a href=" + form + ">The lid</a></ul>":                                   "- [The lid](http://a.test/" + form + ")\n",
		"<p><a href=https://tea.test/edit/pots/lid>Edit a pot</a></p>":                    "[Edit a pot](http://a.test/https://tea.test/edit/pots/lid)\n",
		"<p><a href=https://github.com/tea/pot/blob/main/lid.md>The source</a></p>":       "[The source](http://a.test/https://github.com/tea/pot/blob/main/lid.md)\n",
		"<p>| <a href=https://github.com/tea/pot/blob/main/lid.md>The source</a></p>":     "| [The source](http://a.test/https://github.com/tea/pot/blob/main/lid.md)\n",
		"<p><a href=https://tea.test/manual/view>View source</a></p>":                     "[View source](http://a.test/https://tea.test/manual/view)\n",
		"<p><a href=https://github.com/tea/pot/blob/main/a.go>View source</a> of it.</p>": "[View source](http://a.test/https://github.com/tea/pot/blob/main/a.go) of it.\n",
		"<p>Yes | <a href=https://github.com/tea/pot/blob/main/a.go>View source</a></p>":  "Yes | [View source](http://a.test/https://github.com/tea/pot/blob/main/a.go)\n",
		"<h2><a href=" + form + ">The lid</a></h2><p>It is made there.</p>":               "## [The lid](http://a.test/" + form + ")\n\nIt is made there.\n",
		"<p>The file is</p><p><a href=" + form + ">src/guide/lid.md</a></p>":              "The file is\n\n[src/guide/lid.md](http://a.test/" + form + ")\n",
		"<dl><dt><a href=" + form + ">lid.md</a></dt><dd>The lid.</dd></dl>":              "**[lid.md](http://a.test/" + form + ")**\n\nThe lid.\n",
		"<p>Open the <label class=menu>File</label> menu.</p>":                            "Open the File menu.\n",
		"<p>Choose <a href=#opt>Link to this page</a> to make one.</p>":                   "Choose Link to this page to make one.\n",
		"<h2>Types <a href=#t>Link to this section</a></h2>":                              "## Types\n",
		"<p>|</p><p>Tea.</p>": "|\n\nTea.\n",
		"<p><label for=x class='side__menu-icon'>Menu</label>Tea.</p>":                      "Tea.\n",
		"<p><label for=x class=field-name>The menu</label> Tea.</p>":                        "The menu Tea.\n",
		"<h2 id=t><a href=#t><span class=sr-only>Link to this section</span></a>Types</h2>": "## Types\n",
		"<h2 id=t><a href=#t>Link to this section</a>Types</h2>":                            "## Types\n",
		"<p><a href=#t>Link to this section of the text</a></p>":                            "Link to this section of the text\n",
		"<p><a href=t>Link to this section</a></p>":                                         "[Link to this section](http://a.test/t)\n",
	})
}

// Generators make a description of a page's first words and leave their signs in it.
func TestWithoutSigns_HeadingsAndItems_LoseThem(t *testing.T) {
	blocks := []htmlpage.Block{{Kind: htmlpage.Title, Text: "The Pot"}, {Kind: htmlpage.Heading, Text: "Lids"}, {Kind: htmlpage.Paragraph, Text: "C"}, {Kind: htmlpage.Heading, Text: "Use"}}
	for text, want := range map[string]string{
		"Lids # They close it. Use # Turn it.": "They close it. Turn it.",
		"The Pot ¶ Lids ¶ They close it.":      "They close it.",
		"It has lids. Use # Turn it.":          "It has lids. Turn it.",
		"- Lids close it.":                     "Lids close it.",
		"C # is a language, as Lids are.":      "C # is a language, as Lids are.",
		"Press Big Lids # twice, or Lids.":     "Press Big twice, or Lids.",
		"Lids #1 and Use #2":                   "Lids #1 and Use #2",
		"-5 degrees":                           "-5 degrees",
		"- ":                                   "- ",
		"":                                     "",
	} {
		if got := htmlpage.WithoutSigns(text, blocks); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	if got := htmlpage.WithoutSigns(strings.Repeat("a # b ", 1000), nil); len(got) != 6000 {
		t.Error(len(got))
	}
}

func TestBlocks_LinkToItsPlace_IsNoAnchor(t *testing.T) {
	const page = "<title>Pot</title><main><h1>Pot</h1><h2 id=t><a href=#t><span class=unseen>Link to this section</span></a>Types</h2>" +
		"<div><a href='#t:t/0'><span class=unseen>Link to this type</span></a><span>t()</span></div><p><a href=/x>Link to this report</a></p><p>Choose <a href=#opt>Link to this cup</a> to make one.</p></main>"
	blocks, got := parse(t, page).Blocks("pot")
	if strings.Join(got, "; ") != "Link to this report; Link to this cup" {
		t.Error(got)
	}
	if last := blocks[len(blocks)-1].Text; last != "Choose Link to this cup to make one." {
		t.Errorf("%q", last)
	}
}
