//go:build unix

// Package crawlbench_test measures the crawl beside a well-known crawler and
// beside fetching alone, on the pages of Python's documentation.
//
//	go test -run '^$' -bench . ./test/crawlbench
//
// Every contender runs in a process of its own, so that its CPU time and
// memory are its own; the server runs in the parent.
package crawlbench_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/gocolly/colly/v2"
	"golang.org/x/net/html"

	"github.com/farwire/farwire/llmstxt"
	"github.com/farwire/farwire/test/crawlbench/docs"
)

const (
	workers  = 8
	roleName = "FARWIRE_CRAWLBENCH"
)

// task is what a contender is told; run is what it answers.
type task struct {
	Role  string
	Base  string
	Pages int
	URLs  []string // fetch: these
	Parse bool     // fetch: and make trees of them
}

type run struct {
	Pages int
	CPU   time.Duration // user and system
	Wall  time.Duration
	RSS   int64 // bytes at most
	URLs  []string
}

func (r run) cpuPer1000() float64 { return r.CPU.Seconds() * 1000 / float64(r.Pages) }

func TestMain(m *testing.M) {
	if os.Getenv(roleName) == "" {
		os.Exit(m.Run())
	}
	var t task
	if err := json.NewDecoder(os.Stdin).Decode(&t); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(2)
	}
	began := time.Now()
	r, err := map[string]func(task) (run, error){"llmstxt": crawl, "colly": withColly, "fetch": fetch}[t.Role](t)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	r.Wall = time.Since(began)
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	r.CPU = time.Duration(u.Utime.Nano() + u.Stime.Nano())
	if r.RSS, err = peak(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	if err := json.NewEncoder(os.Stdout).Encode(r); err != nil {
		os.Exit(1)
	}
}

// peak is the most memory that this process had; rusage counts that of the parent in
// which it began, too.
func peak() (int64, error) {
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		return 0, err
	}
	_, rest, _ := strings.Cut(string(status), "VmHWM:")
	var kb int64
	_, err = fmt.Sscan(rest, &kb)
	return kb << 10, err
}

func crawl(t task) (run, error) {
	site, err := llmstxt.Crawl(context.Background(), t.Base, llmstxt.Options{MaxPages: t.Pages, Workers: workers, Client: client()})
	if err != nil {
		return run{}, err
	}
	if len(site.Render(llmstxt.Pages)) == 0 {
		return run{}, fmt.Errorf("an empty file")
	}
	r := run{Pages: len(site.Pages)}
	for _, p := range site.Pages {
		r.URLs = append(r.URLs, p.URL)
	}
	return r, nil
}

// withColly follows links and takes what any description needs: title, meta
// description and the paragraphs.
func withColly(t task) (run, error) {
	c := colly.NewCollector(colly.Async(true), colly.AllowedDomains("127.0.0.1"))
	c.WithTransport(client().Transport)
	if err := c.Limit(&colly.LimitRule{DomainGlob: "*", Parallelism: workers}); err != nil {
		return run{}, err
	}
	var asked, got atomic.Int64
	var mu sync.Mutex
	text := map[string]string{}
	c.OnRequest(func(r *colly.Request) {
		if asked.Add(1) > int64(t.Pages) {
			r.Abort()
		}
	})
	c.OnHTML("title", func(e *colly.HTMLElement) {
		got.Add(1)
		mu.Lock()
		text[e.Request.URL.String()] += e.Text
		mu.Unlock()
	})
	c.OnHTML("meta[name=description]", func(e *colly.HTMLElement) {
		mu.Lock()
		text[e.Request.URL.String()] += e.Attr("content")
		mu.Unlock()
	})
	c.OnHTML("p", func(e *colly.HTMLElement) {
		mu.Lock()
		if u := e.Request.URL.String(); len(text[u]) < 500 {
			text[u] += e.Text
		}
		mu.Unlock()
	})
	c.OnHTML("a[href]", func(e *colly.HTMLElement) {
		if asked.Load() < int64(t.Pages) {
			// Visited before, another host, no page: all of them are of no interest.
			_ = e.Request.Visit(e.Attr("href"))
		}
	})
	if err := c.Visit(t.Base); err != nil {
		return run{}, err
	}
	c.Wait()
	return run{Pages: int(got.Load())}, nil
}

func fetch(t task) (run, error) {
	c := client()
	urls := make(chan string)
	errs := make(chan error, workers)
	for range workers {
		go func() {
			var failed error
			for u := range urls {
				resp, err := c.Get(u)
				if err != nil {
					failed = err
					continue
				}
				if t.Parse {
					_, err = html.Parse(resp.Body)
				} else {
					_, err = io.Copy(io.Discard, resp.Body)
				}
				if err != nil {
					failed = err
				}
				resp.Body.Close()
			}
			errs <- failed
		}()
	}
	for _, u := range t.URLs {
		urls <- u
	}
	close(urls)
	for range workers {
		if err := <-errs; err != nil {
			return run{}, err
		}
	}
	return run{Pages: len(t.URLs)}, nil
}

