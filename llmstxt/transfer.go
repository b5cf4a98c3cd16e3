package llmstxt

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/farwire/farwire/llmstxt/internal/credentials"
	"github.com/farwire/farwire/llmstxt/internal/decode"
	"github.com/farwire/farwire/llmstxt/internal/httphead"
	"github.com/farwire/farwire/llmstxt/internal/notpage"
	"github.com/farwire/farwire/llmstxt/internal/share"
)

// transfer is a request and its answer, with what of the process's shares it holds.
type transfer struct {
	*crawler
	outer   context.Context
	limit   int64 // bytes, unpacked
	text    bool  // Markdown is asked for
	head    bool  // nothing but the head is asked for
	resp    *http.Response
	sent    *bytes.Buffer
	opened  [2]*bytes.Buffer // what was unpacked, before and after it was large
	timing  sync.Mutex       // guards the following two, which the client's goroutines use as well
	began   time.Time
	clock   *time.Timer    // ends the request when the site takes too long
	begun   atomic.Bool    // there is some of the answer
	charset decode.Charset // of the page
	cancel  context.CancelFunc
	held    []func()
}

// ask sends a request and waits for the head of the answer.
func (a *transfer) ask(u *url.URL, prev *Page, cookies credentials.Jars) error {
	for _, pool := range []*share.Pool{nil, share.Bodies} {
		var err error
		var release func()
		if pool == nil {
			release, err = a.slot(a.outer)
		} else {
			release, err = pool.Take(a.outer, a.owner)
		}
		if err != nil {
			return err
		}
		a.held = append(a.held, release)
	}
	var ctx context.Context
	ctx, a.cancel = context.WithCancel(a.outer)
	a.timing.Lock()
	a.began = time.Now()
	a.clock = time.AfterFunc(a.PageTimeout, a.cancel)
	a.timing.Unlock()
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotFirstResponseByte: func() {
		a.begun.Store(true)
		a.rewind(0)
	}})
	resp, err := a.send(ctx, u, prev, cookies)
	if err != nil {
		return a.failed(err)
	}
	a.resp = resp
	a.rewind(0)
	return nil
}

// dripTime is how long a page may take that has begun, with at least a third of
// it for the body.
const dripTime = 15 * time.Second

// rewind sets the clock for the body. What was waited for in this process does
// not count.
func (a *transfer) rewind(waited time.Duration) {
	a.timing.Lock()
	defer a.timing.Unlock()
	a.began = a.began.Add(waited)
	spent := time.Since(a.began)
	if a.clock.Stop() || waited > 0 {
		a.clock.Reset(max(0, min(a.PageTimeout-spent, max(dripTime-spent, dripTime/3))))
	}
}

// drips reports an error of an answer that began and took too long to go on: another try
// would be no faster.
func (a *transfer) drips(err error) bool { return a.begun.Load() && isSkip(err, SkipTimeout) }

// failed is the error of a connection, or that of a page that took too long.
func (a *transfer) failed(err error) error {
	a.timing.Lock()
	defer a.timing.Unlock()
	if !a.clock.Stop() && a.outer.Err() == nil {
		a.pace.Timeout()
		return &skipError{Reason: SkipTimeout, Detail: "took longer than " + min(a.PageTimeout, time.Since(a.began)).Round(time.Second).String(), lost: true}
	}
	return err
}

// Bodies go to buffers that are used again, as they were sent and as they were unpacked:
// a fresh one for each page is memory that the kernel has to clear, which costs as much
// as finding the page's tags, and while a large one grows nothing can stop the world. A
// large one that has doubled three times has room for 8 MiB and for what tells that there
// is no more.
var (
	smallBodies = sync.Pool{New: func() any { return bytes.NewBuffer(make([]byte, 0, share.SmallBody+2*bytes.MinRead)) }}
	largeBodies = sync.Pool{New: func() any { return bytes.NewBuffer(make([]byte, 0, 4*share.SmallBody+2*bytes.MinRead)) }}
)

// readSent reads the body as it was sent. The connection is free then.
func (a *transfer) readSent() error {
	a.sent = smallBodies.Get().(*bytes.Buffer)
	tooLarge := &skipError{Reason: SkipSize, Detail: fmt.Sprintf("larger than %d bytes", a.limit)}
	if a.resp.ContentLength > a.limit {
		return tooLarge
	}
	if _, err := a.sent.ReadFrom(io.LimitReader(a.resp.Body, share.SmallBody)); err != nil && !a.isWhole(err) {
		return a.failed(err)
	}
	if a.sent.Len() == share.SmallBody {
		// The site does not pay for the wait.
		began := time.Now()
		a.clock.Stop()
		release, err := share.LargeBody.Take(a.outer, a.owner)
		if err != nil {
			return err
		}
		a.held = append(a.held, release)
		a.rewind(time.Since(began))
		begun := a.sent
		a.sent = largeBodies.Get().(*bytes.Buffer)
		a.sent.Write(begun.Bytes())
		giveBack(begun)
		if _, err := a.sent.ReadFrom(io.LimitReader(a.resp.Body, a.limit+1-share.SmallBody)); err != nil && !a.isWhole(err) {
			return a.failed(err)
		}
	}
	if int64(a.sent.Len()) > a.limit {
		return tooLarge
	}
	a.clock.Stop()
	a.held[0]() // while this page is being read, another may be on its way
	return nil
}

