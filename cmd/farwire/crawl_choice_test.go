package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/farwire/farwire/internal/harness"
)

// A teaSite has something for each flag that chooses: two languages, two versions, a page that
// robots.txt forbids, one that refuses models, and one that only friends are shown.
func teaSite(t *testing.T) string {
	page := func(lang, title, more string) string {
		return fmt.Sprintf(`<html lang=%s><title>%s</title><main><h1>%s</h1><p>What is said under %s is said in these words alone.</p>%s</main></html>`, lang, title, title, title, more)
	}
	const alternates = `<link rel=alternate hreflang=en href=/en/tea><link rel=alternate hreflang=de href=/de/tea>`
	sentences := ""
	for _, leaf := range []string{"A small", "A large", "A broken", "A rolled", "A ground", "A fresh", "A dry", "A roasted", "An old"} {
		sentences += leaf + " leaf takes its own time in the water, which is told here in a sentence. "
	}
	pages := map[string]string{
		"/": page("en", "Home of Tea", `<a href=/green>green</a> <a href=/black>black</a> <a href=/en/tea hreflang=en>tea</a> <a href=/de/tea hreflang=de>Tee</a>
			<a href=/1.0/pot>old</a> <a href=/2.0/pot>new</a> <a href=/shed>shed</a> <a href=/garden>garden</a> <a href=/club>club</a> <a href=/bar>bar</a>`),
		"/green": page("en", "Green Leaves", "<p>"+sentences), "/black": page("en", "Black Leaves", ""),
		"/en/tea": page("en", "Cup of Tea", alternates), "/de/tea": page("de", "Tasse Tee", alternates),
		"/1.0/pot": page("en", "Iron Pot", ""), "/2.0/pot": page("en", "Glass Pot", ""),
		"/shed": page("en", "Forbidden Shed", ""), "/garden": page("en", "Private Garden", ""), "/club": page("en", "Club Room", ""), "/bar": page("en", "Juice Bar", ""),
		"/robots.txt": "User-agent: *\nDisallow: /shed\n",
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		path, text := r.URL.Path, pages[r.URL.Path]
		if cookie, err := r.Cookie("friend"); path == "/bar" && (err != nil || cookie.Value != "ada") || path == "/club" && r.Header.Get("X-Friend") != "ada" {
			text = ""
		}
		switch {
		case text == "":
			http.NotFound(w, r)
			return
		case path == "/robots.txt":
			w.Header().Set("Content-Type", "text/plain")
		case path == "/garden":
			w.Header().Set("Content-Signal", "ai-input=no")
			fallthrough
		default:
			w.Header().Set("Content-Type", "text/html")
		}
		fmt.Fprint(w, text)
	}))
	t.Cleanup(srv.Close)
	return srv.URL
}

// TestCrawl_Choice_ReachesTheCrawl: each flag that chooses changes what is in the file, and
// nothing else.
func TestCrawl_Choice_ReachesTheCrawl(t *testing.T) {
	site := teaSite(t)
	titles := func(t *testing.T, args ...string) (got map[string]bool, said string) {
		t.Helper()
		p := harness.Start(t, program(t, append([]string{"crawl", site, "--allow-private"}, args...)...))
		if status := p.Status(); status != statusOK {
			t.Fatalf("%v: status %d: %s", args, status, p.Stderr)
		}
		got = map[string]bool{}
		for line := range strings.Lines(p.Stdout.String()) {
			if title, ok := strings.CutPrefix(line, "## "); ok {
				got[strings.TrimSpace(title)] = true
			}
		}
		return got, p.Stderr.String()
	}
	all, _ := titles(t)
	for _, c := range []struct {
		args      []string
		gone, new string // titles
	}{
		{[]string{"--include", "/green", "--include", "/*/*"}, "Black Leaves,Private Garden", ""},
		{[]string{"--exclude", "/gre*", "--exclude", "/gar*"}, "Green Leaves,Private Garden", ""},
		{[]string{"--exclude", "/gre*,/gar*"}, "Green Leaves,Private Garden", ""},
		{[]string{"--exclude", "/**", "--include", "/green"}, "Green Leaves,Black Leaves,Cup of Tea,Glass Pot,Private Garden", ""},
		{[]string{"--header", "X-Friend: ada"}, "", "Club Room"},
		{[]string{"--cookie", "friend=ada"}, "", "Juice Bar"},
		{[]string{"--language", "de"}, "Cup of Tea", "Tasse Tee"},
		{[]string{"--docs-version", "1.0"}, "Glass Pot", "Iron Pot"},
		{[]string{"--signals"}, "Private Garden", ""},
		{[]string{"--ignore-robots"}, "", "Forbidden Shed"},
	} {
		want := map[string]bool{}
		for title := range all {
			want[title] = !strings.Contains(","+c.gone+",", ","+title+",")
		}
		if c.new != "" {
			want[c.new] = true
		}
		got, said := titles(t, c.args...)
		for title, is := range want {
			if got[title] != is {
				t.Errorf("%v: %q is in the file: %t; said %s", c.args, title, got[title], said)
			}
		}
		for title := range got {
			if !want[title] {
				t.Errorf("%v: %q is in the file", c.args, title)
			}
		}
	}
	if short, full := longestExcerpt(t, site, "--desc-length", "100"), longestExcerpt(t, site); short > 100 || short < 50 || full <= 100 || full > 500 {
		t.Errorf("excerpts of %d and %d characters", short, full)
	}
	if _, said := titles(t, "--delay", "0.02"); !strings.Contains(said, "Requests are 20ms apart\n") {
		t.Errorf("said %q", said)
	}
}

