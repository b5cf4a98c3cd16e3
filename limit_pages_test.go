package farwire_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/farwire/farwire"
)

// A pageCounter is a Limiter that lets every request pass, counts pages, and fails
// or waits when it is told to.
type pageCounter struct {
	farwire.Limiter
	mu       sync.Mutex
	grant    int
	err      error
	taken    []int
	returned []int
}

func (l *pageCounter) TakePages(_ context.Context, p farwire.Principal, want int) (farwire.PageQuota, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.err != nil {
		return farwire.PageQuota{}, l.err
	}
	if want == 0 {
		return farwire.PageQuota{Used: 41}, nil
	}
	l.taken = append(l.taken, want)
	return farwire.PageQuota{Granted: l.grant, Used: l.grant, RetryAfter: 90 * time.Minute, Return: func(_ context.Context, n int) error {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.returned = append(l.returned, n)
		return errors.New("the counter is closed")
	}}, nil
}

// TestPages_LimiterOfTheHost_CountsThem has a host's own limiter count pages.
func TestPages_LimiterOfTheHost_CountsThem(t *testing.T) {
	s := newSite(t, threePages)
	l := &pageCounter{Limiter: farwire.NewLimiter(), grant: 2}
	w := newWorld(t, func(o *farwire.Options) {
		o.Limiter = l
		o.Limits.PagesPerDay = 50
	})
	if u := w.usage(t); u.Pages.Today == nil || *u.Pages.Today != 41 || *u.Pages.Limit != 50 {
		t.Errorf("usage %+v", u.Pages)
	}
	h := w.crawled(testKey, fmt.Sprintf(`{"url":%q,"maxPages":9}`, s.URL))
	if h.code != 1000 || h.one(t, "result").Stats.Pages != 2 || !strings.Contains(h.logs(), "Of your 50 pages a day 2 can still be crawled") {
		t.Errorf("got %+v", h)
	}
	l.grant = 9
	if h := w.crawled(testKey, fmt.Sprintf(`{"url":%q,"maxPages":9}`, s.URL)); h.code != 1000 {
		t.Errorf("got %+v", h)
	}
	w.wantLog(`pages not given back.* pages=6 .*the counter is closed`)
	w.crawled(testKey, fmt.Sprintf(`{"url":"%s/missing","maxPages":9}`, s.URL))
	if got := fmt.Sprint(l.taken, l.returned); got != "[9 9 9] [6 9]" {
		t.Errorf("taken and returned: %s", got)
	}
	l.grant = 0
	w.crawled(testKey, fmt.Sprintf(`{"url":%q}`, s.URL)).wantError(t, 1008, "limit reached: 50 pages a day; try again in 1h30m")
	if u := w.usage(t); u.Rate.Refused != 1 {
		t.Errorf("%d refused", u.Rate.Refused)
	}
	l.err = errors.New("the counter burns")
	w.crawled(testKey, fmt.Sprintf(`{"url":%q}`, s.URL)).wantError(t, 1011, "internal error")
	if u := w.usage(t); u.Pages.Today != nil || *u.Pages.Limit != 50 {
		t.Errorf("usage %+v", u.Pages)
	}
	w.wantLog(`internal error.*the counter burns`)

	// One that counts no pages leaves them to the gateway.
	w = newWorld(t, func(o *farwire.Options) {
		o.Limiter = struct{ farwire.Limiter }{farwire.NewLimiter()}
		o.Limits.PagesPerDay = 3
	})
	w.crawled(testKey, fmt.Sprintf(`{"url":%q,"maxPages":3}`, s.URL))
	if u := w.usage(t); *u.Pages.Today != 3 {
		t.Errorf("usage %+v", u.Pages)
	}
}
