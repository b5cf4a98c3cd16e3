package farwire_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farwire/farwire"
)

// crawlBubble runs a test of time with a site in memory. A connection to a site
// without pages hears nothing.
func crawlBubble(t *testing.T, pages map[string]string, test func(*testing.T, *world), edit ...func(*farwire.Options)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		w := newBubble(t, func(conn net.Conn) {
			defer conn.Close()
			br := bufio.NewReader(conn)
			for {
				req, err := http.ReadRequest(br)
				if err != nil {
					return
				}
				if pages == nil {
					io.Copy(io.Discard, br)
					return
				}
				body, status := pages[req.URL.Path], "200 OK"
				if body == "" {
					status = "404 Not Found"
				}
				if _, err := fmt.Fprintf(conn, "HTTP/1.1 %s\r\nContent-Type: text/html\r\nContent-Length: %d\r\n\r\n%s", status, len(body), body); err != nil {
					return
				}
			}
		}, edit...)
		defer time.Sleep(2 * time.Hour) // for everything that still waits for something
		test(t, w)
	})
}

const inMemory = `{"url":"http://site.test/"}`

func TestCrawl_RequestMissingForTenSeconds_IsClosed(t *testing.T) {
	crawlBubble(t, nil, func(t *testing.T, w *world) {
		p := w.open("/ws/crawl?api_key=" + testKey)
		elapsed(t, 10*time.Second, func() {
			p.wantWithin(time.Minute, frame{op: opText, payload: []byte(`{"type":"error","content":"no crawl request within 10 seconds","reason":"bad_request"}`)})
		})
		p.wantClose(1008, "no crawl request within 10 seconds")
	})
}

func TestCrawl_TimeoutPasses_EndsWithWhatItHas(t *testing.T) {
	crawlBubble(t, nil, func(t *testing.T, w *world) {
		p := w.crawl(inMemory)
		elapsed(t, 7*time.Second, func() { p.receive().wantError(t, 1011, "Crawl timeout exceeded") })
	}, func(o *farwire.Options) { o.Crawl.Timeout = 7 * time.Second })
}

// TestCrawl_ClientSilent_IsPinged asks a client that says nothing whether it is there. A
// site that does not answer takes a minute: three tries.
func TestCrawl_ClientSilent_IsPinged(t *testing.T) {
	crawlBubble(t, nil, func(t *testing.T, w *world) {
		p := w.crawl(inMemory)
		elapsed(t, 60*time.Second, func() {
			for range 2 {
				f, err := p.nextWithin(30 * time.Second)
				if err != nil || f.op != opPing {
					t.Fatalf("got %v, %v", f, err)
				}
				p.frame(opPong, true, f.payload)
			}
			p.receive().wantError(t, 1011, "Failed to fetch page: Connection timeout")
		})
		p = w.crawl(inMemory)
		elapsed(t, 25*time.Second, func() {
			if f, err := p.nextWithin(time.Minute); err != nil || f.op != opPing {
				t.Fatalf("got %v, %v", f, err)
			}
		})
		elapsed(t, 20*time.Second, func() { // it is not answered
			if f, err := p.nextWithin(time.Minute); !errors.Is(err, io.EOF) {
				t.Errorf("got %v, %v", f, err)
			}
		})
		w.wantLog(`kind=crawl .* ended_by=client code=1006`)
	})
}

// TestCrawl_ClientReadsNothing_IsCut cuts a client that takes no byte of its result.
func TestCrawl_ClientReadsNothing_IsCut(t *testing.T) {
	crawlBubble(t, threePages, func(t *testing.T, w *world) {
		w.crawl(inMemory) // and reads nothing
		elapsed(t, 30*time.Second, func() {
			for w.gw.Stats().Kinds[farwire.KindCrawl].Active > 0 || w.gw.Stats().Kinds[farwire.KindCrawl].Started == 0 {
				time.Sleep(10 * time.Millisecond)
			}
		})
		w.wantLog(`kind=crawl .* ended_by=client code=1006`)
	})
}

// TestCrawl_DrainTimeoutPasses_IsCut gives a crawl no time to send its last message.
func TestCrawl_DrainTimeoutPasses_IsCut(t *testing.T) {
	crawlBubble(t, threePages, func(t *testing.T, w *world) {
		w.crawl(inMemory) // and reads nothing
		time.Sleep(time.Second)
		elapsed(t, 3*time.Second, func() {
			ctx, cancel := context.WithTimeout(context.Background(), 3*time.Second)
			defer cancel()
			if err := w.gw.Shutdown(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("shutdown: %v", err)
			}
		})
	})
}

// TestCrawl_AuthenticatorHangs_IsNotAwaited is not waited for for ever.
func TestCrawl_AuthenticatorHangs_IsNotAwaited(t *testing.T) {
	crawlBubble(t, nil, func(t *testing.T, w *world) {
		elapsed(t, 20*time.Second, func() {
			p := w.open("/ws/crawl?api_key=" + testKey)
			f, err := p.nextWithin(time.Minute)
			if err != nil || f.op != opText || !strings.Contains(string(f.payload), `"reason":"internal"`) {
				t.Errorf("got %v, %v", f, err)
			}
		})
	}, func(o *farwire.Options) { o.Auth = hangingAuth{} })
}
