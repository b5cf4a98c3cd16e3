package llmstxt

import (
	"context"
	"net/http"

	"github.com/farwire/farwire/llmstxt/internal/htmlpage"
	"github.com/farwire/farwire/llmstxt/internal/openapi"
)

// Pages that hold the description of an API in a script, for a program to show. What a server has
// written of it before may be no more than its first words, as Redoc does since its third version:
//
//	<h1>Pot Shop</h1> <p>The shop sells pots.</p>
//	<script> const __redoc_definition = {"openapi":"3.1.0","paths":{…}}; … </script>

// heldAPI is the text of such a description, if the page itself says less than half of it; else nil.
func heldAPI(p *htmlpage.Page, page []byte) []byte {
	if !p.HoldsAPI {
		return nil
	}
	doc := openapi.HeldByPage(page)
	if doc == nil {
		return nil
	}
	text, err := openapi.Markdown(doc)
	if err != nil || 2*p.Words() >= len(text) {
		return nil // a description that nobody can read is not the page's
	}
	return text
}

// takeHeld has the words of a description in place of the page's own. The page's links count as well.
func (c *crawler) takeHeld(ctx context.Context, r *result, head http.Header, text []byte) error {
	t := &result{final: r.final, twinOnly: true, api: true, nofollow: r.nofollow}
	if err := c.readText(ctx, t, head, text); err != nil {
		return err
	}
	r.takeWords(t)
	r.page.Links = append(r.page.Links, t.page.Links...)
	return nil
}

// takeWords has the words of a Markdown form in place of the page's own.
func (r *result) takeWords(t *result) {
	own := r.evidence
	if t.api {
		own.Title = "" // that of the program which shows it
	}
	r.evidence.Blocks, r.evidence.Anchors = t.evidence.Blocks, t.evidence.Anchors
	if own.Title == "" {
		r.evidence.Title = t.evidence.Title
	}
	if own.Description == "" {
		r.evidence.Description = t.evidence.Description
	}
	r.said, r.generic = t.said, ""
	r.whole = t.whole
}
