package farwire_test

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/farwire/farwire"
)

// However a crawl ends, and however its URL is written, no password and no query of the URL
// is in the log.
func TestCrawl_SecretsInTheURL_AreNotLogged(t *testing.T) {
	const secret = "S3CRET-value"
	w := newWorld(t, func(o *farwire.Options) { o.Crawl.Timeout = 30 * time.Second })
	site := newSite(t, map[string]string{"/": page("Home", "A page of its own words, and nothing else.")})
	host := strings.TrimPrefix(site.URL, "http://")
	urls := []string{}
	for _, h := range []string{host, "a..b", "127.1", "[::1", "bad host", "%zz"} {
		urls = append(urls, "http://user:"+secret+"@"+h+"/", "http://"+secret+"@"+h+"/", "http://"+h+"/?q="+secret,
			"http://"+h+"/#"+secret, "http://user:a "+secret+"@"+h+"/?x=1", "http://user:a/"+secret+"@"+h+"/", "http://user:a?"+secret+"@"+h+"/", "HTTP://u:"+secret+"@"+h)
	}
	for _, u := range urls {
		p := w.open("/ws/crawl", "X-API-Key: "+testKey)
		message, err := json.Marshal(map[string]any{"url": u, "maxPages": 1})
		if err != nil {
			t.Fatal(err)
		}
		p.text(string(message))
		for {
			f := p.next()
			if f.op == opClose {
				break
			}
		}
		p.conn.Close()
	}
	if err := w.gw.Shutdown(t.Context()); err != nil { // sessions are in the log when they have ended
		t.Fatal(err)
	}
	if n := w.log.Count(`msg="session ended"`); n < len(urls) {
		t.Errorf("%d sessions of %d are in the log", n, len(urls))
	}
	for line := range strings.Lines(w.log.String()) {
		if strings.Contains(line, secret) {
			t.Error(line)
		}
	}
}
