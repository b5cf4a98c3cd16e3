package recrawltest

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"time"
)

// sites are a number of websites that change now and then. A site has edition
// after edition, each under addresses of its own; its base page links to those
// of the newest one, so whoever crawls it finds one edition and never a mixture.
type sites struct {
	*httptest.Server
	index    map[string]int // by name
	mu       sync.Mutex
	editions []int
	requests int
}

// pagesEach is how many pages a site has besides its base page.
const pagesEach = 4

func newSites(n int) *sites {
	s := &sites{editions: make([]int, n), index: make(map[string]int, n)}
	for i := range n {
		s.index[name(i)] = i
	}
	s.Server = httptest.NewServer(http.HandlerFunc(s.serve))
	return s
}

func (s *sites) base(i int) string { return fmt.Sprintf("%s/%s/", s.URL, name(i)) }

// name is made of letters: addresses that differ in a number are of one shape.
func name(i int) string {
	return string([]byte{'s', byte('a' + i/26/26%26), byte('a' + i/26%26), byte('a' + i%26)})
}

func (s *sites) publish(i int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.editions[i]++
}

func (s *sites) served() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.requests
}

// line is a sentence that every page of an edition has.
func line(i, edition, page int) string {
	return fmt.Sprintf("Site %s in edition %d says this on page %d and on no other page.", name(i), edition, page)
}

// filler makes pages, and so the files, larger.
func filler(i, edition, page int) string {
	var b strings.Builder
	for n := range 12 {
		fmt.Fprintf(&b, " What stands in sentence %d of page %d of edition %d of site %s is unlike the rest.", n, page, edition, name(i))
	}
	return b.String()
}

func (s *sites) serve(w http.ResponseWriter, r *http.Request) {
	s.mu.Lock()
	s.requests++
	s.mu.Unlock()
	path := strings.Split(strings.Trim(r.URL.Path, "/"), "/")
	site, ok := s.index[path[0]]
	if !ok || len(path) == 2 || len(path) > 3 {
		http.NotFound(w, r)
		return
	}
	s.mu.Lock()
	edition := s.editions[site]
	s.mu.Unlock()
	page := 0
	if len(path) == 3 {
		fmt.Sscanf(path[1]+" "+path[2], "e%d p%d", &edition, &page)
	}
	time.Sleep(rand.N(250 * time.Millisecond)) // so that gateways die in the midst of crawls
	tag := fmt.Sprintf(`"%d-%d"`, edition, page)
	w.Header().Set("ETag", tag)
	if r.Header.Get("If-None-Match") == tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	fmt.Fprintf(w, "<!doctype html><html lang=en><title>Page %d of %s</title><main><h1>Page %d of %s</h1><p>%s%s</p>",
		page, name(site), page, name(site), line(site, edition, page), filler(site, edition, page))
	if page == 0 {
		for n := 1; n <= pagesEach; n++ {
			fmt.Fprintf(w, `<a href="/%s/e%d/p%d">Page %d</a> `, name(site), edition, n, n)
		}
	}
	fmt.Fprint(w, "</main></html>")
}

// whole says which edition a hosted file is, or what is wrong with it.
func whole(site int, file string) (edition int, err error) {
	at := strings.Index(file, " in edition ")
	if at < 0 {
		return 0, fmt.Errorf("no edition in %q", file[:min(len(file), 200)])
	}
	if _, err := fmt.Sscanf(file[at:], " in edition %d", &edition); err != nil {
		return 0, err
	}
	for page := range pagesEach + 1 {
		if n := strings.Count(file, line(site, edition, page)); n != 1 {
			return edition, fmt.Errorf("edition %d has page %d %d times", edition, page, n)
		}
	}
	if strings.Count(file, " in edition ") != pagesEach+1 || strings.Count(file, "\n## ") != pagesEach+1 || !strings.HasSuffix(file, ".\n") {
		return edition, fmt.Errorf("edition %d is not whole: it ends with %q", edition, file[max(0, len(file)-80):])
	}
	return edition, nil
}
