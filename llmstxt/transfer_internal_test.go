package llmstxt

import (
	"net/http"
	"net/http/httptrace"
	"net/url"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farwire/farwire/llmstxt/internal/robots"
	"github.com/farwire/farwire/llmstxt/internal/weburl"
)

// lateByte is a client whose connection tells of an answer's first byte just when the request
// has taken too long.
type lateByte struct{ telling sync.WaitGroup }

func (l *lateByte) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx := r.Context()
	l.telling.Go(func() {
		<-ctx.Done()
		httptrace.ContextClientTrace(ctx).GotFirstResponseByte()
	})
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestTransfer_AnswerBeginsAsTheTimeEnds_IsATimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := weburl.Parse("http://docs.test/")
		client := &lateByte{}
		c, err := newCrawler(u.String(), u, Options{Client: &http.Client{Transport: client}, PageTimeout: time.Second, Retries: -1})
		if err != nil {
			t.Fatal(err)
		}
		defer c.threads.Close()
		c.scope, c.robots = weburl.ScopeOf(u), &robots.Rules{}
		for range 20 {
			r := c.fetchPage(t.Context(), u, func(*url.URL) error { return nil }, nil)
			client.telling.Wait()
			if !isSkip(r.refused, SkipTimeout) {
				t.Fatal(r.refused)
			}
		}
	})
}
