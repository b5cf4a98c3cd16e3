package farwire_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"encoding/binary"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"
)

// Shutdown does not wait for a parser: a crawl of pages that take long to read ends
// within a second.
func TestShutdown_CrawlReadsHostilePages_EndsSoon(t *testing.T) {
	var packed bytes.Buffer
	z := gzip.NewWriter(&packed)
	fmt.Fprint(z, strings.Repeat("<a href=x>tt</a><ul>", 8<<20/20))
	z.Close()
	served := make(chan struct{}, 1000)
	site := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		rw.Header().Set("Content-Type", "text/html")
		switch {
		case r.URL.Path == "/":
			fmt.Fprint(rw, "<title>Home</title><h1>Home</h1><p>A home page that says what it is about.")
			for i := range 200 {
				fmt.Fprintf(rw, "<p><a href=page-%d>Page %d</a>", i, i)
			}
		case strings.HasPrefix(r.URL.Path, "/page-"):
			rw.Header().Set("Content-Encoding", "gzip")
			rw.Write(packed.Bytes())
			served <- struct{}{}
		default:
			http.NotFound(rw, r)
		}
	}))
	t.Cleanup(site.Close)
	w := newWorld(t)
	p := w.open("/ws/crawl?api_key=" + testKey)
	p.text(fmt.Sprintf(`{"url":%q,"maxPages":100}`, site.URL))
	ended := make(chan int, 1)
	go func() {
		for {
			f, err := p.nextWithin(testTimeout)
			if err != nil || f.op == opClose && len(f.payload) < 2 {
				ended <- 0
				return
			}
			if f.op == opClose {
				p.close(1001, "")
				ended <- int(binary.BigEndian.Uint16(f.payload))
				return
			}
		}
	}()
	for range 3 {
		<-served
	}
	ctx, cancel := context.WithTimeout(context.Background(), testTimeout)
	defer cancel()
	began := time.Now()
	if err := w.gw.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("Shutdown took %v", took)
	}
	if code := <-ended; code != 1001 {
		t.Errorf("the crawl was closed with %d", code)
	}
}
