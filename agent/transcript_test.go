package agent_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"reflect"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/libp2p/go-yamux/v5"

	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/harness"
)

// A line of a transcript: who says what, and where.
type line struct{ who, where, what string }

func transcript(t *testing.T, replace *strings.Replacer) (lines []line) {
	t.Helper()
	text, err := os.ReadFile("testdata/wire/v1.txt")
	if err != nil {
		t.Fatal(err)
	}
	for l := range strings.Lines(string(text)) {
		if l = strings.TrimSpace(l); l == "" || l[0] == '#' {
			continue
		}
		who, rest, _ := strings.Cut(l, " ")
		where, what, ok := strings.Cut(strings.TrimSpace(rest), " ")
		if !ok {
			t.Fatalf("not a line of a transcript: %q", l)
		}
		lines = append(lines, line{who, where, replace.Replace(strings.TrimSpace(what))})
	}
	return lines
}

// A player says one side's lines of a transcript, and holds what it hears
// against the other's.
type player struct {
	t      *testing.T
	side   string
	conn   net.Conn
	br     *bufio.Reader
	mux    *yamux.Session
	ctl    *yamux.Stream
	stream *yamux.Stream // of the request under way
}

// same reports whether what was heard has all that the transcript has.
func same(want, got any) bool {
	if want == "*" {
		return got != nil
	}
	w, ok := want.(map[string]any)
	if !ok {
		return reflect.DeepEqual(want, got)
	}
	g, _ := got.(map[string]any)
	for name, value := range w {
		if !same(value, g[name]) {
			return false
		}
	}
	return g != nil
}

func (p *player) play(lines []line) {
	p.t.Helper()
	for i, l := range lines {
		p.conn.SetDeadline(time.Now().Add(30 * time.Second))
		if l.where != "http" && l.where != "raw" && p.mux == nil {
			p.begin()
		}
		var err error
		if l.who == p.side {
			err = p.send(l)
		} else {
			err = p.receive(l)
		}
		if err != nil {
			p.t.Fatalf("line %d, %v: %v", i+1, l, err)
		}
	}
}

// begin starts the multiplexer over what was a plain connection.
func (p *player) begin() {
	var err error
	c := &buffered{p.conn, p.br}
	if p.side == "agent" {
		p.mux, err = yamux.Server(c, yamux.DefaultConfig(), nil)
	} else {
		p.mux, err = yamux.Client(c, yamux.DefaultConfig(), nil)
	}
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { p.mux.Close() })
}

type buffered struct {
	net.Conn
	r io.Reader
}

func (c *buffered) Read(b []byte) (int, error) { return c.r.Read(b) }

func (p *player) send(l line) (err error) {
	switch {
	case l.where == "http":
		_, err = io.WriteString(p.conn, strings.ReplaceAll(l.what, "; ", "\r\n")+"\r\nHost: gateway\r\n\r\n")
	case l.where == "raw":
		_, err = io.WriteString(p.conn, message(strings.Replace(l.what, `"link":"*"`, `"link":7`, 1)))
	case l.what == "open":
		p.ctl, err = p.mux.OpenStream(p.t.Context())
	case l.where == "control":
		if p.stream != nil { // the one in question
			l.what = strings.Replace(l.what, `"*"`, fmt.Sprint(p.stream.StreamID()), 1)
		}
		_, err = io.WriteString(p.ctl, message(l.what))
	case l.where == "request":
		if p.stream, err = p.mux.OpenStream(p.t.Context()); err == nil {
			_, err = io.WriteString(p.stream, message(strings.Replace(l.what, `"*"`, "20000", 1)))
		}
	case l.where == "answer":
		_, err = io.WriteString(p.stream, message(strings.Replace(l.what, `"*"`, `"192.0.2.1:4000"`, 1)))
		if err == nil && !strings.Contains(l.what, "remote") {
			// Who has read the answer may close the stream before its end comes.
			if err = p.stream.CloseWrite(); errors.Is(err, yamux.ErrStreamReset) {
				err = nil
			}
		}
	case l.where == "bytes":
		_, err = io.WriteString(p.stream, l.what)
	case l.where == "finish":
		err = p.stream.CloseWrite()
	}
	return err
}

func (p *player) receive(l line) error {
	from := io.Reader(p.br)
	switch {
	case l.where == "http":
		return p.receiveHead(l.what)
	case l.what == "open":
		ctl, err := p.mux.AcceptStream()
		p.ctl = ctl
		return err
	case l.where == "control":
		from = p.ctl
	case l.where == "request":
		stream, err := p.mux.AcceptStream()
		if err != nil {
			return err
		}
		p.stream, from = stream, stream
	case l.where == "bytes":
		got := make([]byte, len(l.what))
		if _, err := io.ReadFull(p.stream, got); err != nil || string(got) != l.what {
			return fmt.Errorf("%q, %v", got, err)
		}
		return nil
	case l.where == "finish":
		if rest, err := io.ReadAll(p.stream); err != nil || len(rest) > 0 {
			return fmt.Errorf("%q, %v", rest, err)
		}
		return nil
	case l.where == "answer":
		from = p.stream
	}
	var head [2]byte
	if _, err := io.ReadFull(from, head[:]); err != nil {
		return err
	}
	body := make([]byte, int(head[0])<<8|int(head[1]))
	if _, err := io.ReadFull(from, body); err != nil {
		return err
	}
	var want, got any
	if err := errors.Join(json.Unmarshal([]byte(l.what), &want), json.Unmarshal(body, &got)); err != nil {
		return err
	}
	if !same(want, got) {
		return fmt.Errorf("heard %s", body)
	}
	return nil
}

