package llmstxt_test

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farwire/farwire/internal/fault"
	"github.com/farwire/farwire/llmstxt"
)

func crawl(t *testing.T, w *web, url string, o llmstxt.Options) *llmstxt.CrawledSite {
	t.Helper()
	o.Client = w.client()
	site, err := llmstxt.Crawl(t.Context(), url, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { site.Close() }) // others find the room that its texts have
	return site
}

func urls(s *llmstxt.CrawledSite) []string {
	var out []string
	for _, p := range s.Pages {
		out = append(out, strings.TrimPrefix(p.URL, "http://docs.test"))
	}
	return out
}

func reasons(s *llmstxt.CrawledSite) map[string]llmstxt.Reason {
	out := map[string]llmstxt.Reason{}
	for _, k := range s.Skipped {
		out[strings.TrimPrefix(k.URL, "http://docs.test")] = k.Reason
	}
	return out
}

// One site, any number of workers, any order of answers, cut off or not: one
// file, one list of what was left out, one sequence of events.
func TestCrawl_SameSite_SameBytes(t *testing.T) {
	for _, maxPages := range []int{1000, 37} {
		t.Run(fmt.Sprint(maxPages), func(t *testing.T) {
			for seed := range unlessRace(uint64(5), 1) {
				site := linkGraph(seed, 150)
				var want string
				for round, workers := range unlessRace([]int{1, 4, 16, 3, 16}, []int{3, 16}) {
					synctest.Test(t, func(t *testing.T) {
						w := site.clone()
						if round > 0 {
							rng := rand.New(rand.NewPCG(seed, uint64(round)))
							w.latency = func() time.Duration { return time.Duration(rng.IntN(900)) * time.Millisecond }
						}
						var events strings.Builder
						s := crawl(t, w, "http://docs.test/", llmstxt.Options{MaxPages: maxPages, Workers: workers,
							Progress: func(e llmstxt.Event) { fmt.Fprintln(&events, e.Message) }})
						if w.most > workers+1 {
							t.Errorf("%d requests at the same time with %d workers", w.most, workers)
						}
						if len(s.Pages) > maxPages || s.Stats.Fetched > 3*maxPages {
							t.Errorf("%d pages and %d fetches with MaxPages %d", len(s.Pages), s.Stats.Fetched, maxPages)
						}
						got := s.Render(llmstxt.Pages) + s.Render(llmstxt.Index) + fmt.Sprint(s.Skipped) + events.String()
						if want == "" {
							want = got
						} else if got != want {
							t.Errorf("seed %d, %d workers: another result", seed, workers)
						}
					})
				}
			}
		})
	}
}

// Requests that a page list cut at MaxPages does not need are few.
func TestCrawl_MaxPages_FetchesAtMostThreeTimesAsMany(t *testing.T) {
	w := &web{pages: map[string]answer{}}
	var links []string
	for i := range 400 {
		l := fmt.Sprintf("/twin-%c%c", 'a'+i/26, 'a'+i%26)
		links = append(links, l)
		w.pages["http://docs.test"+l] = doc("Twin")
	}
	w.pages["http://docs.test/"] = doc("Home", links...)
	s := crawl(t, w, "http://docs.test/", llmstxt.Options{MaxPages: 20, Workers: 8})
	asked := 0
	for u, n := range w.hits {
		if strings.Contains(u, "/twin-") || u == "http://docs.test/" {
			asked += n
		}
	}
	if asked != 60 || s.Stats.Fetched != 60 || len(s.Pages) != 2 || !s.Stats.Limited {
		t.Errorf("asked for %d pages, %+v", asked, s.Stats)
	}
	if s.Pages[1].URL != "http://docs.test/twin-aa" {
		t.Errorf("of the twins %s stayed, not the first", s.Pages[1].URL)
	}
}

