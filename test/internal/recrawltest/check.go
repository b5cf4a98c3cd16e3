package recrawltest

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/adapters/sqlstore"
)

// A Result says how it went.
type Result struct {
	Slots                 int           // worked, all of them once
	Changed               int           // of these, to find another edition
	Disturbed             int           // of all, after a lease was lost
	Rested                int           // sites that lost three leases in a row and were asked for at the end
	Killed, Stopped       int           // gateways
	Late                  []Lateness    // by how many leases were lost on the way; outside of the outage
	Outage, LateOutage    time.Duration // how long the database was away, and the most that a time around it was late
	Slow                  time.Duration // the slowest crawl that came to its end, and the slowest start of a gateway: what the machine adds
	Requests, Reads       int           // to the sites; of files
	Refused, Lost, Failed int           // saves and commits of stale workers; crawls that failed
	Wrong                 []string      // what must not be
}

// Lateness is how long it took from due to committed.
type Lateness struct {
	Slots     int
	Sum, Most time.Duration
}

func (r Result) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%d due times worked, each once, %d of them to find another edition and %d after a lease was lost;\n"+
		"%d gateways killed and %d stopped; %d sites rested\n", r.Slots, r.Changed, r.Disturbed, r.Killed, r.Stopped, r.Rested)
	for lost, l := range r.Late {
		if l.Slots > 0 {
			fmt.Fprintf(&b, "%d after %d lost leases: from due to committed %v on average, %v at the most\n", l.Slots, lost,
				(l.Sum / time.Duration(l.Slots)).Round(time.Millisecond), l.Most.Round(time.Millisecond))
		}
	}
	fmt.Fprintf(&b, "around the %v without a database: %v at the most; the slowest start and the slowest crawl took %v together\n",
		r.Outage.Round(time.Millisecond), r.LateOutage.Round(time.Millisecond), r.Slow.Round(time.Millisecond))
	fmt.Fprintf(&b, "%d requests to the sites; %d reads of files, all whole; %d gateways too late with a site, %d saves refused, %d crawls failed",
		r.Requests, r.Reads, r.Lost, r.Refused, r.Failed)
	return b.String()
}

// check reads the store's log, the files and what the gateways said.
func (c *run) check(ctx context.Context) error {
	r := &c.result
	r.Slow = c.slow()
	for i, id := range c.ids {
		lines, err := c.store.Log(ctx, id, sqlstore.LogLines)
		if err != nil {
			return err
		}
		slices.Reverse(lines)
		lines = slices.DeleteFunc(lines, func(l sqlstore.Line) bool { return l.Token <= c.token[i] })
		before := sqlstore.Line{Token: c.token[i]}
		rested := false
		for _, l := range lines {
			rested = rested || lost(before, l) >= mostLost
			c.line(i, before, l)
			before = l
		}
		if c.rest[i] {
			r.Rested++
			if !rested {
				c.wrong("site %s rests, and has never lost %d leases in a row", name(i), mostLost)
			}
		}
		if len(lines) == 0 {
			c.wrong("site %s was never crawled", name(i))
			continue
		}
		if err := c.compare(ctx, i, before); err != nil {
			return err
		}
	}
	for _, p := range c.ended {
		if err := p.Crashed(); err != nil {
			c.wrong("%v", err)
		}
		said := p.Log()
		r.Lost += strings.Count(said, "outcome=lost")
		r.Refused += strings.Count(said, farwire.ErrStale.Error())
	}
	if len(r.Wrong) > 0 {
		return errors.New(strings.Join(r.Wrong[:min(len(r.Wrong), 20)], "\n"))
	}
	return nil
}

// timedOut is the error of a crawl that a busy machine gave too little time:
// client and site share it. Nothing else may fail a crawl.
const timedOut = "target timed out"

