package htmlpage

import (
	"strings"

	"github.com/farwire/farwire/llmstxt/internal/plain"
	"golang.org/x/net/html/atom"
)

// What stands beside the main content, as elements, roles and class names tell
// it. Class names are believed only where they can mean nothing else.

// aside reports an element that stands beside the main content: by what it is,
// by its role, or by a word in its class or id that is used for nothing else.
func aside(tag atom.Atom, role, class, id, hidden, ariaHidden string) bool {
	switch tag {
	case atom.Nav, atom.Footer, atom.Aside, atom.Form, atom.Dialog, atom.Template, atom.Svg, atom.Select, atom.Button:
		return true
	}
	switch role {
	case "navigation", "banner", "contentinfo", "complementary", "search", "menu", "menubar", "dialog", "alert", "toolbar", "tablist":
		return true
	case "main", "article":
		return false
	}
	if hidden != "" || ariaHidden == "true" {
		return true
	}
	if tag == atom.Section {
		id = "" // made from its heading's words
	}
	return sideWords(class, id)
}

var (
	side = plain.Set(`nav navbar navigation navheader navfooter navlinks subnav topnav sidenav docnav menu submenu sidebar toc
		tableofcontents breadcrumb breadcrumbs footer pager pagination prevnext cookie cookies consent skiplink social
		share sharing banner advert ads promo masthead topbar toolbar noprint comments related feedback newsletter copyright
		searchbox footnotes headerlink editlink permalink`)
	central = plain.Set(`content main body article page wrapper wrap container layout has with no document col row grid without
		section sect chapter`)
	rootIDs = plain.Set(`root app __next ___gatsby __nuxt svelte q-app react-root app-root main-app`)
)

// sideWords reports whether class names and id speak of the page's edge and
// none of its middle.
func sideWords(class, id string) bool {
	found := false
	for _, names := range [2]string{class, id} {
		for w := range words(names) {
			if central[w] {
				return false
			}
			found = found || side[w]
		}
	}
	return found
}

func hasWord(names string, want ...string) bool {
	for w := range words(names) {
		for _, x := range want {
			if w == x {
				return true
			}
		}
	}
	return false
}

// words splits class names at everything that joins words in them, camelCase
// included, and yields them in lower case.
func words(names string) func(func(string) bool) {
	return func(yield func(string) bool) {
		start := 0
		for i := 0; i <= len(names); i++ {
			cut := i == len(names) || !isWordByte(names[i])
			camel := !cut && i > start && 'A' <= names[i] && names[i] <= 'Z' && 'a' <= names[i-1] && names[i-1] <= 'z'
			if !cut && !camel {
				continue
			}
			if i > start && !yield(strings.ToLower(names[start:i])) {
				return
			}
			start = i
			if cut {
				start++
			}
		}
	}
}

func isWordByte(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || c >= 0x80
}
