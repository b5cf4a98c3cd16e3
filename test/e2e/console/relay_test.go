package console

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
	"github.com/coder/websocket"

	"github.com/farwire/farwire/internal/harness"
)

// enter gives the page a key that it takes.
func (p *page) enter(key string) {
	p.t.Helper()
	p.fill("#key", key)
	p.click("#enter")
	p.await(`!document.querySelector('#panels').hidden`)
}

// relayTo opens a relay and waits until it stands.
func (p *page) relayTo(url string) {
	p.t.Helper()
	p.fill("#relay-url", url)
	p.click("#relay-connect")
	p.says("#relay-status", "Connected through farwire-local")
}

// row is the text of a row of a feed, counted from the end.
func (p *page) row(feed string, fromEnd int) string {
	p.t.Helper()
	return eval[string](p, fmt.Sprintf(`[...document.querySelectorAll('#%s .row')].at(%d)?.querySelector('.line').innerText.replace(/\s+/g, ' ') ?? ''`, feed, -fromEnd))
}

func (p *page) awaitRows(feed string, n int) {
	p.t.Helper()
	p.await(fmt.Sprintf(`document.querySelectorAll('#%s .row').length === %d`, feed, n))
}

// A person without a target of their own tries the echo.
func TestRelay_Echo_Answers(t *testing.T) {
	t.Parallel()
	g := harness.Serve(t)
	p := open(t, desktop, g.HTTP("/"))
	p.enter(g.Key)
	p.click("#relay-echo")
	p.choose("#relay-through", "agent:local")
	p.click("#relay-connect")
	p.says("#relay-status", "Connected through farwire-local")
	p.click("#relay-send")
	p.awaitRows("relay-feed", 3)

	// The same bytes, written in two ways.
	rows := 3
	for kind, written := range map[string]string{"hex": "de ad 00:BE,0xef", "base64": "3q0Avu8"} {
		p.choose("#relay-kind", kind)
		p.fill("#relay-text", written)
		p.click("#relay-send")
		rows += 2
		p.awaitRows("relay-feed", rows)
		if row := p.row("relay-feed", 1); !strings.Contains(row, "Received") || !strings.Contains(row, "binary") || !strings.Contains(row, "5 B de ad 00 be ef") {
			t.Errorf("from %s came back: %s", kind, row)
		}
	}
	p.choose("#relay-kind", "hex")
	for written, sentence := range map[string]string{"xy": "“x” is not a hexadecimal digit.", "abc": "A byte is two digits; one is missing."} {
		p.fill("#relay-text", written)
		p.click("#relay-send")
		p.says("#relay-message-notice", sentence)
	}

	// An open row lays JSON out and keeps its numbers as they were sent.
	p.choose("#relay-kind", "text")
	p.fill("#relay-text", `{"price":12345678901234567890.10,"tags":["a","b"]}`)
	p.press(kb.Enter, chromedp.ModifierCtrl)
	p.awaitRows("relay-feed", rows+2)
	if row := p.row("relay-feed", 1); !strings.Contains(row, "Received") || !strings.Contains(row, "text") {
		t.Errorf("the last row is %s", row)
	}
	p.click("#relay-feed .row:last-child button")
	p.says("#relay-feed .row:last-child pre", "{\n  \"price\": 12345678901234567890.10,\n  \"tags\": [\n    \"a\",\n    \"b\"\n  ]\n}")
	p.shot("relay")

	p.click("#relay-connect")
	p.says("#relay-status", "Closed.")
	p.await(`document.querySelector('#relay-feed .row:last-child').innerText.includes('1000')`)
	if notice := p.text("#relay-notice"); notice != "" {
		t.Errorf("leaving is called trouble: %s", notice)
	}
}

