package nats_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/farwire/farwire/internal/brokertest"
	"github.com/farwire/farwire/internal/harness"
)

const (
	frozenFor = 6 * time.Second  // how long a gateway stands still
	pingEvery = 15 * time.Second // how often both ends of a link that is silent ask for a sign of life
)

// An ongoing set is of sessions of all kinds through which something crosses all the time.
type ongoing struct {
	w      *world
	over   chan struct{} // closed when they are to come to their end
	end    func()        // has them do so, and waits for it
	slow   *httptest.Server
	echo   net.Listener // of bytes
	broker net.Listener

	work    sync.WaitGroup
	running []*running
}

// A running session is one of them.
type running struct {
	kind    string // and where
	crossed atomic.Int64
	ended   atomic.Bool // as it should: a crawl has no more pages
}

// sitePages is how many pages the site has beside its base page.
const sitePages = 300

func newOngoing(w *world) *ongoing {
	o := &ongoing{w: w, over: make(chan struct{})}
	listen := func(serve func(net.Conn)) net.Listener {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			w.t.Fatal(err)
		}
		w.t.Cleanup(func() { ln.Close() })
		go func() {
			for {
				c, err := ln.Accept()
				if err != nil {
					return
				}
				go serve(c)
			}
		}()
		return ln
	}
	o.echo = listen(func(c net.Conn) {
		defer c.Close()
		_, _ = io.Copy(c, c) // its end is the client's
	})
	broker := &brokertest.Broker{Serve: func(c *brokertest.Conn) {
		for n := uint64(1); ; n++ {
			c.Deliver(n, "k", fmt.Sprint(n))
			select {
			case <-time.After(20 * time.Millisecond): // as fast as it can would be a benchmark
			case <-o.over:
				c.Deliver(n+1, "k", "last")
				return
			}
		}
	}}
	o.broker = listen(broker.Talk)
	o.slow = httptest.NewServer(http.HandlerFunc(o.serve))
	w.t.Cleanup(o.slow.Close)
	o.end = sync.OnceFunc(func() {
		close(o.over)
		o.work.Wait()
	})
	w.t.Cleanup(o.end)
	return o
}

// serve is a download, an upload, and a site whose pages take their time until all is over.
func (o *ongoing) serve(rw http.ResponseWriter, r *http.Request) {
	switch {
	case r.URL.Path == "/down":
		for n := 0; ; n++ {
			fmt.Fprintln(rw, n)
			rw.(http.Flusher).Flush()
			select {
			case <-time.After(20 * time.Millisecond):
			case <-r.Context().Done():
				return
			case <-o.over:
				fmt.Fprintln(rw, "last")
				return
			}
		}
	case r.URL.Path == "/up":
		body, err := io.ReadAll(r.Body)
		fmt.Fprint(rw, bytes.Count(body, []byte("x")), err)
	case r.URL.Path == "/robots.txt", !strings.HasPrefix(r.URL.Path, "/site/"):
		http.NotFound(rw, r)
	default:
		rw.Header().Set("Content-Type", "text/html")
		name := strings.TrimPrefix(r.URL.Path, "/site/")
		if name != "" {
			select {
			case <-time.After(time.Second):
			case <-o.over:
			}
		}
		fmt.Fprintf(rw, "<html><head><title>Page %s</title></head><body><main><h1>Page %[1]s</h1><p>What page %[1]s has to say is said on no other page.</p>", name)
		for n := range sitePages {
			if name == "" {
				fmt.Fprintf(rw, "<a href='/site/%d'>Page %[1]d</a> ", n)
			}
		}
		fmt.Fprint(rw, "</main></body></html>")
	}
}

// run runs a session, whose function counts what has crossed, and returns when something has.
func (o *ongoing) run(kind string, session func(crossed *atomic.Int64) error) {
	o.w.t.Helper()
	r := &running{kind: kind}
	o.running = append(o.running, r)
	o.work.Go(func() {
		if err := session(&r.crossed); err != nil {
			o.w.t.Errorf("%s, after %d: %v", kind, r.crossed.Load(), err)
			return
		}
		r.ended.Store(true)
	})
	o.w.eventually(kind+" goes on", func() bool { return r.crossed.Load() > 2 })
}

// isOver waits a moment, and reports whether all is over.
func (o *ongoing) isOver() bool {
	select {
	case <-time.After(20 * time.Millisecond):
		return false
	case <-o.over:
		return true
	}
}

