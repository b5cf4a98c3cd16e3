package llmstxt_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/farwire/farwire/llmstxt"
)

// homeSite is a site with this base page and some pages that it leads to.
func homeSite(home string) *web {
	w := &web{pages: map[string]answer{"http://docs.test/": html(home)}}
	for i, name := range []string{"use", "care", "repair", "lids"} {
		w.pages["http://docs.test/"+name] = html(fmt.Sprintf("<title>Page of %[1]s</title><main><h1>Page of %[1]s</h1><p>What is told in part %[2]s of this book is told here in one sentence.</p></main>", name, word(i+3)))
	}
	return w
}

const homeLinks = "<p><a href=/use>Use</a> <a href=/care>Care</a> <a href=/repair>Repair</a> <a href=/lids>Lids</a></p>"

// What a base page says of the site comes before what its lists and tables say of other things.
func TestSummary_ListsAndTables_SayLessThanTheSite(t *testing.T) {
	const item = "<li>Boils <a href=/use>a litre of water</a> in less than three minutes, without a lid or with one, and keeps it hot.</li>"
	links := "<table><tr><td><a href=/use>Use it</a> how to boil, pour, etc.</td></tr><tr><td><a href=/care>Care for it</a> cleaning it, with salt and vinegar.</td></tr><tr><td><a href=/repair>Repair it</a> new lids</td></tr></table><p><a href=/lids>Lids</a></p>"
	for home, want := range map[string]string{
		"<h1>Kettle</h1><p>The fast, quiet kettle for small kitchens</p><ul>" + item + "</ul>" + homeLinks:                                                                                  "The fast, quiet kettle for small kitchens.",
		"<h1>Kettle</h1><p>A kettle that boils</p><ul>" + item + "</ul>" + homeLinks:                                                                                                        "Boils a litre of water in less than three minutes, without a lid or with one, and keeps it hot.",
		"<h1>Kettle</h1><p>The kettle can be used for</p><ul>" + item + "</ul>" + homeLinks:                                                                                                 "Boils a litre of water in less than three minutes, without a lid or with one, and keeps it hot.",
		"<h1>Kettle</h1><p>The main topics of this manual</p><ul>" + item + "</ul>" + homeLinks:                                                                                             "Boils a litre of water in less than three minutes, without a lid or with one, and keeps it hot.",
		"<h1>Kettle</h1><p>The documentation has three parts</p><ul>" + item + "</ul>" + homeLinks:                                                                                          "Boils a litre of water in less than three minutes, without a lid or with one, and keeps it hot.",
		"<h1>Kettle</h1><p>An overview of all the pages</p><ul>" + item + "</ul>" + homeLinks:                                                                                               "Boils a litre of water in less than three minutes, without a lid or with one, and keeps it hot.",
		"<h1>Kettle</h1><p>Die wichtigsten Themen dieses Handbuchs</p><ul>" + item + "</ul>" + homeLinks:                                                                                    "Boils a litre of water in less than three minutes, without a lid or with one, and keeps it hot.",
		"<h1>Kettle</h1><p>A fast server of static pages</p><ul>" + item + "</ul>" + homeLinks:                                                                                              "A fast server of static pages.",
		"<h1>Kettle</h1><p>A tool that shortens links in documents</p><ul>" + item + "</ul>" + homeLinks:                                                                                    "A tool that shortens links in documents.",
		"<h1>Kettle</h1><p>On this page you find</p><ul>" + item + "</ul>" + homeLinks:                                                                                                      "Boils a litre of water in less than three minutes, without a lid or with one, and keeps it hot.",
		"<h1>Kettle</h1><h2>Index</h2><p>The index is often the quickest way to find some part of this book.</p><h2>What</h2><ul><li>Kettle is a vessel that boils water.</ul>" + homeLinks: "Kettle is a vessel that boils water.",
		"<h1>Kettle</h1><p>The index is often the quickest way to find some part of this book.</p><ul><li>Pot is a vessel that boils water.</ul>" + homeLinks:                               "The index is often the quickest way to find some part of this book.",
		"<h1>Kettle</h1>" + links: "Kettle: Use it; Care for it; Repair it; Lids.",
		"<h1>Kettle</h1><table><tr><td>It boils water for a whole family in less than three minutes.</td></tr></table>" + homeLinks: "It boils water for a whole family in less than three minutes.",
	} {
		if got := everyWay(t, homeSite("<title>Kettle</title><main>"+home+"</main>"), "http://docs.test/", llmstxt.Options{}).Summary; got != want {
			t.Errorf("%s:\n%q, want %q", home, got, want)
		}
	}
}

// The line with a version says nothing of a page, unless it is one of several.
func TestNote_LineWithAVersion_IsNoNote(t *testing.T) {
	for body, want := range map[string]string{
		"<h1>Users' guide</h1><h4>Version 13.1.5</h4>":                     "Users' guide.",
		"<h1>Users' guide</h1><p>Release 13.1.5-rc.1</p>":                  "Users' guide.",
		"<h1>Users' guide</h1><h2>Version 2.0</h2><h2>Version 1.9</h2>":    "Version 2.0; Version 1.9; Users' guide.",
		"<h1>Users' guide</h1><p>Version 2 boils water twice as fast.</p>": "Version 2 boils water twice as fast.",
	} {
		w := homeSite("<title>Kettle</title><main><h1>Kettle</h1><p>" + gadget + "</p>" + homeLinks + "</main>")
		w.pages["http://docs.test/use"] = html("<title>Guide</title><main>" + body + "</main>")
		if got := pageAt(t, everyWay(t, w, "http://docs.test/", llmstxt.Options{}), "use").Note; strings.TrimSpace(got) != want {
			t.Errorf("%s: %q, want %q", body, got, want)
		}
	}
}
