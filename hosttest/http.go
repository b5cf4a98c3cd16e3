package hosttest

import (
	"bufio"
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/farwire/farwire"
)

// withPathForm asks the path form before the mux, which cleans paths.
func withPathForm(g *farwire.Gateway, mux http.Handler) http.Handler {
	path := g.PathForm()
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if farwire.IsPathForm(r) {
			path.ServeHTTP(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

const (
	// asked is what a middleware changes when it cleans paths, writes them in lower case, or
	// drops the query.
	asked  = "/Asked//as%2Fit/is?q=A+b"
	slow   = "/slow"
	late   = "/late"
	upload = "/upload"
)

// headWait is how long the body at /late waits for the client to have the head. Behind a
// middleware that sends no head alone the client has both together.
const headWait = 2 * time.Second

// serveSite is the target of all but AMQP.
func (h *host) serveSite(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Upgrade") == "" && r.URL.Path != "/" {
		h.tell(w, r)
		return
	}
	if r.Header.Get("Upgrade") == "" {
		w.Header().Set("Content-Type", "text/html")
		io.WriteString(w, "<title>Home</title><main><p>This page is here to be crawled by hosttest, and it has a sentence.</p></main>")
		return
	}
	ws, err := websocket.Accept(w, r, nil)
	if err != nil {
		return // the gateway reports it
	}
	defer ws.CloseNow()
	for {
		kind, message, err := ws.Read(r.Context())
		if err != nil || ws.Write(r.Context(), kind, message) != nil {
			return
		}
	}
}

// tell is the site's answer to a request that is not for its page: what was asked
// for, at /slow a line and, when the client has read it, no end, at /late a head that
// is followed by its body later, or at /upload an answer once the whole body has come.
func (h *host) tell(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/html")
	switch r.URL.Path {
	case slow:
		io.WriteString(w, "first\n")
		if http.NewResponseController(w).Flush() == nil {
			<-r.Context().Done()
		}
	case late:
		w.WriteHeader(http.StatusAccepted)
		if http.NewResponseController(w).Flush() == nil {
			select {
			case <-h.headArrived:
			case <-time.After(headWait):
			}
		}
		io.WriteString(w, r.RequestURI)
	case upload:
		body := bufio.NewReader(r.Body)
		if line, err := body.ReadString('\n'); err == nil && line == firstLine {
			select {
			case h.bodyArrived <- struct{}{}:
			default: // a middleware sends the request again
			}
		}
		if _, err := io.Copy(io.Discard, body); err == nil {
			io.WriteString(w, r.RequestURI)
		}
	default:
		io.WriteString(w, r.RequestURI)
	}
}

// pathForm sends a request and opens a WebSocket by a path alone, and reads an answer
// that has not ended.
func pathForm(ctx context.Context, h *host) error {
	get := func(path string) (*http.Response, error) { return h.ask(ctx, http.MethodGet, path, nil) }
	resp, err := get(asked)
	if err := same(resp, err, http.StatusOK, asked); err != nil {
		return fmt.Errorf("a request: %w", err)
	}
	resp, err = get(slow)
	if err != nil {
		return fmt.Errorf("an answer without an end has not begun, and may be held back by a middleware: %w", err)
	}
	defer resp.Body.Close()
	if line, err := bufio.NewReader(resp.Body).ReadString('\n'); line != "first\n" {
		return fmt.Errorf("of an answer without an end %q has arrived, and the rest may be held back by a middleware: %w", line, err)
	}
	resp, err = get(late)
	h.headArrived <- struct{}{}
	if err := same(resp, err, http.StatusAccepted, late); err != nil {
		why := ""
		if resp != nil && resp.StatusCode == http.StatusOK { // what Flush sends where no status was given
			why = "; a middleware that holds the head back must have a Flush of its own"
		}
		return fmt.Errorf("an answer whose body comes later than its head: %w%s", err, why)
	}
	if err := h.sendSlowly(ctx); err != nil {
		return fmt.Errorf("a body whose end comes later than its beginning: %w", err)
	}
	if err := h.echo(ctx, "/to/-/ws/target.test/"); err != nil {
		return fmt.Errorf("a WebSocket: %w", err)
	}
	return nil
}

// ask sends a request to the site by the path form.
func (h *host) ask(ctx context.Context, method, path string, body io.Reader) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, method, h.url("/to/-/http/target.test"+path), body)
	if err != nil {
		return nil, err
	}
	req.Header = h.header("X-API-Key", key)
	return h.server.Client().Do(req)
}

const firstLine = "first\n"

