package llmstxt_test

import (
	"fmt"
	"path"
	"strings"
	"testing"
)

// blockMenus are menus whose links stand in a block and in no list: what stands around them,
// and one of them, with its name and its links.
var blockMenus = map[string]struct{ before, menu, after string }{
	"bootstrap":        {"<nav><ul class=navbar-nav>", "<li class='nav-item dropdown'><a class=dropdown-toggle href='#' data-toggle=dropdown>%s</a><div class=dropdown-menu>%s</div></li>", "</ul></nav>"},
	"divided":          {"<nav><ul>", "<li><a href='#'>%s</a><div class=dropdown-menu><div class=divider></div>%s<div class=divider></div></div></li>", "</ul></nav>"},
	"an arrow":         {"<nav><ul>", "<li><a href='#'>%s</a><div class=arrow></div><div class=menu>%s</div></li>", "</ul></nav>"},
	"a button":         {"<header><nav><ul>", "<li><button aria-expanded=false><span>%s</span><svg><path d=M0/></svg></button><div>%s</div></li>", "</ul></nav></header>"},
	"a button alone":   {"<header><div>", "<div><button aria-haspopup=menu>%s</button><div role=menu>%s</div></div>", "</div></header>"},
	"a script":         {"<header>", "<div><a href='javascript:void(0)'>%s</a><section>%s</section></div>", "</header>"},
	"roles":            {"<nav><ul role=menubar>", "<li role=none><a role=menuitem aria-haspopup=true href='#'>%s</a><div role=menu hidden>%s</div></li>", "</ul></nav>"},
	"bulma":            {"<nav><div>", "<div class='navbar-item has-dropdown'><a class=navbar-link>%s</a><div class=navbar-dropdown>%s</div></div>", "</div></nav>"},
	"a menu element":   {"<nav>", "<p>%s</p><menu>%s</menu>", "</nav>"},
	"without end tags": {"<nav><ul>", "<li><a href='#'>%s</a><div><div>%s", "</ul></nav>"},
	"a list in it":     {"<nav><ul>", "<li><a href='#'>%s</a><div><div><ul><li>%s</ul></div></div></li>", "</ul></nav>"},
	"links with words": {"<nav><ul>", "<li><button>%s</button><div><p>What there is to know before you buy a kettle of your own.</p>%s</div></li>", "</ul></nav>"},
}

func TestSections_MenusInBlocks_NameTheirLinks(t *testing.T) {
	for name, c := range blockMenus {
		for _, groups := range [][]string{{"Guides", "Developers", "About"}, {"1.0", "v2.3.4"}} {
			for _, alone := range []bool{false, true} {
				w := &web{pages: map[string]answer{}}
				item, body, want := "<li>", c.before, ""
				if !strings.Contains(c.before, "<ul") {
					item = "<div>"
				}
				page := func(i int) string {
					at := "/" + word(i) + ".html"
					w.pages["http://docs.test"+at] = doc("Page " + word(i))
					return "<a href=" + at + ">" + word(i) + "</a> "
				}
				for i, g := range groups {
					var links string
					for j := range i%2 + 2 {
						links += page(10*i + j)
					}
					body += fmt.Sprintf(c.menu, g, links)
					want += fmt.Sprintf(", %s %d", g, i%2+2)
				}
				if alone && item == "<li>" { // behind them, and in none
					body += item + page(90)
					want += map[int]string{3: ", More pages 1", 2: ", General 1"}[len(groups)]
				}
				w.pages["http://docs.test/"] = html("<title>Tea</title>" + body + c.after + "<main><h1>Tea</h1><p>" + gadget + "</p></main>")
				if got := contents(t, w, "http://docs.test/"); got != want[2:] {
					t.Errorf("%s, with a link behind %t: %s, want %s", name, alone, got, want[2:])
				}
			}
		}
	}
}

// The link above a menu is a page of it, but not one above its own description.
func TestSections_LinkAboveABlock_BelongsToIt(t *testing.T) {
	for block, want := range map[string]string{
		"<div>%s</div>":                  "Alpha 3, Beta 3",
		"<div><div>%s</div></div>":       "Alpha 3, Beta 3",
		"<div>What it is</div>%.0s":      "Pages 2",
		"<div>What it is</div><i>%s</i>": "Pages 6",
	} {
		w := &web{pages: map[string]answer{}}
		body := "<nav><ul>"
		for i, title := range []string{"Alpha", "Beta"} {
			links := ""
			for j := range 2 {
				at := "/" + word(10*i+j) + ".html"
				w.pages["http://docs.test"+at] = doc("Page " + word(10*i+j))
				links += "<a href=" + at + ">" + word(10*i+j) + "</a>"
			}
			at := fmt.Sprintf("/top%d.html", i)
			w.pages["http://docs.test"+at] = doc(title)
			body += "<li><a href=" + at + ">" + title + "</a>" + fmt.Sprintf(block, links) + "</li>"
		}
		w.pages["http://docs.test/"] = html("<title>Tea</title>" + body + "</ul></nav><main><h1>Tea</h1><p>" + gadget + "</p></main>")
		if got := contents(t, w, "http://docs.test/"); got != want {
			t.Errorf("%s: %s, want %s", block, got, want)
		}
	}
}

