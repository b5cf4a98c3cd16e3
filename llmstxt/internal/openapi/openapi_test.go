package openapi_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/farwire/farwire/llmstxt/internal/openapi"
)

func TestNamed_PagesOfPrograms_NameTheirDescription(t *testing.T) {
	for page, want := range map[string]string{
		`<redoc spec-url="/openapi.json"></redoc>`:                                             "/openapi.json",
		`<redoc hide-hostname spec-url='pets.yaml?a=1&amp;b=2'></redoc>`:                       "pets.yaml?a=1&b=2",
		`<rapi-doc theme="dark" spec-url="v1.json"></rapi-doc>`:                                "v1.json",
		`<elements-api apiDescriptionUrl="v1.json" router="hash"></elements-api>`:              "v1.json",
		`<script id="api-reference" data-url="/openapi.json"></script>`:                        "/openapi.json",
		`<script>Redoc.init("v1.json", {}, document.body)</script>`:                            "v1.json",
		`<script>const ui = SwaggerUIBundle({ url: '/openapi.json', dom_id: '#ui' })</script>`: "/openapi.json",
		`<script>SwaggerUIBundle({dom_id: "#ui", "url": "v1.json"})</script>`:                  "v1.json",
		`<script>SwaggerUIBundle({dom_id: "#ui", docurl: "no.json"})</script>`:                 "",
		`<p>Write <code>Redoc.init()</code>.</p>`:                                              "",
		strings.Repeat(" ", 70<<10) + `<redoc spec-url="/openapi.json"></redoc>`:               "",
	} {
		if got := openapi.Named([]byte(page)); got != want {
			t.Errorf("%.80q names %q", page, got)
		}
	}
}

func TestMarkdown_Description_HasTitleWordsAndOperations(t *testing.T) {
	for name, tt := range map[string]struct{ text, want string }{
		"JSON": {`{"openapi":"3.1.0","info":{"title":"Pots","description":"Pots and *lids*.","version":"1"},
			"tags":[{"name":"lids","description":"What closes a pot."}],
			"paths":{"/pots":{"post":{"description":"Makes one."},"get":{"summary":"Lists pots"},"parameters":[]},"/lids":{"get":{}}}}`,
			"# Pots\n\n\n\nPots and *lids*.\n\n## lids\n\nWhat closes a pot.\n\n## Operations\n\n- `GET /lids`\n- `GET /pots`: Lists pots\n- `POST /pots`: Makes one.\n"},
		"YAML": {"# ours\nopenapi: 3.0.0\ninfo:\n  title: 'Pots' # of clay\n  contact:\n    email: a@example.com\n  description: |-\n    Pots and lids.\n\n    All of clay.\n  version: 1\npaths:\n  /pots:\n    get:\n      description: no\n",
			"# Pots\n\n\n\nPots and lids.\n\nAll of clay.\n\n"},
		"Swagger":            {`{"swagger":"2.0","info":{"title":"Pots"}}`, "# Pots\n\n\n\n\n"},
		"another document":   {`{"info":{"title":"Pots"}}`, ""},
		"without a title":    {`{"openapi":"3.1.0"}`, ""},
		"cut off":            {`{"openapi":"3.1.0","info":{"title":"Pots"`, ""},
		"too long":           {`{"openapi":"3.1.0","info":{"title":"Pots"},"x":"` + strings.Repeat("x", openapi.MaxBytes) + `"}`, ""},
		"words of something": {"Pots: a story\n\nOnce upon a time.\n", ""},
	} {
		if got, err := openapi.Markdown([]byte(tt.text)); string(got) != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

func FuzzMarkdown(f *testing.F) {
	f.Add([]byte(`{"swagger":"2.0","info":{"title":"Pots"},"paths":{"/a":{"get":{}}}}`))
	f.Add([]byte("openapi: 3\ninfo:\n title: >\n  a\n  b\n description: c\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		if got, err := openapi.Markdown(text); err == nil && !bytes.HasPrefix(got, []byte("# ")) {
			t.Errorf("%q", got)
		}
		openapi.Named(text)
	})
}