// sendSlowly sends a body whose end waits until the site has its beginning, for half of the
// time that is left.
func (h *host) sendSlowly(ctx context.Context) error {
	end, ok := ctx.Deadline()
	if !ok {
		return errors.New("the check has no deadline")
	}
	body, write := io.Pipe()
	answered := make(chan struct{})
	heldBack := false
	var sending sync.WaitGroup
	sending.Go(func() {
		defer write.Close()
		if _, err := io.WriteString(write, firstLine); err != nil {
			return // the answer says why
		}
		select {
		case <-h.bodyArrived:
		case <-answered:
		case <-time.After(time.Until(end) / 2):
			heldBack = true
		}
	})
	resp, err := h.ask(ctx, http.MethodPost, upload, body)
	err = same(resp, err, http.StatusOK, upload)
	close(answered)
	body.Close()
	sending.Wait()
	if err == nil && heldBack {
		err = errors.New("the target has got the beginning with the end alone; a middleware reads the whole body before it calls the handler")
	}
	return err
}

// same reports whether an answer has the status and the body that the site gave: the path
// that was asked for.
func same(resp *http.Response, err error, status int, path string) error {
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<10))
	switch {
	case err != nil:
		return err
	case resp.StatusCode != status:
		return fmt.Errorf("the answer is %s, not %d", resp.Status, status)
	case string(body) != path:
		return fmt.Errorf("the target was asked for %q, not for %q%s", body, path, whatChanged(string(body), path))
	}
	return nil
}

// whatChanged says what a middleware does that makes got out of sent; empty: something else.
func whatChanged(got, sent string) string {
	switch bare, _, _ := strings.Cut(sent, "?"); {
	case got == bare:
		return "; a middleware drops the query"
	case strings.EqualFold(got, sent):
		return "; a middleware writes paths in lower or upper case"
	}
	return ""
}

// forwardProxy asks for an absolute URL, and opens a tunnel.
func forwardProxy(ctx context.Context, h *host) error {
	credentials := "Basic " + base64.StdEncoding.EncodeToString([]byte("hosttest:"+key))
	for _, way := range []struct{ name, head string }{
		{"a request for an absolute URL", "GET http://target.test" + asked + " HTTP/1.1\r\nHost: target.test\r\n"},
		{"CONNECT", "CONNECT target.test:80 HTTP/1.1\r\nHost: target.test:80\r\n"},
	} {
		if err := h.throughProxy(ctx, way.head, credentials); err != nil {
			return fmt.Errorf("by %s: %w", way.name, err)
		}
	}
	return nil
}

func (h *host) throughProxy(ctx context.Context, head, credentials string) error {
	conn, err := h.dialServer(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	var request bytes.Buffer
	request.WriteString(head)
	if err := h.header("Proxy-Authorization", credentials).Write(&request); err != nil {
		return err
	}
	request.WriteString("\r\n")
	if _, err := conn.Write(request.Bytes()); err != nil {
		return err
	}
	answers := bufio.NewReader(conn)
	method, _, _ := strings.Cut(head, " ")
	if method == http.MethodConnect {
		return tunnel(conn, answers)
	}
	resp, err := http.ReadResponse(answers, &http.Request{Method: method})
	return same(resp, err, http.StatusOK, asked)
}

// tunnel asks the site through a tunnel, once it is open.
func tunnel(conn net.Conn, answers *bufio.Reader) error {
	resp, err := http.ReadResponse(answers, &http.Request{Method: http.MethodConnect})
	switch {
	case errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, io.EOF):
		return fmt.Errorf("the connection ends without an answer: %w", err)
	case err != nil:
		return err
	case resp.StatusCode != http.StatusOK:
		return fmt.Errorf("the answer is %s, not 200", resp.Status)
	}
	if _, err := io.WriteString(conn, "GET "+asked+" HTTP/1.1\r\nHost: target.test\r\n\r\n"); err != nil {
		return err
	}
	resp, err = http.ReadResponse(answers, &http.Request{Method: http.MethodGet})
	return same(resp, err, http.StatusOK, asked)
}

// largestBody is the longest that AMQP takes.
const largestBody = 64 << 10

// stream sends a request of the largest size and reads events while the stream stays
// open: one that a middleware holds back does not come.
func stream(ctx context.Context, h *host) error {
	const request = `{"host": "broker.test"}`
	body := request + strings.Repeat(" ", largestBody-len(request))
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.url("/amqp"), strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header = h.header("X-API-Key", key)
	req.Header.Set("Content-Type", "application/json")
	resp, err := h.server.Client().Do(req)
	if err != nil {
		return fmt.Errorf("no answer has begun, and may be held back by a middleware: %w", err)
	}
	defer resp.Body.Close()
	if resp.StatusCode == http.StatusRequestEntityTooLarge {
		return fmt.Errorf("the answer to a body of 64 KiB, the largest, is %s, not 200", resp.Status)
	}
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("the answer is %s, not 200", resp.Status)
	}
	lines := bufio.NewScanner(resp.Body)
	for _, event := range []string{"event: connected", "event: message"} {
		for found := false; !found; {
			if !lines.Scan() {
				return fmt.Errorf("%q has not arrived, and may be held back by a middleware: %w", event, errors.Join(lines.Err(), io.ErrUnexpectedEOF))
			}
			found = lines.Text() == event
		}
	}
	return nil
}
