package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/farwire/farwire/internal/harness"
)

// newSite serves a home page with n others. The request for /hang is told to
// the channel, and never answered.
func newSite(t *testing.T, n int, more ...string) (url string, hung <-chan bool) {
	t.Helper()
	hanging := make(chan bool, 10)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		switch path := r.URL.Path; {
		case path == "/":
			fmt.Fprint(w, "<title>Home of Pages</title><main><h1>Home of Pages</h1><p>This is where the small site begins, with a sentence.</p>")
			for i := range n {
				fmt.Fprintf(w, "<a href=page-%c>a page</a>", 'a'+i)
			}
			for _, l := range more {
				fmt.Fprintf(w, "<a href=%s>a page</a>", l)
			}
		case strings.HasPrefix(path, "/page-"):
			fmt.Fprintf(w, "<title>Page %[1]s</title><main><h1>Page %[1]s</h1><p>What is said about %[1]s is said in these words alone.</p>", path[6:])
		case path == "/hang":
			hanging <- true
			<-r.Context().Done()
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(srv.Close)
	return srv.URL, hanging
}

func TestCrawl_NotATerminal_PrintsTheFile(t *testing.T) {
	site, _ := newSite(t, 3, "missing")
	p := harness.Start(t, program(t, "crawl", site, "--allow-private"))
	if status := p.Status(); status != statusOK {
		t.Fatalf("status %d: %s", status, p.Stderr)
	}
	out := p.Stdout.String()
	if !strings.HasPrefix(out, "# Home of Pages\n\n> "+site+"/\n") || strings.Count(out, "\n## ") != 4 {
		t.Errorf("printed:\n%s", out)
	}
	// Nobody looks on: lines, and no bar.
	said := p.Stderr.String()
	for _, want := range []string{"Crawling page 1/50...\n", "Crawling page 4/50...\n", "Skipped " + site + "/missing: HTTP 404 Not Found\n", "4 pages in "} {
		if strings.Count(said, want) != 1 {
			t.Errorf("said %q, want %q in it once", said, want)
		}
	}
	if strings.ContainsAny(said, "\r\x1b") {
		t.Errorf("said %q to a file", said)
	}
}

func TestCrawl_Flags_ReachTheCrawl(t *testing.T) {
	site, _ := newSite(t, 5)
	file := filepath.Join(t.TempDir(), "llms.txt")
	if err := os.WriteFile(file, []byte(strings.Repeat("an older and longer file\n", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	p := harness.Start(t, program(t, "crawl", site, "--allow-private", "-o", file, "--format", "index", "--max-pages", "3", "--workers", "1", "--desc-length", "100"))
	if status := p.Status(); status != statusOK {
		t.Fatalf("status %d: %s", status, p.Stderr)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if out := string(b); !strings.HasPrefix(out, "# Home of Pages\n\n> ") || strings.Count(out, "\n- [") != 2 || strings.Contains(out, "older") {
		t.Errorf("wrote:\n%s", out)
	}
	if p.Stdout.String() != "" {
		t.Errorf("printed %q beside", p.Stdout)
	}
	if said := p.Stderr.String(); !strings.Contains(said, "Maximum pages limit reached\n") || !strings.Contains(said, "--max-pages") {
		t.Errorf("said %q", said)
	}
}

// On a terminal there is a bar, and it is gone in the end.
func TestCrawl_Terminal_ShowsABarUntilTheEnd(t *testing.T) {
	site, _ := newSite(t, 3)
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "llms.txt")
	line := strings.Join([]string{shellWord(self), "crawl", site, "--allow-private", "-o", file}, " ")
	cmd := exec.Command(harness.Look(t, "script"), "-q", "-e", "-c", line, "/dev/null")
	cmd.Env = harness.Environ(runMain+"=1", "TERM=xterm")
	p := harness.Start(t, cmd)
	if status := p.Status(); status != statusOK {
		t.Fatalf("status %d: %s%s", status, p.Stdout, p.Stderr)
	}
	said := p.Stdout.String() // the terminal's
	if !strings.Contains(said, "crawling") || !strings.Contains(said, "/50") || strings.Contains(said, "Crawling page") {
		t.Errorf("the terminal shows %q, want a bar", said)
	}
	if last := said[strings.LastIndexByte(strings.TrimRight(said, "\r\n"), '\r')+1:]; !strings.HasPrefix(last, "4 pages in ") {
		t.Errorf("the terminal shows at last %q", last)
	}
	if b, err := os.ReadFile(file); err != nil || !strings.HasPrefix(string(b), "# Home") {
		t.Errorf("wrote %q, %v", b, err)
	}
}

// Ctrl-C ends a crawl with what it has, and a status of its own.
func TestCrawl_Interrupted_PrintsWhatItHas(t *testing.T) {
	site, hung := newSite(t, 3, "hang")
	p := harness.Start(t, program(t, "crawl", site, "--allow-private"))
	<-hung
	p.Await(p.Stderr, `page 4/50`)
	p.Signal(os.Interrupt)
	if status := p.Status(); status != statusPartial {
		t.Errorf("status %d, want %d: %s", status, statusPartial, p.Stderr)
	}
	if out := p.Stdout.String(); strings.Count(out, "\n## ") != 4 {
		t.Errorf("printed:\n%s", out)
	}
	if said := p.Stderr.String(); !strings.Contains(said, "interrupted: the file has the pages found so far\n") {
		t.Errorf("said %q", said)
	}
}

func TestCrawl_SiteFails_PrintsTheError(t *testing.T) {
	site, hung := newSite(t, 0)
	gone := "http://" + harness.FreeAddr(t)
	file := filepath.Join(t.TempDir(), "llms.txt")
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{site}, "private|--allow-private"},
		{[]string{site + "/missing", "--allow-private"}, site + "/missing|HTTP 404 Not Found"},
		{[]string{gone, "--allow-private"}, gone + "|connection refused"},
	} {
		p := harness.Start(t, program(t, append([]string{"crawl", "-o", file}, c.args...)...))
		if status := p.Status(); status != statusFailed {
			t.Errorf("%v: status %d: %s", c.args, status, p.Stderr)
		}
		for want := range strings.SplitSeq(c.want, "|") {
			if !strings.Contains(p.Stderr.String(), want) {
				t.Errorf("%v: said %q, which does not name %q", c.args, p.Stderr, want)
			}
		}
		if _, err := os.Stat(file); err == nil {
			t.Errorf("%v left an empty file", c.args)
		}
	}
	p := harness.Start(t, program(t, "crawl", site+"/hang", "--allow-private"))
	<-hung
	p.Signal(os.Interrupt)
	if status := p.Status(); status != statusFailed || !strings.Contains(p.Stderr.String(), "interrupted before the first page") {
		t.Errorf("status %d: %s", status, p.Stderr)
	}
}

// A keyboard may begin an address with a capital.
func TestCrawl_SchemeInCapitals_IsAnAddress(t *testing.T) {
	site, _ := newSite(t, 1)
	file := filepath.Join(t.TempDir(), "llms.txt")
	p := harness.Start(t, program(t, "crawl", strings.Replace(site, "http", "Http", 1), "--allow-private", "-o", file))
	if status := p.Status(); status != statusOK {
		t.Errorf("status %d: %s", status, p.Stderr)
	}
	p = harness.Start(t, program(t, "check", strings.Replace(site, "http", "HTTP", 1)+"/llms.txt", "--allow-private"))
	if p.Status(); !strings.Contains(p.Stderr.String(), "HTTP 404") {
		t.Errorf("said %q", p.Stderr)
	}
}

// What a site sends behind the end of its answers is shown nowhere.
func TestCrawl_SiteSendsMoreThanItSays_NothingIsPrinted(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path != "/" && r.URL.Path != "/tea" {
			http.NotFound(w, r)
			return
		}
		conn, _, err := w.(http.Hijacker).Hijack()
		if err != nil {
			t.Error(err)
			return
		}
		defer conn.Close()
		body := "<title>Tea</title><h1>Tea at " + r.URL.Path + "</h1><p>All about the leaves of one bush.</p><a href=/tea>Tea</a>"
		fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n%sHTTP/1.1 200 unasked words", len(body), body)
		conn.Read(make([]byte, 1)) // until the crawl has seen it
	}))
	t.Cleanup(srv.Close)
	p := harness.Start(t, program(t, "crawl", srv.URL, "--allow-private"))
	if status := p.Status(); status != statusOK || strings.Contains(p.Stderr.String(), "nsolicited") || strings.Contains(p.Stderr.String(), "unasked") {
		t.Errorf("status %d: %s", status, p.Stderr)
	}
}
