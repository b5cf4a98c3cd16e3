package llmstxt_test

import (
	"strings"
	"testing"

	"github.com/farwire/farwire/llmstxt"
)

// What each page of a small site asks of its readers is in no text, and what one page says of cookies is.
func TestText_NoticeOnAllPages_IsLeftOut(t *testing.T) {
	site := func(notice string, on int) *web {
		w := &web{pages: map[string]answer{}}
		for i, p := range [][2]string{{"", "We mend kettles of all kinds in our shop, and sell new ones."}, {"prices", "A new lid costs four pounds, a new handle six."}, {"hours", "We are open from nine to five on all days but Sunday."}} {
			above := ""
			if i < on {
				above = notice
			}
			w.pages["http://docs.test/"+p[0]] = html("<title>Kettles " + p[0] + "</title><div><h1>Kettles " + p[0] + "</h1>" + above + "<p>" + p[1] + "</p><a href=/prices>Prices</a> <a href=/hours>Hours</a></div>")
		}
		return w
	}
	text := func(w *web) string {
		s := crawl(t, w, "http://docs.test/", llmstxt.Options{Text: true})
		defer s.Close()
		files, _ := textFiles(t, s, llmstxt.Index)
		return files[llmstxt.FullName]
	}
	for notice, words := range map[string]string{
		"<p>We use cookies to make this site better. If you go on you <a href=/policy>accept them</a>.</p>":   "cookies",
		"<div>This website uses cookies to ensure you get the best experience. <button>Accept</button></div>": "cookies",
		"<p>Diese Website verwendet Cookies, um Ihnen den besten Service zu bieten.</p>":                      "Cookies",
		"<p>Subscribe to our newsletter and get the latest news in your inbox.</p>":                           "newsletter",
		"<p>20,000 readers have it: sign up for our weekly newsletter!</p>":                                   "newsletter",
		"<p>Inscrivez-vous à notre newsletter pour ne rien manquer de nos nouvelles.</p>":                     "newsletter",
	} {
		if got := text(site(notice, 3)); strings.Contains(got, words) || !strings.Contains(got, "A new lid costs four pounds") {
			t.Errorf("%s is in\n%s", notice, got)
		}
		for _, on := range []int{1, 2} {
			if got := text(site(notice, on)); strings.Count(got, words) < on {
				t.Errorf("%s on %d pages is not in\n%s", notice, on, got)
			}
		}
	}
	for _, said := range []string{
		"<p>Each kettle has a lid, and no kettle has cookies with its tea.</p>", "<h2>We use cookies</h2><p>They are of ginger and oats.</p>",
		"<pre>echo We use cookies</pre>", "<ul><li>This site uses cookies in the kitchen.<li>And tea.</ul>", "<blockquote><p>We use cookies, they said.</p></blockquote>",
	} {
		if got := text(site(said, 3)); strings.Count(got, "ookies") < 3 {
			t.Errorf("%s is not in\n%s", said, got)
		}
	}
}
