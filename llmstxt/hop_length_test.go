package llmstxt_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/farwire/farwire/llmstxt"
)

// leadingOn are the ways in which an answer leads to another address.
var leadingOn = map[string]func(to string) answer{
	"Location": func(to string) answer { return answer{status: 302, header: map[string]string{"Location": to}} },
	"Refresh": func(to string) answer {
		return answer{header: map[string]string{"Content-Type": "text/html", "Refresh": "0; url=" + to}, body: "<title>Moved</title>"}
	},
	"meta": func(to string) answer {
		return answer{header: map[string]string{"Content-Type": "text/html"}, body: `<meta http-equiv="refresh" content="0; url=` + to + `">`}
	},
}

// On the way to a page addresses carry state of any sensible length: single sign-on does
// it. Only the page's own address has the bound of a page's.
func TestCrawl_LongAddressOnTheWay_IsFollowed(t *testing.T) {
	const base = "http://docs.test/"
	for first, lead := range leadingOn {
		for second, onward := range leadingOn {
			for _, c := range []struct {
				name          string
				state         int // bytes of the hop's query
				page          string
				base, arrives bool
			}{
				{"a hop", 2100, "page", false, true},
				{"a longer hop", 7900, "page", false, true},
				{"of the base page", 7000, "page", true, true},
				{"a hop longer than any", 8100, "page", false, false},
				{"a page", 2100, strings.Repeat("p", 2100), false, false},
				{"a longer page", 7900, strings.Repeat("p", 7900), false, false},
			} {
				t.Run(first+" "+second+"/"+c.name, func(t *testing.T) {
					body := `<title>Page</title><main><h1>Page</h1><p>The page that the way leads to has words of its own.</p></main>`
					at := "/start"
					if c.base {
						at = "/"
					}
					w := &web{handler: func(r *http.Request) (answer, bool) {
						switch {
						case r.URL.Path == at:
							return lead("/sso?SAMLRequest=" + strings.Repeat("s", c.state)), true
						case r.URL.Path == "/sso":
							return onward("/" + c.page), true
						case r.URL.Path == "/"+c.page:
							return answer{header: map[string]string{"Content-Type": "text/html"}, body: body}, true
						case r.URL.Path == "/":
							return answer{header: map[string]string{"Content-Type": "text/html"},
								body: `<title>Base</title><main><h1>Base</h1><p>Where the crawl begins, with a <a href="/start">start</a>.</p></main>`}, true
						}
						return answer{}, false
					}}
					s, err := llmstxt.Crawl(t.Context(), base, llmstxt.Options{Client: w.client(), Retries: -1})
					if err != nil {
						t.Fatal(err)
					}
					if !c.arrives {
						if len(s.Pages) != 1 || len(s.Skipped) != 1 || s.Skipped[0].Reason != llmstxt.SkipURL || s.Skipped[0].URL != base+"start" {
							t.Errorf("%d pages, skipped %+v", len(s.Pages), s.Skipped)
						}
						return
					}
					if last := s.Pages[len(s.Pages)-1]; last.URL != base+c.page {
						t.Errorf("the last page is %q, skipped %+v", last.URL, s.Skipped)
					}
				})
			}
		}
	}
}
