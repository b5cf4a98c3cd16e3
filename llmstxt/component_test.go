package llmstxt_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/farwire/farwire/llmstxt"
)

// Wiki.js sends what a page says in a template that is the slot of a component. Another template
// says nothing.
func TestCrawl_WordsInTheSlotOfAComponent_AreRead(t *testing.T) {
	page := func(name string, links ...string) answer {
		body := doc(name, links...).body
		main := body[strings.Index(body, "<h1>"):strings.Index(body, "</main>")]
		return html(fmt.Sprintf(`<html lang=en><title>%s | Team Wiki</title><body><div id=root><page locale=en path=x title=%q><template slot="contents"><div>%s</div></template><template slot=comments><div></div></template><v-menu><template slot=activator><p>The menu of those whom nobody ever sees.</p></template></v-menu><el-table><template slot=empty><p>A table that nobody ever sees has no rows.</p></template></el-table><template slot=row><p>{{ nobody ever }}</p></template><template id=t><p>A template that nobody ever sees on the page.</p></template></page></div><script>var siteConfig = {}</script>`, name, name, main))
	}
	w := &web{pages: map[string]answer{"http://docs.test/": page("Home", "/en/pots", "/en/lids"), "http://docs.test/en/pots": page("Pots", "/en/lids"), "http://docs.test/en/lids": page("Lids", "/en/cups"), "http://docs.test/en/cups": page("Cups")}}
	s := everyWay(t, w, "http://docs.test/", llmstxt.Options{Text: true})
	if len(s.Pages) != 4 {
		t.Fatalf("%v, %v", urls(s), s.Skipped)
	}
	for i, name := range []string{"Home", "Pots", "Lids", "Cups"} {
		if p := s.Pages[i]; p.Title != name && i > 0 || !strings.HasPrefix(p.Excerpt, "This page explains "+name+" in one honest sentence") || strings.Contains(p.Excerpt, "nobody ever") {
			t.Errorf("%s: %q", p.Title, p.Excerpt)
		}
	}
	s = crawl(t, w, "http://docs.test/", llmstxt.Options{Text: true})
	defer s.Close()
	files, _ := textFiles(t, s, llmstxt.Index)
	if full := files[llmstxt.FullName]; strings.Count(full, "honest sentence") != 4 || strings.Contains(full, "nobody ever") {
		t.Errorf("llms-full.txt is\n%s", full)
	}
}
