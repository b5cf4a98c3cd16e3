package llmstxt_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/farwire/farwire/llmstxt"
)

// A language may stand in the name of a file, as Apache and Debian have it.
func TestCrawl_LanguageInFileName_OneIsKept(t *testing.T) {
	for _, form := range []string{"/%s_%s.html", "/docs/%s-%s.htm", "/docs/%s.%s.html", "/%s.html.%s", "/a/b/%s.%s.php"} {
		w := &web{pages: map[string]answer{}}
		var links []string
		for _, name := range []string{"tea", "pots", "no-cups"} {
			for _, lang := range []string{"fr", "en", "de"} {
				at := fmt.Sprintf(form, name, lang)
				links = append(links, at)
				a := doc(name + " of all kinds in " + lang)
				a.body = strings.Replace(a.body, "lang=en", "lang="+lang, 1)
				w.pages["http://docs.test"+at] = a
			}
		}
		w.pages["http://docs.test/"] = doc("Home", links...)
		for _, wanted := range []string{"", "de"} {
			s := everyWay(t, w, "http://docs.test/", llmstxt.Options{Language: wanted})
			for _, u := range kept(s)[1:] {
				if !strings.Contains(u, fmt.Sprintf(strings.TrimLeft(form[strings.LastIndex(form, "%s")-1:], "/"), strings.Replace(wanted+"en", "deen", "de", 1))) {
					t.Errorf("%s, %q: %s is kept", form, wanted, u)
				}
			}
			if len(s.Pages) != 4 || s.Stats.Skipped[llmstxt.SkipTranslation] != 6 {
				t.Errorf("%s, %q: %v; %v", form, wanted, kept(s), reasons(s))
			}
		}
	}
	// What has no twin stays, and so does a name that ends like a language.
	w := &web{pages: map[string]answer{"http://docs.test/": doc("Home", "/tea_de.html", "/to-do.html", "/what-is.html"), "http://docs.test/to-do.html": doc("To do"), "http://docs.test/what-is.html": doc("What is tea")}}
	a := doc("Tee")
	a.body = strings.Replace(a.body, "lang=en", "lang=de", 1)
	w.pages["http://docs.test/tea_de.html"] = a
	if s := everyWay(t, w, "http://docs.test/", llmstxt.Options{}); len(s.Pages) != 4 {
		t.Errorf("%v; %v", kept(s), reasons(s))
	}
}

// An answer without a byte is no page, unless its header leads on.
func TestCrawl_EmptyBody_IsNoPage(t *testing.T) {
	for _, body := range []string{"", " \r\n"} {
		w := &web{pages: map[string]answer{"http://docs.test/": doc("Home", "/empty", "/on", "/tea"), "http://docs.test/tea": doc("Tea"), "http://docs.test/empty": html(body),
			"http://docs.test/on": {header: map[string]string{"Refresh": "0; url=/pots"}, body: body}, "http://docs.test/pots": doc("Pots")}}
		s := everyWay(t, w, "http://docs.test/", llmstxt.Options{})
		if got := strings.Join(kept(s), " "); got != "/ /pots /tea" || reasons(s)["/empty"] != llmstxt.SkipType {
			t.Errorf("%q: %s; %v", body, got, reasons(s))
		}
		w.pages["http://docs.test/"] = html(body)
		if _, err := llmstxt.Crawl(t.Context(), "http://docs.test/", llmstxt.Options{Client: w.client()}); err == nil || !strings.Contains(err.Error(), "nothing in it") {
			t.Errorf("%q as the base page: %v", body, err)
		}
	}
}