// receiveHead reads the head of a request or an answer, which has more headers
// than the transcript.
func (p *player) receiveHead(want string) error {
	first, err := p.br.ReadString('\n')
	if err != nil {
		return err
	}
	heard := http.Header{}
	for {
		l, err := p.br.ReadString('\n')
		if err != nil {
			return err
		}
		if l = strings.TrimSpace(l); l == "" {
			break
		}
		name, value, _ := strings.Cut(l, ": ")
		heard.Add(name, value)
	}
	start, headers, _ := strings.Cut(want, "; ")
	if got := strings.TrimSpace(first); got != start {
		return fmt.Errorf("heard %q", got)
	}
	for h := range strings.SplitSeq(headers, "; ") {
		if name, value, _ := strings.Cut(h, ": "); heard.Get(name) != value {
			return fmt.Errorf("heard %q", heard)
		}
	}
	return nil
}

// targetOf answers what the transcript's client says.
func targetOf(t *testing.T) (open, closed string) {
	open = target(t, func(c *net.TCPConn) {
		b := make([]byte, 64)
		switch n, _ := c.Read(b); string(b[:n]) {
		case "from the client":
			io.WriteString(c, "from the target")
			io.Copy(io.Discard, c)
			c.CloseWrite()
		case "reset me":
			c.SetLinger(0)
			c.Close()
		}
	})
	return open, harness.FreeAddr(t)
}

// An agent that knows nothing but what the transcript says attaches to the
// gateway of today and serves it.
func TestWire_AgentOfVersion1_AttachesAndServes(t *testing.T) {
	pool, srv, _ := newPool(t, agent.PoolOptions{})
	conn, err := net.Dial("tcp", srv.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	const open, closed = "192.0.2.7:443", "192.0.2.7:444" // nobody dials
	played := make(chan struct{})
	p := &player{t: t, side: "agent", conn: conn, br: bufio.NewReader(conn)}
	go func() {
		defer close(played)
		attached(t, pool, 1)
		e := selectOne(t, pool, agent.Query{Slugs: []string{"de1"}})
		if addrs, err := e.Resolve(withTimeout(t), "127.0.0.1"); err != nil || len(addrs) != 1 || addrs[0].String() != "127.0.0.1" {
			t.Errorf("resolve: %v, %v", addrs, err)
		}
		c, err := e.DialContext(withTimeout(t), "tcp", open)
		if err != nil {
			t.Errorf("dial: %v", err)
			return
		}
		io.WriteString(c, "from the client")
		c.(interface{ CloseWrite() error }).CloseWrite()
		if b, err := io.ReadAll(c); err != nil || string(b) != "from the target" || c.RemoteAddr().String() != open {
			t.Errorf("read %q of %v, %v", b, c.RemoteAddr(), err)
		}
		c.Close()
		if _, err := e.DialContext(withTimeout(t), "tcp", closed); !errors.Is(err, syscall.ECONNREFUSED) {
			t.Errorf("a closed port: %v", err)
		}
		if _, err := e.DialContext(withTimeout(t), "tcp", "0.0.0.0:80"); !strings.Contains(fmt.Sprint(err), "public") {
			t.Errorf("a special address: %v", err)
		}
		c, err = e.DialContext(withTimeout(t), "tcp", open)
		if err != nil {
			t.Errorf("second dial: %v", err)
			return
		}
		io.WriteString(c, "reset me")
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("a reset target: %v", err)
		}
		c.Close()
	}()
	p.play(transcript(t, strings.NewReplacer("TARGET", open, "CLOSED", closed)))
	<-played
	eventually(t, "gone", 30*time.Second, func() bool { return len(pool.Agents()) == 0 })
}

// A gateway that knows nothing but what the transcript says is served by the
// agent of today.
func TestWire_GatewayOfVersion1_IsServed(t *testing.T) {
	open, closed := targetOf(t)
	taken := make(chan net.Conn, 1)
	srv := httptest.NewUnstartedServer(nil)
	ln := srv.Listener
	t.Cleanup(func() { ln.Close() })
	go func() {
		if c, err := ln.Accept(); err == nil {
			taken <- c
		}
	}()
	stop, _ := run(t, agent.RunOptions{Gateways: []string{"http://" + ln.Addr().String()}, AllowPrivate: true})
	conn := <-taken
	t.Cleanup(func() { conn.Close() })
	p := &player{t: t, side: "gateway", conn: conn, br: bufio.NewReader(conn)}
	lines := transcript(t, strings.NewReplacer("TARGET", open, "CLOSED", closed))
	p.play(lines[:len(lines)-2])
	stopped := make(chan struct{})
	go func() { defer close(stopped); stop() }()
	p.play(lines[len(lines)-2:])
	p.mux.Close()
	<-stopped
}

func withTimeout(t *testing.T) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// attachAsOld attaches over a connection as the transcript's agent does, up to
// its first request.
func attachAsOld(t *testing.T, conn net.Conn) {
	t.Helper()
	p := &player{t: t, side: "agent", conn: conn, br: bufio.NewReader(conn)}
	lines := transcript(t, strings.NewReplacer())
	p.play(lines[:5])
	conn.SetDeadline(time.Time{})
}