// The columns of one menu are its sections, and what stands behind it is in none of them.
func TestSections_ColumnsOfABlock_AreItsSections(t *testing.T) {
	for _, heading := range []string{"<h6>%s</h6>", "<span>%s</span>", "<h3>%s</h3>", "<p><b>%s</b></p>"} {
		w := &web{pages: map[string]answer{}}
		body, at := "<nav><ul><li><a href='#'>Everything</a><div class=menu>", 0
		page := func() string {
			at++
			w.pages["http://docs.test/"+word(at)+".html"] = doc("Page " + word(at))
			return "<a href=/" + word(at) + ".html>" + word(at) + "</a>"
		}
		for _, column := range []string{"Use", "Care", "Repair"} {
			body += "<div class=col>" + fmt.Sprintf(heading, column) + page() + page() + "</div>"
		}
		w.pages["http://docs.test/"] = html("<title>Tea</title>" + body + "</div></li><li>" + page() + "</li></ul></nav><main><h1>Tea</h1><p>" + gadget + "</p></main>")
		if got, want := contents(t, w, "http://docs.test/"), "Use 2, Care 2, Repair 2, General 1"; got != want {
			t.Errorf("%s: %s, want %s", heading, got, want)
		}
	}
}

// A button that leads to the next page does not name a section.
func TestSections_StepToTheNextPage_NamesNothing(t *testing.T) {
	for label, want := range map[string]string{
		"<span>Next</span><span>Lid</span>":      "Reference 3, Tips 2",
		"<b>Previous</b> <i>lid</i>":             "Reference 3, Tips 2",
		"Next steps":                             "Next steps 3, Tips 2",
		"<span>Next</span><span>Lid Size</span>": "Next Lid Size 3, Tips 2",
	} {
		w := &web{pages: map[string]answer{}}
		links := ""
		for _, l := range []string{"/reference/lid/", "/reference/spout/", "/reference/handle/", "/tips/tea/", "/tips/coffee/"} {
			w.pages["http://docs.test"+l] = doc("The " + path.Base(l))
			links += "<p>" + gadget + " <a href=" + l + ">See " + path.Base(l) + "</a>."
		}
		w.pages["http://docs.test/"] = html("<title>Tea</title><main><h1>Tea</h1>" + links + "</main><nav><a href=/reference/lid/>" + label + "</a></nav>")
		if got := contents(t, w, "http://docs.test/"); got != want {
			t.Errorf("%s: %s, want %s", label, got, want)
		}
	}
}

// A link that is named by the path of its page names no section; one with words that a slash parts does.
func TestSections_LinkNamedByItsPath_NamesNothing(t *testing.T) {
	for label, want := range map[string]string{
		"reference/lid":        "Reference 3, Tips 2",
		"/Reference/Lid/":      "Reference 3, Tips 2",
		"kitchen/lid":          "kitchen/lid 3, Tips 2",
		"Lids/Spouts":          "Lids/Spouts 3, Tips 2",
		"Reference / Handbook": "Reference / Handbook 3, Tips 2",
	} {
		w := &web{pages: map[string]answer{}}
		links := ""
		for _, l := range []string{"/reference/lid.html", "/reference/spout.html", "/reference/handle.html", "/tips/tea.html", "/tips/coffee.html"} {
			w.pages["http://docs.test"+l] = doc("Of " + strings.NewReplacer("/", " ", ".html", "").Replace(l))
			links += "<p><a href=" + l + ">Go to " + l + "</a></p>"
		}
		w.pages["http://docs.test/"] = html("<title>Tea</title><nav><a href=/reference/lid.html>" + label + "</a></nav><main><h1>Tea</h1><p>" + gadget + "</p>" + links + "</main>")
		if got := contents(t, w, "http://docs.test/"); got != want {
			t.Errorf("%s: %s, want %s", label, got, want)
		}
	}
}

// Where folders sort the pages, such a contents does not.
func TestSections_OnePartOfManyFolders_NamesNoSection(t *testing.T) {
	w := &web{pages: map[string]answer{}}
	first, part := "", ""
	for i, folder := range []string{"pots", "pans", "lids", "cups"} {
		for _, file := range []string{"index.html", "use.html", "care.html"} {
			at := "/" + folder + "/" + file
			title := "Of " + folder + " and their " + file[:3] + word(i)
			if file == "index.html" {
				title = "All " + folder
				part += "<li><a href=" + at + ">" + title + "</a>"
			} else {
				first += "<li><a href=" + at + ">" + title + "</a>"
			}
			w.pages["http://docs.test"+at] = doc(title)
		}
	}
	w.pages["http://docs.test/"] = html("<title>Tea Handbook</title><main><h1>Tea Handbook</h1><ul>" + first + "</ul><h2>Books</h2><ul>" + part + "</ul></main>")
	if got, want := contents(t, w, "http://docs.test/"), "All pots 3, All pans 3, All lids 3, All cups 3"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}
