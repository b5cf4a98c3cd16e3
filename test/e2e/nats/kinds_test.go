package nats_test

import (
	"bufio"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/coder/websocket"

	"github.com/farwire/farwire/internal/harness"
)

// outcome is the body of an answer, or what went wrong.
func (w *world) outcome(method, address, body string) string {
	req, err := http.NewRequest(method, address, strings.NewReader(body))
	if err != nil {
		return err.Error()
	}
	req.Header.Set("X-API-Key", key)
	req.Header.Set("Content-Type", "application/json")
	resp, err := w.http.Do(req)
	if err != nil {
		return err.Error()
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	return fmt.Sprintf("%d %s %v", resp.StatusCode, b, err)
}

// crawl is how a crawl ends.
func (w *world) crawl(g *harness.Gateway, site string) string {
	ctx, cancel := context.WithTimeout(context.Background(), harness.Timeout)
	defer cancel()
	c, _, err := websocket.Dial(ctx, g.WS("/ws/crawl?api_key="+key), nil)
	if err != nil {
		return err.Error()
	}
	defer c.CloseNow()
	if err := c.Write(ctx, websocket.MessageText, fmt.Appendf(nil, `{"url":%q,"useBrightdata":false}`, site)); err != nil {
		return err.Error()
	}
	for {
		if _, _, err := c.Read(ctx); err != nil {
			return err.Error()
		}
	}
}

// tunnel opens one through the forward proxy.
func (w *world) tunnel(g *harness.Gateway, target string) net.Conn {
	w.t.Helper()
	c, err := net.Dial("tcp", g.Addr)
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { c.Close() })
	if err := c.SetDeadline(time.Now().Add(harness.Timeout)); err != nil {
		w.t.Fatal(err)
	}
	auth := base64.StdEncoding.EncodeToString([]byte("x:" + key))
	if _, err := fmt.Fprintf(c, "CONNECT %s HTTP/1.1\r\nHost: %[1]s\r\nProxy-Authorization: Basic %s\r\n\r\n", target, auth); err != nil {
		w.t.Fatal(err)
	}
	resp, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: http.MethodConnect})
	if err != nil || resp.StatusCode != http.StatusOK {
		w.t.Fatalf("a tunnel: %+v, %v", resp, err)
	}
	return c
}

// Sessions of every kind, those that are just being connected too, are ended at another
// gateway than the one that runs them, over a hop to the agent of that one.
func TestCluster_DeleteElsewhere_EndsEveryKind(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	one, two := w.gateway(), w.gateway()
	w.agent("de1", 1, one)
	w.awaitAgents(1, []string{"de1"}, one, two)
	hangs, err := net.Listen("tcp", "127.0.0.1:0") // it takes connections and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer hangs.Close()
	host, port, err := net.SplitHostPort(hangs.Addr().String())
	if err != nil {
		t.Fatal(err)
	}

	type ended struct{ kind, how string }
	ends := make(chan ended, 5)
	begin := func(kind string, run func() string) { go func() { ends <- ended{kind, run()} }() }
	begin("relay", func() string {
		ctx, cancel := context.WithTimeout(context.Background(), harness.Timeout)
		defer cancel()
		_, resp, err := websocket.Dial(ctx, two.WS("/ws?api_key="+key+"&url=ws://"+hangs.Addr().String()), nil)
		if err == nil || resp == nil {
			return fmt.Sprint("no answer: ", err)
		}
		b, err := io.ReadAll(resp.Body)
		return fmt.Sprintf("%s %v", b, err)
	})
	begin("http", func() string {
		return w.outcome(http.MethodGet, two.HTTP("/to/key="+key+"/http/"+hangs.Addr().String()+"/"), "")
	})
	begin("amqp", func() string {
		return w.outcome(http.MethodPost, two.HTTP("/amqp"), fmt.Sprintf(
			`{"host":%q,"port":%s,"username":"u","password":"p","exchange":"","routing_key":"k","queue_prefix":"q"}`, host, port))
	})
	begin("crawl", func() string { return w.crawl(two, "http://"+hangs.Addr().String()+"/") })
	tunnel := w.tunnel(two, hangs.Addr().String())
	begin("tunnel", func() string {
		_, err := tunnel.Read(make([]byte, 1))
		if err == nil || errors.As(err, new(net.Error)) && err.(net.Error).Timeout() {
			return fmt.Sprint("still open: ", err)
		}
		return "cut"
	})

	var list struct{ Sessions []struct{ ID, Kind string } }
	w.eventually("all are listed", func() bool {
		list.Sessions = nil
		return w.call(http.MethodGet, one.HTTP("/sessions"), key, &list) == http.StatusOK && len(list.Sessions) == 5
	})
	for _, s := range list.Sessions {
		if status := w.call(http.MethodDelete, one.HTTP("/sessions/"+s.ID), key, nil); status != http.StatusOK {
			t.Errorf("%s: %d", s.Kind, status)
		}
	}
	for range list.Sessions {
		e := <-ends
		want := map[string]string{"relay": `"code":"ended"`, "http": `503 {"detail":"ended by request","code":"ended"}`,
			"amqp": `"code": 1008, "reason": "ended"`, "crawl": "ended by request", "tunnel": "cut"}[e.kind]
		if !strings.Contains(e.how, want) {
			t.Errorf("%s: %s, want %s", e.kind, e.how, want)
		}
	}
	w.eventually("none is listed", func() bool {
		list.Sessions = nil
		return w.call(http.MethodGet, one.HTTP("/sessions"), key, &list) == http.StatusOK && len(list.Sessions) == 0
	})
}
