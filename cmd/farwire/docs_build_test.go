package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/farwire/farwire/internal/harness"
)

// TestDocs_WorkflowOfABuild_FailsWhenPagesAreLost runs the step of the workflow in
// docs/crawl.md as GitHub does.
func TestDocs_WorkflowOfABuild_FailsWhenPagesAreLost(t *testing.T) {
	var pages atomic.Int64
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		if r.URL.Path == "/" {
			fmt.Fprint(w, "<title>Home of Pages</title><main><h1>Home of Pages</h1><p>This is where the small site begins, with a sentence.</p>")
			for i := range pages.Load() {
				fmt.Fprintf(w, "<a href=/page-%c%c>a page</a>", 'a'+i/26, 'a'+i%26)
			}
			return
		}
		name, ok := strings.CutPrefix(r.URL.Path, "/page-")
		if !ok {
			http.NotFound(w, r)
			return
		}
		fmt.Fprintf(w, "<title>Page %[1]s</title><main><h1>Page %[1]s</h1><p>What is said about %[1]s is said in these words alone.</p>", name)
	}))
	t.Cleanup(site.Close)
	dir := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "farwire"), []byte("#!/bin/sh\n"+runMain+"=1 exec "+shellWord(self)+" \"$@\" --allow-private\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	step := buildStep(t)
	if !strings.Contains(step, "--fail-below 40") || !strings.Contains(step, "--diff") {
		t.Fatalf("the step is\n%s", step)
	}
	step = strings.ReplaceAll(step, "https://docs.example.com/", site.URL+"/")
	if err := os.WriteFile(filepath.Join(dir, "llms.txt"), []byte("# Old\n\n> Old\n\n## Docs\n\n- [Gone]("+site.URL+"/gone): A page\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		pages  int64
		status int
		said   string
	}{
		{44, statusOK, "- " + site.URL + "/gone\n"},
		{44, statusOK, "45 pages in "},
		{30, statusTooFew, "- " + site.URL + "/page-bf\n"},
	} {
		pages.Store(c.pages)
		cmd := exec.Command(harness.Look(t, "bash"), "-e", "-c", step)
		cmd.Dir = dir
		cmd.Env = harness.Environ("PATH=" + dir + ":" + os.Getenv("PATH"))
		p := harness.Start(t, cmd)
		if status := p.Status(); status != c.status || !strings.Contains(p.Stderr.String(), c.said) {
			t.Errorf("with %d pages: status %d, want %d and %q: %s%s", c.pages, status, c.status, c.said, p.Stdout, p.Stderr)
		}
	}
}

// buildStep is the script of the workflow's step that crawls.
func buildStep(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../../docs/crawl.md")
	if err != nil {
		t.Fatal(err)
	}
	_, workflow, ok := strings.Cut(string(text), "# .github/workflows/llms.yml\n")
	if !ok {
		t.Fatal("docs/crawl.md has no workflow")
	}
	workflow, _, _ = strings.Cut(workflow, "```")
	for part := range strings.SplitSeq(workflow, "      - ") {
		if script, ok := strings.CutPrefix(part, "run: |\n"); ok && strings.Contains(script, "farwire crawl") {
			return strings.ReplaceAll(script, "\n          ", "\n")
		}
	}
	t.Fatal("no step of the workflow crawls")
	return ""
}
