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
