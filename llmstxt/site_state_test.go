package llmstxt_test

import (
	"testing"

	"github.com/farwire/farwire/llmstxt"
)

// What titles end with need not be a name: a site has one, and not the date of a day or the
// number of a version.
func TestSiteName_TitlesEndWithTheirState_IsTheNameBeforeIt(t *testing.T) {
	for end, want := range map[string]string{
		" | Kettle Works: 2021-01-08":  "Kettle Works",
		" | Kettle Works: v1.2":        "Kettle Works",
		" | Kettle Works: 1.2.3-beta1": "Kettle Works",
		" - Kettle Works - 1.2":        "Kettle Works",
		" — Kettle Works | 2026-11-30": "Kettle Works",
		" | Kettle Works: 1.1.1.1":     "1.1.1.1",
		" | Kettle Works: 2048":        "2048",
		" | Works: Kettle 1.2":         "Kettle 1.2",
	} {
		w := &web{pages: map[string]answer{}}
		body := "<nav><button type=button data-toggle=collapse><span class=sr-only>Toggle navigation</span></button><ul>"
		for i, name := range []string{"lids", "spouts", "grips", "pots"} {
			w.pages["http://docs.test/"+name] = html("<title>" + word(i) + end + "</title><main><h1>" + word(i) + "</h1><p>" + word(i) + " is made of " + name + ". " + gadget + "</p></main>")
			body += "<li><a href=" + name + ">" + name + "</a>"
		}
		w.pages["http://docs.test/"] = html("<title>Namespaces" + end + "</title>" + body + "</ul></nav><main><h1>Namespaces</h1><p>What there is.</p></main>")
		if s := everyWay(t, w, "http://docs.test/", llmstxt.Options{}); s.Title != want {
			t.Errorf("%s: %q, want %q", end, s.Title, want)
		}
		if got := contents(t, w, "http://docs.test/"); got != "Pages 4" {
			t.Errorf("%s: %s", end, got)
		}
	}
}

// The words of a button that opens a menu are not its name.
func TestSections_MenuThatAButtonToggles_HasNoNameOfIt(t *testing.T) {
	for _, says := range []string{"Toggle navigation", "Toggle Navigation ", "Toggle menu", "Open menu", "Show navigation"} {
		w := &web{pages: map[string]answer{}}
		page := func(name string) string {
			w.pages["http://docs.test/"+name] = html("<title>" + name + "</title><main><h1>" + name + "</h1><p>A page about " + name + " and nothing else. " + gadget + "</p></main>")
			return "<li><a href=" + name + ">" + name + "</a></li>"
		}
		body := "<nav class=navbar><div class=navbar-header><button type=button data-toggle=collapse><span class=sr-only>" + says + "</span></button><a class=brand href=/>Tea</a></div>" +
			"<div class=collapse><ul class=navbar-nav>" + page("lids") + page("spouts") + page("grips") + "</ul></div></nav><nav><p>Pots</p><ul>" + page("iron") + page("clay") + page("tin") + "</ul><p>Cups</p><ul>" + page("glass") + page("paper") + "</ul></nav>"
		w.pages["http://docs.test/"] = html("<title>Tea</title>" + body + "<main><h1>Tea</h1><p>What there is.</p></main>")
		if got := contents(t, w, "http://docs.test/"); got != "General 3, Pots 3, Cups 2" {
			t.Errorf("%s: %s", says, got)
		}
	}
}
