package llmstxt_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/farwire/farwire/llmstxt"
)

// repeatSite has eight pages, of which page makes the body from a page's name and its neighbours'.
func repeatSite(t *testing.T, page func(n int, name, prev, next string) string) map[string]string {
	t.Helper()
	names := []string{"", "pots", "pans", "lids", "spoons", "bowls", "cups", "jars"}
	w := &web{pages: map[string]answer{}}
	for i, name := range names {
		links := ""
		if i == 0 {
			for _, other := range names[1:] {
				links += "<p><a href='/" + other + "'>" + other + " for the kitchen</a>"
			}
		}
		body := page(i, name, names[(i+7)%8], names[(i+1)%8])
		w.pages["http://docs.test/"+name] = html("<html lang=en><title>All about " + name + "</title>" + strings.Replace(body, "LINKS", links, 1))
	}
	s := crawl(t, w, "http://docs.test/", llmstxt.Options{Text: true})
	defer s.Close()
	files, _ := textFiles(t, s, llmstxt.Pages)
	return files
}

func said(name string) string {
	return fmt.Sprintf("<h1>All about %s</h1>LINKS<p>What a cook has to know of %s stands in these words.</p>", name, name)
}

func wantText(t *testing.T, files map[string]string, name, want string) {
	t.Helper()
	if files[name+".md"] != want {
		t.Errorf("%s.md is\n%s\nwant\n%s", name, files[name+".md"], want)
	}
	if full := files[llmstxt.FullName]; !strings.Contains(full, "\nSource: http://docs.test/"+name+"\n"+strings.TrimPrefix(want, "# All about "+name+"\n")) {
		t.Errorf("%s of llms-full.txt is not that of its file:\n%s", name, full)
	}
}

const lidsText = "# All about lids\n\nWhat a cook has to know of lids stands in these words.\n"

func TestText_NavigationWithoutNames_IsLeftOut(t *testing.T) {
	for kind, around := range map[string]func(name, prev, next string) (before, after string){
		"one line": func(name, prev, next string) (string, string) {
			return "<p><a href='/'>Top of the book</a> <a href='/pots'>1</a> <a href='/pans'>2</a> <a href='/jars'>3</a></p>", ""
		},
		"rows of neighbours": func(name, prev, next string) (string, string) {
			row := "<hr><table><tr><td>[ <a href='/" + prev + "'>&lt;&lt; " + prev + "</a> ]<td>[<a href='/'>Top</a>][<a href='/jars'>Index</a>]<td>[ <a href='/" + next + "'>" + next + " &gt;&gt;</a> ]</table>"
			return row, row
		},
		"tables without all links": func(name, prev, next string) (string, string) {
			return "", "<table><tr><td><a href='/" + prev + "'>Prev</a><td><a href='/'>Home</a><td>" + map[bool]string{true: "Next", false: "<a href='/" + next + "'>Next</a>"}[name == "lids"] + "</table><p>Made by PotDoc on the fifth of February.</p>"
		},
		"a list with the page itself": func(name, prev, next string) (string, string) {
			list := "<ul>"
			for _, n := range []string{"pots", "pans", "lids", "spoons", "bowls", "cups", "jars"} {
				if n == name {
					list += "<li>" + n
				} else {
					list += "<li><a href='/" + n + "'>" + n + "</a>"
				}
			}
			return "<p>This manual is an old one, and a new one is being written.</p>" + list + "</ul>", ""
		},
	} {
		files := repeatSite(t, func(_ int, name, prev, next string) string {
			before, after := around(name, prev, next)
			return "<main>" + before + said(name) + after + "</main>"
		})
		t.Log(kind)
		wantText(t, files, "lids", lidsText)
	}
}

func TestText_WhatPagesRepeatOfTheirOwn_Stays(t *testing.T) {
	files := repeatSite(t, func(n int, name, prev, next string) string {
		return "<main>" + said(name) + "<h2>Synopsis</h2><pre>#include &lt;kitchen.h></pre><table><tr><td><a href='/pots'>pot</a><td><a href='/" + next + "#new'>new_" + name + "</a> ()</table>" +
			"<p><a href='/pots'>Pots</a> and <a href='/pans'>pans</a> are washed with " + strings.Repeat("much ", n) + "water.<h2>Return value</h2><p>It returns nothing, and says so.</p></main>"
	})
	wantText(t, files, "lids", lidsText+"\n## Synopsis\n\n```\n#include <kitchen.h>\n```\n\n| [pot](http://docs.test/pots) | [new_lids](http://docs.test/spoons#new) () |\n| --- | --- |\n\n"+
		"[Pots](http://docs.test/pots) and [pans](http://docs.test/pans) are washed with much much much water.\n\n## Return value\n\nIt returns nothing, and says so.\n")
}

