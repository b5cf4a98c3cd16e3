package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"html/template"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/farwire/farwire/internal/safetext"
	"github.com/farwire/farwire/llmstxt"
)

// crawlReport says what else a crawl tells, for programs and for builds.
type crawlReport struct {
	JSON      bool   `name:"json" help:"Print the outcome of each page as JSON on standard output; the file is then written only with -o."`
	Report    string `placeholder:"FILE" help:"Write the same as an HTML page."`
	FailBelow int    `placeholder:"N" help:"Exit with status 4 when the file has fewer pages; 0 or left out: no minimum."`
	Diff      string `placeholder:"OLD" help:"An older llms.txt: list on standard error the pages that are gone and new."`
}

// errTooFew ends a crawl whose file has fewer pages than --fail-below asks for.
var errTooFew = errors.New("the file has too few pages")

// An outcome is what --json prints.
type outcome struct {
	Title   string             `json:"title"`
	BaseURL string             `json:"base_url"`
	Pages   []llmstxt.Outcome  `json:"pages"`
	Lost    int                `json:"lost"` // of these, missing because the site did not answer
	Stats   llmstxt.CrawlStats `json:"stats"`
	Gone    []string           `json:"gone,omitempty"` // with --diff
	New     []string           `json:"new,omitempty"`
}

// readOld returns the addresses in the file of --diff.
func (c *crawlReport) readOld() (map[string]bool, error) {
	switch {
	case c.FailBelow < 0:
		return nil, misusef("--fail-below: a file cannot have fewer than %d pages; give 0 or more", c.FailBelow)
	case c.Diff == "":
		return nil, nil
	}
	text, err := os.ReadFile(c.Diff)
	if err != nil {
		return nil, misusef("--diff: %v; give an llms.txt", err)
	}
	_, links, _ := llmstxt.Check(string(text))
	if len(links) == 0 {
		return nil, misusef("--diff: %s has no links; give an llms.txt", c.Diff)
	}
	old := make(map[string]bool)
	for _, l := range links {
		old[l.URL] = true
	}
	return old, nil
}

// report tells the outcome of each page.
func (c *crawl) report(site *llmstxt.CrawledSite, old map[string]bool, page *output) error {
	o := outcome{Title: site.Title, BaseURL: site.BaseURL, Pages: site.Outcomes(), Lost: site.Stats.Lost, Stats: site.Stats}
	if old != nil {
		_, links, _ := llmstxt.Check(site.Render(llmstxt.Layout(c.Format)))
		have := make(map[string]bool)
		for _, l := range links {
			have[l.URL] = true
			if !old[l.URL] {
				o.New = append(o.New, l.URL)
			}
		}
		for _, l := range slices.Sorted(maps.Keys(old)) {
			if !have[l] {
				o.Gone = append(o.Gone, l)
			}
		}
		for _, l := range o.Gone {
			fmt.Fprintln(os.Stderr, "- "+safetext.Printable(l))
		}
		for _, l := range o.New {
			fmt.Fprintln(os.Stderr, "+ "+safetext.Printable(l))
		}
	}
	if c.Report != "" {
		var b strings.Builder
		if err := reportPage.Execute(&b, o); err != nil {
			return err
		}
		if err := page.write(b.String()); err != nil {
			return err
		}
	}
	if !c.JSON {
		return nil
	}
	e := json.NewEncoder(os.Stdout)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(o)
}

var reportPage = template.Must(template.New("report").Funcs(template.FuncMap{"count": safetext.Count[int]}).Parse(`{{define "link"}}<a href="{{.}}" rel="noreferrer">{{.}}</a>{{end}}<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>Crawl of {{.Title}}</title>
<style>
body { font: 16px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 70rem; padding: 0 1rem }
table { border-collapse: collapse; width: 100% }
td, th { border-bottom: 1px solid #ccc; padding: .3rem .6rem; text-align: left; vertical-align: top; overflow-wrap: break-word }
li, p, td:first-child { overflow-wrap: anywhere }
.lost { background: #fde8e8 }
@media (max-width: 40rem) {
  tr { display: block; border-bottom: 1px solid #ccc; padding: .3rem 0 }
  td { display: block; border: 0; padding: 0; overflow-wrap: anywhere }
  tr.head { display: none }
}
</style></head><body>
<h1>{{.Title}}</h1>
<p>{{template "link" .BaseURL}}: {{count .Stats.Pages "page"}} in the file, {{.Lost}} lost because the site did not answer.{{if .Stats.Limited}} More pages are there than were asked for.{{end}}</p>
{{if .Gone}}<h2>Gone</h2><ul>{{range .Gone}}<li>{{template "link" .}}</li>{{end}}</ul>{{end}}
{{if .New}}<h2>New</h2><ul>{{range .New}}<li>{{template "link" .}}</li>{{end}}</ul>{{end}}
<h2>Pages</h2>
<table><tr class="head"><th>Address</th><th>Title</th><th>Outcome</th></tr>
{{range .Pages}}<tr{{if .Lost}} class="lost"{{end}}><td>{{template "link" .URL}}</td><td>{{.Title}}</td><td>{{if .Reason}}{{.Reason}}{{if .Detail}}: {{.Detail}}{{end}}{{else}}in the file{{end}}</td></tr>
{{end}}</table></body></html>
`))
