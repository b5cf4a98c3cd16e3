package farwire_test

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/llmstxt"
)

// A silentModel answers nothing until its context ends, and says when that was.
type silentModel struct {
	asked, gone chan struct{}
}

func newSilentModel() silentModel {
	return silentModel{make(chan struct{}, 1000), make(chan struct{}, 1000)}
}

func (m silentModel) Enhance(ctx context.Context, _ llmstxt.Part) (string, error) {
	m.asked <- struct{}{}
	<-ctx.Done()
	m.gone <- struct{}{}
	return "", context.Cause(ctx)
}

// thriftySilence wants a part for each page.
type thriftySilence struct{ silentModel }

func (thriftySilence) PartSize() int { return 1 }

const enhanced = `{"url":"http://site.test/","llmEnhance":true}`

// The crawl goes on without a model that is silent: after 30 seconds for a
// part, after the crawl's own limit for all.
func TestCrawl_ModelSilent_GoesOnWithoutIt(t *testing.T) {
	many := map[string]string{"/": page("Home", "The home page has links to all of the others there are.", "/1", "/2", "/3", "/4", "/5", "/6", "/7", "/8", "/9")}
	for _, n := range "123456789" {
		many["/"+string(n)] = page("Page "+string(n), "This is the page with the number "+string(n)+", and no other.")
	}
	for name, c := range map[string]struct {
		model farwire.Enhancer
		limit time.Duration
		want  time.Duration
		last  string // of the log
	}{
		"a part":        {newSilentModel(), 0, 30 * time.Second, "Part 1 of 1 keeps its own text: no answer in time"},
		"parts in turn": {thriftySilence{newSilentModel()}, 0, time.Minute, "Part 10 of 10 keeps its own text: no answer in time"},
		"the limit":     {thriftySilence{newSilentModel()}, 40 * time.Second, 40 * time.Second, "Part 10 of 10 keeps its own text: no answer in time"},
		"a short limit": {thriftySilence{newSilentModel()}, 20 * time.Second, 20 * time.Second, "Part 10 of 10 keeps its own text: no time is left"},
	} {
		t.Run(name, func(t *testing.T) {
			crawlBubble(t, many, func(t *testing.T, w *world) {
				p := w.crawl(enhanced)
				var h heard
				elapsed(t, c.want, func() { h = p.receiveWithin(time.Minute) })
				if h.code != 1000 || !strings.Contains(h.one(t, "result").Content, "the page with the number 9") {
					t.Errorf("got %+v", h)
				}
				if logs := strings.TrimSpace(h.logs()); !strings.HasSuffix(logs, c.last) {
					t.Errorf("logs:\n%s\nwant at the end %s", logs, c.last)
				}
			}, func(o *farwire.Options) { o.Crawl.Enhance, o.Crawl.Timeout = c.model, c.limit })
		})
	}
}

// A client that leaves takes its questions along at once.
func TestCrawl_ClientLeaves_ModelIsNotAsked(t *testing.T) {
	var model silentModel
	crawlBubble(t, threePages, func(t *testing.T, w *world) {
		p := w.crawl(enhanced)
		for len(model.asked) == 0 {
			p.next() // what the log says, which must be read
			synctest.Wait()
		}
		began := time.Now()
		p.conn.Close()
		<-model.gone
		if d := time.Since(began); d > 2*time.Second {
			t.Errorf("the model was asked for another %v", d)
		}
	}, func(o *farwire.Options) {
		model = newSilentModel() // in the bubble, whose time stands still for others
		o.Crawl.Enhance = model
	})
}
