package farwire_test

import (
	"context"
	"errors"
	"io"
	"testing"
	"time"

	"github.com/farwire/farwire"
)

// impatientSites lets something happen during a call, and then does as a database does
// whose context has ended.
type impatientSites struct {
	*memorySites
	during func(method string) // nil: nothing happens
}

func (s *impatientSites) happens(ctx context.Context, method string) error {
	if s.during == nil {
		return nil
	}
	s.during(method)
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(time.Second + time.Millisecond): // a crawl ends within a second
		return nil
	}
}

// Enroll has leased the site before the context ends.
func (s *impatientSites) Enroll(ctx context.Context, site farwire.Site, most int, d time.Duration) (farwire.Lease, error) {
	l, err := s.memorySites.Enroll(ctx, site, most, d)
	return l, errors.Join(err, s.happens(ctx, "Enroll"))
}

func (s *impatientSites) Commit(ctx context.Context, l farwire.Lease, r farwire.RecrawlResult) error {
	if err := s.happens(ctx, "Commit"); err != nil {
		return err
	}
	return s.memorySites.Commit(ctx, l, r)
}

func (m *memorySites) leased() bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	return !m.rows[0].expiry.IsZero()
}

// TestCrawl_EnrolmentIsCutShort_LeavesNoLease: whoever leaves while a site is enrolled
// leaves it to its recrawls at once.
func TestCrawl_EnrolmentIsCutShort_LeavesNoLease(t *testing.T) {
	for _, method := range []string{"Enroll", "Commit"} {
		for name, leave := range map[string]func(*recrawlWorld, *peer){
			"client leaves": func(_ *recrawlWorld, p *peer) { p.conn.Close() },
			"drain": func(c *recrawlWorld, _ *peer) {
				go func() {
					ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
					defer cancel()
					if err := c.gw.Shutdown(ctx); err != nil {
						c.t.Error(err)
					}
				}()
			},
		} {
			t.Run(method+", "+name, func(t *testing.T) {
				sites := &impatientSites{}
				inRecrawlWorld(t, func(c *recrawlWorld) {
					asked := make(chan *peer, 1)
					sites.during = func(called string) {
						if called == method {
							leave(c, <-asked)
						}
					}
					p := c.crawl(enrolHourly)
					go io.Copy(io.Discard, p.conn)
					asked <- p
					time.Sleep(20 * time.Second)
					if len(asked) > 0 {
						c.t.Fatal("nobody left")
					}
					if c.sites.leased() {
						c.t.Error("the site is leased, and nobody crawls it")
					}
					if n := len(c.sites.committed()); method == "Commit" && n != c.seen+1 {
						c.t.Errorf("%d outcomes, and the file is saved", n-c.seen)
					}
				}, func(o *farwire.Options) { sites.memorySites = o.Sites.(*memorySites); o.Sites = sites })
			})
		}
	}
}

// TestCrawl_CommitFails_ReleasesTheSite: a store that takes no outcome may still take
// the lease back.
func TestCrawl_CommitFails_ReleasesTheSite(t *testing.T) {
	inRecrawlWorld(t, func(c *recrawlWorld) {
		c.sites.before = func(method string) error {
			if method == "Commit" {
				return errUnavailable
			}
			return nil
		}
		c.crawled(testKey, enrolHourly).wantError(c.t, 1011, "internal error")
		if c.sites.leased() {
			c.t.Error("the site is leased, and nobody crawls it")
		}
	})
}
