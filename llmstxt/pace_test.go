package llmstxt_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farwire/farwire/llmstxt"
)

// limited answers with a status beyond so many requests in a second.
func limited(w *web, perSecond, status int, header map[string]string) *int {
	var mu sync.Mutex
	var window []time.Time
	refused := new(int)
	w.handler = func(r *http.Request) (answer, bool) {
		mu.Lock()
		defer mu.Unlock()
		now := time.Now()
		for len(window) > 0 && now.Sub(window[0]) >= time.Second {
			window = window[1:]
		}
		if len(window) >= perSecond {
			*refused++
			return answer{status: status, header: header, body: "slow down"}, true
		}
		window = append(window, now)
		return answer{}, false
	}
	return refused
}

// wide is a home page with n pages below it.
func wide(n int) *web {
	w := &web{pages: map[string]answer{}}
	var links []string
	for i := range n {
		l := fmt.Sprintf("/topic-%c%c", 'a'+i/26, 'a'+i%26)
		links = append(links, l)
		w.pages["http://docs.test"+l] = doc("Topic " + l[7:])
	}
	w.pages["http://docs.test/"] = doc("Home", links...)
	return w
}

// A quota of some requests in a minute or in seconds loses no page, however many ask: not
// when the site names no time, nor when it names one that is too short.
func TestCrawl_SiteHasAQuota_EveryPageIsRead(t *testing.T) {
	for _, c := range []struct {
		requests int
		window   time.Duration
		sliding  bool
	}{{30, time.Minute, true}, {20, time.Minute, false}, {10, time.Minute, true}, {10, time.Minute, false}, {1, 3 * time.Second, true},
		{1, 5 * time.Second, false}, {1, 8 * time.Second, true}, {10, 10 * time.Second, false}} {
		for _, after := range []string{"", "1"} {
			var want string
			for _, workers := range unlessRace([]int{1, 8, 32}, []int{32}) {
				synctest.Test(t, func(t *testing.T) {
					w := wide(60)
					w.latency = func() time.Duration { return 10 * time.Millisecond }
					var mu sync.Mutex
					var served []time.Time
					began := time.Now()
					w.handler = func(r *http.Request) (answer, bool) {
						mu.Lock()
						defer mu.Unlock()
						now := time.Now()
						for len(served) > 0 && (c.sliding && now.Sub(served[0]) >= c.window || !c.sliding && now.Sub(began)/c.window != served[0].Sub(began)/c.window) {
							served = served[1:]
						}
						if len(served) >= c.requests {
							return answer{status: 429, header: map[string]string{"Retry-After": after}}, true
						}
						served = append(served, now)
						return answer{}, false
					}
					s := crawl(t, w, "http://docs.test/", llmstxt.Options{MaxPages: 100, Workers: workers, Timeout: time.Hour})
					if len(s.Pages) != 61 || s.Stats.Lost != 0 {
						t.Errorf("%+v, Retry-After %q, %d workers: %d pages, lost %v", c, after, workers, len(s.Pages), s.Lost)
					}
					if least := time.Duration(66/c.requests) * c.window; time.Since(began) > 3*least+time.Minute {
						t.Errorf("%+v, Retry-After %q, %d workers: takes %v, and the quota asks for %v", c, after, workers, time.Since(began), least)
					}
					if got := s.Render(llmstxt.Pages); want == "" {
						want = got
					} else if got != want {
						t.Errorf("%+v: %d workers give another file", c, workers)
					}
				})
			}
		}
	}
}

// A site that wants a week is not waited for: that page is lost, the others are not.
func TestCrawl_RetryAfterIsTooLong_PageIsLost(t *testing.T) {
	for _, after := range []string{"604800", "86400", "99999999999"} {
		synctest.Test(t, func(t *testing.T) {
			w := wide(5)
			w.pages["http://docs.test/topic-ac"] = answer{status: 429, header: map[string]string{"Retry-After": after}}
			began := time.Now()
			s := crawl(t, w, "http://docs.test/", llmstxt.Options{})
			if took := time.Since(began); len(s.Pages) != 5 || s.Stats.Lost != 1 || took > time.Minute {
				t.Errorf("%s: %d pages, %d lost after %v", after, len(s.Pages), s.Stats.Lost, took)
			}
		})
		synctest.Test(t, func(t *testing.T) {
			w := wide(40)
			for key := range w.pages {
				if key != "http://docs.test/" {
					w.pages[key] = answer{status: 429, header: map[string]string{"Retry-After": after}}
				}
			}
			began := time.Now()
			s := crawl(t, w, "http://docs.test/", llmstxt.Options{Workers: 1})
			if took := time.Since(began); s.Stats.Lost != 40 || took > 10*time.Minute {
				t.Errorf("%s, of all: %d lost after %v", after, s.Stats.Lost, took)
			}
		})
	}
}

