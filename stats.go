package farwire

import (
	"sync"
	"sync/atomic"

	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/llmstxt"
)

// Stats are the gateway's counters since New. What is counted never becomes
// less, unless it says that it is a number of now.
type Stats struct {
	Draining bool // now

	// Kinds has an entry for each kind of session.
	Kinds map[Kind]KindStats

	// NoAgent counts searches for an agent that found none that fits.
	NoAgent int64

	// AMQPWaiting is how many bytes of events are in memory now because their
	// readers have not taken them.
	AMQPWaiting int64

	// CrawlPages counts the pages of crawls and recrawls by what became of them: PageWritten
	// or an llmstxt.Reason. It has an entry for each, be it zero.
	CrawlPages map[string]int64
}

// KindStats counts the sessions of one handler.
type KindStats struct {
	Active  int64 // running now
	Started int64 // ever
	Failed  int64 // ended with an error

	Counters // of running sessions too
}

// PageWritten is the outcome, in Stats.CrawlPages, of a page that is in its
// crawl's file.
const PageWritten = "written"

// Stats returns the counters as they are now. It looks at every session that
// is running: some 100 ns each.
func (g *Gateway) Stats() Stats {
	s := Stats{NoAgent: g.noAgent.Load(), CrawlPages: g.outcome.read(), Kinds: make(map[Kind]KindStats, len(kinds))}
	// A session is taken out of those that run and its traffic added to what is
	// counted under one lock: nothing is seen twice, or not at all.
	g.mu.Lock()
	defer g.mu.Unlock()
	s.Draining = g.draining
	for k, c := range g.counts {
		s.Kinds[k] = KindStats{Started: c.started.Load(), Failed: c.failed.Load(), Counters: c.carried()}
	}
	for r := range g.running {
		if !r.admitted {
			continue
		}
		into := s.Kinds[r.Kind]
		into.Active++
		into.Counters = into.Counters.plus(r.carrier.Counters())
		s.Kinds[r.Kind] = into
		if r.waiting != nil {
			s.AMQPWaiting += r.waiting.Waiting()
		}
	}
	return s
}

// plus returns the sum of both.
func (c Counters) plus(d Counters) Counters {
	c.FramesToTarget += d.FramesToTarget
	c.BytesToTarget += d.BytesToTarget
	c.FramesToClient += d.FramesToClient
	c.BytesToClient += d.BytesToClient
	return c
}

// Agents lists the agents that the gateway's AgentSelector knows of now, and
// reports whether it can list them.
func (g *Gateway) Agents() ([]agent.Info, bool) {
	pool, ok := g.o.Agents.(interface{ Agents() []agent.Info })
	if !ok {
		return nil, false
	}
	return pool.Agents(), true
}

// counts are those of one kind of sessions.
type counts struct {
	started, failed atomic.Int64

	mu   sync.Mutex
	past Counters // of sessions that have ended
}

// ended counts what a session carried.
func (c *counts) ended(r SessionResult) {
	if r.Err != nil {
		c.failed.Add(1)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.past = c.past.plus(Counters{r.FramesToTarget, r.BytesToTarget, r.FramesToClient, r.BytesToClient})
}

// carried returns what the sessions that have ended carried.
func (c *counts) carried() Counters {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.past
}

// pageOutcomes counts pages by what became of them.
type pageOutcomes struct {
	mu sync.Mutex
	of map[string]int64
}

func newPageOutcomes() *pageOutcomes {
	p := &pageOutcomes{of: map[string]int64{PageWritten: 0}}
	for _, r := range llmstxt.Reasons() {
		p.of[string(r)] = 0
	}
	return p
}

// note counts what an event of a crawl says.
func (p *pageOutcomes) note(e llmstxt.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch e.Kind {
	case llmstxt.Committed:
		p.of[PageWritten]++
	case llmstxt.Skipped:
		p.of[string(e.Reason)]++
	}
}

func (p *pageOutcomes) read() map[string]int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	of := make(map[string]int64, len(p.of))
	for outcome, n := range p.of {
		of[outcome] = n
	}
	return of
}
