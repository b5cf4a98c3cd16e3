//go:build unix

package browser

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"

	"github.com/farwire/farwire/internal/harness"
)

func TestCommand_CrawlWithABrowser_HasTheWordsOfScripts(t *testing.T) {
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		fmt.Fprintf(w, "<!doctype html><title>Kettle %[1]s</title><div id=root></div><script>document.getElementById('root').innerHTML = '<main><h1>Kettle</h1><p>The page at %[1]s says how a kettle is filled with water.</p><a href=/two>Two</a></main>'</script>", r.URL.Path)
	}))
	t.Cleanup(site.Close)
	for _, by := range []struct{ flag, variable string }{{"--browser=chromium", ""}, {"--allow-private", "FARWIRE_BROWSER=chromium"}} {
		cmd := harness.Farwire(t, "crawl", site.URL, "--allow-private", by.flag)
		if by.variable != "" {
			cmd.Env = append(cmd.Environ(), by.variable)
		}
		file := t.TempDir() + "/llms.txt"
		cmd.Args = append(cmd.Args, "-o", file)
		p := harness.Start(t, cmd)
		status := p.Status()
		printed, err := os.ReadFile(file)
		if err != nil {
			t.Errorf("%v: %v", by, err)
		}
		for _, path := range []string{"/", "/two"} {
			if want := "The page at " + path + " says how a kettle is filled with water."; status != 0 || !strings.Contains(string(printed), want) {
				t.Errorf("%v: status %d, %q is missing in %s; said %s", by, status, want, printed, p.Stderr)
			}
		}
		if said := p.Stderr.String(); strings.Contains(said, "without a browser") {
			t.Errorf("%v: said %s", by, said)
		}
	}
}
