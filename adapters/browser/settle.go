package browser

import (
	"context"
	_ "embed"
	"time"

	"github.com/chromedp/cdproto/runtime"
)

// When has a page settled? No event says so. What there is to go by is whether
// requests are under way, whether the document changes, whether it has words
// yet, and whether a timer is about to fire that the page set itself when it
// began. A page with words is done when all of this is quiet for a moment, or
// either the network or the document for a good while: a clock that ticks, a
// poll that never ends. One without words is waited for longer, because it was
// sent here for them.

const (
	pollEvery = 100 * time.Millisecond

	quietBoth   = 500 * time.Millisecond
	quietEither = 3 * time.Second
	quietEmpty  = 5 * time.Second
)

//go:embed page.js
var pageScript string

//go:embed frames.js
var framesScript string

//go:embed probe.js
var probeScript string

//go:embed read.js
var readScript string

const worldName = "farwire"

// A probeResult is what a probe of the document finds.
type probeResult struct {
	Loaded bool `json:"loaded"` // its parser is done
	Quiet  int  `json:"quiet"`  // ms since it changed last
	Words  bool `json:"words"`  // it has some
}

// settle waits until the page has settled or ctx ends.
func (t *tab) settle(ctx context.Context) error {
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		var g probeResult
		if err := t.evaluate(ctx, probeScript, &g); err != nil {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			if t.wire.lostNow() {
				return err
			}
			continue // between two documents
		}
		if t.settled(ctx, g) {
			return nil
		}
	}
}

func (t *tab) settled(ctx context.Context, g probeResult) bool {
	document, requests := time.Duration(g.Quiet)*time.Millisecond, t.traffic.quiet()
	switch {
	case !g.Loaded:
		return false
	case !g.Words && t.traffic.left() != "":
		return min(document, requests) >= quietBoth // it wanted to be elsewhere
	case !g.Words:
		return min(document, requests) >= quietEmpty
	case max(document, requests) >= quietEither:
		return true
	}
	return min(document, requests) >= quietBoth && !t.expects(ctx)
}

// expects reports whether a timer is about to fire. The page may lie, and wait
// for nothing.
func (t *tab) expects(ctx context.Context) bool {
	got, err := call(ctx, t.session, runtime.Evaluate, runtime.EvaluateParams{Expression: "globalThis.__farwireTimers?.() | 0", ReturnByValue: new(true)})
	return err == nil && got.Result != nil && string(got.Result.Value) == "1"
}
