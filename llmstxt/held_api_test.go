package llmstxt_test

import (
	"context"
	"strings"
	"testing"

	"github.com/farwire/farwire/llmstxt"
)

// A page that holds an API's description says what stands in that, unless it says so itself.
func TestCrawl_PageThatHoldsAnAPI_HasTheWordsOfTheDescription(t *testing.T) {
	const api = `{ "openapi": "3.1.0","info":{"title":"Pot Shop","description":"The shop sells pots of clay to everybody. See [how](/how)."},"paths":{"/pots":{"get":{"summary":"List all pots","responses":{"200":{"description":"The pots that are there <\/script>"}}}}}}`
	const first = `<title>Pots - Redoc</title><main><h1>Pot Shop (3)</h1><p>The shop sells pots of clay to everybody.</p><a href=/more>More</a></main>`
	whole := `<p>List all pots: GET /pots. The answer has all of them, with their size and with their colour.</p>`
	for name, c := range map[string]struct {
		page string
		read bool
	}{
		"Redoc, first words": {first + `<script type=module>const __redoc_definition = ` + api + `; hydrate(__redoc_definition)</script>`, true},
		"Redoc, state":       {first + `<script>const __redoc_state = {"menu":{"activeItemIdx":-1},"spec":{"data":` + api + `}};</script>`, true},
		"Swagger UI":         {`<title>Swagger UI</title><div id=swagger-ui></div><script src=/ui.js></script><script>SwaggerUIBundle({ spec: ` + api + `, dom_id: "#swagger-ui" })</script><a href=/more></a>`, true},
		"Scalar":             {`<title>API</title><script id="api-reference" type="application/json">` + api + `</script><script src=/scalar.js></script><a href=/more></a>`, true},
		"Stoplight":          {`<title>API</title><elements-api id=d></elements-api><script>document.getElementById("d").apiDescriptionDocument = ` + api + `</script><a href=/more></a>`, true},
		"all is written":     {first + strings.Repeat(whole, 9) + `<script>const __redoc_state = {"spec":` + api + `}</script>`, false},
		"no program":         {first + `<script>window.data = ` + api + `</script>`, false},
		"no description":     {first + `<script>const __redoc_definition = {"openapi":"3.1.0","info":</script>`, false},
	} {
		t.Run(name, func(t *testing.T) {
			w := &web{pages: map[string]answer{"http://docs.test/": html(c.page), "http://docs.test/how": doc("How"), "http://docs.test/more": doc("More")}}
			render := func(context.Context, string, string) ([]byte, error) {
				t.Error("a browser was asked")
				return nil, nil
			}
			o := llmstxt.Options{Text: true}
			if c.read {
				o.Render = render
			}
			s := crawl(t, w, "http://docs.test/", o)
			files, _ := textFiles(t, s, llmstxt.Index)
			text := files[llmstxt.FullName]
			want := 2
			if c.read {
				want = 3
			}
			if got := strings.Contains(text, "- `200`: The pots that are there"); got != c.read || len(s.Pages) != want || c.read != (s.Title == "Pot Shop") {
				t.Errorf("%q, %d pages:\n%s", s.Title, len(s.Pages), text)
			}
		})
	}
}
