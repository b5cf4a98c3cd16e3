package llmstxt_test

import (
	"context"
	"errors"
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

// linksOf are links to these addresses, each in its line.
func linksOf(addresses ...string) (links []llmstxt.Link) {
	for i, a := range addresses {
		links = append(links, llmstxt.Link{Line: i + 1, Title: "T", URL: a})
	}
	return links
}

// statuses asks for the addresses and returns what each answers, and the problems.
func statuses(t *testing.T, w *web, o llmstxt.Options, addresses ...string) (got []int, problems []llmstxt.Problem) {
	t.Helper()
	o.Client = w.client()
	checked, problems, err := llmstxt.CheckLinks(t.Context(), linksOf(addresses...), o)
	if err != nil {
		t.Fatal(err)
	}
	for i, c := range checked {
		if c.URL != addresses[i] || c.Line != i+1 {
			t.Errorf("link %d is %+v", i, c)
		}
		got = append(got, c.Status)
	}
	return got, problems
}

// What a crawl has read of a site with a quota, the check of its file finds there too, by
// whatever the site says when it wants to be asked again.
func TestCheckLinks_SiteHasAQuota_AllAnswer(t *testing.T) {
	for _, c := range []struct {
		requests int
		window   time.Duration
	}{{1, time.Second}, {5, time.Second}, {1, 5 * time.Second}, {10, time.Minute}} {
		for name, after := range map[string]func(time.Time) string{
			"nothing": func(time.Time) string { return "" },
			"seconds": func(until time.Time) string { return fmt.Sprint(int(time.Until(until)/time.Second) + 1) },
			"a date":  func(until time.Time) string { return until.Add(time.Second).UTC().Format(http.TimeFormat) },
		} {
			synctest.Test(t, func(t *testing.T) {
				w := wide(24)
				w.latency = func() time.Duration { return 10 * time.Millisecond }
				var mu sync.Mutex
				var served []time.Time
				w.handler = func(r *http.Request) (answer, bool) {
					mu.Lock()
					defer mu.Unlock()
					for len(served) > 0 && time.Since(served[0]) >= c.window {
						served = served[1:]
					}
					if len(served) >= c.requests {
						return answer{status: 429, header: map[string]string{"Retry-After": after(served[0].Add(c.window))}}, true
					}
					served = append(served, time.Now())
					return answer{}, false
				}
				s := crawl(t, w, "http://docs.test/", llmstxt.Options{MaxPages: 100, Timeout: time.Hour})
				_, links, problems := llmstxt.Check(s.Render(llmstxt.Index))
				if len(links) != 25 || len(problems) != 0 {
					t.Fatalf("%+v: %d links, %v", c, len(links), problems)
				}
				began := time.Now()
				_, problems, err := llmstxt.CheckLinks(t.Context(), links, llmstxt.Options{Client: w.client()})
				if err != nil || len(problems) != 0 {
					t.Errorf("%+v, Retry-After has %s: %v, %v", c, name, problems, err)
				}
				if least := time.Duration(len(links)/c.requests) * c.window; time.Since(began) > 3*least+time.Minute {
					t.Errorf("%+v, Retry-After has %s: takes %v, and the quota asks for %v", c, name, time.Since(began), least)
				}
			})
		}
	}
}

// A host that has to be asked slowly does not hold up another one's links.
func TestCheckLinks_OneHostIsSlow_OthersAreNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := wide(0)
		began := time.Now()
		var mu sync.Mutex
		last := map[string]time.Duration{}
		w.handler = func(r *http.Request) (answer, bool) {
			mu.Lock()
			defer mu.Unlock()
			if r.URL.Host == "slow.test" && time.Since(began) < time.Minute {
				return answer{status: 503, header: map[string]string{"Retry-After": "60"}}, true
			}
			last[r.URL.Host] = time.Since(began)
			return answer{}, true
		}
		var all []string
		for i := range 60 {
			all = append(all, fmt.Sprintf("http://slow.test/%d", i), fmt.Sprintf("http://host%d.test/%d", i%3, i))
		}
		if _, problems := statuses(t, w, llmstxt.Options{}, all...); len(problems) != 0 {
			t.Errorf("%v", problems)
		}
		for host, d := range last {
			if slow := host == "slow.test"; slow != (d >= time.Minute) {
				t.Errorf("%s is asked last after %v", host, d)
			}
		}
		if w.most > 4*8 {
			t.Errorf("%d requests at once to four hosts", w.most)
		}
	})
}

// Servers refuse HEAD in many ways; the page's own answer counts, and such a server is not
// asked by HEAD for each link.
func TestCheckLinks_HeadRefused_GetCounts(t *testing.T) {
	for _, refusal := range []int{400, 401, 403, 404, 405, 406, 410, 429, 500, 501, 502, 503, 999, 0} {
		for _, own := range []int{200, 403, 404, 410} {
			synctest.Test(t, func(t *testing.T) {
				w := &web{}
				w.handler = func(r *http.Request) (answer, bool) {
					if r.Method != http.MethodHead {
						return answer{status: own}, true
					}
					if refusal == 0 {
						return answer{err: errors.New("connection reset")}, true
					}
					return answer{status: refusal}, true
				}
				got, problems := statuses(t, w, llmstxt.Options{}, "http://a.test/1", "http://a.test/2", "http://a.test/1")
				if !slices.Equal(got, []int{own, own, own}) || (len(problems) == 0) != (own == 200) {
					t.Errorf("HEAD %d, GET %d: %v, %v", refusal, own, got, problems)
				}
				if w.asked("http://a.test/1") > 2 {
					t.Errorf("HEAD %d, GET %d: asked %d times", refusal, own, w.asked("http://a.test/1"))
				}
			})
		}
	}
	w := &web{}
	heads := 0
	w.handler = func(r *http.Request) (answer, bool) {
		if r.Method == http.MethodHead {
			heads++
			return answer{status: 405}, true
		}
		return answer{}, true
	}
	var all []string
	for i := range 30 {
		all = append(all, fmt.Sprintf("http://a.test/%d", i))
	}
	if _, problems := statuses(t, w, llmstxt.Options{Workers: 1}, all...); len(problems) != 0 || heads != 1 {
		t.Errorf("%d HEADs, %v", heads, problems)
	}
}

