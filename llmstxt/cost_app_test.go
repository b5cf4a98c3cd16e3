//go:build linux

package llmstxt_test

import (
	"testing"

	"github.com/farwire/farwire/llmstxt/internal/htmlpage"
	"github.com/farwire/farwire/llmstxt/internal/openapi"
)

// What stands beside an application's empty page costs in proportion to its length, too.
func TestCost_DocumentsOfApplications_IsLinear(t *testing.T) {
	menu := func(_ testing.TB, b []byte) { htmlpage.ReadMarkdownMenu(b) }
	api := func(_ testing.TB, b []byte) {
		openapi.Named(b)
		openapi.Script(b)
		openapi.Held(b)
		_, err := openapi.Markdown(b)
		_ = err // most of them are not complete
	}
	// half has a long line first, and in the other half what it stands above.
	half := func(begin, unit string) func(int) []byte {
		return func(size int) []byte {
			size = min(size, htmlpage.MaxMenuScript)
			return append(fill(begin, "a", "\n")(size/2), numbered("", unit, "")(size/2)...)
		}
	}
	for name, d := range map[string]struct {
		make func(int) []byte
		read func(testing.TB, []byte)
	}{
		"links under a long heading": {half("## ", "[a](%d)"), menu},
		"items under a long heading": {half("## ", "- [a](%d)\n"), menu},
		"items in a long item":       {half("- ", "  - [a](%d)\n"), menu},
		"links in items":             {numbered("", "- [a](%[1]d) [b](b%[1]d)\n", ""), menu},
		"brackets":                   {fill("- ", "[a](b ", ""), menu},
		"operations":                 {numbered(`{"openapi": "3.1.0", "info": {"title": "a"}, "paths": {`, `"/%d": {"get": {}},`, `"/": {}}}`), api},
		"operations of no kind":      {numbered(`{"openapi": "3.1.0", "info": {"title": "a"}, "paths": {`, `"/%d": {"get": 1},`, `"/": {}}}`), api},
		"tags":                       {numbered(`{"openapi": "3.1.0", "info": {"title": "a"}, "tags": [`, `{"name": "%d"},`, `{}]}`), api},
		"deep":                       {fill(`{"openapi": `, "[", ""), api},
		"YAML":                       {fill("openapi: 3.1.0\ninfo:\n  title: a\n", "  description: |\n    a\n", ""), api},
		"one text of YAML":           {fill("openapi: 3.1.0\ninfo:\n  title: a\n  description: >\n", "    a\n", ""), api},
		"keys of YAML":               {numbered("openapi: 3.1.0\ninfo:\n  title: a\n", "k%d: 1\n", ""), api},
		"references of YAML":         {fill("openapi: 3.1.0\ninfo: {title: &a a}\nx:\n", "- *a\n", ""), api},
		"notes of YAML":              {fill("openapi: 3.1.0\ninfo:\n  title: a\n", "# a\n", ""), api},
		"deep YAML":                  {fill("openapi: ", "[", ""), api},
		"schemas in schemas":         {fill(`{"openapi": "3.1.0", "info": {"title": "a"}, "definitions": `, `{"a": {"properties": `, ""), api},
		"configurations":             {fill("", `<script data-configuration='"url" `, ""), api},
		"lists of addresses":         {fill("", `"urls": [{ `, ""), api},
		"scripts":                    {fill("", `<script src="swagger-ui.js"`, ""), api},
		"held descriptions":          {fill("", `{"openapi":"3`, ""), api},
		"elements":                   {fill("", "<redoc ", ""), api},
		"calls":                      {fill("", "SwaggerUIBundle({ url ", ""), api},
	} {
		t.Run(name, func(t *testing.T) {
			if raceDetector {
				d.read(t, d.make(12<<10))
				return
			}
			linear(t, 12<<10, d.make, d.read)
		})
	}
}
