package farwire_test

import (
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/farwire/farwire/agent"
)

// A said is a message of the gateway's on a crawl's socket.
type said struct {
	Type          string `json:"type"`
	Content       string `json:"content"`
	Reason        string `json:"reason"`
	Name          string `json:"name"`
	URL           string `json:"url"`
	BaseURL       string `json:"base_url"`
	WebhookSecret string `json:"webhook_secret"`
	Lost          *int   `json:"lost"`
	Stats         *struct {
		Pages   int            `json:"pages"`
		Fetched int            `json:"fetched"`
		Skipped map[string]int `json:"skipped"`
		Limited bool           `json:"limited"`

		Rendered      int     `json:"rendered"`
		RenderSeconds float64 `json:"render_seconds"`
		RenderBytes   int64   `json:"render_bytes"`
	} `json:"stats"`
}

// A heard is all that a crawl's socket said.
type heard struct {
	messages []said
	code     int
	reason   string
}

// receive reads messages until the close frame, and answers it.
func (p *peer) receive() heard {
	p.t.Helper()
	return p.receiveWithin(4 * testTimeout)
}

// receiveWithin waits as long as it is told for each frame.
func (p *peer) receiveWithin(d time.Duration) heard {
	p.t.Helper()
	var h heard
	var text []byte
	for {
		f, err := p.nextWithin(d)
		if err != nil {
			p.t.Fatalf("after %v: %v", h.messages, err)
		}
		switch f.op {
		case opPing:
			p.frame(opPong, true, f.payload)
		case opText, opCont:
			text = append(text, f.payload...)
			if !f.fin {
				continue
			}
			var m said
			if err := json.Unmarshal(text, &m); err != nil {
				p.t.Fatalf("%q: %v", text, err)
			}
			h.messages, text = append(h.messages, m), nil
		case opClose:
			h.code, h.reason = int(binary.BigEndian.Uint16(f.payload)), string(f.payload[2:])
			p.conn.SetWriteDeadline(time.Now().Add(testTimeout))
			p.conn.Write(p.encode(opClose, true, f.payload[:2]))
			return h
		}
	}
}

// one returns the only message of a kind.
func (h heard) one(t testing.TB, kind string) said {
	t.Helper()
	var found []said
	for _, m := range h.messages {
		if m.Type == kind {
			found = append(found, m)
		}
	}
	if len(found) != 1 {
		t.Fatalf("%d messages of type %s in %+v", len(found), kind, h)
	}
	return found[0]
}

func (h heard) logs() string {
	var b strings.Builder
	for _, m := range h.messages {
		if m.Type == "log" {
			b.WriteString(m.Content + "\n")
		}
	}
	return b.String()
}

func (h heard) wantError(t testing.TB, code int, text string) {
	t.Helper()
	if m := h.one(t, "error"); h.code != code || m.Content != text || h.messages[len(h.messages)-1] != m {
		t.Errorf("got %+v, want error %q and close %d", h, text, code)
	}
}

// crawl opens a socket with alice's key and asks for a crawl.
func (w *world) crawl(request string) *peer {
	w.t.Helper()
	p := w.open("/ws/crawl?api_key=" + testKey)
	p.text(request)
	return p
}

// A site is a web server.
type site struct {
	*httptest.Server
	once atomic.Bool // the page that hangs once has done so
	hung chan string // paths that hang now
	gone chan string // paths whose client went away
}

// newSite serves each path of pages. The page "hang" never comes, and one that
// begins with "once " comes at the second request.
func newSite(t testing.TB, pages map[string]string) *site {
	s := &site{hung: make(chan string, 100), gone: make(chan string, 100)}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		page, ok := pages[r.URL.Path]
		switch {
		case ok && (page == "hang" || strings.HasPrefix(page, "once ") && s.once.CompareAndSwap(false, true)):
			s.hung <- r.URL.Path
			<-r.Context().Done()
			s.gone <- r.URL.Path
		case ok:
			w.Header().Set("Content-Type", "text/html; charset=utf-8")
			fmt.Fprint(w, strings.TrimPrefix(page, "once "))
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(s.Close)
	return s
}

// wait waits for a path on the channel.
func (s *site) wait(t testing.TB, paths <-chan string) {
	t.Helper()
	select {
	case <-paths:
	case <-time.After(testTimeout):
		t.Fatal("nobody asked")
	}
}

func page(title, text string, links ...string) string {
	b := "<!doctype html><html><head><title>" + title + "</title></head><body><main><h1>" + title + "</h1><p>" + text + "</p>"
	for _, l := range links {
		b += `<a href="` + l + `">` + l + `</a> `
	}
	return b + "</main></body></html>"
}

var threePages = map[string]string{
	"/":  page("Home of Examples", "This site shows what a crawl makes of three small pages with a little prose.", "/a", "/b"),
	"/a": page("The First Page", "The first page has a sentence of its own, which is long enough to be an excerpt."),
	"/b": page("The Second Page", "The second page says something else entirely, so that the two can be told apart."),
}

// A killableAgent is an exit that can die with all its connections.
type killableAgent struct {
	exit  agent.Exit
	dead  atomic.Bool
	dials atomic.Int64
	mu    sync.Mutex
	conns []net.Conn
}

func newKillableAgent(t testing.TB, slug string) *killableAgent {
	m := &killableAgent{exit: direct(t, agent.DirectOptions{Slug: slug, Country: "DE", AllowPrivate: true})}
	dial := m.exit.DialContext
	m.exit.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		if m.dead.Load() {
			return nil, &agent.DialError{Fault: agent.FaultAgent, Err: errors.New("dead")}
		}
		m.dials.Add(1)
		c, err := dial(ctx, network, addr)
		if err != nil {
			return nil, err
		}
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.conns = append(m.conns, c); m.dead.Load() {
			c.Close() // it was killed while this was dialled
		}
		return &killableConn{c, m}, nil
	}
	return m
}

func (m *killableAgent) kill() {
	m.dead.Store(true)
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, c := range m.conns {
		c.Close()
	}
}

type killableConn struct {
	net.Conn
	m *killableAgent
}

func (c *killableConn) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	if err != nil && c.m.dead.Load() {
		err = &agent.DialError{Fault: agent.FaultAgent, Err: err}
	}
	return n, err
}
