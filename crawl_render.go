package farwire

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"
)

// rendering shows pages of one crawl in a browser, tells the client which
// browser that is, and counts what it costs.
type rendering struct {
	with   Renderer // nil: none is configured
	exits  *exits
	remote bool              // a browser service may be used
	say    func(text string) // to the client, in words

	mu   sync.Mutex
	by   map[string]bool // the browsers that the client knows of
	cost renderCost
}

// renderCost is what a crawl's pages in browsers came to.
type renderCost struct {
	pages int
	time  time.Duration
	bytes int64
}

const tellNoBrowser = "No browser is configured; pages that need one keep their static form"

// ErrNoBrowser is what a Renderer that has no browser at all returns, possibly
// wrapped. The client is told so once.
var ErrNoBrowser error = noBrowser{}

type noBrowser struct{}

func (noBrowser) Error() string  { return "no browser" }
func (noBrowser) Detail() string { return "no browser" }

// page has a page rendered. Several are under way at once.
func (r *rendering) page(ctx context.Context, url, _ string) ([]byte, error) {
	if r.with == nil {
		r.tell(tellNoBrowser)
		return nil, ErrNoBrowser
	}
	exit, err := r.exits.exit(ctx)
	if err != nil {
		return nil, err
	}
	shown, err := r.with.Render(ctx, RenderPage{URL: url, Exit: exit, Remote: r.remote})
	switch {
	case errors.Is(err, ErrNoBrowser):
		r.tell(tellNoBrowser)
	case shown.By != "":
		r.tell("Pages that need a browser are shown in " + shown.By)
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cost.time += shown.Time
	r.cost.bytes += shown.Bytes
	if err == nil {
		r.cost.pages++
	}
	return shown.HTML, err
}

// tell says a thing once.
func (r *rendering) tell(text string) {
	r.mu.Lock()
	known := r.by[text]
	if r.by == nil {
		r.by = map[string]bool{}
	}
	r.by[text] = true
	r.mu.Unlock()
	if !known {
		r.say(text)
	}
}

// end returns the cost, which the client is told, too.
func (r *rendering) end() renderCost {
	r.mu.Lock()
	defer r.mu.Unlock()
	if c := r.cost; c.time > 0 {
		r.say(fmt.Sprintf("Rendered %d pages in %.1f s of a browser's time, from %d bytes", c.pages, c.time.Seconds(), c.bytes))
	}
	return r.cost
}
