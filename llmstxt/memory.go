package llmstxt

import (
	"context"
	"errors"
	"net/url"
	"time"

	"github.com/farwire/farwire/llmstxt/internal/share"
)

// What was read of pages. It is kept until the crawl ends, so what it takes is taken
// from the process's share, piece by piece: for what there is, and for each page that is
// under way the most that a page can leave.
//
// A crawl that finds no piece asks for fewer pages at a time. One that has no page
// under way waits for a while and then ends with the pages that it has: to wait longer
// could be to wait for a crawl that waits for this one.

// memory is what the crawl holds of the process's share.
type memory struct {
	room     []func()          // give back what was taken for what is read of pages
	holding  int               // bytes of that
	core     func()            // gives back the core that deciding a page holds; nil: none
	texting  int               // bytes of packed texts of pages that wait for their turn
	strings  map[string]string // each once, of those that many pages have
	interned int               // bytes of them
}

const resultWait = 10 * time.Second

var errNoRoom = errors.New("no room for what is read of pages")

// size is about how many bytes a result takes until its page is decided, without its
// whole text, which has a share of its own.
func (r *result) size() int {
	n := 500 + r.evidence.Size() + len(r.etag) + len(r.modified) + len(r.canonical) + len(r.generic) + r.cookies.Size()
	for _, u := range []*url.URL{r.final, r.twinURL} {
		if u != nil {
			n += len(u.Path) + len(u.RawPath) + len(u.RawQuery)
		}
	}
	for _, l := range r.links {
		n += 16 + len(l)
	}
	for _, block := range r.said {
		n += 32
		for _, s := range block.Sentences {
			n += 16 + len(s)
		}
	}
	if r.twin != nil {
		n += r.twin.size()
	}
	return n
}

// hold counts a result in that has arrived, or has grown since.
func (c *crawler) hold(r *result) {
	n := r.size()
	c.holding += n - r.held
	r.held = n
}

// uncount counts out what of a result is not kept, after its page was decided.
func (c *crawler) uncount(e *entry, r *result) {
	switch {
	case e.res == r: // it stands back for another page, which may not come
	case e.state == committed:
		gone := r.cookies.Size()
		for _, l := range r.links {
			gone += len(l) // they share their bytes now, which intern counts
		}
		c.holding -= gone
		r.held -= gone
	default:
		c.holding -= r.held
		r.held = 0
	}
}

// hasRoom reports whether another page may be asked for beside those that are under way,
// and takes what it needs.
func (c *crawler) hasRoom(inFlight int) bool {
	need := (c.holding+share.ResultPiece-1)/share.ResultPiece + inFlight + 1
	for len(c.room) < need {
		release, ok := share.Results.Try(c.owner)
		if !ok {
			return false
		}
		c.room = append(c.room, release)
	}
	for len(c.room) > need && share.Results.Busy() {
		c.room[len(c.room)-1]()
		c.room = c.room[:len(c.room)-1]
	}
	return true
}

// awaitRoom waits for a piece.
func (c *crawler) awaitRoom(ctx context.Context, limit time.Duration) error {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, errNoRoom)
	defer cancel()
	release, err := share.Results.Take(ctx, c.owner)
	if err == nil {
		c.room = append(c.room, release)
	}
	return err
}

// keepRoom returns what gives back the room that the site takes, and leaves the rest.
func (c *crawler) keepRoom() []func() {
	n := min(len(c.room), max(1, (c.holding+share.ResultPiece-1)/share.ResultPiece))
	kept := c.room[:n:n]
	c.room = c.room[n:]
	return kept
}

func (c *crawler) giveRoom() {
	for _, give := range c.room {
		give()
	}
	c.room = nil
}

const maxInterned = 32 << 20 // bytes of addresses that are kept for later crawls

// intern makes equal addresses share their bytes; a site's pages link to each
// other over and over. It returns "" for one that is not kept.
func (c *crawler) intern(s string) string {
	if e := c.index[s]; e != nil && e.key == s {
		return e.key
	}
	if t, ok := c.strings[s]; ok {
		return t
	}
	if c.interned += len(s); c.interned > maxInterned {
		return ""
	}
	c.strings[s] = s
	c.holding += len(s) + 40
	return s
}