func TestCrawl_Pages_AreInFrontierOrder(t *testing.T) {
	w := &web{pages: map[string]answer{
		"http://docs.test/":            doc("Home", "/b", "/a"),
		"http://docs.test/a":           doc("A", "/c", "/d"),
		"http://docs.test/b":           doc("B", "/e"),
		"http://docs.test/c":           doc("C"),
		"http://docs.test/d":           doc("D"),
		"http://docs.test/e":           doc("E"),
		"http://docs.test/listed":      doc("Listed"),
		"http://docs.test/sitemap.xml": {body: `<urlset><url><loc>http://docs.test/listed</loc><lastmod>2024-05-06</lastmod></url></urlset>`},
	}}
	var log []string
	s := crawl(t, w, "http://docs.test/", llmstxt.Options{MaxPages: 7, Progress: func(e llmstxt.Event) {
		if e.Kind == llmstxt.Committed {
			log = append(log, e.Message)
		}
	}})
	if got, want := urls(s), []string{"/", "/b", "/a", "/listed", "/e", "/c", "/d"}; !slices.Equal(got, want) {
		t.Errorf("pages %v, want %v", got, want)
	}
	if log[0] != "Crawling page 1/7..." || log[6] != "Crawling page 7/7..." {
		t.Errorf("events %q", log)
	}
	if s.Stats.Limited {
		t.Error("a crawl that got everything calls itself limited")
	}
	if want := time.Date(2024, 5, 6, 0, 0, 0, 0, time.UTC); !s.Newest.Equal(want) {
		t.Errorf("newest %v, want %v", s.Newest, want)
	}
}

func TestCrawl_MaxPagesReached_IsReported(t *testing.T) {
	w := &web{pages: map[string]answer{"http://docs.test/": doc("Home", "/a", "/b"), "http://docs.test/a": doc("A"), "http://docs.test/b": doc("B")}}
	said := false
	s := crawl(t, w, "http://docs.test/", llmstxt.Options{MaxPages: 2, Progress: func(e llmstxt.Event) { said = said || e.Message == "Maximum pages limit reached" }})
	if !said || !s.Stats.Limited || len(s.Pages) != 2 {
		t.Errorf("said %t, %+v", said, s.Stats)
	}
	if w.asked("http://docs.test/b") > 0 {
		t.Error("a page was fetched that the result had no room for")
	}
}

func TestCrawl_PageLeftOut_HasAReason(t *testing.T) {
	long := "/" + strings.Repeat("x", 2100)
	w := &web{pages: map[string]answer{
		"http://docs.test/robots.txt": {body: "User-agent: *\nDisallow: /secret"},
		"http://docs.test/": doc("Home", "/a", "/secret", "/moved", "/away", "/gone", "/data", "/huge", "/hidden", "/twin", "/loop",
			"/variant", "/refused", "/slow", long, "/a/b/a/b/a/b", "/image.png", "mailto:x@y.z", "/moved-secret", "http://other.test/x"),
		"http://docs.test/a":            doc("A"),
		"http://docs.test/moved":        redirect("/a"),
		"http://docs.test/moved-secret": redirect("/secret"),
		"http://docs.test/away":         redirect("http://other.test/"),
		"http://docs.test/data":         {header: map[string]string{"Content-Type": "application/json"}, body: "{}"},
		"http://docs.test/huge":         html("<title>Huge</title>" + strings.Repeat("x", 9000)),
		"http://docs.test/hidden":       html("<title>Hidden</title><meta name=robots content=noindex>"),
		"http://docs.test/twin":         doc("A"),
		"http://docs.test/loop":         redirect("/loop?"),
		"http://docs.test/variant":      html("<title>Variant</title><link rel=canonical href=/a><p>Another text."),
		"http://docs.test/refused":      {err: &net.OpError{Op: "dial", Err: errors.New("no route to 10.1.2.3")}},
	}}
	w.handler = func(r *http.Request) (answer, bool) {
		if r.URL.Path == "/slow" {
			<-r.Context().Done()
			return answer{err: r.Context().Err()}, true
		}
		return answer{}, false
	}
	synctest.Test(t, func(t *testing.T) {
		told := map[string]bool{}
		s := crawl(t, w, "http://docs.test/", llmstxt.Options{MaxPageBytes: 8000, Progress: func(e llmstxt.Event) {
			if e.Kind == llmstxt.Skipped {
				told[strings.TrimPrefix(e.URL, "http://docs.test")] = true
				if strings.Contains(e.Message, "10.1.2.3") {
					t.Errorf("an address of the inside in %q", e.Message)
				}
			}
		}})
		want := map[string]llmstxt.Reason{
			"/secret": llmstxt.SkipRobots, "/moved": llmstxt.SkipRedirect, "/away": llmstxt.SkipScope, "/gone": llmstxt.SkipStatus,
			"/data": llmstxt.SkipType, "/huge": llmstxt.SkipSize, "/hidden": llmstxt.SkipNoIndex, "/twin": llmstxt.SkipDuplicate,
			"/loop": llmstxt.SkipError, "/variant": llmstxt.SkipCanonical, "/refused": llmstxt.SkipError, "/slow": llmstxt.SkipTimeout,
			long: llmstxt.SkipURL, "/a/b/a/b/a/b": llmstxt.SkipURL, "/moved-secret": llmstxt.SkipRobots,
		}
		if got := reasons(s); !reflect.DeepEqual(got, want) {
			for k, v := range want {
				if got[k] != v {
					t.Errorf("%.30s: %q, want %q", k, got[k], v)
				}
			}
			for k, v := range got {
				if want[k] == "" {
					t.Errorf("%.30s: %q, want nothing", k, v)
				}
			}
		}
		for k := range want {
			if !told[k] {
				t.Errorf("no event for %.30s", k)
			}
		}
		sum := 0
		for _, n := range s.Stats.Skipped {
			sum += n
		}
		if sum != len(want) {
			t.Errorf("statistics count %d, want %d", sum, len(want))
		}
		if got := urls(s); !slices.Equal(got, []string{"/", "/a"}) {
			t.Errorf("pages %v", got)
		}
	})
	if w.asked("http://other.test/") > 0 || w.asked("http://docs.test/secret") > 0 {
		t.Error("a hop out of scope or against robots.txt was taken")
	}
}

