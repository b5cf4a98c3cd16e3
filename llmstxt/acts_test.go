package llmstxt_test

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/farwire/farwire/llmstxt"
)

// A member's area, in which a link ends the session and others delete things.
func TestCrawl_WithCredentials_NothingIsEndedOrDeleted(t *testing.T) {
	for _, out := range unlessRace([]string{"/logout", "/users/sign_out", "/index.php?action=logout;k=1", "/Account/LogOff", "/leave"}, []string{"/index.php?action=logout;k=1", "/leave"}) {
		for form, o := range map[string]llmstxt.Options{
			"cookie": {Cookies: map[string]string{"session": "mine"}},
			"header": {Header: http.Header{"Authorization": {"Bearer mine"}}},
		} {
			var mu sync.Mutex
			ended, deleted := false, ""
			w := &web{}
			w.handler = func(r *http.Request) (answer, bool) {
				mu.Lock()
				defer mu.Unlock()
				known := strings.Contains(r.Header.Get("Cookie")+r.Header.Get("Authorization"), "mine")
				switch p := r.URL.RequestURI(); {
				case p == "/leave" && known:
					return redirect("/logout"), true
				case p == "/logout" && known, p == out && known:
					ended = true
					return redirect("/login"), true
				case strings.Contains(p, "delete") && !strings.Contains(p, "api"):
					deleted = p
					return redirect("/"), true
				case p == "/login":
					return html("<title>Log in</title><form><input type=password></form>"), true
				case ended || !known:
					return redirect("/login"), true
				case p == "/":
					links := []string{out}
					for i := range 20 {
						links = append(links, "/page/"+word(i))
					}
					return doc("Area", append(links, "/api/users/delete")...), true
				case strings.HasPrefix(p, "/page/"), p == "/api/users/delete":
					return doc("Page "+p, out, p+"/5/delete", "/index.php?do=delete&id=3"), true
				}
				return answer{}, false
			}
			s := everyWay(t, w, "http://docs.test/", o)
			if len(s.Pages) != 22 || !slices.Contains(urls(s), "/api/users/delete") || ended || deleted != "" {
				t.Errorf("%s, %s: %d pages, session ended %t, deleted %q: %v", out, form, len(s.Pages), ended, deleted, s.Skipped)
			}
			told := 0
			for _, k := range s.Skipped {
				if k.Reason == llmstxt.SkipTool {
					told++
				}
			}
			if told < 22 {
				t.Errorf("%s, %s: %d addresses are told of: %v", out, form, told, s.Skipped)
			}
		}
	}
}

func TestCrawl_WithoutCredentials_PagesAboutSigningOutAreRead(t *testing.T) {
	w := &web{pages: map[string]answer{"http://docs.test/": doc("Start", "/docker/logout", "/posts/5/delete")}}
	for _, l := range []string{"/docker/logout", "/posts/5/delete"} {
		w.pages["http://docs.test"+l] = html(fmt.Sprintf("<title>%s</title><h1>%s</h1><p>%s</p><pre><code>docker %s</code></pre>", l, l, gadget, l))
	}
	if s := crawl(t, w, "http://docs.test/", llmstxt.Options{}); len(s.Pages) != 3 {
		t.Errorf("%v, %v", urls(s), s.Skipped)
	}
}
