package llmstxt_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/farwire/farwire/llmstxt"
)

// A list that leads from version to version tells what the paths do not.
func TestCrawl_SwitcherOfVersions_OneIsKept(t *testing.T) {
	for name, switcher := range map[string]string{
		"list":   "<ul><li><a href=/docs/15/>15</a><li><a href=/docs/16/>16 (current)</a><li><a href=/docs/devel/>dev</a></ul>",
		"select": "<select><option value=/docs/15/>15</option><option value=/docs/16/ selected>16 (current)</option><option value='/docs/devel/'>dev</select>",
	} {
		for base, want := range map[string][]string{"/docs/16/": {"/docs/16/", "/docs/16/a", "/docs/16/b"}, "/docs/15/": {"/docs/15/", "/docs/15/a", "/docs/15/b"}, "/docs/": {"/docs/", "/docs/16/", "/docs/16/a", "/docs/16/b"}} {
			w := &web{pages: map[string]answer{}}
			page := func(v, p string, links ...string) {
				a := doc(strings.TrimSpace("Tea "+strings.Trim(v, "/")+" "+p), links...)
				if v == "" {
					a = doc("All there is", links...)
				}
				a.body = strings.Replace(a.body, "<main>", switcher+"<main>", 1)
				w.pages["http://docs.test/docs/"+v+p] = a
			}
			page("", "", "/docs/15/", "/docs/16/", "/docs/devel/")
			for _, v := range []string{"15/", "16/", "devel/"} {
				page(v, "", "/docs/"+v+"a", "/docs/"+v+"b", "/docs/15/a", "/docs/16/a")
				page(v, "a", "/docs/15/b", "/docs/16/b")
				page(v, "b")
			}
			start := llmstxt.Options{Include: []string{"/docs/**"}}
			w.pages["http://docs.test/"] = redirect(base)
			s := everyWay(t, w, "http://docs.test/", start)
			got := urls(s)
			slices.Sort(got[1:])
			if !slices.Equal(got, want) {
				t.Errorf("%s, from %s: %v, want %v; %v", name, base, got, want, reasons(s))
			}
		}
	}
}