func TestCrawl_Fails_NamesTheError(t *testing.T) {
	policy := &net.AddrError{Err: "forbidden", Addr: "10.0.0.1"}
	for name, tt := range map[string]struct {
		url    string
		pages  map[string]answer
		is     error
		detail string
	}{
		"no URL":       {url: "docs.test", is: llmstxt.ErrURL},
		"no host":      {url: "http:///x", is: llmstxt.ErrURL},
		"ftp":          {url: "ftp://docs.test/", is: llmstxt.ErrURL},
		"robots":       {url: "http://docs.test/", pages: map[string]answer{"http://docs.test/robots.txt": {body: "User-agent: *\nDisallow: /"}}, is: llmstxt.ErrRobots},
		"robots by us": {url: "http://docs.test/", pages: map[string]answer{"http://docs.test/robots.txt": {body: "User-agent: Farwire\nDisallow: /"}}, is: llmstxt.ErrRobots},
		"robots 503":   {url: "http://docs.test/", pages: map[string]answer{"http://docs.test/robots.txt": {status: 503}}, is: llmstxt.ErrRobots},
		"robots 500":   {url: "http://docs.test/", pages: map[string]answer{"http://docs.test/robots.txt": {status: 500}}, is: llmstxt.ErrRobotsUnreachable},
		"robots 420":   {url: "http://docs.test/", pages: map[string]answer{"http://docs.test/robots.txt": {status: 420}}, is: llmstxt.ErrRobotsUnreachable},
		"robots 429":   {url: "http://docs.test/", pages: map[string]answer{"http://docs.test/robots.txt": {status: 429}}, is: llmstxt.ErrRobotsUnreachable},
		"404":          {url: "http://docs.test/", detail: "HTTP 404 Not Found"},
		"500":          {url: "http://docs.test/", pages: map[string]answer{"http://docs.test/": {status: 500}}, detail: "HTTP 500 Internal Server Error"},
		"not HTML": {url: "http://docs.test/", pages: map[string]answer{"http://docs.test/": {header: map[string]string{"Content-Type": "application/pdf"}}},
			detail: "not HTML (application/pdf)"},
		"policy": {url: "http://docs.test/", pages: map[string]answer{"http://docs.test/robots.txt": {err: policy}}, detail: "Connection failed"},
		"no name": {url: "http://docs.test/", pages: map[string]answer{"http://docs.test/robots.txt": {err: &net.DNSError{IsNotFound: true, Name: "docs.test", Server: "10.0.0.53"}}},
			detail: "Host not found"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := &web{pages: tt.pages}
				site, err := llmstxt.Crawl(t.Context(), tt.url, llmstxt.Options{Client: w.client()})
				if site != nil || err == nil {
					t.Fatalf("got %v, %v", site, err)
				}
				if said := fault.Of(err); said == nil || !strings.HasSuffix(said.Text, tt.detail) {
					t.Errorf("a gateway's clients are told %v of %v", said, err)
				}
				if tt.is != nil {
					if !errors.Is(err, tt.is) {
						t.Fatalf("got %v, want %v", err, tt.is)
					}
					return
				}
				var fetch *llmstxt.FetchError
				if !errors.As(err, &fetch) || fetch.Detail() != tt.detail {
					t.Fatalf("got %v, want detail %q", err, tt.detail)
				}
				var addr *net.AddrError
				if name == "policy" && (!errors.As(err, &addr) || addr != policy) {
					t.Errorf("the dialer's own error is not in %v", err)
				}
			})
		})
	}
}

