package htmlpage

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func FuzzMenuScript(f *testing.F) {
	f.Add([]byte(`var menudata={children:[{text:"Classes",url:"annotated.html"},{text:"R \"&amp;\" S",url:"a.html#x"}]}`))
	f.Add([]byte(`var NAVTREE = [ [ "Kettle", "index.html", [ [ "Away", "^http://other.test/", null ] ] ] ];`))
	f.Add([]byte(`{text:"\u12",url:"\\"}["a","b",["c","d",`))
	f.Fuzz(func(t *testing.T, script []byte) {
		seen := map[string]bool{}
		for _, l := range ReadMenuScript(script) {
			if l.Href == "" || l.Name == "" || seen[l.Href] || strings.Contains(l.Href, "#") || l.Href[0] == '^' || !utf8.ValidString(l.Name) {
				t.Errorf("%+v of %q", l, script)
			}
			seen[l.Href] = true
		}
	})
}

// The list of a tree's pages that follows the menu has addresses that are no names.
func TestReadMenuScript_ListOfAddresses_NamesNothing(t *testing.T) {
	for _, first := range []string{"annotated.html", "lid_8h.html", "a00010.htm#a1"} {
		script := "var NAVTREE =\n[\n  [ \"Kettle\", \"index.html\", [\n    [ \"Lids\", \"annotated.html\", [\n      [ \"Files\", null, [\n        [ \"All\", \"files.html\", \"files\" ]\n] ] ] ] ] ]\n];\n\n" +
			"var NAVTREEINDEX =\n[\n\"" + first + "\",\n\"pot_8h.html#ab\",\n\"spout_8h.html\"\n];\n"
		var got []string
		for _, l := range ReadMenuScript([]byte(script)) {
			got = append(got, l.Name+" "+l.Href)
		}
		if want := "Kettle index.html, Lids annotated.html, All files.html"; strings.Join(got, ", ") != want {
			t.Errorf("%s: %q, want %s", first, got, want)
		}
	}
}