// begin begins sessions of all kinds at a gateway.
func (o *ongoing) begin(name string, g *harness.Gateway) {
	w := o.w
	path := func(rest string) string {
		return g.HTTP("/to/key=" + key + "/http/" + strings.TrimPrefix(o.slow.URL, "http://") + rest)
	}
	o.run("a relay at "+name, func(n *atomic.Int64) error {
		s, err := w.try(g, key, "de1")
		if err != nil {
			return err
		}
		for ; !o.isOver(); n.Add(1) {
			if err := s.tryEcho(); err != nil {
				return err
			}
		}
		return nil
	})
	c := w.tunnel(g, o.echo.Addr().String())
	o.run("a tunnel at "+name, func(n *atomic.Int64) error {
		for ; !o.isOver(); n.Add(1) {
			want := fmt.Sprintf("%08d", n.Load())
			got := make([]byte, len(want))
			if err := c.SetDeadline(time.Now().Add(harness.Timeout)); err != nil {
				return err
			}
			if _, err := io.WriteString(c, want); err != nil {
				return err
			}
			if _, err := io.ReadFull(c, got); err != nil || string(got) != want {
				return fmt.Errorf("got %q, %w; want %q", got, err, want)
			}
		}
		return nil
	})
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	o.run("a download at "+name, func(n *atomic.Int64) error {
		resp, err := client.Get(path("/down"))
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		lines := bufio.NewScanner(resp.Body)
		for ; lines.Scan() && lines.Text() == fmt.Sprint(n.Load()); n.Add(1) {
		}
		if lines.Text() != "last" {
			return fmt.Errorf("%s: got %q, %v", resp.Status, lines.Text(), lines.Err())
		}
		return nil
	})
	o.run("an upload at "+name, func(n *atomic.Int64) error {
		r, body := io.Pipe()
		go func() {
			for ; !o.isOver(); n.Add(1) {
				if _, err := io.WriteString(body, "x"); err != nil {
					return // the request has failed, and says so
				}
			}
			body.Close()
		}()
		resp, err := client.Post(path("/up"), "text/plain", r)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		got, err := io.ReadAll(resp.Body)
		if want := fmt.Sprint(n.Load(), nil); err != nil || string(got) != want {
			return fmt.Errorf("%s: %q, %w; want %q", resp.Status, got, err, want)
		}
		return nil
	})
	o.run("an AMQP stream at "+name, func(n *atomic.Int64) error {
		host, port, err := net.SplitHostPort(o.broker.Addr().String())
		if err != nil {
			return err
		}
		req, err := http.NewRequest(http.MethodPost, g.HTTP("/amqp"), strings.NewReader(fmt.Sprintf(
			`{"host":%q,"port":%s,"username":"u","password":"p","exchange":"","routing_key":"k"}`, host, port)))
		if err != nil {
			return err
		}
		req.Header.Set("X-API-Key", key)
		req.Header.Set("Content-Type", "application/json")
		resp, err := client.Do(req)
		if err != nil {
			return err
		}
		defer resp.Body.Close()
		var last string
		for lines := bufio.NewScanner(resp.Body); lines.Scan(); {
			data, ok := strings.CutPrefix(lines.Text(), "data: ")
			var m struct{ Body, Reason, Message string }
			if !ok || json.Unmarshal([]byte(data), &m) != nil {
				continue
			}
			switch last = m.Body; {
			case last == "last":
				return nil
			case m.Reason != "":
				return fmt.Errorf("%s: %s", m.Reason, m.Message)
			case last != "":
				if n.Add(1); last != fmt.Sprint(n.Load()) {
					return fmt.Errorf("message %q, want %d", last, n.Load())
				}
			}
		}
		return fmt.Errorf("%s: the stream ended behind %q", resp.Status, last)
	})
	o.run("a crawl at "+name, func(n *atomic.Int64) error {
		ctx, cancel := context.WithTimeout(context.Background(), 4*harness.Timeout)
		defer cancel()
		c, _, err := websocket.Dial(ctx, g.WS("/ws/crawl?api_key="+key), nil)
		if err != nil {
			return err
		}
		defer c.CloseNow()
		c.SetReadLimit(-1)
		if err := c.Write(ctx, websocket.MessageText, fmt.Appendf(nil, `{"url":"%s/site/","maxPages":%d,"useBrightdata":false}`, o.slow.URL, sitePages+1)); err != nil {
			return err
		}
		var said, result string
		for {
			_, b, err := c.Read(ctx)
			if err != nil {
				if pages := strings.Count(result, "\n## "); websocket.CloseStatus(err) != websocket.StatusNormalClosure || pages != sitePages+1 {
					return fmt.Errorf("%d pages of %d, %w:\n%s", pages, sitePages+1, err, said)
				}
				return nil
			}
			n.Add(1)
			var m struct{ Type, Content string }
			if err := json.Unmarshal(b, &m); err != nil {
				return err
			}
			if m.Type == "result" {
				result = m.Content
			} else if !strings.HasPrefix(m.Content, "Crawling page") {
				said += m.Content + "\n"
			}
		}
	})
}

// goOn waits until all sessions have gone on.
func (o *ongoing) goOn() {
	o.w.t.Helper()
	for _, r := range o.running {
		before := r.crossed.Load()
		o.w.eventually(r.kind+" goes on", func() bool { return r.ended.Load() || r.crossed.Load() > before+2 })
	}
}

// Sessions of every kind go on when the gateway that carries them over a hop, and has some
// of its own, has stood still, and when the one that their clients are connected to has.
func TestCluster_GatewayFrozen_EveryKindGoesOn(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	one, two := w.gateway(), w.gateway()
	w.agent("de1", 1, one)
	w.awaitAgents(1, []string{"de1"}, one, two)
	o := newOngoing(w)
	o.begin("the holder", one)
	o.begin("the other", two)
	w.agent("de2", 1, one) // nothing crosses its link
	w.awaitAgents(1, []string{"de1", "de2"}, one, two)
	idle := []*session{w.relay(one, "de2"), w.relay(two, "de2")}
	silent := time.Now()
	for i, g := range []*harness.Gateway{one, two} {
		// So that pings of the link fall into it, and are not answered for a while.
		time.Sleep(time.Until(silent.Add(time.Duration(i+1)*pingEvery - frozenFor/2)))
		g.Send(harness.Freeze)
		time.Sleep(frozenFor) // for as long as it is to stand still
		g.Send(harness.Thaw)
		o.goOn()
	}
	o.end()
	for _, s := range idle {
		s.echo()
	}
	for _, g := range []*harness.Gateway{one, two} {
		if log := g.Log(); strings.Contains(log, "level=ERROR") || strings.Contains(log, "level=WARN") {
			t.Errorf("a gateway says\n%s", log)
		}
	}
}
