package llmstxt_test

import (
	"context"
	"strings"
	"testing"

	"github.com/farwire/farwire/llmstxt"
)

func TestCrawl_PageOfAnAPI_HasTheWordsOfItsDescription(t *testing.T) {
	const doc = `{"openapi":"3.1.0","info":{"title":"Pot Shop","description":"The shop sells pots of clay to everybody who asks."},"paths":{"/pots":{"get":{"summary":"Lists pots"}}}}`
	for name, page := range map[string]string{
		"Redoc":      `<title>API - ReDoc</title><redoc spec-url="/openapi.json"></redoc><script src="/redoc.js"></script>`,
		"Swagger UI": `<title>Swagger UI</title><div id="swagger-ui"></div><script src="/ui.js"></script><script>const ui = SwaggerUIBundle({ url: 'openapi.json' })</script>`,
	} {
		t.Run(name, func(t *testing.T) {
			for _, kind := range []string{"application/json", "application/vnd.oai.openapi+json", "text/plain", "application/octet-stream"} {
				w := &web{pages: map[string]answer{"http://docs.test/": html(page), "http://docs.test/openapi.json": {body: doc, header: map[string]string{"Content-Type": kind}}}}
				notes := ""
				s := crawl(t, w, "http://docs.test/", llmstxt.Options{Progress: func(e llmstxt.Event) { notes += e.Message + "\n" }})
				if s.Title != "Pot Shop" || s.Summary != "The shop sells pots of clay to everybody who asks." || len(s.Pages) != 1 || strings.Contains(notes, "browser") {
					t.Errorf("%s: %q, %q, %d pages\n%s", kind, s.Title, s.Summary, len(s.Pages), notes)
				}
			}
		})
	}
}

// A program is often set up by a file of its own, which names the description or holds it.
func TestCrawl_PageOfAnAPIWithAScript_HasTheWordsOfItsDescription(t *testing.T) {
	const doc = `{"openapi":"3.1.0","info":{"title":"Pot Shop","description":"The shop sells pots of clay to everybody who asks."},"paths":{"/pots":{"get":{"summary":"Lists pots"}}}}`
	page := html(`<title>Swagger UI</title><div id="swagger-ui"></div><script src="./swagger-ui-bundle.js"></script><script src="js/start.js"></script>`)
	for name, script := range map[string]string{
		"names it":        `window.onload = () => { window.ui = SwaggerUIBundle({ url: "v1.json", dom_id: "#swagger-ui" }) }`,
		"names several":   `const config = JSON.parse('{"urls":[{"url":"v1.json","name":"V1"}]}')`,
		"holds it":        `const options = {"swaggerDoc": ` + doc + `, "customOptions": {}}`,
		"names no other":  `SwaggerUIBundle({ url: "next.js" })`,
		"says nothing":    `alert("Hello")`,
		"is out of reach": "",
	} {
		t.Run(name, func(t *testing.T) {
			kind := map[string]string{"Content-Type": "text/javascript"}
			w := &web{pages: map[string]answer{
				"http://docs.test/api/":            page,
				"http://docs.test/api/js/start.js": {body: script, header: kind},
				"http://docs.test/api/v1.json":     {body: doc, header: map[string]string{"Content-Type": "application/json"}},
				"http://docs.test/api/next.js":     {body: `SwaggerUIBundle({ url: "v1.json" })`, header: kind},
			}}
			if script == "" {
				delete(w.pages, "http://docs.test/api/js/start.js")
			}
			notes := ""
			s := crawl(t, w, "http://docs.test/api/", llmstxt.Options{Progress: func(e llmstxt.Event) { notes += e.Message + "\n" }})
			if found := strings.HasPrefix(name, "names it") || name == "names several" || name == "holds it"; found != (s.Title == "Pot Shop") || found == strings.Contains(notes, "without a browser") {
				t.Errorf("%q\n%s", s.Title, notes)
			}
		})
	}
}

// Programs fold up what can be called: a browser shows less than the description says.
func TestCrawl_PageOfAnAPIInABrowser_HasTheWordsOfItsDescription(t *testing.T) {
	shows := func(context.Context, string, string) ([]byte, error) {
		return []byte(`<title>Pots</title><h1>Pots</h1><p>Expand all the operations of this interface to see what they say about pots.</p>`), nil
	}
	for kind, doc := range map[string]string{
		"application/json": `{"openapi":"3.1.0","info":{"title":"Pot Shop","description":"The shop sells pots of clay to everybody who asks."},"paths":{"/pots":{"get":{"summary":"List all pots"}}}}`,
		"application/yaml": "openapi: 3.1.0\ninfo:\n  title: Pot Shop\n  description: The shop sells pots of clay to everybody who asks.\npaths:\n  /pots:\n    get: {summary: List all pots}\n",
	} {
		w := &web{pages: map[string]answer{
			"http://docs.test/":    html(`<title>Pots</title><redoc spec-url="/api"></redoc><script src="/redoc.js"></script>`),
			"http://docs.test/api": {body: doc, header: map[string]string{"Content-Type": kind}},
		}}
		s := crawl(t, w, "http://docs.test/", llmstxt.Options{Render: shows, Text: true})
		files, _ := textFiles(t, s, llmstxt.Index)
		if whole := files[llmstxt.FullName]; s.Summary != "The shop sells pots of clay to everybody who asks." || !strings.Contains(whole, "List all pots") {
			t.Errorf("%s: %q\n%s", kind, s.Summary, whole)
		}
	}
}

func TestCrawl_PageOfAnAPIOutOfReach_SaysThatItNeedsABrowser(t *testing.T) {
	for name, tt := range map[string]struct {
		address string
		answer  answer
	}{
		"missing":      {"/openapi.json", answer{status: 404}},
		"another host": {"http://other.test/openapi.json", answer{body: `{"openapi":"3","info":{"title":"Pot Shop"}}`, header: map[string]string{"Content-Type": "application/json"}}},
		"not one":      {"/openapi.json", answer{body: `{"pots":3}`, header: map[string]string{"Content-Type": "application/json"}}},
		"HTML":         {"/openapi.json", html("<title>Pot Shop</title>")},
	} {
		t.Run(name, func(t *testing.T) {
			w := &web{pages: map[string]answer{"http://docs.test/": html(`<title>Pots</title><redoc spec-url="` + tt.address + `"></redoc><script src="/redoc.js"></script>`)}}
			w.pages[strings.Replace(tt.address, "/openapi", "http://docs.test/openapi", 1)] = tt.answer
			if name == "another host" {
				w.pages[tt.address] = tt.answer
			}
			notes := ""
			s := crawl(t, w, "http://docs.test/", llmstxt.Options{Progress: func(e llmstxt.Event) { notes += e.Message + "\n" }})
			if s.Title != "Pots" || !strings.Contains(notes, "without a browser") {
				t.Errorf("%q\n%s", s.Title, notes)
			}
		})
	}
}
