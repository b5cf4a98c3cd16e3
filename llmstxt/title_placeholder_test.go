package llmstxt_test

import (
	"strings"
	"testing"

	"github.com/farwire/farwire/llmstxt"
)

// One page whose editor has left its title alone has its heading for one, and its address where
// others have the same heading.
func TestTitles_Placeholder_HeadingIsTaken(t *testing.T) {
	for _, title := range []string{"Untitled Document", "untitled", "Untitled-2", "React App", "Document", "New Page 1", "Loading…", "Loading...", "index", "Vite + React + TS",
		"Unbenanntes Dokument", "Document sans titre", "无标题文档", "Create Next App"} {
		s := everyWay(t, titled("Kettle", "Kettle", "", "Pots", title, "Cups"), "http://docs.test/", llmstxt.Options{})
		if got, want := titlesOf(s), "Kettle: Pots, The "+word(1)+" of it, Cups"; got != want {
			t.Errorf("%s: %q, want %q", title, got, want)
		}
		w := titled("Kettle", "Kettle", "", "Pots", title, "Cups")
		for i := range 3 {
			a := w.pages["http://docs.test/"+word(i)]
			a.body = strings.Replace(a.body, "The "+word(i)+" of it", "All of tea", 1)
			w.pages["http://docs.test/"+word(i)] = a
		}
		if got, want := titlesOf(everyWay(t, w, "http://docs.test/", llmstxt.Options{})), "Kettle: Pots, "+strings.ToUpper(word(1)[:1])+word(1)[1:]+", Cups"; got != want {
			t.Errorf("%s, one heading: %q, want %q", title, got, want)
		}
	}
	// The heading says that it is the page's own.
	for _, title := range []string{"Index", "Document", "Loading", "index"} {
		w := titled("Kettle", "Kettle", "", "Pots", title, "Cups")
		a := w.pages["http://docs.test/"+word(1)]
		a.body = strings.Replace(a.body, "The "+word(1)+" of it", title, 1)
		w.pages["http://docs.test/"+word(1)] = a
		if got, want := titlesOf(everyWay(t, w, "http://docs.test/", llmstxt.Options{})), "Kettle: Pots, "+title+", Cups"; got != want {
			t.Errorf("heading %s: %q, want %q", title, got, want)
		}
	}
	// The heading of an index is the letter of its first entries.
	for _, letter := range []string{"A", "_", "3", "Ж", "あ"} {
		for title, want := range map[string]string{"Index": "Index", "index": "index", "Untitled": letter} {
			w := titled("Kettle", "Kettle", "", "Pots", title, "Cups")
			a := w.pages["http://docs.test/"+word(1)]
			a.body = strings.Replace(a.body, "The "+word(1)+" of it", letter, 1)
			w.pages["http://docs.test/"+word(1)] = a
			if got, want := titlesOf(everyWay(t, w, "http://docs.test/", llmstxt.Options{})), "Kettle: Pots, "+want+", Cups"; got != want {
				t.Errorf("%s with heading %s: %q, want %q", title, letter, got, want)
			}
		}
	}
	// Titles that only look alike stay.
	for _, title := range []string{"Document types", "Index of pots", "Loading tea", "Page 12 of the book", "React", "New pages"} {
		s := everyWay(t, titled("Kettle", "Kettle", "", "Pots", title, "Cups"), "http://docs.test/", llmstxt.Options{})
		if got, want := titlesOf(s), "Kettle: Pots, "+title+", Cups"; got != want {
			t.Errorf("%s: %q, want %q", title, got, want)
		}
	}
}
