package llmstxt_test

import (
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/farwire/farwire/llmstxt"
)

// A site that keeps visits apart by their addresses, and leads whoever asks without a number
// to an address with a new one, has its pages at addresses without.
func TestCrawl_VisitInAddress_PageHasNone(t *testing.T) {
	numberless := regexp.MustCompile(`^(?:/\((?:[A-Z]\([\w-]+\))+\)|/\([a-z0-5]{24}\))|;jsessionid=\w+|[?&](?:PHPSESSID|sid|AspxAutoDetectCookieSupport)=\w+`)
	pages := map[string]answer{"/": doc("Home"), "/tea.aspx": doc("Tea"), "/pots/all.aspx?kind=2": doc("Pots"), "/cups": doc("Cups")}
	for name, put := range map[string]func(u *url.URL, n uint32) string{
		"a segment of ASP.NET": func(u *url.URL, n uint32) string {
			return fmt.Sprintf("/(S(abcdefghijklmnopq%07d))%s", n%8, u.RequestURI())
		},
		"several of ASP.NET": func(u *url.URL, n uint32) string {
			return fmt.Sprintf("/(X(1)A(Zm9v_%d-x)F(a%d)S(q%d))%s", n, n, n, u.RequestURI())
		},
		"an old one": func(u *url.URL, n uint32) string {
			return fmt.Sprintf("/(abcdefghijklmnopqrstuvw%d)%s", n%6, u.RequestURI())
		},
		"jsessionid": func(u *url.URL, n uint32) string {
			return strings.TrimSuffix(fmt.Sprintf("%s;jsessionid=AB%dCD?%s", u.EscapedPath(), n, u.RawQuery), "?")
		},
		"PHPSESSID": func(u *url.URL, n uint32) string {
			return strings.Replace(fmt.Sprintf("%s?%s&PHPSESSID=f%dda", u.EscapedPath(), u.RawQuery, n), "?&", "?", 1)
		},
		"sid": func(u *url.URL, n uint32) string {
			return strings.Replace(fmt.Sprintf("%s?%s&sid=0123456789abcdef01234567%08d", u.EscapedPath(), u.RawQuery, n), "?&", "?", 1)
		},
	} {
		var visits atomic.Uint32
		w := &web{handler: func(r *http.Request) (answer, bool) {
			asked := r.URL.RequestURI()
			bare := numberless.ReplaceAllString(asked, "")
			a, ok := pages[strings.Replace(bare, "/index.aspx", "/", 1)]
			if !ok {
				return answer{}, false
			}
			if bare == asked {
				a = redirect(put(r.URL, visits.Add(1)))
				a.status = http.StatusFound
				return a, true
			}
			var links strings.Builder
			for _, l := range []string{"/tea.aspx", "/pots/all.aspx?kind=2", "/cups"} {
				u, _ := url.Parse(l)
				fmt.Fprintf(&links, "<a href=\"%s\">%s</a> ", put(u, visits.Add(1)), l)
			}
			a.body = strings.Replace(a.body, "<ul>", links.String()+"<ul>", 1)
			return a, true
		}}
		for _, base := range []string{"http://docs.test/", "http://docs.test" + put(&url.URL{Path: "/"}, 5)} {
			s := everyWay(t, w, base, llmstxt.Options{})
			if got := strings.ReplaceAll(fmt.Sprint(urls(s)), "http://docs.test", ""); got != "[/ /tea.aspx /pots/all.aspx?kind=2 /cups]" {
				t.Errorf("%s: %s; %v", name, got, reasons(s))
			}
		}
	}
}

// An address that looks a little like one with the number of a visit is that of a page.
func TestCrawl_BracketsInAddress_Stay(t *testing.T) {
	links := []string{"/(tea)", "/(S)/tea", "/a/(s(1))", "/sets/(1,2)", "/OData/Pots(ID(1))", "/(B(1))/x"}
	w := &web{pages: map[string]answer{"http://docs.test/": doc("Home", links...)}}
	for i, l := range links {
		w.pages["http://docs.test"+l] = doc(fmt.Sprintf("Page %d of tea", i))
	}
	if s := everyWay(t, w, "http://docs.test/", llmstxt.Options{}); len(s.Pages) != len(links)+1 {
		t.Errorf("%v; %v", urls(s), reasons(s))
	}
}
