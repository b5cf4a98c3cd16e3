package webhook_test

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/farwire/farwire/internal/fault"
	"github.com/farwire/farwire/internal/webhook"
)

const base = "https://docs.example.com/"

func TestCalls_ManyWrongSecrets_RefuseAllButRightOnes(t *testing.T) {
	var c webhook.Calls
	peer, neighbour := netip.MustParseAddr("2001:db8::1"), netip.MustParseAddr("2001:db8::2")
	right, made := webhook.NewCall(base, "right", false), webhook.NewCall(base, "made", true)
	c.NoteRight(right)
	var err error
	for i := 0; err == nil; i++ {
		if i > 1000 {
			t.Fatal("1000 wrong secrets are not too many")
		}
		err = c.NoteWrong(peer, webhook.NewCall(base, fmt.Sprint("guess ", i), false))
	}
	if !fault.Is(err, fault.RateLimited) {
		t.Fatal(err)
	}
	for name, call := range map[string]webhook.Call{"right": right, "made": made} {
		if err := c.Check(neighbour, call); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, call := range map[string]webhook.Call{
		"a guess":              webhook.NewCall(base, "guess 1", false),
		"right, of another":    webhook.NewCall("https://www.example.com/", "right", false),
		"made, and then wrong": made,
	} {
		if call == made {
			_ = c.NoteWrong(peer, made)
		}
		if err := c.Check(neighbour, call); !fault.Is(err, fault.RateLimited) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if err := c.Check(netip.MustParseAddr("192.0.2.1"), webhook.NewCall(base, "guess 1", false)); err != nil {
		t.Errorf("another network: %v", err)
	}
}

func TestCalls_NextCrawl_IsAMinuteAfterTheLast(t *testing.T) {
	now := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for name, c := range map[string]struct {
		site   webhook.Site
		before func(*webhook.Calls)
		want   time.Duration // from now
	}{
		"never crawled":    {site: webhook.Site{ID: 1}},
		"crawled long ago": {site: webhook.Site{ID: 1, Crawled: []time.Time{now.Add(-time.Hour)}}},
		"crawled just now": {site: webhook.Site{ID: 1, Crawled: []time.Time{{}, now.Add(-10 * time.Second)}}, want: 50 * time.Second},
		"a clock ahead":    {site: webhook.Site{ID: 1, Crawled: []time.Time{now.Add(time.Hour)}}, want: time.Minute},
		"being crawled":    {site: webhook.Site{ID: 1, Leased: true}, want: time.Minute},
		"called before":    {site: webhook.Site{ID: 1}, before: func(c *webhook.Calls) { c.NextCrawl(webhook.Site{ID: 1}, now) }, want: time.Minute},
		"another called":   {site: webhook.Site{ID: 1}, before: func(c *webhook.Calls) { c.NextCrawl(webhook.Site{ID: 2}, now) }},
		"crawled by us":    {site: webhook.Site{ID: 1}, before: func(c *webhook.Calls) { c.CrawlBegins(1, now.Add(-20*time.Second)) }, want: 40 * time.Second},
		"called twice ahead": {site: webhook.Site{ID: 1}, before: func(c *webhook.Calls) {
			c.NextCrawl(webhook.Site{ID: 1, Leased: true}, now)
			c.NextCrawl(webhook.Site{ID: 1, Leased: true}, now)
		}, want: time.Minute},
	} {
		var calls webhook.Calls
		if c.before != nil {
			c.before(&calls)
		}
		if at := calls.NextCrawl(c.site, now); at.Sub(now) != c.want {
			t.Errorf("%s: %v, want %v", name, at.Sub(now), c.want)
		}
	}
}
