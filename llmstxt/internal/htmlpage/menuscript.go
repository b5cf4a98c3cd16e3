package htmlpage

import (
	"bytes"
	"encoding/json"
	"html"
	"path"
	"regexp"
	"strings"

	"github.com/farwire/farwire/llmstxt/internal/plain"
)

// Menus that a script writes. Doxygen's pages have no links in their navigation: it is data in
// a script of a name that is always the same, in one of two forms:
//
//	var menudata={children:[{text:"Classes",url:"annotated.html",children:[ … ]} … ]}
//	var NAVTREE = [ [ "Kettle", "index.html", [ [ "Classes", "annotated.html", [ … ] ] … ] ] ];
//	var NAVTREEINDEX = [ "annotated.html", "kettle_8h.html", … ];
//
// The second list of the latter has addresses without names.

// MaxMenuScript is how many bytes of such a script are read.
const MaxMenuScript = 512 << 10

// isMenuScript reports the address of a script that is a menu.
func isMenuScript(src string) bool {
	src, _, _ = strings.Cut(src, "?")
	name := path.Base(src)
	return name == "menudata.js" || name == "navtreedata.js"
}

var menuEntry = regexp.MustCompile(`\{\s*text:\s*("(?:[^"\\]|\\.)*"),\s*url:\s*("(?:[^"\\]|\\.)*")|\[\s*("(?:[^"\\]|\\.)*"),\s*("(?:[^"\\]|\\.)*"),`)

// ReadMenuScript returns the entries of a menu, each address once; the addresses are as they
// are written.
func ReadMenuScript(script []byte) []Link {
	if len(script) > MaxMenuScript {
		script = script[:MaxMenuScript]
	}
	if i := bytes.Index(script, []byte("NAVTREEINDEX")); i >= 0 {
		script = script[:i]
	}
	var links []Link
	seen := map[string]bool{}
	for _, m := range menuEntry.FindAllSubmatch(script, 4*MaxLinks) {
		name, target := unquote(m[1], m[3]), unquote(m[2], m[4])
		target, _, _ = strings.Cut(target, "#")
		// Entries that lead out of the documentation begin with a "^".
		if name = navName(name); name == "" || target == "" || target[0] == '^' || len(target) > maxHref || seen[target] {
			continue
		}
		if seen[target] = true; len(links) == maxNamed {
			break
		}
		links = append(links, Link{Href: target, Name: name})
	}
	return links
}

// unquote reads the one of two strings of a script that is there.
func unquote(either, or []byte) string {
	if either == nil {
		either = or
	}
	var s string
	if json.Unmarshal(either, &s) != nil {
		return ""
	}
	return plain.OneLine(html.UnescapeString(s))
}
