package llmstxt_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/farwire/farwire/llmstxt"
)

// What an author sets apart from the text says less of the page than the text.
func TestExcerpt_NoteBeforeText_ComesBehindIt(t *testing.T) {
	const note, text = "This chapter is a draft and may change at any time.", "The gadget turns water into tea, which many people like."
	for name, box := range map[string]string{
		"MkDocs":          "<div class='admonition note'><p class=admonition-title>Note</p><p>" + note + "</p></div>",
		"folded":          "<details class=warning><summary>Warning</summary><p>" + note + "</p></details>",
		"GitHub":          "<div class='markdown-alert markdown-alert-tip'><p>Tip</p><p>" + note + "</p></div>",
		"Hugo":            "<blockquote class='book-hint info'><p>" + note + "</p></blockquote>",
		"Bootstrap":       "<div class='alert alert-warning'>" + note + "</div>",
		"AsciiDoc":        "<div class='admonitionblock note'><table><tr><td class=icon>Note<td class=content>" + note + "</table></div>",
		"a wiki":          "<div role=note><i>" + note + "</i></div>",
		"a paragraph":     "<p class=deprecated>" + note + "</p>",
		"two":             "<div class=callout><p>" + note + "</p></div><div class=caution><p>" + note + " Do not read it.</p></div>",
		"with a list":     "<div class=important><p>" + note + "</p><ul><li>This item is a sentence of the box.</ul></div>",
		"by its word":     "<p><strong>Note</strong>: " + note + "</p>",
		"in capitals":     "<p>WARNING! " + note + "</p>",
		"in German":       "<p><em>Hinweis:</em> " + note + "</p>",
		"below a heading": "<h2>About this</h2><p>Note: " + note + "</p>",
	} {
		t.Run(name, func(t *testing.T) {
			page := one(t, "<title>Gadget</title><h1>Gadget</h1>"+box+"<p>"+text+"</p>", llmstxt.Options{})
			if page.Excerpt != text {
				t.Errorf("got %q, want %q", page.Excerpt, text)
			}
			if alone := one(t, "<title>Gadget</title><h1>Gadget</h1>"+box, llmstxt.Options{}).Excerpt; !strings.Contains(alone, note) {
				t.Errorf("without other text: got %q, want it to have %q", alone, note)
			}
			later := one(t, "<title>Gadget</title><h1>Gadget</h1><p>"+text+"</p>"+box, llmstxt.Options{}).Excerpt
			if !strings.HasPrefix(later, text) || !strings.Contains(later, note) && name != "AsciiDoc" {
				t.Errorf("behind the text: got %q", later)
			}
		})
	}
}

func TestExcerpt_HeadingsInNoteClass_AreThePage(t *testing.T) {
	const first = "The gadget turns water into tea, which many people like."
	for _, class := range []string{"popover-hint", "note", "notice-board"} {
		page := "<title>Gadget</title><div class=" + class + "><h1>Gadget</h1><p>" + first + "</p></div><div><p>Other pages are shown on the map of this site.</p></div>"
		if got := one(t, page, llmstxt.Options{}).Excerpt; !strings.HasPrefix(got, first) {
			t.Errorf("%s: got %q", class, got)
		}
	}
}

func TestExcerpt_DataAndAuthors_AreNoProse(t *testing.T) {
	const text = "The gadget turns water into tea, which many people like."
	for name, data := range map[string]string{
		"data":      "<p>Plugin: gadget<br>Author: Ada<br>Included: yes<br>Enabled by default: no</p>",
		"infobox":   "<table class=infobox><tr><th>Weight<td>It weighs 40 g, of which the lid is a half.</table>",
		"addresses": "<p>Ada van Doe &lt;ada@tea.test&gt;, Eve Roe &lt;eve@tea.test&gt;, and Max Poe &lt;max@pots.test&gt;</p>",
		"one":       "<p>Written by Ada Wilhelmina Doe (ada.doe@tea.test)</p>",
	} {
		if got := one(t, "<title>Gadget</title><h1>Gadget</h1>"+data+"<p>"+text+"</p>", llmstxt.Options{}).Note; got != text {
			t.Errorf("%s: got %q, want %q", name, got, text)
		}
	}
	const mail = "Send your reports to ada@tea.test and wait for an answer of ours."
	if got := one(t, "<title>Gadget</title><h1>Gadget</h1><p>"+mail+"</p>", llmstxt.Options{}).Note; got != mail {
		t.Errorf("a sentence with an address: got %q", got)
	}
}

// A title that greets, or names the kind of a book, is no summary.
func TestSummary_TitleGreetsOrNames_IsNotTaken(t *testing.T) {
	list := "<ul><li><a href=/a>Boiling</a><li><a href=/b>Pouring</a><li><a href=/c>Cleaning</a></ul>"
	for title, want := range map[string]string{
		"Welcome to the Kettle documentation! — Kettle 22.4.0 documentation": "Boiling; Pouring; Cleaning.",
		"Main page — Kettle 9 9.18.2-1~x1-Tea documentation":                 "Boiling; Pouring; Cleaning.",
		"Kettle — Boil water wherever you are":                               "Boil water wherever you are.",
		"Kettle — Fast And Simple Tea For Everyone":                          "Fast And Simple Tea For Everyone.",
	} {
		page := one(t, "<title>"+title+"</title><h1>Kettle</h1>"+list, llmstxt.Options{})
		if !strings.HasSuffix(page.Note, want) {
			t.Errorf("%s: got %q, want %q", title, page.Note, want)
		}
	}
}