// What stands under "More" reaches the target, and nothing of the browser does.
func TestRelay_Headers_ReachTheTarget(t *testing.T) {
	t.Parallel()
	seen := make(chan *http.Request, 1)
	url := harness.Target(t, func(ctx context.Context, c *websocket.Conn, r *http.Request) {
		seen <- r
		harness.Echo(ctx, c, r)
	}) + "/stream"
	g := harness.Serve(t, "--allow-private")
	p := open(t, desktop, g.HTTP("/"))
	p.enter(g.Key)
	p.choose("#relay-through", "geo:ZZ")
	p.click("#relay .more summary")
	p.fill("#relay-headers", "X-One: 1\n  X-Two :  two words \n\n")
	p.fill("#relay-protocols", "chat, superchat")
	p.fill("#relay-idle", "0.3")
	p.fill("#relay-url", url)
	p.click("#relay-connect")
	// The target says nothing, so the session ends by itself.
	p.says("#relay-notice", "The target was silent for as long as you allow.")
	r := <-seen
	if r.Header.Get("X-One") != "1" || r.Header.Get("X-Two") != "two words" || r.Header.Get("Sec-WebSocket-Protocol") != "chat, superchat" {
		t.Errorf("the target saw %v", r.Header)
	}
	if r.Header.Get("Origin") != "" || r.Header.Get("User-Agent") != "" {
		t.Errorf("the target saw the browser: %v", r.Header)
	}
	p.says("#relay-feed .row:last-child .preview", "idle timeout")
	for headers, sentence := range map[string]string{
		"no colon":        "“no colon” is not a valid header.",
		"A: 1\nA: 2":      "The header A stands there twice.",
		"X-One: \x01":     "The request cannot be served as it is.",
		"__proto__: x\nB": "“B” is not a valid header.",
	} {
		p.fill("#relay-headers", headers)
		p.click("#relay-connect")
		p.says("#relay-notice", sentence)
	}
}

func TestRelay_Refused_IsShown(t *testing.T) {
	t.Parallel()
	closing := harness.Target(t, func(_ context.Context, c *websocket.Conn, _ *http.Request) { c.Close(4001, "come back tomorrow") }) + "/stream"
	silent := harness.Target(t, harness.Echo) + "/stream"
	open1, guarded := harness.Serve(t, "--allow-private"), harness.Serve(t)
	for _, c := range []struct {
		name        string
		g           *harness.Gateway
		url         string
		title, said string
	}{
		{name: "guard", g: guarded, url: silent, title: "The agent does not go to that address.", said: "target refused"},
		{name: "no scheme", g: guarded, url: "echo.farwire.alt", title: "A target begins with ws:// or wss://."},
		{name: "port", g: open1, url: "ws://127.0.0.1:1/", title: "Nothing listens at that address.", said: "connection refused"},
		{name: "code", g: open1, url: closing, title: "The target closed with a code of its own.", said: "come back tomorrow (4001)"},
	} {
		p := open(t, desktop, c.g.HTTP("/"))
		p.enter(c.g.Key)
		p.fill("#relay-url", c.url)
		p.click("#relay-connect")
		p.says("#relay-notice", c.title)
		if notice := p.text("#relay-notice"); !strings.Contains(notice, c.said) {
			t.Errorf("%s: the notice lacks %q: %s", c.name, c.said, notice)
		}
		p.await(`document.querySelector('#relay-connect').innerText === 'Connect'`)
		// What never stood is no frame.
		if rows := eval[int](p, `document.querySelectorAll('#relay-feed .row').length`); c.name != "code" && rows != 0 {
			t.Errorf("%s: %d rows are in the feed", c.name, rows)
		}
	}
}

// A gateway that drains says so; one that is gone says nothing.
func TestRelay_GatewayDrainsOrDies_IsShown(t *testing.T) {
	t.Parallel()
	g := harness.Serve(t)
	p := open(t, desktop, g.HTTP("/"))
	p.expect("ERR_CONNECTION_REFUSED")
	p.enter(g.Key)
	p.relayTo("ws://echo.farwire.alt")
	g.Stop()
	p.says("#relay-notice", "The gateway is shutting down.")
	p.click("#relay-connect")
	p.says("#relay-notice", "The connection to the gateway was lost.")
	p.click("#tab-network")
	p.says("#network-notice", "The gateway does not answer.")
}

