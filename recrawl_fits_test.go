package farwire_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/agent"
)

// fittingSites are memorySites that can claim for the exits that a gateway has.
type fittingSites struct{ *memorySites }

func (f fittingSites) ClaimFitting(_ context.Context, d time.Duration, fits func(geo, agent string) bool) (farwire.Lease, error) {
	return f.claim("ClaimFitting", d, func(r *siteRow) bool { return fits(r.Options.Geo, r.Options.Agent) })
}

const (
	attached int64 = iota
	draining
	gone
)

// agents has a gateway reach the target through one agent, as long as that is attached.
func (c *recrawlWorld) agents(slug, country string, state *atomic.Int64) func(*farwire.Options) {
	return func(o *farwire.Options) {
		o.Sites = fittingSites{c.sites}
		exit := o.Agents.(agent.Exit)
		exit.ID, exit.Slug, exit.Country = "farwire-"+slug, slug, country
		o.Agents = listing{selectorFunc(func(ctx context.Context, q agent.Query) (agent.Exit, error) {
			if state.Load() != attached {
				return agent.Exit{}, agent.ErrNoAgent
			}
			return exit.SelectAgent(ctx, q)
		}), func() []agent.Info {
			list := []agent.Info{{ID: "farwire-zz1", Slug: "zz1", Country: "ZZ"}} // a gateway without agents claims nothing anyway
			switch i := (agent.Info{ID: exit.ID, Slug: slug, Country: country}); state.Load() {
			case draining:
				i.State = agent.Draining
				list = append(list, i)
			case attached:
				list = append(list, i)
			}
			return list
		}}
	}
}

// A site is crawled by the gateway whose agent fits it, when it is due, and the other one
// does not touch it.
func TestRecrawl_AgentOfOneGatewayFits_ThatOneClaims(t *testing.T) {
	for name, choice := range map[string]string{
		"country": `"geo":"DE"`, "countries": `"geo":"SE,DE"`, "slug": `"agent":"de1"`, "slugs": `"agent":"se1,de1"`, "both": `"geo":"de","agent":"DE1"`,
	} {
		t.Run(name, func(t *testing.T) {
			inRecrawlWorld(t, func(c *recrawlWorld) {
				german, austrian := c.beside(c.agents("de1", "DE", new(atomic.Int64))), c.beside(c.agents("at5", "AT", new(atomic.Int64)))
				if h := german.crawled(testKey, strings.Replace(enrolHourly, "{", "{"+choice+",", 1)); h.code != 1000 {
					c.t.Fatalf("enrolled: %+v", h)
				}
				c.seen = len(c.sites.committed())
				defer recrawls(c.t, austrian.gw)()
				defer recrawls(c.t, german.gw)()
				for range 10 {
					due, token := c.sites.only(c.t).NextCrawl, c.sites.newest()
					done := c.next()
					if done.Site.Failures != 0 || !done.Site.LastCrawl.After(due) || done.at.Sub(due) > 12*time.Second || done.lease.Token != token+1 {
						c.t.Errorf("due at %v, it is %+v at %v under token %d after %d", due, done.Site, done.at, done.lease.Token, token)
					}
				}
				if log := austrian.log.String(); strings.Contains(log, "kind=recrawl") {
					c.t.Errorf("the other gateway worked it:\n%s", log)
				}
			})
		})
	}
}

// A site that no agent fits stays due, as it is, and is crawled when one is attached that does.
func TestRecrawl_NoAgentFits_SiteStaysAsItIs(t *testing.T) {
	for name, away := range map[string]int64{"gone": gone, "draining": draining} {
		t.Run(name, func(t *testing.T) {
			inRecrawlWorld(t, func(c *recrawlWorld) {
				var state atomic.Int64
				gateway := c.beside(c.agents("de1", "DE", &state))
				other := c.beside(c.agents("at5", "AT", new(atomic.Int64)))
				if h := gateway.crawled(testKey, strings.Replace(enrolHourly, "{", `{"geo":"DE",`, 1)); h.code != 1000 {
					c.t.Fatalf("enrolled: %+v", h)
				}
				c.seen = len(c.sites.committed())
				before := c.sites.only(c.t)
				state.Store(away)
				defer recrawls(c.t, gateway.gw)()
				defer recrawls(c.t, other.gw)()
				time.Sleep(time.Until(before.NextCrawl) + 3*time.Hour)
				if now := c.sites.only(c.t); now != before || len(c.sites.committed()) != c.seen {
					c.t.Errorf("without an agent it is\n%+v, was\n%+v", now, before)
				}
				// Others that are due do not wait behind it.
				if h := other.crawled(otherKey, enrolHourly); h.code != 1000 {
					c.t.Fatalf("enrolled: %+v", h)
				}
				c.seen = len(c.sites.committed())
				if done := c.next(); done.Site.Subject != "bob" || done.Site.Failures != 0 || done.at.Sub(done.lease.Due) > 12*time.Second {
					c.t.Errorf("worked %+v at %v", done, done.at)
				}
				back := time.Now()
				state.Store(attached)
				if done := c.next(); done.Site.Subject != "alice" || done.Site.Failures != 0 || done.at.Sub(back) > 12*time.Second ||
					!done.lease.Due.Equal(before.NextCrawl) {
					c.t.Errorf("an agent is back at %v; worked %+v at %v", back, done, done.at)
				}
			})
		})
	}
}

// A host's panic while its store asks which sites fit is the store's.
func TestRecrawl_ClaimFittingPanics_IsTriedAgain(t *testing.T) {
	inRecrawlWorld(t, func(c *recrawlWorld) {
		gateway := c.beside(c.agents("de1", "DE", new(atomic.Int64)))
		var panics atomic.Int64
		c.sites.before = func(method string) error {
			if method == "ClaimFitting" && panics.Add(1) < 4 {
				panic(fmt.Sprintf("number %d", panics.Load()))
			}
			return nil
		}
		defer recrawls(c.t, gateway.gw)()
		if done := c.next(); done.Site.Failures != 0 || panics.Load() < 4 {
			c.t.Errorf("after %d panics it is %+v", panics.Load(), done.Site)
		}
		gateway.wantLog(`site store unavailable`)
	})
}