// wikiArticle is a page as MediaWiki serves it.
func wikiArticle(title, text, categories string) string {
	edit := `<span class="mw-editsection"><span class="mw-editsection-bracket">[</span><a href="/w/index.php?title=X&amp;action=edit&amp;section=1" title="Edit section">edit</a><span class="mw-editsection-bracket">]</span></span>`
	return `<title>` + title + ` - Kettle Wiki</title><div id="content" role="main"><h1>` + title + `</h1><div id="bodyContent"><div class="noprint">From Kettle Wiki</div>
		<a class="mw-jump-link" href="#mw-head">Jump to navigation</a><a class="mw-jump-link" href="#searchInput">Jump to search</a>
		<div class="mw-parser-output">` + text + `<h2><span class="mw-headline" id="Use">Use</span>` + edit + `</h2><p>It is used each day.</p></div>
		<div class="printfooter">Retrieved from "<a href="/w/index.php?title=X&amp;oldid=3">/w/index.php?title=X&amp;oldid=3</a>"</div>
		<div id="catlinks" class="catlinks"><div class="mw-normal-catlinks"><a href="/wiki/Special:Categories">Categories</a>: <ul>` + categories + `</ul></div>
		<div class="mw-hidden-catlinks mw-hidden-cats-hidden">Hidden categories: <ul><li><a href="/wiki/Category:Stubs">Stubs</a></li></ul></div></div></div></div>`
}

func TestCrawl_Wiki_HasCategoriesAndNoEditing(t *testing.T) {
	category := func(names ...string) (list string) {
		for _, n := range names {
			list += `<li><a href="/wiki/Category:` + strings.ReplaceAll(n, " ", "_") + `" title="Category:` + n + `">` + n + `</a></li>`
		}
		return list
	}
	site := &web{pages: map[string]answer{"http://wiki.test/": html(wikiArticle("Main Page", `<p>Kettle Wiki collects what owners know about kettles.</p>
		<ul><li><a href="/wiki/Lid">Lid</a><li><a href="/wiki/Spout">Spout</a><li><a href="/wiki/Boil">Boil</a><li><a href="/wiki/Clean">Clean</a><li><a href="/wiki/Base">Base</a></ul>`, ""))}}
	for title, categories := range map[string][]string{"Lid": {"Parts of it", "Steel", "Old things"}, "Spout": {"Parts of it"}, "Base": {"Parts of it", "Steel"}, "Boil": {"Guides"}, "Clean": {"Guides"}} {
		site.pages["http://wiki.test/wiki/"+title] = html(wikiArticle(title, "<p>The "+strings.ToLower(title)+" is a thing that all kettles have.</p>", category(categories...)))
	}
	r := crawl(t, site, "http://wiki.test/", llmstxt.Options{Text: true})
	defer r.Close()
	sections := map[string][]string{}
	for _, p := range r.Pages[1:] {
		sections[p.Section] = append(sections[p.Section], p.Title)
	}
	for _, titles := range sections {
		slices.Sort(titles)
	}
	if got := sections["Parts of it"]; !slices.Equal(got, []string{"Base", "Lid", "Spout"}) {
		t.Errorf("sections are %q", sections)
	}
	if got := sections["Guides"]; !slices.Equal(got, []string{"Boil", "Clean"}) {
		t.Errorf("sections are %q", sections)
	}
	files, _ := textFiles(t, r, llmstxt.Index)
	full := files[llmstxt.FullName]
	for _, no := range []string{"edit", "Retrieved", "Jump", "Categor", "Stubs"} {
		if strings.Contains(full, no) {
			t.Errorf("%q stands in\n%s", no, full)
		}
	}
	if !strings.Contains(full, "\n## Use\n\nIt is used each day.\n") {
		t.Errorf("the heading is missing in\n%s", full)
	}
}

func TestOutline_LinksThatSkip_AreLeftOut(t *testing.T) {
	page := `<title>Lid</title><main><h1>Lid</h1><a href="#top">Jump to navigation</a><a href="#find">Skip to search</a><p>Lid may be:</p><ul><li><a href=/a>Lid, of a pot</a><li><a href=/b>Lid, of an eye</a></ul></main>`
	if got := one(t, page, llmstxt.Options{}).Excerpt; strings.Contains(got, "Jump") || strings.Contains(got, "Skip") {
		t.Errorf("got %q", got)
	}
}

// A section's name may be the link to the page about it.
func TestSections_PageNamedAsSection_StandsInIt(t *testing.T) {
	menu := `<nav><ul><li>User guide<ul><li><a href="/d/guide/install/">Install</a><li><a href="/d/guide/brew/">Brew</a><li><a href="/d/guide/pour/">Pour</a></ul><li>Reference<ul><li><a href="/d/ref/cli/">Commands</a><li><a href="/d/ref/set/">Settings</a></ul></ul></nav><a href="/d/guide/">Guide</a>`
	site := &web{pages: map[string]answer{}}
	for path, title := range map[string]string{"": "Kettle", "guide/": "User guide", "guide/install/": "Install", "guide/brew/": "Brew", "guide/pour/": "Pour", "ref/cli/": "Commands", "ref/set/": "Settings"} {
		site.pages["http://docs.test/d/"+path] = html("<title>" + title + "</title>" + menu + "<main><h1>" + title + "</h1><p>This page of the site is about " + strings.ToLower(title) + ".</p></main>")
	}
	for _, p := range crawl(t, site, "http://docs.test/d/", llmstxt.Options{}).Pages {
		if p.Title == "User guide" && p.Section != "User guide" {
			t.Errorf("its section is %q", p.Section)
		}
	}
}