// A feed faster than anybody reads keeps a thousand rows, and the page stays
// quick enough to be paused and filtered meanwhile.
func TestRelay_FastFeed_KeepsAThousandRows(t *testing.T) {
	t.Parallel()
	const burst = 10000
	url := harness.Target(t, func(ctx context.Context, c *websocket.Conn, _ *http.Request) {
		for i := 1; ; i++ {
			if err := c.Write(ctx, websocket.MessageText, fmt.Appendf(nil, `{"tick": %d, "side": "%s"}`, i, []string{"buy", "sell"}[i%2])); err != nil {
				return
			}
			if i == burst { // and then slowly
				break
			}
		}
		tick := time.NewTicker(50 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
			case <-ctx.Done():
				return
			}
			if err := c.Write(ctx, websocket.MessageText, []byte(`{"tick": "slow"}`)); err != nil {
				return
			}
		}
	}) + "/stream"
	g := harness.Serve(t, "--allow-private")
	p := open(t, desktop, g.HTTP("/"))
	p.enter(g.Key)
	call(p, network.Disable, cdp.Empty{}) // else the browser tells this test of each frame
	p.relayTo(url)
	p.await(`[...document.querySelectorAll('#relay-feed .row')].at(-1).textContent.includes('slow')`)
	if rows := eval[int](p, `document.querySelectorAll('#relay-feed .row').length`); rows > 1000 {
		t.Errorf("%d rows are in the page", rows)
	}
	p.says("#relay-feed .total", "the last 1000 shown")
	if !eval[bool](p, `((box) => box.scrollHeight - box.scrollTop - box.clientHeight < 60)(document.querySelector('#relay-feed .scroll'))`) {
		t.Error("the newest row is not in sight")
	}

	p.click("#relay-feed button[aria-pressed]")
	p.says("#relay-feed .total", "waiting")
	before := p.row("relay-feed", 1)
	p.await(`parseInt(/(\d+) waiting/.exec(document.querySelector('#relay-feed .total').innerText)[1]) > 3`)
	if after := p.row("relay-feed", 1); after != before {
		t.Errorf("while paused the last row went from %s to %s", before, after)
	}
	p.fill("#relay-feed .filter", `"BUY"`)
	p.await(`[...document.querySelectorAll('#relay-feed .row')].every((row) => row.hidden !== row.textContent.includes('buy'))`)
	p.says("#relay-feed .total", "match")
	if hidden := eval[int](p, `document.querySelectorAll('#relay-feed .row[hidden]').length`); hidden == 0 {
		t.Error("the filter hides nothing")
	}
	p.click("#relay-feed button[aria-pressed]")
	p.fill("#relay-feed .filter", "slow")
	p.await(`[...document.querySelectorAll('#relay-feed .row:not([hidden])')].length > 3`)
	p.click(`#relay-feed [aria-label="Clear frames"]`)
	p.await(`document.querySelectorAll('#relay-feed .row').length < 500`) // of a thousand; new ones come all the time
}

// What a target sends is text and never markup, and of a large frame the page
// keeps a part, and says so.
func TestRelay_HostileFrames_AreShownAsText(t *testing.T) {
	t.Parallel()
	hostile := `<img src=x onerror="document.title='owned'"><script>document.title='owned'</script>`
	url := harness.Target(t, func(ctx context.Context, c *websocket.Conn, _ *http.Request) {
		c.Write(ctx, websocket.MessageText, []byte(hostile))
		c.Write(ctx, websocket.MessageText, []byte(strings.Repeat("é😀", 1<<20)))
		c.Write(ctx, websocket.MessageBinary, make([]byte, 5<<20))
		c.Read(ctx)
		c.Close(4003, "API key invalid")
	}) + "/stream"
	g := harness.Serve(t, "--allow-private")
	p := open(t, desktop, g.HTTP("/"))
	p.enter(g.Key)
	p.relayTo(url)
	p.awaitRows("relay-feed", 4)
	for n, want := range map[int]string{2: hostile, 3: "6.3 MB", 4: "5.2 MB"} {
		p.click(fmt.Sprintf("#relay-feed .row:nth-child(%d) button", n))
		p.says(fmt.Sprintf("#relay-feed .row:nth-child(%d)", n), want)
	}
	p.says("#relay-feed .row:nth-child(3)", "3,080,192 characters more, not kept by this page.")
	p.says("#relay-feed .row:nth-child(4)", "5,234,688 bytes more, not kept by this page.")
	if title := eval[string](p, `document.title`); title != "Relay · Farwire" {
		t.Errorf("a frame has changed the page: %s", title)
	}
	if n := eval[int](p, `document.querySelectorAll('#relay-feed :is(img, script)').length`); n != 0 {
		t.Errorf("%d elements were made of a frame", n)
	}

	// Nor are the words of its close the gateway's.
	p.fill("#relay-text", "enough")
	p.click("#relay-send")
	p.says("#relay-notice", "API key invalid (4003)")
	for _, want := range []string{"The target closed with a code of its own.", "The close frame said:"} {
		if notice := p.text("#relay-notice"); !strings.Contains(notice, want) {
			t.Errorf("the notice lacks %q: %s", want, notice)
		}
	}
}