func TestCrawl_SiteLimitsRate_EveryPageIsRead(t *testing.T) {
	for name, c := range map[string]struct {
		status int
		header map[string]string
	}{
		"429": {429, nil}, "503": {503, nil}, "Retry-After": {429, map[string]string{"Retry-After": "2"}},
	} {
		t.Run(name, func(t *testing.T) {
			var want string
			for _, workers := range unlessRace([]int{1, 8, 32}, []int{32}) {
				synctest.Test(t, func(t *testing.T) {
					w := wide(80)
					refused := limited(w, 10, c.status, c.header)
					began := time.Now()
					s := crawl(t, w, "http://docs.test/", llmstxt.Options{MaxPages: 100, Workers: workers})
					if len(s.Pages) != 81 || s.Stats.Lost != 0 || len(s.Lost) != 0 {
						t.Errorf("%d workers: %d pages, lost %v", workers, len(s.Pages), s.Lost)
					}
					if workers > 8 && *refused == 0 {
						t.Error("nothing was refused: the test shows nothing")
					}
					if *refused > 60 || time.Since(began) > 2*time.Minute {
						t.Errorf("%d workers: %d refusals, %v", workers, *refused, time.Since(began))
					}
					if got := s.Render(llmstxt.Pages); want == "" {
						want = got
					} else if got != want {
						t.Errorf("%d workers: another file", workers)
					}
				})
			}
		})
	}
}

func TestCrawl_RobotsAndSitemapRefused_AreAskedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := wide(3)
		w.pages["http://docs.test/robots.txt"] = answer{body: "User-agent: *\nDisallow: /topic-aa\n"}
		w.pages["http://docs.test/sitemap.xml"] = answer{body: "<urlset><url><loc>http://docs.test/listed</loc></url></urlset>"}
		w.pages["http://docs.test/listed"] = doc("Listed")
		tries := map[string]int{}
		var mu sync.Mutex
		w.handler = func(r *http.Request) (answer, bool) {
			mu.Lock()
			defer mu.Unlock()
			if p := r.URL.Path; p == "/robots.txt" || p == "/sitemap.xml" || p == "/" {
				if tries[p]++; tries[p] <= 3 {
					return answer{status: 503, header: map[string]string{"Retry-After": "1"}}, true
				}
			}
			return answer{}, false
		}
		s := crawl(t, w, "http://docs.test/", llmstxt.Options{})
		if got := urls(s); !slices.Equal(got, []string{"/", "/topic-ab", "/topic-ac", "/listed"}) {
			t.Errorf("pages %v", got)
		}
	})
}

func TestCrawl_PagesLost_AreReported(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := wide(12)
		w.handler = func(r *http.Request) (answer, bool) {
			switch r.URL.Path {
			case "/topic-ab":
				return answer{status: 429}, true
			case "/topic-ad":
				return answer{status: 502}, true
			case "/topic-af":
				<-r.Context().Done()
				return answer{err: r.Context().Err()}, true
			case "/topic-ah":
				return answer{status: 404}, true
			}
			return answer{}, false
		}
		var log []string
		s := crawl(t, w, "http://docs.test/", llmstxt.Options{Progress: func(e llmstxt.Event) { log = append(log, e.Message) }})
		var lost []string
		for _, k := range s.Lost {
			lost = append(lost, strings.TrimPrefix(k.URL, "http://docs.test"))
		}
		if !slices.Equal(lost, []string{"/topic-ab", "/topic-ad", "/topic-af"}) || s.Stats.Lost != 3 || len(s.Pages) != 9 {
			t.Errorf("lost %v, %+v", lost, s.Stats)
		}
		if n := w.asked("http://docs.test/topic-ab"); n != 6 {
			t.Errorf("the page that is refused was asked for %d times, want 6", n)
		}
		if last := log[len(log)-1]; !strings.HasPrefix(last, "Pages lost because the site did not answer: 3 (") || !strings.Contains(last, "1 × HTTP 429 Too Many Requests") {
			t.Errorf("the last line is %q", last)
		}
		outcomes := map[string]llmstxt.Outcome{}
		for _, o := range s.Outcomes() {
			outcomes[strings.TrimPrefix(o.URL, "http://docs.test")] = o
		}
		if len(outcomes) != 13 || !outcomes["/topic-ad"].Lost || outcomes["/topic-ah"].Lost || outcomes["/topic-ah"].Reason != llmstxt.SkipStatus || outcomes["/topic-aa"].Title != "Topic aa" {
			t.Errorf("outcomes %+v", outcomes)
		}
	})
}

