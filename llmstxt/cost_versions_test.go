//go:build linux

package llmstxt_test

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/farwire/farwire/llmstxt"
)

// versionsEach is a site that has a version for each of its pages, and no page that says
// anything.
type versionsEach struct{ pages int }

func (s versionsEach) RoundTrip(r *http.Request) (*http.Response, error) {
	status, b := 200, bytes.NewBufferString("<title>T</title><p>The same words on each page.")
	var list int
	switch _, err := fmt.Sscanf(r.URL.Path, "/list%d", &list); {
	case r.URL.Path == "/" || err == nil:
		fmt.Fprintf(b, "<p>List %d.", list)
		for i := 1000 * list; i < min(1000*(list+1), s.pages); i++ {
			fmt.Fprintf(b, "<a href=/1.%d/page%d>x</a>", i, i)
		}
		for i := range s.pages / 1000 {
			fmt.Fprintf(b, "<a href=/list%d>x</a>", i+1)
		}
	case !strings.HasPrefix(r.URL.Path, "/1."):
		status, b = 404, new(bytes.Buffer)
	}
	return &http.Response{StatusCode: status, Header: http.Header{"Content-Type": {"text/html"}}, Body: io.NopCloser(b), ContentLength: -1, Request: r, Proto: "HTTP/1.1", ProtoMajor: 1, ProtoMinor: 1}, nil
}

// A site may have as many versions as a crawl knows addresses. To take one of them after the
// other costs in proportion to how many they are.
func TestCost_SiteOfManyVersions_IsLinear(t *testing.T) {
	crawl := func(pages int) time.Duration {
		site := versionsEach{30 * pages}
		began := processCPU(t)
		s, err := llmstxt.Crawl(t.Context(), "http://a.test/", llmstxt.Options{Client: &http.Client{Transport: site}, MaxPages: pages, Timeout: 10 * time.Minute})
		if err != nil || s.Stats.Fetched < 2*pages {
			t.Fatalf("%v, %+v", err, s)
		}
		return processCPU(t) - began
	}
	if raceDetector {
		crawl(50)
		return
	}
	const n = 200
	for try := 0; ; try++ {
		small, large := crawl(n), crawl(4*n)
		if large < 6*max(small, 50*time.Millisecond) {
			return
		}
		if try == 2 {
			t.Fatalf("%v for %d pages, %v for %d", small, n, large, 4*n)
		}
	}
}