// longestExcerpt is the length of the longest line of the file that a crawl makes.
func longestExcerpt(t *testing.T, site string, args ...string) (longest int) {
	t.Helper()
	p := harness.Start(t, program(t, append([]string{"crawl", site, "--allow-private"}, args...)...))
	if status := p.Status(); status != statusOK {
		t.Fatalf("%v: status %d: %s", args, status, p.Stderr)
	}
	for line := range strings.Lines(p.Stdout.String()) {
		longest = max(longest, utf8.RuneCountInString(strings.TrimSpace(line)))
	}
	return longest
}

// TestCrawl_Workers_FetchAtOnce: the site answers when as many requests wait as there are workers.
func TestCrawl_Workers_FetchAtOnce(t *testing.T) {
	const workers = 11 // more than without the flag
	var mu sync.Mutex
	waiting, full := 0, make(chan bool)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		switch {
		case r.URL.Path == "/":
			fmt.Fprint(w, "<title>Home</title><main><h1>Home</h1><p>This is where the small site begins.</p>")
			for i := range workers {
				fmt.Fprintf(w, "<a href=/page-%c>a page</a>", 'a'+i)
			}
		case strings.HasPrefix(r.URL.Path, "/page-") && !strings.HasSuffix(r.URL.Path, ".md"):
			mu.Lock()
			if waiting++; waiting == workers {
				close(full)
			}
			mu.Unlock()
			select {
			case <-full:
				fmt.Fprintf(w, "<title>%[1]s</title><main><h1>%[1]s</h1><p>What is said about %[1]s is said here.</p>", r.URL.Path)
			case <-time.After(15 * time.Second): // before the crawl's own time for a page
				http.NotFound(w, r)
			}
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(srv.Close)
	p := harness.Start(t, program(t, "crawl", srv.URL, "--allow-private", "--workers", fmt.Sprint(workers)))
	if status := p.Status(); status != statusOK || strings.Count(p.Stdout.String(), "\n## ") != workers+1 {
		t.Errorf("status %d, printed %q: %s", status, p.Stdout, p.Stderr)
	}
}

// TestCrawl_PagesLost_HasAStatusOfItsOwn: a file without pages that the site did not serve is
// written, and a build is told; one without pages that are not there is whole.
func TestCrawl_PagesLost_HasAStatusOfItsOwn(t *testing.T) {
	for name, c := range map[string]struct {
		answer http.HandlerFunc
		more   []string
		status int
		lost   int
	}{
		"not there": {http.NotFound, nil, statusOK, 0},
		"broken":    {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }, nil, statusPartial, 1},
		"busy for too long": {func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Retry-After", "900")
			w.WriteHeader(http.StatusTooManyRequests)
		}, nil, statusPartial, 1},
		"cut":             {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, nil, statusPartial, 1},
		"too few as well": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) }, []string{"--fail-below", "3"}, statusTooFew, 1},
	} {
		t.Run(name, func(t *testing.T) {
			srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", "text/html")
				switch r.URL.Path {
				case "/":
					fmt.Fprint(w, "<title>Home</title><main><h1>Home</h1><p>This is where the small site begins.</p><a href=/lost>a</a><a href=/kept>b</a>")
				case "/kept":
					fmt.Fprint(w, "<title>Kept</title><main><h1>Kept</h1><p>This page is always there.</p>")
				case "/lost":
					c.answer(w, r)
				default:
					http.NotFound(w, r)
				}
			}))
			defer srv.Close()
			file := t.TempDir() + "/"
			p := harness.Start(t, program(t, append([]string{"crawl", srv.URL, "--allow-private", "-o", file, "--json"}, c.more...)...))
			status := p.Status()
			var got outcome
			if err := json.Unmarshal([]byte(p.Stdout.String()), &got); err != nil {
				t.Fatalf("status %d, printed %q: %v", status, p.Stdout, err)
			}
			if status != c.status || got.Lost != c.lost || got.Stats.Pages != 2 {
				t.Errorf("status %d, want %d; %d lost and %d pages: %s", status, c.status, got.Lost, got.Stats.Pages, p.Stderr)
			}
			if told := strings.Contains(p.Stderr.String(), "1 page lost because the site did not answer\n"); told != (c.lost > 0) {
				t.Errorf("said %q", p.Stderr)
			}
		})
	}
}
