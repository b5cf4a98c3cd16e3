package farwire_test

import (
	"fmt"
	"sync"
	"testing"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/brokertest"
	"github.com/farwire/farwire/llmstxt"
)

// TestStats_SessionRuns_CountsWhatCrosses counts what crosses while a session runs, and goes on
// counting from there when it has ended.
func TestStats_SessionRuns_CountsWhatCrosses(t *testing.T) {
	w := newWorld(t)
	p := w.connected(newTarget(t, echo), "")
	p.text("12345")
	p.wantText("12345")
	var s farwire.KindStats
	waitFor(t, func() bool {
		s = w.gw.Stats().Kinds[farwire.KindRelay]
		return s.FramesToTarget == 1 && s.FramesToClient == 1
	})
	if s.BytesToTarget != 5 || s.BytesToClient != 5 {
		t.Errorf("running: %+v", s)
	}
	p.close(1000, "")
	p.wantClose(1000, "")
	p.wantEnd()
	waitFor(t, func() bool { return w.gw.Stats().Kinds[farwire.KindRelay].Active == 0 })
	if s := w.gw.Stats().Kinds[farwire.KindRelay]; s.FramesToTarget != 2 || s.FramesToClient != 2 || s.BytesToClient != 5+2 {
		t.Errorf("ended: %+v", s)
	}
}

// A caller's usage counts what its running sessions have carried, and nothing of other
// callers, also when they have ended.
func TestUsage_SessionRuns_CountsItsBytes(t *testing.T) {
	w := newWorld(t, func(o *farwire.Options) {
		o.Auth = mustKeys(t, map[string]string{testKey: "alice", otherKey: "bob"})
	})
	used := func(key string) string {
		t.Helper()
		var a struct {
			In  int64 `json:"bytes_to_target"`
			Out int64 `json:"bytes_to_client"`
		}
		if code := askJSON(t, w.gw.Usage(), "GET", "/usage", key, &a); code != 200 {
			t.Fatalf("%d", code)
		}
		return fmt.Sprint(a.In, " ", a.Out)
	}
	p := w.connected(newTarget(t, echo), "")
	p.text("12345")
	p.wantText("12345")
	waitFor(t, func() bool { return used(testKey) == "5 5" })
	if got := used(otherKey); got != "0 0" {
		t.Errorf("of bob: %s", got)
	}
	p.close(1000, "")
	p.wantClose(1000, "")
	p.wantEnd()
	waitFor(t, func() bool { return w.gw.Stats().Kinds[farwire.KindRelay].Active == 0 })
	if got := used(testKey); got != "7 7" { // a close code more
		t.Errorf("ended: %s", got)
	}
	if got := used(otherKey); got != "0 0" {
		t.Errorf("of bob: %s", got)
	}
}

// The totals are read while sessions begin and end.
func TestStats_SessionsEnd_TotalsStay(t *testing.T) {
	w := newWorld(t)
	url := newTarget(t, echo)
	done := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		var last farwire.KindStats
		for {
			s := w.gw.Stats().Kinds[farwire.KindRelay]
			if s.Started < last.Started || s.FramesToTarget < last.FramesToTarget || s.FramesToClient < last.FramesToClient ||
				s.BytesToTarget < last.BytesToTarget || s.BytesToClient < last.BytesToClient {
				t.Errorf("%+v after %+v", s, last)
			}
			if s.BytesToTarget < 2*s.FramesToTarget || s.BytesToClient < 2*s.FramesToClient { // the smallest is a close code
				t.Errorf("frames are counted before their bytes: %+v", s)
			}
			last = s
			select {
			case <-done:
				return
			default:
			}
		}
	})
	const sessions = 30
	for range sessions {
		p := w.connected(url, "")
		p.text("12345")
		p.wantText("12345")
		p.close(1000, "")
		p.wantClose(1000, "")
		p.wantEnd()
	}
	waitFor(t, func() bool { return w.gw.Stats().Kinds[farwire.KindRelay].Active == 0 })
	close(done)
	wg.Wait()
	if s := w.gw.Stats().Kinds[farwire.KindRelay]; s.Started != sessions || s.FramesToClient != 2*sessions {
		t.Errorf("in the end: %+v", s)
	}
}

