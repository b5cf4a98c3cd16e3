package describe

import (
	"net/url"
	"path"
	"strings"

	"github.com/farwire/farwire/llmstxt/internal/htmlpage"
	"github.com/farwire/farwire/llmstxt/internal/plain"
)

// IsTool reports a page that its address calls a cart, a search, a log-in, a list of
// tags or another such, and that has no paragraph to say. One that says something,
// such as a guide to the search, is a page like others, and so are files of a tree
// that a generator wrote, whose links are all it takes to come there.
func IsTool(u *url.URL, e *htmlpage.Evidence) bool {
	dir, slug := path.Split(strings.ToLower(strings.TrimSuffix(u.Path, "/")))
	if path.Ext(slug) != "" && u.RawQuery == "" {
		return false
	}
	word := strings.NewReplacer("-", "", "_", "", " ", "").Replace
	if !toolNames[word(slug)] && !tagNames[path.Base(dir)] {
		return false
	}
	for _, b := range e.Blocks {
		if b.Kind != htmlpage.Heading && b.Kind != htmlpage.Title && b.Kind != htmlpage.Omitted && b.Links < 50 && len(b.Text) >= 80 && plain.IsComplete(b.Text) {
			return false
		}
	}
	return true
}

// tagNames are folders of lists of pages with a tag.
var tagNames = plain.Set(`tag tags tagged label labels etiqueta etiquetas schlagwort etichetta`)

var toolNames = plain.Set(`cart basket warenkorb panier carrito carrello winkelwagen checkout kasse wishlist merkliste favorites compare
	login signin signup register registration logout signout lostpassword forgotpassword resetpassword passwordreset account myaccount
	search suche recherche buscar ricerca zoeken tags tag labels`)