// Redirects count, also to other hosts and through a wall of cookies; what has no answer has
// a problem with its line and its reason.
func TestCheckLinks_EachAnswer_IsTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &web{pages: map[string]answer{
			"http://a.test/here":   {},
			"http://a.test/moved":  redirect("/moved2"),
			"http://a.test/moved2": redirect("https://b.test/there?q=1#part"),
			"http://a.test/gone":   redirect("http://b.test/gone"),
			"http://a.test/round":  redirect("/round"),
			"http://a.test/mail":   redirect("mailto:x@a.test"),
			"http://a.test/300":    {status: 300},
			"http://a.test/500":    {status: 500},
			"http://a.test/429":    {status: 429},
			"http://a.test/week":   {status: 429, header: map[string]string{"Retry-After": "604800"}},
			"http://a.test/fails":  {err: errors.New("dial tcp 10.1.2.3:80: strange")},
			"http://a.test/policy": {err: forbidden(true)},
		}}
		w.handler = func(r *http.Request) (answer, bool) {
			switch {
			case r.URL.Host == "b.test" && r.URL.Path == "/there":
				return answer{status: 200}, true
			case r.URL.Path == "/late":
				<-r.Context().Done()
				return answer{err: r.Context().Err()}, true
			case r.URL.Path == "/wall" && !strings.Contains(r.Header.Get("Cookie"), "seen=1"):
				return answer{status: 302, header: map[string]string{"Location": "/wall", "Set-Cookie": "seen=1"}}, true
			case r.URL.Path == "/wall":
				return answer{}, true
			}
			return answer{}, false
		}
		for _, c := range []struct {
			path   string
			status int
			want   string // the problem, behind the address
			asked  int
		}{
			{"here", 200, "", 1}, {"moved", 200, "", 1}, {"wall", 200, "", 2}, {"300", 300, "", 1},
			{"gone", 404, "answers HTTP 404 Not Found", 1}, {"nowhere", 404, "answers HTTP 404 Not Found", 2},
			{"500", 500, "answers HTTP 500 Internal Server Error", 4}, {"429", 429, "answers HTTP 429 Too Many Requests", 6},
			{"week", 429, "answers HTTP 429 Too Many Requests", 1},
			{"round", 0, "does not answer: more than 10 redirects", 11}, {"mail", 0, "does not answer: redirected to something that is not a web address", 1},
			{"fails", 0, "does not answer: Connection failed", 3}, {"policy", 0, "does not answer: Connection failed", 1},
			{"late", 0, "does not answer: Connection timeout", 3},
		} {
			address := "http://a.test/" + c.path
			got, problems := statuses(t, w, llmstxt.Options{}, address)
			var want []llmstxt.Problem
			if c.want != "" {
				want = []llmstxt.Problem{{Line: 1, Text: address + " " + c.want}}
			}
			if !slices.Equal(got, []int{c.status}) || !slices.Equal(problems, want) || w.asked(address) != c.asked {
				t.Errorf("%s: %v, %v, asked %d times", c.path, got, problems, w.asked(address))
			}
		}
		// What Check names is not asked for.
		if got, problems := statuses(t, w, llmstxt.Options{}, "/x", "ftp://a.test/", "http://", "http://a b/", "mailto:x@y"); len(problems) != 0 || slices.Max(got) != 0 {
			t.Errorf("%v, %v", got, problems)
		}
	})
}

// A host that refuses everything costs minutes, however many links lead there.
func TestCheckLinks_HostRefusesEverything_Ends(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &web{handler: func(*http.Request) (answer, bool) { return answer{status: 429}, true }}
		var all []string
		for i := range 2000 {
			all = append(all, fmt.Sprintf("http://a.test/%d", i))
		}
		began := time.Now()
		_, problems := statuses(t, w, llmstxt.Options{}, all...)
		if d := time.Since(began); d > 6*time.Minute || len(problems) != len(all) {
			t.Errorf("%d problems after %v", len(problems), d)
		}
	})
}

func TestCheckLinks_ContextEnds_CauseIsReturned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := &web{handler: func(*http.Request) (answer, bool) { return answer{status: 429}, true }}
		ctx, cancel := context.WithCancelCause(t.Context())
		enough := errors.New("enough")
		time.AfterFunc(3*time.Second, func() { cancel(enough) })
		began := time.Now()
		_, _, err := llmstxt.CheckLinks(ctx, linksOf("http://a.test/1", "http://b.test/2"), llmstxt.Options{Client: w.client()})
		if !errors.Is(err, enough) || time.Since(began) != 3*time.Second {
			t.Errorf("%v after %v", err, time.Since(began))
		}
		if _, _, err := llmstxt.CheckLinks(t.Context(), nil, llmstxt.Options{Workers: -1}); err == nil {
			t.Error("options that are not valid are taken")
		}
	})
}
