package main

import (
	"fmt"
	"io/fs"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/farwire/farwire/internal/harness"
)

// TestCrawl_FullAndMarkdown_WritesFiles beside llms.txt, which farwire check finds
// valid.
func TestCrawl_FullAndMarkdown_WritesFiles(t *testing.T) {
	site, _ := newSite(t, 3)
	for _, format := range []string{"pages", "index"} {
		dir := filepath.Join(t.TempDir(), "out") + "/"
		p := harness.Start(t, program(t, "crawl", site, "--allow-private", "--full", "--markdown", "--format", format, "-o", dir))
		if status := p.Status(); status != statusOK {
			t.Fatalf("status %d: %s", status, p.Stderr)
		}
		var names []string
		err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				name, err = filepath.Rel(dir, name)
				names = append(names, name)
			}
			return err
		})
		if got := strings.Join(names, " "); err != nil || got != "index.md llms-full.txt llms.txt page-a.md page-b.md page-c.md" {
			t.Errorf("wrote %s, %v", got, err)
		}
		full, err := os.ReadFile(filepath.Join(dir, "llms-full.txt"))
		if err != nil || strings.Count(string(full), "\nSource: "+site) != 4 || !strings.Contains(string(full), "# Page b\nSource: "+site+"/page-b\n\nWhat is said about b is said in these words alone.\n") {
			t.Errorf("llms-full.txt holds %q, %v", full, err)
		}
		page, err := os.ReadFile(filepath.Join(dir, "page-a.md"))
		if err != nil || string(page) != "# Page a\n\nWhat is said about a is said in these words alone.\n" {
			t.Errorf("page-a.md holds %q, %v", page, err)
		}
		p = harness.Start(t, program(t, "check", filepath.Join(dir, "llms.txt"), "--allow-private"))
		if status := p.Status(); status != statusOK {
			t.Errorf("check of the layout %s: status %d: %s%s", format, status, p.Stdout, p.Stderr)
		}
	}
}

// TestCrawl_FilesWithoutAPlace_NamesTheFlag.
func TestCrawl_FilesWithoutAPlace_NamesTheFlag(t *testing.T) {
	for _, flag := range []string{"--full", "--markdown"} {
		status, _, errs := runHere(t, []string{"crawl", "https://example.com/", flag}, nil)
		if status != statusMisuse || !strings.Contains(errs, flag) || !strings.Contains(errs, "-o") {
			t.Errorf("%s: status %d: %s", flag, status, errs)
		}
	}
}

// TestCrawl_Twin_IsReadOnceByTheProgram: a page's Markdown in place of its HTML.
func TestCrawl_Twin_IsReadOnceByTheProgram(t *testing.T) {
	site := newTwinSite(t)
	p := harness.Start(t, program(t, "crawl", site, "--allow-private"))
	if status := p.Status(); status != statusOK {
		t.Fatalf("status %d: %s", status, p.Stderr)
	}
	for _, want := range []string{"Written in the source of the start.", "Written in the source of one.", "Only a text, which is a page all the same."} {
		if strings.Count(p.Stdout.String(), want) != 1 {
			t.Errorf("%q is not once in\n%s", want, p.Stdout)
		}
	}
	if strings.Contains(p.Stdout.String(), "Rendered") || strings.Contains(p.Stdout.String(), ".md") {
		t.Errorf("printed\n%s", p.Stdout)
	}
}

// newTwinSite serves pages with a Markdown form behind their addresses.
func newTwinSite(t *testing.T) (url string) {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		page := func(title string) {
			w.Header().Set("Content-Type", "text/html")
			fmt.Fprintf(w, "<title>%[1]s</title><main><h1>%[1]s</h1><p>Rendered for people who look at %[1]s.</p></main><a href=/one>One</a> <a href=/text.txt>Text</a>", title)
		}
		source := func(title, words string) {
			w.Header().Set("Content-Type", "text/markdown")
			fmt.Fprintf(w, "# %s\n\n%s\n", title, words)
		}
		switch r.URL.Path {
		case "/":
			page("Start")
		case "/one":
			page("One")
		case "/index.md":
			source("Start", "Written in the source of the start.")
		case "/one.md":
			source("One", "Written in the source of one.")
		case "/text.txt":
			w.Header().Set("Content-Type", "text/plain")
			fmt.Fprint(w, "Text\n\nOnly a text, which is a page all the same.\n")
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}
