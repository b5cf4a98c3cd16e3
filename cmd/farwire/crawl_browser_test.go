package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

// newApplication serves two pages that a script writes.
func newApplication(t *testing.T) string {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, "<!doctype html><title>Kettle %[1]s</title><div id=root></div><script>document.getElementById('root').innerHTML = '<main><h1>Kettle</h1><p>The page at %[1]s says how a kettle is filled with water.</p><a href=/two>Two</a></main>'</script>", r.URL.Path)
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

func TestCrawl_PagesNeedABrowser_WithoutOneThatIsSaid(t *testing.T) {
	site := newApplication(t)
	for _, env := range [][]string{nil, {"FARWIRE_BROWSER=none"}} {
		status, printed, said := runHere(t, []string{"crawl", site, "--allow-private"}, env)
		if status != statusOK || !strings.Contains(printed, "# Kettle") || !strings.Contains(said, "1 page with next to no words without a browser; --browser shows them in one\n") {
			t.Errorf("%v: status %d, %s; said %s", env, status, printed, said)
		}
	}
}

func TestCrawl_BrowserIsMissing_IsMisuse(t *testing.T) {
	status, _, said := runHere(t, []string{"crawl", newApplication(t), "--browser", "/no/such/browser"}, nil)
	if want := "--browser: /no/such/browser cannot be run: no such file or directory; give the path of a Chromium, or none"; status != statusMisuse || !strings.Contains(said, want) {
		t.Errorf("status %d, said %s", status, said)
	}
}
