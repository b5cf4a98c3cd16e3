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
	Draining                    bool // now
	Relay, AMQP, Crawl, Recrawl KindStats

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

	// As in SessionResult, of running sessions too.
	FramesToTarget, BytesToTarget int64
	FramesToClient, BytesToClient int64
}

// PageWritten is the outcome, in Stats.CrawlPages, of a page that is in its
// crawl's file.
const PageWritten = "written"

// Stats returns the counters as they are now. It looks at every session that
// is running: some 100 ns each.
func (g *Gateway) Stats() Stats {
	s := Stats{NoAgent: g.noAgent.Load(), CrawlPages: g.outcome.read()}
	each := [kinds]*KindStats{&s.Relay, &s.AMQP, &s.Crawl, &s.Recrawl}
	// A session is taken out of those that run and its traffic added to what is
	// counted under one lock: nothing is seen twice, or not at all.
	g.mu.Lock()
	defer g.mu.Unlock()
	s.Draining = g.draining
	for k, into := range each {
		c := &g.counts[k]
		into.Started, into.Failed = c.started.Load(), c.failed.Load()
		into.add(c.frames[toTarget].Load(), c.bytes[toTarget].Load(), c.frames[toClient].Load(), c.bytes[toClient].Load())
	}
	for r := range g.running {
		if !r.admitted {
			continue
		}
		into := each[r.kind]
		into.Active++
		if r.pipe != nil {
			c, t := r.pipe.Counts()
			into.add(int64(c.Frames), int64(c.Bytes), int64(t.Frames), int64(t.Bytes))
		}
		if r.flow != nil {
			s.AMQPWaiting += r.flow.Waiting()
		}
	}
	return s
}

func (s *KindStats) add(framesToTarget, bytesToTarget, framesToClient, bytesToClient int64) {
	s.FramesToTarget += framesToTarget
	s.BytesToTarget += bytesToTarget
	s.FramesToClient += framesToClient
	s.BytesToClient += bytesToClient
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

// The directions of counts.
const (
	toTarget = iota
	toClient
)

// counts are those of one kind of sessions.
type counts struct {
	started, failed atomic.Int64
	frames, bytes   [2]atomic.Int64
}

// ended counts what a session carried. What streams carry is counted as it
// goes.
func (c *counts) ended(r SessionResult, k kind) {
	if r.Err != nil {
		c.failed.Add(1)
	}
	c.frames[toTarget].Add(r.FramesToTarget)
	c.bytes[toTarget].Add(r.BytesToTarget)
	if k != kindAMQP {
		c.sent(r.FramesToClient, r.BytesToClient)
	}
}

func (c *counts) sent(frames, bytes int64) {
	c.frames[toClient].Add(frames)
	c.bytes[toClient].Add(bytes)
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
