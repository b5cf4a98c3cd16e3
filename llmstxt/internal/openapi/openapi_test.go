package openapi_test

import (
	"bytes"
	"strings"
	"testing"

	"github.com/farwire/farwire/llmstxt/internal/openapi"
)

func TestNamed_PagesOfPrograms_NameTheirDescription(t *testing.T) {
	for page, want := range map[string]string{
		`<redoc spec-url="/openapi.json"></redoc>`:                                                     "/openapi.json",
		`<redoc hide-hostname spec-url='pets.yaml?a=1&amp;b=2'></redoc>`:                               "pets.yaml?a=1&b=2",
		`<rapi-doc theme="dark" spec-url="v1.json"></rapi-doc>`:                                        "v1.json",
		`<elements-api apiDescriptionUrl="v1.json" router="hash"></elements-api>`:                      "v1.json",
		`<script id="api-reference" data-url="/openapi.json"></script>`:                                "/openapi.json",
		`<script>Redoc.init("v1.json", {}, document.body)</script>`:                                    "v1.json",
		`<script>const ui = SwaggerUIBundle({ url: '/openapi.json', dom_id: '#ui' })</script>`:         "/openapi.json",
		`<script>SwaggerUIBundle({dom_id: "#ui", "url": "v1.json"})</script>`:                          "v1.json",
		`<script>SwaggerUIBundle({dom_id: "#ui", docurl: "no.json"})</script>`:                         "",
		`<script data-url="v1.json" id="api-reference"></script>`:                                      "v1.json",
		`<script id="api-reference" data-configuration='{"theme":"moon","spec":{"url":"/doc"}}'>`:      "/doc",
		`<script id="api-reference" data-configuration="{&quot;url&quot;:&quot;/doc&quot;}">`:          "/doc",
		`<script>Scalar.createApiReference('#app', { theme: 'moon', url: 'v1.json' })</script>`:        "v1.json",
		`<script>Scalar.createApiReference("#app", {"url":"v1.json"})</script>`:                        "v1.json",
		`<script>JSON.parse('{"urls":[{"name":"V1","url":"v1/swagger.json"},{"url":"no"}]}')</script>`: "v1/swagger.json",
		`<p>Write <code>Redoc.init()</code>.</p>`:                                                      "",
		strings.Repeat(" ", 70<<10) + `<redoc spec-url="/openapi.json"></redoc>`:                       "",
	} {
		if got := openapi.Named([]byte(page)); got != want {
			t.Errorf("%.80q names %q", page, got)
		}
	}
}

func TestScript_PageThatAScriptSetsUp_IsTheLast(t *testing.T) {
	const bundle = `<script src="/ui/swagger-ui-bundle.js"></script><script src='./swagger-ui-standalone-preset.js'></script>`
	for page, want := range map[string]string{
		bundle + `<script charset="utf-8" src="./swagger-initializer.js"></script>`: "./swagger-initializer.js",
		bundle + `<script src='swagger-ui-init.js?v=1&amp;w=2'></script>`:           "swagger-ui-init.js?v=1&w=2",
		bundle + `<script src="index.js"></script>`:                                 "index.js",
		bundle: "",
		`<script src="a.js"></script><script src="index.js"></script>`:  "",
		`<p>Get swagger-ui.</p><script src="swagger-help.js"></script>`: "",
	} {
		if got := openapi.Script([]byte(page)); got != want {
			t.Errorf("%q: %q", page, got)
		}
	}
}

func TestHeld_ScriptWithADescription_IsTheDescription(t *testing.T) {
	const doc = `{ "openapi": "3.0.0", "info": {"title": "Pots {of} clay"}, "paths": {} }`
	for text, want := range map[string]string{
		`window.onload = function() { let options = {"swaggerDoc": ` + doc + `, "x": {}}; ui(options) }`: doc,
		`const a = {"swagger":"2.0","info":{}}`:                                                          `{"swagger":"2.0","info":{}}`,
		`const a = {"openapi":"3.0.0","info":{}`:                                                         "",
		`const a = {"openapi": version, info: {}}`:                                                       "",
	} {
		if got := string(openapi.Held([]byte(text))); got != want {
			t.Errorf("%q: %q", text, got)
		}
	}
}