func TestText_NoticeOfSomePages_Stays(t *testing.T) {
	const notice = "What is lost here cannot be had again, so save it first."
	for few := 5; few <= 8; few++ { // of eight
		files := repeatSite(t, func(n int, name, _, _ string) string {
			before := ""
			if n < few {
				before = "<p>" + notice + "</p>"
			}
			return "<main>" + strings.Replace(said(name), "</h1>", "</h1>"+before, 1) + "</main>"
		})
		want := lidsText
		if few < 7 {
			want = "# All about lids\n\n" + notice + "\n\n" + strings.TrimPrefix(lidsText, "# All about lids\n\n")
		}
		wantText(t, files, "lids", want)
	}
}

func TestText_SectionWithoutWords_IsLeftOutAtTheEnd(t *testing.T) {
	const found = "<div class=found><h1><span></span> results matching \"<span></span>\"</h1><ul></ul></div><div><h1>No results matching \"\"</h1></div>"
	files := repeatSite(t, func(n int, name, _, _ string) string {
		return "<main>" + said(name) + "<h2>History</h2><p>Cooks have had " + name + " for long.</p><h2>More of " + name + "</h2>" + found + "</main>"
	})
	wantText(t, files, "lids", lidsText+"\n## History\n\nCooks have had lids for long.\n\n## More of lids\n")
}

func TestText_LastPageOfAPager_HasNothingOfIt(t *testing.T) {
	files := repeatSite(t, func(n int, name, _, _ string) string {
		pager := "<a class=previous_page href=/before>&lt;- Back</a><a href=/toc>All of the pots</a>"
		if name != "lids" {
			pager += fmt.Sprintf("<a class=next_page href=/%d>On -&gt;</a>", n)
		}
		return "<main>" + said(name) + pager + "</main>"
	})
	wantText(t, files, "lids", lidsText)
}

func TestText_NameOfTheSiteAboveThePages_IsLeftOut(t *testing.T) {
	files := repeatSite(t, func(n int, name, _, _ string) string {
		return "<main><div><p class=site-title>Pots</p><p>For cooks</p></div>" + said(name) + "<p>For cooks</p></main>"
	})
	wantText(t, files, "lids", lidsText+"\nFor cooks\n")
	files = repeatSite(t, func(n int, name, _, _ string) string {
		return "<main><p>For cooks</p>" + strings.ReplaceAll(said(name), "h1>", "h2>") + "</main>"
	})
	wantText(t, files, "lids", "# All about lids\n\nFor cooks\n\n#"+lidsText)
}

func TestText_HeadingThatIsTheTitle_StandsOnce(t *testing.T) {
	files := repeatSite(t, func(_ int, name, _, _ string) string {
		return "<main><h2>All about " + name + "</h2>" + strings.TrimPrefix(said(name), "<h1>All about "+name+"</h1>") + "<h2>All about " + name + " again</h2><p>And so on.</p></main>"
	})
	wantText(t, files, "lids", lidsText+"\n## All about lids again\n\nAnd so on.\n")
}

func TestText_HeadingBelowLabels_StandsOnce(t *testing.T) {
	for label, want := range map[string]string{
		"<span class=theme-doc-version-badge>Version: 2.0</span>": "Version: 2.0\n\n",
		"<p>Kitchen</p><p>5 February 2024</p>":                    "Kitchen\n\n5 February 2024\n\n",
		"<p><a href='http://a.test/'>Cooks</a></p>":               "[Cooks](http://a.test/)\n\n",
		"<p>" + strings.Repeat("Words of a page above. ", 9):      strings.TrimSpace(strings.Repeat("Words of a page above. ", 9)) + "\n\n# All about lids\n\n",
		"<h2>Lids</h2>":                       "## Lids\n\n# All about lids\n\n",
		"<pre>boil lids</pre>":                "```\nboil lids\n```\n\n# All about lids\n\n",
		"<p>1</p><p>2</p><p>3</p><p>4</p>":    "1\n\n2\n\n3\n\n4\n\n# All about lids\n\n",
		"<p>Lids</p><h1>Of what is said</h1>": "Lids\n\n# Of what is said\n\n# All about lids\n\n",
	} {
		files := repeatSite(t, func(_ int, name, _, _ string) string {
			if name != "lids" {
				return "<main>" + said(name) + "</main>"
			}
			return "<main><div>" + label + "</div>" + said(name) + "</main>"
		})
		wantText(t, files, "lids", "# All about lids\n\n"+want+strings.TrimPrefix(lidsText, "# All about lids\n\n"))
	}
}
