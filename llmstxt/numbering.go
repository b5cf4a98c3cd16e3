package llmstxt

import "github.com/farwire/farwire/llmstxt/internal/frontier"

// When addresses get their numbers.

// window is how many addresses ahead of the next page to decide have a number.
// It is the same for any number of workers.
const window = 128

// fillQueue gives numbers to addresses while the window has room for them: to what
// the base page links to; to the first of each list, so that there is something to fetch
// while that is decided; then to the lists in turns, of each of which a few are under way
// at a time, so that one that is known early does not fill the window; and when everything
// else has been decided, to what was put off. Of a folder of which nothing has answered
// few are under way.
func (c *crawler) fillQueue() {
	for c.hasNumbers() {
		e, ok := c.waiting.PeekBase()
		if !ok || c.commit < len(c.queue) && c.dead.mayHave(e.key) {
			break
		}
		c.waiting.Base()
		c.take(e)
		c.afterBase = len(c.queue)
	}
	if _, more := c.waiting.PeekBase(); more && c.commit < c.afterBase {
		return
	}
	if c.commit <= c.afterBase { // one of each comes before a second of any
		c.takeTurns(1)
	}
	if c.commit < c.afterBase {
		return
	}
	c.takeTurns(c.perList)
	for c.commit == len(c.queue) && c.takeOtherVersions() {
		c.takeTurns(c.perList)
	}
	if c.commit < len(c.queue) {
		return
	}
	for c.hasNumbers() {
		e, late, ok := c.waiting.NextDeferred()
		if !ok {
			return
		}
		if late == frontier.Last && !e.numbered {
			c.number(e)
		} else if !c.take(e) {
			continue
		}
		if c.dead.mayHave(e.key) {
			return
		}
	}
}

// hasNumbers reports room in the window, and in the crawl.
func (c *crawler) hasNumbers() bool {
	return len(c.queue)-c.commit < window && len(c.queue) < c.limit
}

// takeTurns gives numbers to addresses of the lists in turns, while fewer than most of a
// list are under way.
func (c *crawler) takeTurns(most int) {
	busy := func(l frontier.List) bool { return c.underWay[l] >= most }
	for c.hasNumbers() {
		e, l, ok := c.waiting.Next(busy)
		if !ok {
			return
		}
		if c.take(e) {
			e.list = l
			c.underWay[l]++
		}
	}
}

// take gives an entry its number, unless it has one already or is in a folder that is dead.
func (c *crawler) take(e *entry) bool {
	if e.numbered {
		return false
	}
	if c.dead.has(e.key) {
		e.inDead = true
		c.waiting.Defer(e, frontier.Last)
		return false
	}
	c.number(e)
	return true
}

// number puts an entry at the end of the queue.
func (c *crawler) number(e *entry) {
	e.numbered, e.asked = true, e.key
	c.dead.ask(e.asked)
	c.queue = append(c.queue, e)
}
