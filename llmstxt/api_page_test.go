package llmstxt_test

import (
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