func TestStats_AgentMissing_IsCounted(t *testing.T) {
	w := newWorld(t)
	p := w.open("/ws")
	p.ask("ws://127.0.0.1:1", `"agent":"at5"`)
	p.wantError(1011, "")
	p.wantEnd()
	if s := w.gw.Stats(); s.NoAgent != 1 {
		t.Errorf("stats %+v", s)
	}
	if list, ok := w.gw.Agents(); ok {
		t.Errorf("an exit alone lists %v", list)
	}
}

// TestStats_Agents_ListsThoseOfAPool lists those of a pool.
func TestStats_Agents_ListsThoseOfAPool(t *testing.T) {
	pool, err := agent.NewPool(agent.PoolOptions{LocalOnly: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := pool.Add(direct(t, agent.DirectOptions{Slug: "at1", Country: "AT"})); err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, func(o *farwire.Options) { o.Agents = pool })
	list, ok := w.gw.Agents()
	if !ok || len(list) != 1 || list[0].ID != "farwire-at1" {
		t.Errorf("got %v, %v", list, ok)
	}
}

// TestStats_Streams_CountMessagesOnce counts messages while their stream runs, and once.
func TestStats_Streams_CountMessagesOnce(t *testing.T) {
	broker := &brokertest.Broker{Serve: func(c *brokertest.Conn) { c.Deliver(1, "k", "12345") }}
	w := newWorld(t, func(o *farwire.Options) { o.Agents = brokerExit(broker) })
	s := w.subscribe(subscription)
	s.connected()
	s.event()
	var got farwire.Stats
	waitFor(t, func() bool { got = w.gw.Stats(); return got.Kinds[farwire.KindAMQP].FramesToClient == 1 })
	if got.Kinds[farwire.KindAMQP].BytesToClient != 5 || got.Kinds[farwire.KindAMQP].Active != 1 || got.AMQPWaiting != 0 {
		t.Errorf("running: %+v", got)
	}
	s.conn.Close()
	waitFor(t, func() bool { got = w.gw.Stats(); return got.Kinds[farwire.KindAMQP].Active == 0 })
	if got.Kinds[farwire.KindAMQP].FramesToClient != 1 || got.Kinds[farwire.KindAMQP].BytesToClient != 5 {
		t.Errorf("ended: %+v", got)
	}
}

// TestStats_Crawl_CountsEachPageByOutcome counts each page under what became of it.
func TestStats_Crawl_CountsEachPageByOutcome(t *testing.T) {
	w := newWorld(t)
	s := newSite(t, map[string]string{"/": page("Home", "A page with a link that leads nowhere at all.", "/gone")})
	if h := w.crawl(fmt.Sprintf(`{"url":%q}`, s.URL)).receive(); h.code != 1000 {
		t.Fatalf("%+v", h)
	}
	if pages := w.gw.Stats().CrawlPages; pages[farwire.PageWritten] != 1 || pages[string(llmstxt.SkipStatus)] != 1 {
		t.Errorf("got %v", pages)
	}
}

// TestStats_Pages_HaveEveryOutcome has an entry for every outcome from the beginning.
func TestStats_Pages_HaveEveryOutcome(t *testing.T) {
	w := newWorld(t)
	pages := w.gw.Stats().CrawlPages
	if len(pages) != 1+len(llmstxt.Reasons()) {
		t.Errorf("got %v", pages)
	}
	for _, outcome := range []string{farwire.PageWritten, string(llmstxt.SkipStatus)} {
		if n, ok := pages[outcome]; !ok || n != 0 {
			t.Errorf("%s: %d, %v", outcome, n, ok)
		}
	}
}
