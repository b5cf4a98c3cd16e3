package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode"

	"github.com/farwire/farwire/internal/harness"
	"github.com/farwire/farwire/internal/safetext"
)

// TestCrawl_ReportAndDiff_NameEachPage tells what became of each page, in a folder that it makes.
func TestCrawl_ReportAndDiff_NameEachPage(t *testing.T) {
	site, _ := newSite(t, 3, "missing")
	dir := t.TempDir()
	old := filepath.Join(dir, "old.txt")
	if err := os.WriteFile(old, []byte("# Old\n\n> Summary\n\n## Docs\n\n- [A]("+site+"/page-a): A\n- [Gone]("+site+"/gone): B\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	report := filepath.Join(dir, "report.html")
	p := harness.Start(t, program(t, "crawl", site, "--allow-private", "-o", filepath.Join(dir, "new")+"/",
		"--json", "--report", report, "--diff", old, "--fail-below", "5", "--exclude", "/page-c", "--delay", "0.01"))
	if status := p.Status(); status != statusTooFew {
		t.Fatalf("status %d: %s", status, p.Stderr)
	}
	var got outcome
	if err := json.Unmarshal([]byte(p.Stdout.String()), &got); err != nil || got.Lost != 0 || got.Stats.Pages != 3 || len(got.Pages) < 5 {
		t.Errorf("printed %+v, %v", got, err)
	}
	var raw struct {
		Stats map[string]any `json:"stats"`
	}
	if err := json.Unmarshal([]byte(p.Stdout.String()), &raw); err != nil {
		t.Fatal(err)
	}
	// The pages are 10 ms apart, and a nanosecond is no unit for people.
	if seconds, ok := raw.Stats["seconds"].(float64); !ok || seconds < 0.02 || seconds > 600 || raw.Stats["duration"] != nil || got.Stats.Duration.Seconds() != seconds {
		t.Errorf("stats %v, read as %v", raw.Stats, got.Stats.Duration)
	}
	reasons := map[string]string{}
	for _, page := range got.Pages {
		reasons[strings.TrimPrefix(page.URL, site)] = string(page.Reason)
	}
	if reasons["/page-a"] != "" || reasons["/page-c"] != "excluded" || reasons["/missing"] != "status" {
		t.Errorf("outcomes %v", reasons)
	}
	if text, err := os.ReadFile(filepath.Join(dir, "new", "llms.txt")); err != nil || !strings.HasPrefix(string(text), "# Home of Pages\n") {
		t.Errorf("the file holds %q, %v", text, err)
	}
	text, err := os.ReadFile(report)
	for _, want := range []string{
		"<td>excluded", `<a href="` + site + `/page-a"`, `<a href="` + site + `/gone"`, `<meta name="viewport"`,
	} {
		if err != nil || !strings.Contains(string(text), want) {
			t.Errorf("the report holds %q, %v, want %q in it", text, err, want)
		}
	}
	said := p.Stderr.String()
	for _, want := range []string{"- " + site + "/gone\n", "+ " + site + "/page-b\n", "--fail-below asks for 5"} {
		if !strings.Contains(said, want) {
			t.Errorf("said %q, want %q in it", said, want)
		}
	}
	if strings.Contains(said, "+ "+site+"/page-a") {
		t.Errorf("a page of the old file is new: %q", said)
	}
}

// TestCrawl_OutputOfDash_IsPrinted is for those who write the standard output as other programs do.
func TestCrawl_OutputOfDash_IsPrinted(t *testing.T) {
	site, _ := newSite(t, 3)
	t.Chdir(t.TempDir())
	p := harness.Start(t, program(t, "crawl", site, "--allow-private", "-o", "-"))
	if status := p.Status(); status != statusOK || !strings.HasPrefix(p.Stdout.String(), "# Home of Pages\n") {
		t.Errorf("status %d, printed %q: %s", status, p.Stdout, p.Stderr)
	}
	for _, flag := range []string{"--json", "--full", "--markdown"} {
		if status, out, errs := runHere(t, []string{"crawl", site, "-o", "-", flag}, nil); status != statusMisuse || out != "" || !strings.Contains(errs, "-o") {
			t.Errorf("%s: status %d, printed %q: %s", flag, status, out, errs)
		}
	}
	if made, err := os.ReadDir("."); err != nil || len(made) > 0 {
		t.Errorf("made %v, %v", made, err)
	}
}

// TestCrawl_BadChoice_NamesTheFlag names the flag.
func TestCrawl_BadChoice_NamesTheFlag(t *testing.T) {
	for _, arg := range []string{
		"--include=docs", "--exclude=x y", "--header=no colon", "--cookie=novalue", "--delay=-1", "--delay=3601", "--delay=61m", "--delay=NaN",
		"--fail-below=-1", "--diff=/nonexistent", "--desc-length=99", "--desc-length=2001", "--max-pages=0", "--workers=0", "--format=html",
	} {
		status, _, errs := runHere(t, []string{"crawl", "https://example.com/", arg}, nil)
		if flag, _, _ := strings.Cut(arg, "="); status != statusMisuse || !strings.Contains(errs, flag+":") {
			t.Errorf("%s: status %d: %s", arg, status, errs)
		}
	}
}

// What nobody sees in an address of a file is not printed: it may turn around what
// stands before it, or make two addresses look alike.
func TestCheck_UnseenText_IsNotPrinted(t *testing.T) {
	file := filepath.Join(t.TempDir(), "llms.txt")
	unseen := "\u202e\u2066\u200b\u00ad\ufe0f\U000e0101\U000e0041\u2028\u034f\x1b\x07"
	var text strings.Builder
	text.WriteString("# A\n\n> B\n\n## Docs\n\n")
	for _, r := range unseen {
		fmt.Fprintf(&text, "- [A](http://127.0.0.1:1/a%cb): A\n- [A](ftp://x%cy/z): A\n* wo%crds\n", r, r, r)
	}
	if err := os.WriteFile(file, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	p := harness.Start(t, program(t, "check", file, "--allow-private"))
	status, printed := p.Status(), p.Stdout.String()+p.Stderr.String()
	if status != statusFailed || !strings.Contains(printed, "127.0.0.1:1/") || strings.ContainsAny(printed, unseen) {
		t.Errorf("status %d: %q", status, printed)
	}
	for _, r := range unseen {
		switch got := safetext.Printable("a" + string(r) + "b"); {
		case unicode.IsControl(r) && got != "a\ufffdb", !unicode.IsControl(r) && got != "ab":
			t.Errorf("%U is printed as %q", r, got)
		}
	}
}

// TestCheck_FormOrLinksInvalid_Fails: a file is valid when its form is and its links answer.
func TestCheck_FormOrLinksInvalid_Fails(t *testing.T) {
	site, _ := newSite(t, 3)
	for name, c := range map[string]struct {
		text   string
		status int
		want   string
	}{
		"one link":   {"# A\n\n> B\n\n## Docs\n\n- [A](SITE/page-a): A\n", statusOK, " layout, 1 link, "},
		"one wrong":  {"# A\n\n> B\n\n## Docs\n\n- [A](SITE/page-a): A\n* words\n", statusFailed, ", 1 problem\n"},
		"twice":      {"# A\n\n> B\n\n## Docs\n\n- [A](SITE/page-a): A\n\n## Docs\n\n- [B](SITE/page-b): B\n", statusFailed, ":9: the section Docs begins in line 5 already"},
		"valid":      {"# A\n\n> B\n\n## Docs\n\n- [A](SITE/page-a): A\n- [B](SITE/page-b): B\n", statusOK, "2 links"},
		"dead link":  {"# A\n\n> B\n\n## Docs\n\n- [A](SITE/page-a): A\n- [B](SITE/gone): B\n", statusFailed, ":8: SITE/gone answers HTTP 404"},
		"form":       {"# A\n\n> B\n\n## Docs\n\n- [A](SITE/page-a): A\n* words\n", statusFailed, ":8: "},
		"no server":  {"# A\n\n> B\n\n## Docs\n\n- [A](http://127.0.0.1:1/): A\n", statusFailed, ":7: http://127.0.0.1:1/ does not answer"},
		"pages form": {"# A\n\n> SITE/\n\n## A\n\n> SITE/\n\nWords.\n", statusOK, "pages layout"},
	} {
		file := filepath.Join(t.TempDir(), "llms.txt")
		if err := os.WriteFile(file, []byte(strings.ReplaceAll(c.text, "SITE", site)), 0o600); err != nil {
			t.Fatal(err)
		}
		p := harness.Start(t, program(t, "check", file, "--allow-private"))
		if status := p.Status(); status != c.status || !strings.Contains(p.Stdout.String(), strings.ReplaceAll(c.want, "SITE", site)) {
			t.Errorf("%s: status %d: %s%s", name, status, p.Stdout, p.Stderr)
		}
		p = harness.Start(t, program(t, "check", file, "--allow-private", "--json"))
		var got checkedFile
		if status := p.Status(); status != c.status {
			t.Errorf("%s: status %d with --json: %s", name, status, p.Stderr)
		}
		if err := json.Unmarshal([]byte(p.Stdout.String()), &got); err != nil || got.Valid != (c.status == statusOK) || len(got.Links) == 0 {
			t.Errorf("%s: printed %+v, %v", name, got, err)
		}
	}
	// Of a URL too.
	p := harness.Start(t, program(t, "check", site+"/llms.txt", "--allow-private"))
	if status := p.Status(); status != statusFailed || !strings.Contains(p.Stderr.String(), "404") {
		t.Errorf("status %d: %s", status, p.Stderr)
	}
}

// TestCheck_SiteIsBusyUntilADate_LinksAnswer: the date of Retry-After is kept, by a server that
// knows no HEAD as well.
func TestCheck_SiteIsBusyUntilADate_LinksAnswer(t *testing.T) {
	until := sync.OnceValue(func() time.Time { return time.Now().Add(4 * time.Second).Truncate(time.Second) })
	site := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case time.Now().Before(until()):
			w.Header().Set("Retry-After", until().UTC().Format(http.TimeFormat))
			w.WriteHeader(http.StatusTooManyRequests)
		case r.Method == http.MethodHead:
			w.WriteHeader(http.StatusNotImplemented)
		}
	}))
	defer site.Close()
	file := filepath.Join(t.TempDir(), "llms.txt")
	text := "# A\n\n> B\n\n## Docs\n\n"
	for i := range 10 {
		text += fmt.Sprintf("- [A](%s/%d): A\n", site.URL, i)
	}
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	p := harness.Start(t, program(t, "check", file, "--allow-private"))
	if status := p.Status(); status != statusOK || !strings.Contains(p.Stdout.String(), "10 links") {
		t.Errorf("status %d: %s%s", status, p.Stdout, p.Stderr)
	}
}