// line holds a line of a site's log to the one before. Without one that has
// only the token of the enrolment.
func (c *run) line(i int, before, l sqlstore.Line) {
	r := &c.result
	r.Slots++
	if l.Hash != before.Hash {
		r.Changed++
	}
	if l.Error != "" {
		r.Failed++
	}
	if l.Error != "" && l.Error != timedOut {
		c.wrong("site %s failed: %s", name(i), l.Error)
	}
	// What rested was worked when it was asked for.
	if n := lost(before, l); l.Error == "" && n < mostLost {
		c.late(i, n, l)
	}
	if before.Due.IsZero() {
		return
	}
	// Due is what the Commit before had said: an interval after the time
	// before, or after the crawl when that was missed by more.
	switch next := before.Due.Add(c.Interval); {
	case !l.Due.After(before.Due):
		c.wrong("site %s: %v was worked twice, or after a later one", name(i), l.Due)
	case before.Error == timedOut: // the next try waits longer
	case l.Due.Before(next):
		c.wrong("site %s: due at %v, %v after the time before", name(i), l.Due, l.Due.Sub(before.Due))
	case l.Due.After(next) && l.Due.After(before.Committed.Add(c.Interval)):
		c.wrong("site %s: nothing was due between %v and %v", name(i), before.Due, l.Due)
	}
}

// mostLost is how many leases in a row a site may lose; then it rests.
const mostLost = 3

// lost is how many leases were lost between two lines of a site's log: every
// lease has a token of its own, and those that were lost have no line.
func lost(before, l sqlstore.Line) int { return int(l.Token-before.Token) - 1 }

// late judges a due time of which a number of leases were lost. Each may cost
// what is left of the lease, the wait after it, which is as long and then twice
// as long, and a poll until another gateway takes the site; twice that is
// allowed, and what the machine adds. So is twice an outage: what fell due
// meanwhile is worked all at once.
func (c *run) late(i, n int, l sqlstore.Line) {
	r, late := &c.result, l.Committed.Sub(l.Due)
	if n > 0 {
		r.Disturbed++
	}
	waits := max(1, n)
	most := 2*(time.Duration(waits)*(c.Lease+c.Poll)+c.Lease<<waits) + r.Slow
	if !c.outage[0].IsZero() && l.Due.After(c.outage[0].Add(-2*(c.Lease+c.Poll))) && l.Due.Before(c.outage[1].Add(c.Lease+c.Poll)) {
		most += 2 * r.Outage
		r.LateOutage = max(r.LateOutage, late)
	} else {
		for len(r.Late) <= n {
			r.Late = append(r.Late, Lateness{})
		}
		of := &r.Late[n]
		of.Slots, of.Sum, of.Most = of.Slots+1, of.Sum+late, max(of.Most, late)
	}
	if c.JudgeLateness && late > most {
		c.wrong("site %s was worked %v after it was due at %v, with %d leases lost on the way; at the most it may be %v", name(i), late, l.Due, n, most)
	}
}

// compare holds the hosted file to what the store knows of it.
func (c *run) compare(ctx context.Context, i int, last sqlstore.Line) error {
	path, err := c.file(i)
	if err != nil {
		return err
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	c.web.mu.Lock()
	newest := c.web.editions[i]
	c.web.mu.Unlock()
	edition, err := whole(i, string(b))
	if err != nil {
		c.wrong("the file of site %s at last: %v", name(i), err)
	}
	if edition != newest {
		c.wrong("the file of site %s is edition %d; the site is at %d", name(i), edition, newest)
	}
	if sum := sha256.Sum256(b); hex.EncodeToString(sum[:]) != last.Hash {
		c.wrong("the file of site %s is not the one that the store knows of", name(i))
	}
	return nil
}

var (
	worked  = regexp.MustCompile(`(?m)^time=(\S+) .* kind=recrawl .* duration_s=(\S+) site=.* outcome=(?:un)?changed`)
	working = regexp.MustCompile(`(?m)^time=(\S+) .*msg=working`)
)

// slow returns how long starts and crawls took that nothing came between.
func (c *run) slow() time.Duration {
	apart := func(text string) (at time.Time, ok bool) {
		at, err := time.Parse(time.RFC3339, text)
		return at, err == nil && (c.outage[0].IsZero() || at.Before(c.outage[0]) || at.After(c.outage[1].Add(c.Lease+c.Poll)))
	}
	var start, crawl time.Duration
	for _, p := range c.ended {
		if m := working.FindStringSubmatch(p.Log()); m != nil {
			if at, ok := apart(m[1]); ok {
				start = max(start, at.Sub(c.began[p]))
			}
		}
		for _, m := range worked.FindAllStringSubmatch(p.Log(), -1) {
			d, err := time.ParseDuration(m[2] + "s")
			if _, ok := apart(m[1]); ok && err == nil {
				crawl = max(crawl, d)
			}
		}
	}
	return start + crawl
}
