package docs

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"sort"
	"strings"
	"time"

	"github.com/PuerkitoBio/goquery"

	"github.com/farwire/farwire/internal/harness"
)

// App is a site whose pages are one file: a browser makes their words of data.
type App struct {
	Handler http.Handler
	// Key holds, by path, the first paragraph of each page, from somebody
	// else's rendering of the same data. One that a fifth of the pages has is
	// none, and neither is one without a whole sentence.
	Key map[string]string
}

// NPMDocs is the documentation of npm's command line, shown by docsify from
// the Markdown that npm ships. The key is the HTML that npm ships beside it.
func NPMDocs() (*App, error) {
	packages, err := harness.NPMFolder()
	if err != nil {
		return nil, err
	}
	content, output := filepath.Join(packages, "npm/docs/content"), filepath.Join(packages, "npm/docs/output")
	sources, err := filepath.Glob(content + "/*/*.md")
	if err != nil || len(sources) == 0 {
		return nil, fmt.Errorf("no pages below %s: %w", content, err)
	}
	script, err := os.ReadFile(filepath.Join(packages, "docsify/dist/docsify.min.js"))
	if err != nil {
		return nil, err
	}
	a := &App{Key: map[string]string{}}
	files := map[string][]byte{"/docsify.min.js": script}
	var list []string
	paragraphs, often := map[string][]string{}, map[string]int{}
	for _, source := range sources {
		text, err := os.ReadFile(source)
		if err != nil {
			return nil, err
		}
		rel, err := filepath.Rel(content, strings.TrimSuffix(source, ".md"))
		if err != nil {
			return nil, err
		}
		at := "/" + filepath.ToSlash(rel)
		html, err := os.ReadFile(filepath.Join(output, rel+".html"))
		if err != nil {
			return nil, err
		}
		doc, err := goquery.NewDocumentFromReader(bytes.NewReader(html))
		if err != nil {
			return nil, err
		}
		doc.Find("#_content p").Each(func(_ int, p *goquery.Selection) {
			text := strings.TrimSpace(p.Text())
			paragraphs[at] = append(paragraphs[at], text)
			often[text]++
		})
		title, body := frontMatter(string(text))
		files[at+".md"] = []byte("# " + title + "\n\n" + body)
		list = append(list, "- ["+title+"]("+at+")")
	}
	for at, all := range paragraphs {
		for _, text := range all {
			if a.Key[at] == "" && 5*often[text] < len(paragraphs) && len(text) >= 20 && strings.ContainsAny(text, ".!?") {
				a.Key[at] = text
			}
		}
	}
	sort.Strings(list)
	files["/README.md"] = []byte("# npm\n\nThis is the documentation of the command line of npm, with a page for each command.\n\n" + strings.Join(list, "\n") + "\n")
	a.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if file, found := files[r.URL.Path]; found {
			http.ServeContent(w, r, r.URL.Path, time.Time{}, bytes.NewReader(file))
			return
		}
		if path.Ext(r.URL.Path) != "" {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprint(w, docsifyPage)
	})
	return a, nil
}

// docsifyPage is the one that docsify's documentation has for a start, with
// addresses that a server sees.
const docsifyPage = `<!DOCTYPE html>
<html lang="en">
<head>
  <meta charset="UTF-8">
  <title>npm</title>
  <meta name="viewport" content="width=device-width,initial-scale=1">
</head>
<body>
  <div id="app">Loading...</div>
  <script>
    window.$docsify = { name: "npm", routerMode: "history" }
  </script>
  <script src="/docsify.min.js"></script>
</body>
</html>
`

// frontMatter splits a page's title from its text.
func frontMatter(text string) (title, body string) {
	head, body, _ := strings.Cut(strings.TrimPrefix(text, "---\n"), "\n---\n")
	for line := range strings.Lines(head) {
		if t, found := strings.CutPrefix(line, "title:"); found {
			title = strings.TrimSpace(t)
		}
	}
	return title, body
}

// SwaggerUI is Swagger UI as it is shipped, with a description of an interface
// (OpenAPI 3, JSON) to show.
func SwaggerUI(api string) (http.Handler, error) {
	packages, err := harness.NPMFolder()
	if err != nil {
		return nil, err
	}
	folder := filepath.Join(packages, "swagger-ui-dist")
	start, err := os.ReadFile(filepath.Join(folder, "swagger-initializer.js"))
	if err != nil {
		return nil, err
	}
	const example = "https://petstore.swagger.io/v2/swagger.json"
	if !bytes.Contains(start, []byte(example)) {
		return nil, fmt.Errorf("%s/swagger-initializer.js is not what it was", folder)
	}
	start = bytes.ReplaceAll(start, []byte(example), []byte("/openapi.json"))
	mux := http.NewServeMux()
	mux.Handle("/", http.FileServer(http.Dir(folder)))
	mux.HandleFunc("/swagger-initializer.js", func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "swagger-initializer.js", time.Time{}, bytes.NewReader(start))
	})
	mux.HandleFunc("/openapi.json", func(w http.ResponseWriter, r *http.Request) {
		http.ServeContent(w, r, "openapi.json", time.Time{}, strings.NewReader(api))
	})
	return mux, nil
}
