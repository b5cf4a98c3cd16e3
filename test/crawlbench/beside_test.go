//go:build unix

package crawlbench_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/farwire/farwire/internal/harness"
)

// hostilePages are 8 MiB each, and expensive to read for their length.
func hostilePages() (pages [][]byte) {
	for _, unit := range []string{"<script><!--<-", "<a href=x>tt</a><ul>", "&amp", "<a href=/x?y>link</a> ", "tt<ul>"} {
		var packed bytes.Buffer
		w := gzip.NewWriter(&packed)
		fmt.Fprint(w, "<title>T</title><p>", strings.Repeat(unit, 8<<20/len(unit)-10))
		w.Close()
		pages = append(pages, packed.Bytes())
	}
	return pages
}

// hostileSite serves a home page whose every link is a hostile page.
func hostileSite(b *testing.B) (url string, served *atomic.Int64) {
	pages, served := hostilePages(), new(atomic.Int64)
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/html")
		switch {
		case strings.HasSuffix(r.URL.Path, "/"):
			fmt.Fprint(w, "<title>Home</title><h1>Home</h1><p>A home page that says what it is about.")
			for i := range 3000 {
				fmt.Fprintf(w, "<p><a href=page-%d>Page %d</a>", i, i)
			}
		case strings.Contains(r.URL.Path, "/page-"):
			w.Header().Set("Content-Encoding", "gzip")
			w.Write(pages[int(served.Add(1))%len(pages)])
		default:
			w.WriteHeader(http.StatusNotFound)
		}
	}))
	b.Cleanup(s.Close)
	return s.URL, served
}

// crawlAgain crawls again and again until ctx ends.
func crawlAgain(ctx context.Context, b *testing.B, g *harness.Gateway, url string) {
	for ctx.Err() == nil {
		c, _, err := websocket.Dial(ctx, g.WS("/ws/crawl?api_key="+g.Key), nil)
		if err != nil {
			break
		}
		c.SetReadLimit(-1)
		ask, err := json.Marshal(map[string]any{"url": url, "maxPages": 1000})
		if err == nil {
			err = c.Write(ctx, websocket.MessageText, ask)
		}
		for err == nil {
			_, _, err = c.Read(ctx)
		}
		c.CloseNow()
	}
	if ctx.Err() == nil {
		b.Error("a crawl cannot be begun")
	}
}

// lockStep sends a message, waits for its echo, and so on for a while, and returns
// how often.
func lockStep(b *testing.B, g *harness.Gateway, target string, duration time.Duration) (trips float64) {
	ctx, cancel := context.WithTimeout(context.Background(), harness.Timeout)
	defer cancel()
	c, _, err := websocket.Dial(ctx, g.WS("/ws?api_key="+g.Key+"&url="+target), nil)
	if err != nil {
		b.Error(err)
		return 0
	}
	defer c.CloseNow()
	message := make([]byte, 128)
	for began := time.Now(); time.Since(began) < duration; trips++ {
		if err := c.Write(ctx, websocket.MessageBinary, message); err != nil {
			b.Error(err)
			break
		}
		if _, _, err := c.Read(ctx); err != nil {
			b.Error(err)
			break
		}
	}
	return trips / duration.Seconds()
}

// BenchmarkRelayBesideCrawls has two gateways, each with a relay in lock-step at the
// same time. One of the two crawls five hostile sites meanwhile; its relay keeps at least
// half of the other's round trips, in the median of the rounds. A single round says
// nothing: give -benchtime 5x or more, on a machine that does nothing else.
func BenchmarkRelayBesideCrawls(b *testing.B) {
	busy, quiet := harness.Serve(b, "--allow-private", "--max-crawls=-1", "--max-pages-per-day=-1"), harness.Serve(b, "--allow-private")
	target := harness.Target(b, harness.Echo) + "/"
	site, served := hostileSite(b)
	ctx, cancel := context.WithCancel(context.Background())
	var crawling sync.WaitGroup
	b.Cleanup(func() { cancel(); crawling.Wait() })
	for i := range 5 {
		crawling.Go(func() { crawlAgain(ctx, b, busy, fmt.Sprintf("%s/%d/", site, i)) })
	}
	for served.Load() < 10 {
		time.Sleep(10 * time.Millisecond)
	}
	var ratios, beside, alone []float64
	for b.Loop() {
		var x, y float64
		var both sync.WaitGroup
		both.Go(func() { x = lockStep(b, busy, target, 3*time.Second) })
		both.Go(func() { y = lockStep(b, quiet, target, 3*time.Second) })
		both.Wait()
		ratios, beside, alone = append(ratios, x/y), append(beside, x), append(alone, y)
	}
	median := func(all []float64) float64 { slices.Sort(all); return all[len(all)/2] }
	if kept := median(ratios); len(ratios) >= 5 && kept < 0.5 {
		b.Errorf("beside hostile crawls a relay keeps %.2f of its round trips", kept)
	}
	b.ReportMetric(median(ratios), "of-quiet")
	b.ReportMetric(median(beside), "trips/s")
	b.ReportMetric(median(alone), "quiet-trips/s")
	b.ReportMetric(float64(served.Load()), "pages")
}