func TestCrawl_SiteRefusesEverything_Ends(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := wide(200)
		limited(w, 1000, 429, nil)
		served := 0
		inner := w.handler
		w.handler = func(r *http.Request) (answer, bool) {
			if served++; served > 12 {
				return answer{status: 429}, true
			}
			return inner(r)
		}
		began := time.Now()
		s := crawl(t, w, "http://docs.test/", llmstxt.Options{Workers: 1, MaxPages: 300})
		if d := time.Since(began); d > 5*time.Minute || s.Stats.TimedOut || len(s.Pages)+s.Stats.Lost < 120 {
			t.Errorf("%v, %+v", d, s.Stats)
		}
	})
}

// A page that drips does not hold the crawl for long, nor is it asked for again.
func TestCrawl_PageDrips_Costs15Seconds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := wide(5)
		w.handler = func(r *http.Request) (answer, bool) {
			if r.URL.Path == "/topic-ac" {
				return answer{drip: r.Context()}, true
			}
			return answer{}, false
		}
		began := time.Now()
		s := crawl(t, w, "http://docs.test/", llmstxt.Options{})
		if d := time.Since(began); d != 15*time.Second || len(s.Pages) != 5 || s.Stats.Lost != 1 || reasons(s)["/topic-ac"] != llmstxt.SkipTimeout {
			t.Errorf("%v, %+v, %v", d, s.Stats, s.Skipped)
		}
	})
}

func TestCrawl_DelayOrCrawlDelay_TheLongerCounts(t *testing.T) {
	for name, c := range map[string]struct {
		robots string
		delay  time.Duration
		want   time.Duration
	}{
		"own": {"", 1500 * time.Millisecond, 1500 * time.Millisecond}, "robots.txt asks for more": {"User-agent: *\nCrawl-delay: 2\n", time.Second, 2 * time.Second},
		"robots.txt asks for less": {"User-agent: *\nCrawl-delay: 0.5\n", time.Second, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := wide(4)
				w.pages["http://docs.test/robots.txt"] = answer{body: c.robots}
				began := time.Now()
				crawl(t, w, "http://docs.test/", llmstxt.Options{Delay: c.delay})
				if got, want := time.Since(began), time.Duration(len(w.log)-1)*c.want; got < want || got > want+c.want {
					t.Errorf("%d requests in %v, want %v", len(w.log), got, want)
				}
			})
		})
	}
}

// forbidden is an error of a transport that says whether it will come again.
type forbidden bool

func (f forbidden) Error() string   { return "not allowed" }
func (f forbidden) Permanent() bool { return bool(f) }

func TestCrawl_ErrorThatCannotChange_IsNotAskedAgain(t *testing.T) {
	for _, permanent := range []bool{true, false} {
		for _, at := range []string{"/", "/a", "/robots.txt", "/sitemap.xml"} {
			synctest.Test(t, func(t *testing.T) {
				w := &web{pages: map[string]answer{"http://docs.test/": doc("Home", "/a"), "http://docs.test/a": doc("A")}}
				w.pages["http://docs.test"+at] = answer{err: fmt.Errorf("dial: %w", forbidden(permanent))}
				_, err := llmstxt.Crawl(t.Context(), "http://docs.test/", llmstxt.Options{Client: w.client()})
				if want := map[bool]int{true: 1, false: 3}[permanent]; w.asked("http://docs.test"+at) != want {
					t.Errorf("%s, permanent %t: asked %d times, want %d; %v", at, permanent, w.asked("http://docs.test"+at), want, err)
				}
			})
		}
	}
}