func TestCrawl_TimeoutPasses_ReturnsWhatItHas(t *testing.T) {
	slow := func(path string) *web {
		w := &web{pages: map[string]answer{"http://docs.test/": doc("Home", "/a", "/b"), "http://docs.test/a": doc("A"), "http://docs.test/b": doc("B")}}
		w.handler = func(r *http.Request) (answer, bool) {
			if r.URL.Path == path {
				<-r.Context().Done()
				return answer{err: r.Context().Err()}, true
			}
			return answer{}, false
		}
		return w
	}
	o := llmstxt.Options{Timeout: 5 * time.Second, PageTimeout: time.Minute}
	t.Run("with nothing", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			o.Client = slow("/").client()
			if _, err := llmstxt.Crawl(t.Context(), "http://docs.test/", o); !errors.Is(err, llmstxt.ErrTimeout) {
				t.Errorf("got %v", err)
			}
		})
	})
	t.Run("with something", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			began := time.Now()
			said := false
			o := o
			o.Progress = func(e llmstxt.Event) { said = said || strings.Contains(e.Message, "Time is over") }
			s := crawl(t, slow("/b"), "http://docs.test/", o)
			if !s.Stats.TimedOut || !said || !slices.Equal(urls(s), []string{"/", "/a"}) {
				t.Errorf("%v, said %t, %+v", urls(s), said, s.Stats)
			}
			if d := time.Since(began); d != 5*time.Second {
				t.Errorf("after %v", d)
			}
		})
	})
	t.Run("cancelled", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithCancelCause(t.Context())
			gone := errors.New("client gone")
			time.AfterFunc(time.Second, func() { cancel(gone) })
			o := o
			o.Client = slow("/b").client()
			s, err := llmstxt.Crawl(ctx, "http://docs.test/", o)
			if !errors.Is(err, gone) || s == nil || len(s.Pages) != 2 {
				t.Errorf("got %v, %v", s, err)
			}
		})
	})
}

func TestCrawl_ServerRefuses_RetriesAndSlowsDown(t *testing.T) {
	t.Run("retry", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := &web{pages: map[string]answer{"http://docs.test/": doc("Home", "/a"), "http://docs.test/a": doc("A")}}
			tries := 0
			w.handler = func(r *http.Request) (answer, bool) {
				if r.URL.Path == "/a" {
					if tries++; tries < 3 {
						return answer{status: 503, header: map[string]string{"Retry-After": "7"}}, true
					}
				}
				return answer{}, false
			}
			began := time.Now()
			s := crawl(t, w, "http://docs.test/", llmstxt.Options{})
			if len(s.Pages) != 2 || s.Stats.Fetched != 2 || time.Since(began) != 14*time.Second {
				t.Errorf("%v after %v, %+v", urls(s), time.Since(began), s.Stats)
			}
		})
	})
	t.Run("crawl-delay", func(t *testing.T) {
		synctest.Test(t, func(t *testing.T) {
			w := linkGraph(3, 20)
			w.pages["http://docs.test/robots.txt"] = answer{body: "User-agent: *\nCrawl-delay: 2\n"}
			began := time.Now()
			crawl(t, w, "http://docs.test/", llmstxt.Options{Retries: -1})
			if got, want := time.Since(began), time.Duration(2*(len(w.log)-1))*time.Second; got < want || w.most != 1 {
				t.Errorf("%d requests in %v, want %v; %d at a time", len(w.log), got, want, w.most)
			}
		})
	})
}
