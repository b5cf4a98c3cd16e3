package farwire

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"

	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/fault"
	"github.com/farwire/farwire/internal/wsframe"
	"github.com/farwire/farwire/llmstxt"
)

// A crawlMessage is one that the gateway sends. Clients need only know the
// first two fields.
type crawlMessage struct {
	Type    string `json:"type"`
	Content string `json:"content"`

	Name          string      `json:"name,omitempty"`           // of a file beside llms.txt
	URL           string      `json:"url,omitempty"`            // where that is
	Reason        string      `json:"reason,omitempty"`         // of an error: the stable code
	Stats         *crawlStats `json:"stats,omitempty"`          // of a result
	Lost          *int        `json:"lost,omitempty"`           // of a result: pages that are missing because the site did not answer
	BaseURL       string      `json:"base_url,omitempty"`       // of a url or an error, when the site is enrolled: what the webhook calls it
	WebhookSecret string      `json:"webhook_secret,omitempty"` // of the same, when the site was enrolled by this crawl
}

// crawlStats say how a crawl went.
type crawlStats struct {
	Pages    int                    `json:"pages"`
	Fetched  int                    `json:"fetched"`
	Rendered int                    `json:"rendered"`
	Bytes    int64                  `json:"bytes"` // of bodies, after decompression
	Skipped  map[llmstxt.Reason]int `json:"skipped"`
	Limited  bool                   `json:"limited"`   // pages were left when maxPages was reached
	TimedOut bool                   `json:"timed_out"` // or when time was over
	Seconds  float64                `json:"seconds"`

	// What the pages in browsers came to.
	RenderSeconds float64 `json:"render_seconds,omitempty"`
	RenderBytes   int64   `json:"render_bytes,omitempty"`
}

func newCrawlStats(s llmstxt.Stats, shown renderCost) *crawlStats {
	return &crawlStats{Pages: s.Pages, Fetched: s.Fetched, Rendered: s.Rendered, Bytes: s.Bytes, Skipped: s.Skipped,
		Limited: s.Limited, TimedOut: s.TimedOut, Seconds: s.Duration.Seconds(), RenderSeconds: shown.time.Seconds(), RenderBytes: shown.bytes}
}

// run crawls with the client looking on, and tells it how it went.
func (c *crawl) run(ws *websocket.Conn) {
	ctx, cancel := context.WithCancelCause(c.session.ctx)
	defer cancel(nil)
	t := watchClient(ws, cancel)
	out, err := c.work(ctx, t)
	if cause := context.Cause(ctx); cause != nil {
		err = cause
	} else if out != nil {
		err = cmp.Or(t.deliver(out), err)
	}
	p, told := c.conclude(err)
	trouble := crawlMessage{Type: "error", Content: p.Text, Reason: p.Code}
	if out != nil { // a site may be enrolled though its file could not be hosted yet
		trouble.BaseURL, trouble.WebhookSecret = out.base, out.secret
	}
	switch {
	case err == nil:
		t.end(1000, "")
	case told && t.send(trouble) == nil:
		t.end(p.Event, p.Text)
	default:
		ws.CloseNow()
	}
	t.wg.Wait()
}

// conclude puts into the session's result why the crawl ended. It reports
// false when there is nobody to be told.
func (c *crawl) conclude(err error) (p publicError, told bool) {
	r := &c.result
	var left *clientLeft
	switch {
	case err == nil:
		r.Code = 1000
		return p, true
	case errors.As(err, &left):
		r.EndedBy, r.Code, r.Err = "client", left.code, err
		return p, false
	case errors.Is(err, errClientGone):
		r.EndedBy, r.Code, r.Err = "client", wsframe.CloseAbnormal, err
		return p, false
	case errors.Is(err, errBrokenFrame):
		r.EndedBy, r.Code, r.Err = "client", wsframe.CloseProtocol, err
		return p, false
	case agent.IsFault(err, agent.FaultAgent):
		r.EndedBy = "agent"
	case errors.As(err, new(*llmstxt.FetchError)):
		r.EndedBy = "target"
	}
	p = publicCrawl(err)
	r.Code, r.Err = p.Event, err
	if p.Class == fault.Internal {
		c.g.o.Logger.WarnContext(c.session.ctx, "internal error", "session", c.session.ID, "kind", c.session.Kind, "err", err)
	}
	return p, true
}

// A crawlSocket is the socket of a running crawl. Its methods may be called
// concurrently.
type crawlSocket struct {
	ws    *websocket.Conn
	leave context.CancelCauseFunc // ends the crawl
	busy  atomic.Bool             // a long message is on its way: no ping gets past it
	wg    sync.WaitGroup
}

