package model

import (
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"github.com/farwire/farwire/adapters/openrouter"
)

// A crawl that comes again pays for what has changed, after a restart too.
func TestRecrawl_AfterARestart_PaysForChangesAlone(t *testing.T) {
	const pages = 120
	served := map[string]string{}
	var links []string
	for i := range pages {
		// Numbers in paths would look like a calendar's, of which a crawl takes few.
		path := fmt.Sprintf("/part-%c/page-%c%c", 'a'+i%6, 'a'+i/26, 'a'+i%26)
		links = append(links, path)
		served[path] = page(fmt.Sprintf("Page %d", i), fmt.Sprintf("The page with the number %d says what number %d is good for.", i, i))
	}
	served["/"] = page("Many pages", "There are many pages here, and each has its number.", links...)
	s, folder := site(t, served), filepath.Join(t.TempDir(), "answers")
	p := &injectedModel{t: t}
	api := serve(t, p)
	for _, format := range []string{"pages", "index"} {
		// run is a gateway's whole life: what it asks for, and its file.
		run := func() (openrouter.Stats, string) {
			t.Helper()
			cache, err := openrouter.Folder(folder, 0)
			if err != nil {
				t.Fatal(err)
			}
			defer cache.Close()
			model := asModel(t, api, func(o *openrouter.Options) { o.Cache, o.TokenBudget = cache, 2000 })
			file, logs := newGateway(t, model).crawl(s.URL, format, true)
			if strings.Contains(logs, "keeps its own text") {
				t.Errorf("%s: logs:\n%s", format, logs)
			}
			return model.Stats(), file
		}
		first, file := run()
		if first.Requests < 10 || first.Requests != first.Parts || first.Cached != 0 || first.PromptTokens == 0 || first.Cost < 0.009 {
			t.Errorf("%s: the first time: %+v", format, first)
		}
		again, same := run()
		if again.Requests != 0 || again.Cached != first.Parts || same != file {
			t.Errorf("%s: unchanged, and yet %+v", format, again)
		}
		one := links[63]
		was := served[one]
		served[one] = page("Page 63", "The page with the number 63 has become another one since then.")
		changed, file := run()
		if changed.Requests < 1 || changed.Requests > 2 || !strings.Contains(file, "another one since then") {
			t.Errorf("%s: one page changed, of %d parts: %+v", format, first.Parts, changed)
		}
		served[one] = was
	}
}

// What the operator has to know is in the log, and no client sees it.
func TestModel_InvalidKey_LogSaysSo(t *testing.T) {
	s := site(t, map[string]string{"/": page("Home", "The only page that there is on this site.")})
	api := serve(t, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.WriteHeader(http.StatusUnauthorized)
		fmt.Fprintf(w, `{"error":{"code":401,"message":"No user for %s"}}`, r.Header.Get("Authorization"))
	}))
	g := newGateway(t, asModel(t, api))
	own, _ := g.crawl(s.URL, "pages", false)
	got, logs := g.crawl(s.URL, "pages", true)
	if got != own || !strings.HasSuffix(logs, "Part 1 of 1 keeps its own text: no answer\n") {
		t.Errorf("%s\n%s", logs, got)
	}
	log := g.log.String()
	if !strings.Contains(log, "level=WARN msg=\"language model without an answer\"") || !strings.Contains(log, "the API key is not valid") || strings.Contains(log, modelKey) {
		t.Errorf("log:\n%s", log)
	}
}

func TestCrawl_ModelNotConfigured_KeepsItsOwnWords(t *testing.T) {
	s := site(t, map[string]string{"/": page("Home", "The only page that there is on this site.")})
	g := newGateway(t, nil)
	own, _ := g.crawl(s.URL, "index", false)
	got, logs := g.crawl(s.URL, "index", true)
	if got != own || !strings.Contains(logs, "No language model is configured; the file keeps its own words\n") {
		t.Errorf("%s\n%s", logs, got)
	}
}