func client() *http.Client {
	return &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: workers, MaxConnsPerHost: workers}}
}

func contend(b *testing.B, t task) run {
	b.Helper()
	in, err := json.Marshal(t)
	if err != nil {
		b.Fatal(err)
	}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), roleName+"=1")
	cmd.Stdin = bytes.NewReader(in)
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		b.Fatalf("%s: %v", t.Role, err)
	}
	var r run
	if err := json.Unmarshal(out, &r); err != nil {
		b.Fatal(err)
	}
	return r
}

// serve answers with the pages of Python's documentation after a delay, as
// many copies of them as there are numbers before the path; no two copies of a
// page are alike.
func serve(b *testing.B, delay time.Duration) *httptest.Server {
	b.Helper()
	dir, err := docs.Six[0].Folder()
	if err != nil {
		b.Fatal(err)
	}
	files := map[string][]byte{}
	err = filepath.Walk(dir, func(p string, i os.FileInfo, err error) error {
		if err != nil || i.IsDir() || path.Ext(p) != ".html" {
			return err
		}
		rel, err := filepath.Rel(dir, p)
		if err != nil {
			return err
		}
		files["/"+filepath.ToSlash(rel)], err = os.ReadFile(p)
		return err
	})
	if err != nil {
		b.Fatal(err)
	}
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		time.Sleep(delay)
		p, copied := r.URL.Path, ""
		if len(p) > 2 && p[1] >= '1' && p[1] <= '9' && p[2] == '/' {
			copied, p = p[1:2], p[2:]
		}
		switch {
		case p == "/sitemap.xml" && r.URL.RawQuery == "" && copied == "":
			http.NotFound(w, r)
			return
		case strings.HasSuffix(p, "/"):
			p += "index.html"
		}
		body, ok := files[p]
		if !ok {
			http.NotFound(w, r)
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		if copied != "" { // the same text under another title is another page
			i := bytes.Index(body, []byte("<title>")) + len("<title>")
			w.Write(body[:i])
			fmt.Fprint(w, copied, ". ")
			body = body[i:]
		}
		w.Write(body)
		if p == "/index.html" && copied == "" {
			fmt.Fprint(w, `<a href="/1/">1</a><a href="/2/">2</a>`)
		}
	}))
	b.Cleanup(srv.Close)
	return srv
}

// BenchmarkBesideColly crawls 500 pages: CPU beside colly's, and beside fetching the same pages
// with and without html.Parse.
func BenchmarkBesideColly(b *testing.B) {
	srv := serve(b, 0)
	for b.Loop() {
		ours := contend(b, task{Role: "llmstxt", Base: srv.URL + "/", Pages: 500})
		colly := contend(b, task{Role: "colly", Base: srv.URL + "/", Pages: 500})
		bare := contend(b, task{Role: "fetch", URLs: ours.URLs})
		parsed := contend(b, task{Role: "fetch", URLs: ours.URLs, Parse: true})
		b.ReportMetric(ours.cpuPer1000(), "cpu-s/1000-pages")
		b.ReportMetric(colly.cpuPer1000(), "colly-cpu-s/1000-pages")
		b.ReportMetric(bare.cpuPer1000(), "fetch-cpu-s/1000-pages")
		b.ReportMetric(parsed.cpuPer1000(), "parse-cpu-s/1000-pages")
		b.ReportMetric(ours.cpuPer1000()/colly.cpuPer1000(), "cpu/colly-cpu")
		b.ReportMetric(float64(ours.Pages), "pages")
		b.ReportMetric(float64(colly.Pages), "colly-pages")
		b.ReportMetric(0, "ns/op")
	}
}

// BenchmarkBesideFetch crawls 500 pages from a server that takes 50 ms for
// each answer: the rate beside fetching the same pages with as many workers.
func BenchmarkBesideFetch(b *testing.B) {
	srv := serve(b, 50*time.Millisecond)
	for b.Loop() {
		ours := contend(b, task{Role: "llmstxt", Base: srv.URL + "/", Pages: 500})
		bare := contend(b, task{Role: "fetch", URLs: ours.URLs})
		b.ReportMetric(float64(ours.Pages)/ours.Wall.Seconds(), "pages/s")
		b.ReportMetric(float64(bare.Pages)/bare.Wall.Seconds(), "fetch-pages/s")
		b.ReportMetric((float64(ours.Pages)/ours.Wall.Seconds())/(float64(bare.Pages)/bare.Wall.Seconds()), "rate/fetch-rate")
		b.ReportMetric(0, "ns/op")
	}
}

// BenchmarkMemory crawls 1000 pages.
func BenchmarkMemory(b *testing.B) {
	srv := serve(b, 0)
	for b.Loop() {
		for _, pages := range []int{250, 1000} {
			r := contend(b, task{Role: "llmstxt", Base: srv.URL + "/", Pages: pages})
			b.ReportMetric(float64(r.RSS)/(1<<20), fmt.Sprintf("MB-at-%d-pages", r.Pages))
		}
		b.ReportMetric(0, "ns/op")
	}
}