// watchClient begins to watch the client: what it sends is read and dropped,
// which answers its pings, and now and then it is sent a ping of ours, because
// one that has vanished says nothing. Both end with the connection, and end
// the crawl.
func watchClient(ws *websocket.Conn, leave context.CancelCauseFunc) *crawlSocket {
	t := &crawlSocket{ws: ws, leave: leave}
	ended := make(chan struct{})
	t.wg.Go(func() {
		defer close(ended)
		ws.SetReadLimit(-1) // of what is dropped
		for {
			_, r, err := ws.Reader(context.Background())
			if err == nil {
				_, err = io.Copy(io.Discard, r)
			}
			if err != nil {
				leave(newClientLeft(err))
				return
			}
		}
	})
	t.wg.Go(func() {
		tick := time.NewTicker(defaultKeepAlive)
		defer tick.Stop()
		for {
			select {
			case <-ended:
				return
			case <-tick.C:
			}
			ctx, cancel := context.WithTimeout(context.Background(), pongTimeout)
			err := ws.Ping(ctx)
			cancel()
			if err != nil && !t.busy.Load() {
				leave(newClientLeft(err))
			}
		}
	})
	return t
}

// clientLeft is errClientGone with the code of its close frame.
type clientLeft struct {
	code int
	err  error
}

func newClientLeft(err error) error {
	code := int(websocket.CloseStatus(err))
	if code < 0 {
		code = wsframe.CloseAbnormal
	}
	return &clientLeft{code, err}
}

func (e *clientLeft) Error() string { return fmt.Sprintf("%v: %v", errClientGone, e.err) }
func (e *clientLeft) Unwrap() error { return errClientGone }

// log tells the client what happens. A client that cannot be told has gone.
func (t *crawlSocket) log(text string) {
	if err := t.send(crawlMessage{Type: "log", Content: text}); err != nil {
		t.leave(newClientLeft(err))
	}
}

// largeMessage is what many clients let a message be by default, those of
// Python's websockets among them.
const largeMessage = 1 << 20

// deliver sends what the crawl came to.
func (t *crawlSocket) deliver(out *crawlOutcome) error {
	result, err := encodeMessage(crawlMessage{Type: "result", Content: out.text, Lost: &out.site.Stats.Lost, Stats: newCrawlStats(out.site.Stats, out.rendered)})
	if err != nil {
		return err
	}
	if len(result) > largeMessage {
		t.log(fmt.Sprintf("The result is a message of %d bytes; some clients refuse more than %d unless told otherwise", len(result), largeMessage))
	}
	t.busy.Store(true)
	if err := t.write(result); err != nil {
		return newClientLeft(err)
	}
	if out.url == "" {
		return nil
	}
	if err := t.send(crawlMessage{Type: "url", Content: out.url, BaseURL: out.base, WebhookSecret: out.secret}); err != nil {
		return newClientLeft(err)
	}
	for _, f := range out.files {
		if err := t.send(crawlMessage{Type: "file", Content: f.url, Name: f.name, URL: f.url}); err != nil {
			return newClientLeft(err)
		}
	}
	return nil
}

func (t *crawlSocket) send(m crawlMessage) error {
	b, err := encodeMessage(m)
	if err != nil {
		return err
	}
	return t.write(b)
}

// encodeMessage leaves < and > as they are: a file is full of them.
func encodeMessage(m crawlMessage) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(m); err != nil {
		return nil, err
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// A message goes out in fragments of this size, between which pings are
// answered.
const fragment = 32 << 10

// write sends one text message. A client that takes no fragment for a while is
// lost; its connection is then cut, because a part of a message went out.
func (t *crawlSocket) write(b []byte) error {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	stall := time.AfterFunc(defaultStall, cancel)
	defer stall.Stop()
	if len(b) <= fragment {
		return t.ws.Write(ctx, websocket.MessageText, b)
	}
	w, err := t.ws.Writer(ctx, websocket.MessageText)
	if err != nil {
		return err
	}
	for len(b) > 0 {
		n := min(fragment, len(b))
		if _, err := w.Write(b[:n]); err != nil {
			return err
		}
		b = b[n:]
		stall.Reset(defaultStall)
	}
	return w.Close()
}

// end closes the socket and waits a while for the client to do so, too. A
// close frame has room for 123 bytes of reason.
func (t *crawlSocket) end(code int, reason string) {
	t.ws.Close(websocket.StatusCode(code), fault.Clip(reason))
}