// isWhole reports a page that has come to its end, though its head announced more.
func (a *transfer) isWhole(err error) bool {
	const end = "</html>"
	sent := bytes.TrimSpace(a.sent.Bytes())
	return errors.Is(err, io.ErrUnexpectedEOF) && a.resp.Header.Get("Content-Encoding") == "" &&
		len(sent) > len(end) && strings.EqualFold(string(sent[len(sent)-len(end):]), end)
}

// challenge names what the answer asks a browser to prove, by its head or, where it refuses
// the page, by the beginning of its body: a site that asks for a browser is not asked too often.
func (a *transfer) challenge() string {
	if name := httphead.Challenge(a.resp); name != "" {
		return name
	}
	switch a.resp.StatusCode {
	case http.StatusAccepted, http.StatusForbidden, http.StatusMethodNotAllowed, http.StatusTeapot, http.StatusTooManyRequests, http.StatusServiceUnavailable:
	default:
		return ""
	}
	sent, _ := io.ReadAll(io.LimitReader(a.resp.Body, headOfRefusal)) // what has come of it will do
	body, err := decode.Body(a.outer, sent, strings.Join(a.resp.Header.Values("Content-Encoding"), ","), 16*headOfRefusal, headOfRefusal,
		func(bool) (*bytes.Buffer, error) { return new(bytes.Buffer), nil })
	if err != nil {
		return ""
	}
	return notpage.Refusal(a.resp.StatusCode, body)
}

const headOfRefusal = 16 << 10 // bytes of the body of a refusal that are looked at

// core takes a core, and the right to read a large page if it is one; the
// transfer holds them to its end.
func (a *transfer) core(size int) error {
	release, err := share.Cores.Take(a.outer, a.owner)
	if err != nil {
		return err
	}
	a.held = append(a.held, release)
	if size > share.SmallBody {
		return a.large()
	}
	return nil
}

func (a *transfer) large() error {
	release, err := share.LargePages.Take(a.outer, a.owner)
	if err == nil {
		a.held = append(a.held, release)
	}
	return err
}

// body unpacks what was sent.
func (a *transfer) body() ([]byte, error) {
	body, err := decode.Body(a.outer, a.sent.Bytes(), strings.Join(a.resp.Header.Values("Content-Encoding"), ","), a.limit, share.SmallBody, a.room)
	switch {
	case errors.Is(err, decode.ErrTooLarge):
		return nil, &skipError{Reason: SkipSize, Detail: fmt.Sprintf("larger than %d bytes", a.limit)}
	case err != nil && a.outer.Err() == nil:
		return nil, &skipError{Reason: SkipEncoding, Detail: err.Error()}
	}
	return body, err
}

// room is where a body is unpacked. One that was large as it was sent has the right to be
// large already.
func (a *transfer) room(large bool) (*bytes.Buffer, error) {
	switch sent := a.sent.Len() > share.SmallBody; {
	case large && sent:
		return nil, nil
	case large:
		if err := a.large(); err != nil {
			return nil, err
		}
		a.opened[1] = largeBodies.Get().(*bytes.Buffer)
		return a.opened[1], nil
	case sent:
		a.opened[0] = largeBodies.Get().(*bytes.Buffer)
	default:
		a.opened[0] = smallBodies.Get().(*bytes.Buffer)
	}
	return a.opened[0], nil
}

// free gives back what the body was read into: nothing that was made of the body may
// be looked at any more.
func (a *transfer) free() {
	giveBack(a.sent)
	giveBack(a.opened[0])
	giveBack(a.opened[1])
	a.sent, a.opened = nil, [2]*bytes.Buffer{}
}

func giveBack(b *bytes.Buffer) {
	switch {
	case b == nil:
		return
	case b.Cap() >= 4*share.SmallBody:
		b.Reset()
		largeBodies.Put(b)
	default:
		b.Reset()
		smallBodies.Put(b)
	}
}

// close gives back what the answer holds, but for its body.
func (a *transfer) close() {
	if a.clock != nil {
		a.clock.Stop()
	}
	if a.resp != nil {
		a.resp.Body.Close()
	}
	if a.cancel != nil {
		a.cancel()
	}
	for i := len(a.held) - 1; i >= 0; i-- {
		a.held[i]()
	}
	a.held = nil
}