func TestMarkdown_Description_HasAllThatItSaysInOrder(t *testing.T) {
	const head = `{"openapi":"3.1.0","info":{"title":"Pots","summary":"Clay.","description":"Pots and *lids*."}`
	const begin = "# Pots\n\nClay.\n\nPots and *lids*.\n"
	for name, tt := range map[string]struct{ text, want string }{
		"tags in their order": {head + `,"tags":[{"name":"lids","description":"What closes a pot."},{"name":"pots"}],
			"paths":{"/pots":{"post":{"tags":["pots"],"description":"Makes one."}},"/lids":{"get":{"tags":["lids"],"summary":"Lists lids","description":"By size."}},"/a":{"get":{"tags":["more"],"operationId":"a"}},"/b":{"get":{"deprecated":true}}}}`,
			begin + "\n## lids\n\nWhat closes a pot.\n\n### Lists lids\n\n`GET /lids`\n\nBy size.\n\n## pots\n\n### `POST /pots`\n\nMakes one.\n\n## more\n\n### a\n\n`GET /a`\n\n## Operations\n\n### `GET /b`\n\nDeprecated.\n"},
		"parameters": {head + `,"paths":{"/pots":{"parameters":[{"name":"shop","in":"path","required":true,"schema":{"type":"string"}}],"get":{"parameters":[{"$ref":"#/components/parameters/size"},{"name":"tags","in":"query","schema":{"type":"array","items":{"type":["string","null"]}},"description":"One\n or more."}]}}},"components":{"parameters":{"size":{"name":"size","in":"query","description":"In litres."}}}}`,
			begin + "\n## Operations\n\n### `GET /pots`\n\nParameters:\n\n- `shop` (string, path, required)\n- `size` (query): In litres.\n- `tags` (array of string or null, query): One or more.\n"},
		"bodies": {head + `,"paths":{"/pots":{"put":{"requestBody":{"description":"The pot.","content":{"application/json":{"schema":{"required":["size"],"properties":{"size":{"type":"number","description":"In litres."},"lid":{"type":"object","properties":{"knob":{"type":"boolean"}}}}}}}},"responses":{"200":{"description":"It is kept.","content":{"application/json":{"schema":{"$ref":"#/components/schemas/Pot"}}}},"404":{"$ref":"#/components/responses/no"}}}}},"components":{"responses":{"no":{"description":"Gone."}},"schemas":{"Pot":{"description":"Of clay.","allOf":[{"properties":{"age":{"type":"integer"}}}]},"Empty":{"type":"object"}}}}`,
			begin + "\n## Operations\n\n### `PUT /pots`\n\nRequest body:\n\n- The pot.\n- `application/json`\n- `size` (number, required): In litres.\n- `lid` (object)\n- `lid.knob` (boolean)\n\nResponses:\n\n- `200` (Pot): It is kept.\n- `404`: Gone.\n\n## Schemas\n\n### Pot\n\nOf clay.\n\n- `age` (integer)\n"},
		"values": {head + `,"paths":{"/pots":{"get":{"parameters":[{"name":"size","in":"query","schema":{"type":"integer","enum":[1,1000000,null]}},{"name":"kind","in":"query","schema":{"type":"array","items":{"type":"string","enum":["with lid","x_y"]}}}]}}},"components":{"schemas":{"State":{"type":"string","enum":["new","old"]},"Pot":{"properties":{"state":{"type":"string","enum":["new"],"description":"How it is."},"n":{"type":"integer","enum":7}}}}}}`,
			begin + "\n## Operations\n\n### `GET /pots`\n\nParameters:\n\n- `size` (integer, one of `1`, `1000000`, query)\n- `kind` (array of string, one of `with lid`, `x_y`, query)\n\n## Schemas\n\n### State\n\nOne of `new`, `old`.\n\n### Pot\n\n- `state` (string, one of `new`): How it is.\n- `n` (integer)\n"},
		"values in Swagger": {`{"swagger":"2.0","info":{"title":"Pots"},"paths":{"/a":{"get":{"parameters":[{"name":"n","in":"query","type":"string","enum":["a","b"]}]}}}}`,
			"# Pots\n\n## Operations\n\n### `GET /a`\n\nParameters:\n\n- `n` (string, one of `a`, `b`, query)\n"},
		"parts of another kind": {head + `,"tags":"none","paths":{"/a":{"get":1},"/b":[],"/c":{"get":{"summary":3,"description":"Still."}}},"components":{"schemas":{"A":true}}}`,
			begin + "\n## Operations\n\n### `GET /c`\n\nStill.\n"},
		"YAML": {"# ours\nopenapi: 3.0.0\ninfo:\n  title: 'Pots' # of clay\n  description: |-\n    Pots and lids.\n\n        code\n  version: 1\npaths:\n  /pots:\n    get:\n      summary: Lists pots\n      deprecated: yes\n      responses: &all\n        200: {description: Pots}\n    delete:\n      deprecated: true\n      responses: *all\n",
			"# Pots\n\nPots and lids.\n\n    code\n\n## Operations\n\n### Lists pots\n\n`GET /pots`\n\nResponses:\n\n- `200`: Pots\n\n### `DELETE /pots`\n\nDeprecated.\n\nResponses:\n\n- `200`: Pots\n"},
		"Swagger": {`{"swagger":"2.0","info":{"title":"Pots"},"paths":{"/a":{"get":{"parameters":[{"name":"n","in":"query","type":"string"}],"responses":{"200":{"description":"ok","schema":{"$ref":"#/definitions/Pot"}}}}}},"definitions":{"Pot":{"properties":{"n":{"type":"string"}}}}}`,
			"# Pots\n\n## Operations\n\n### `GET /a`\n\nParameters:\n\n- `n` (string, query)\n\nResponses:\n\n- `200` (Pot): ok\n\n## Schemas\n\n### Pot\n\n- `n` (string)\n"},
		"another document":   {`{"info":{"title":"Pots"}}`, ""},
		"without a title":    {`{"openapi":"3.1.0"}`, ""},
		"cut off":            {head, ""},
		"too long":           {`{"openapi":"3.1.0","info":{"title":"Pots"},"x":"` + strings.Repeat("x", openapi.MaxBytes) + `"}`, ""},
		"too long in YAML":   {"openapi: 3.0.0\ninfo:\n  title: Pots\nx: " + strings.Repeat("x", openapi.MaxBytes/2), ""},
		"words of something": {"Pots: a story\n\nOnce upon a time.\n", ""},
		"a node in itself":   {"openapi: 3.0.0\ninfo: {title: Pots}\npaths: &a\n  /a: *a\n", ""},
		"nodes in nodes":     {"openapi: 3.0.0\ninfo: {title: Pots}\na: &a [x, x, x, x, x, x, x, x]\n" + doubled(), ""},
	} {
		if got, err := openapi.Markdown([]byte(tt.text)); string(got) != tt.want || (err == nil) != (tt.want != "") {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

// doubled are nodes each of which refers eight times to the one before.
func doubled() string {
	var b strings.Builder
	for c := 'b'; c < 'm'; c++ {
		b.WriteString(string(c) + ": &" + string(c) + " [" + strings.Repeat("*"+string(c-1)+", ", 8) + "]\n")
	}
	return b.String()
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
