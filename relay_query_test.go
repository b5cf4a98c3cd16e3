package farwire_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"regexp"
	"strings"
	"testing"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/internal/harness"
)

// TestDirect_Query_ReachesTheTarget holds what the query says to what arrives at the target.
func TestDirect_Query_ReachesTheTarget(t *testing.T) {
	w := newWorld(t)
	heads := make(chan string, 1)
	url := newRawTarget(t, func(conn net.Conn, head string) {
		heads <- regexp.MustCompile(`(?m)^(Sec-WebSocket-Key|Host): .*\r\n`).ReplaceAllString(head, "")
		var chosen []string
		if strings.Contains(head, "Sec-WebSocket-Protocol: graphql-transport-ws, other") {
			chosen = []string{"Sec-WebSocket-Protocol: other"}
		}
		answerUpgrade(conn, head, chosen...)
		echo(&peer{t: t, conn: conn, br: newReader(conn)})
	})
	foreign := newWorld(t).token(t, testKey)
	base := "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
	for _, tt := range []struct {
		name, query, header, want string
	}{
		{"plain", "?url=" + escape(url) + "&api_key=" + testKey, "", "GET / HTTP/1.1\r\n" + base},
		{"token names the key too", "?token=" + testKey + "&url=" + escape(url), "", "GET / HTTP/1.1\r\n" + base},
		{"what is not ours goes on, in its order", "?EIO=4&url=" + escape(url+"socket.io/?a=b") + "&transport=websocket&api_key=" + testKey + "&x=%2F+y&flag&x=2", "",
			"GET /socket.io/?a=b&EIO=4&transport=websocket&x=%2F+y&flag&x=2 HTTP/1.1\r\n" + base},
		{"X-API-Key", "?url=" + escape(url), "X-API-Key: " + testKey, "GET / HTTP/1.1\r\n" + base},
		{"Authorization as our key", "?url=" + escape(url), "authorization: bearer " + testKey, "GET / HTTP/1.1\r\n" + base},
		{"Authorization for the target", "?api_key=" + testKey + "&url=" + escape(url), "Authorization: Bearer theirs", "GET / HTTP/1.1\r\n" + base + "Authorization: Bearer theirs\r\n"},
		{"our key once more", "?api_key=" + testKey + "&url=" + escape(url), "Authorization: Bearer " + testKey, "GET / HTTP/1.1\r\n" + base},
		{"a token of ours beside the key", "?url=" + escape(url), "X-API-Key: " + testKey + "\r\nAuthorization: Bearer " + w.token(t, testKey), "GET / HTTP/1.1\r\n" + base},
		{"another gateway's token", "?url=" + escape(url), "X-API-Key: " + testKey + "\r\nAuthorization: Bearer " + foreign,
			"GET / HTTP/1.1\r\n" + base + "Authorization: Bearer " + foreign + "\r\n"},
		{"basic Authorization for the target", "?url=" + escape(url), "X-API-Key: " + testKey + "\r\nAuthorization: Basic eDp5", "GET / HTTP/1.1\r\n" + base + "Authorization: Basic eDp5\r\n"},
		{"headers", "?api_key=" + testKey + "&url=" + escape(url) + "&header=" + escape("X-One: 1") + "&header=" + escape("x-two:a: b"), "",
			"GET / HTTP/1.1\r\n" + base + "X-One: 1\r\nx-two: a: b\r\n"},
		{"no cookie, no Origin", "?api_key=" + testKey + "&url=" + escape(url), "Cookie: a=b\r\nOrigin: https://page.example\r\nUser-Agent: x", "GET / HTTP/1.1\r\n" + base},
		{"subprotocols", "?api_key=" + testKey + "&url=" + escape(url), "Sec-WebSocket-Protocol: graphql-transport-ws, other",
			"GET / HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Protocol: graphql-transport-ws, other\r\n"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			var lines []string
			if tt.header != "" {
				lines = append(lines, tt.header)
			}
			p := w.in(t).open("/ws"+tt.query, lines...)
			if got := <-heads; got != tt.want {
				t.Errorf("the target got\n%q\nwant\n%q", got, tt.want)
			}
			if node := p.resp.Header.Get("X-Farwire-Node"); node != testAgent {
				t.Errorf("X-Farwire-Node is %q", node)
			}
			if got, want := p.resp.Header.Get("Sec-WebSocket-Protocol"), map[bool]string{true: "other"}[tt.name == "subprotocols"]; got != want {
				t.Errorf("the client was given subprotocol %q, want %q", got, want)
			}
			p.text("no connected message in between")
			p.wantText("no connected message in between")
			p.close(1000, "")
			p.wantClose(1000, "")
		})
	}
}

// Two subprotocols that differ by case alone are two.
func TestDirect_SubprotocolsDifferByCase_AreTwo(t *testing.T) {
	w := newWorld(t)
	url := newRawTarget(t, func(conn net.Conn, head string) {
		answerUpgrade(conn, head, "Sec-WebSocket-Protocol: mqtt")
		echo(&peer{t: t, conn: conn, br: newReader(conn)})
	})
	p := w.open("/ws?url="+escape(url)+"&api_key="+testKey, "Sec-WebSocket-Protocol: MQTT, mqtt")
	if got := p.resp.Header.Values("Sec-WebSocket-Protocol"); len(got) != 1 || got[0] != "mqtt" {
		t.Errorf("the client was given %q, and the target chose mqtt", got)
	}
	p.close(1000, "")
	p.wantClose(1000, "")
}

// TestDirect_Fails_IsAnHTTPStatus reads trouble as an HTTP status with a detail.
func TestDirect_Fails_IsAnHTTPStatus(t *testing.T) {
	w := newWorld(t, func(o *farwire.Options) { o.Limits = farwire.Limits{Rate: 1000, Burst: 1000} })
	url := newTarget(t, echo)
	key := "&api_key=" + testKey
	for _, tt := range []struct {
		name, query string
		status      int
		want        string
	}{
		{"no key", "?url=" + escape(url), 401, "API key missing"},
		{"wrong key", "?url=" + escape(url) + "&api_key=wrong-wrong-wrong-wrong", 403, "API key invalid"},
		{"empty url", "?url=" + key, 400, "url is missing"},
		{"ftp url", "?url=ftp://a/" + key, 400, "ws:// or wss://"},
		{"url twice", "?url=ws://a/&url=ws://b/" + key, 400, "given twice"},
		{"bad escape", "?url=%zz" + key, 400, "url cannot be parsed"},
		{"idle_timeout", "?url=ws://a/&idle_timeout=x" + key, 400, "idle_timeout"},
		{"idle_timeout not a number", "?url=ws://a/&idle_timeout=NaN" + key, 400, "idle_timeout"},
		{"header without colon", "?url=ws://a/&header=x" + key, 400, "Name: value"},
		{"header with a line break", "?url=ws://a/&header=A:%0d%0aB:c" + key, 400, "cannot hold"},
		{"proxy", "?url=ws://a/&proxy=ftp://x" + key, 400, "http:// or socks5://"},
		{"agent of commas", "?url=ws://a/&agent=,," + key, 400, "agent names no agent"},
		{"geo of blanks", "?url=ws://a/&geo=%20" + key, 400, "geo names no country"},
		{"no agent", "?geo=FR&url=" + escape(url) + key, 502, "no agent is attached that fits geo FR"},
		{"target refuses", "?url=ws://" + harness.FreeAddr(t) + "/" + key, 502, "connection refused"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := w.in(t).try("/ws" + tt.query)
			wantDetail(t, p.resp, tt.status, tt.want)
		})
	}
}

// A drain does not wait for a target that says nothing.
func TestDirect_DrainWhileDialling_EndsAtOnce(t *testing.T) {
	w := newWorld(t)
	arrived := make(chan struct{})
	silent := newRawTarget(t, func(conn net.Conn, _ string) {
		close(arrived)
		io.Copy(io.Discard, conn)
	})
	drained := make(chan error, 1)
	go func() {
		<-arrived
		drained <- w.gw.Shutdown(context.Background())
	}()
	p := w.try("/ws?url=" + escape(silent) + "&api_key=" + testKey)
	wantDetail(t, p.resp, http.StatusServiceUnavailable, "draining")
	if p.resp.Header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	if err := <-drained; err != nil {
		t.Error(err)
	}
}

// wantDetail checks a plain HTTP error.
func wantDetail(t *testing.T, resp *http.Response, status int, detail string) {
	t.Helper()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var e map[string]string
	if err := json.Unmarshal(body, &e); err != nil || len(e) != 2 || e["code"] == "" || !strings.Contains(e["detail"], detail) {
		t.Errorf("the body is %s, want a detail with %q", body, detail)
	}
	if resp.StatusCode != status {
		t.Errorf("status %d, want %d (%s)", resp.StatusCode, status, body)
	}
	if cc := resp.Header.Get("Cache-Control"); cc != "no-store" {
		t.Errorf("Cache-Control is %q", cc)
	}
	if ct := resp.Header.Get("Content-Type"); ct != "application/json" {
		t.Errorf("Content-Type is %q", ct)
	}
}

// TestRelay_NotAnUpgrade_IsRefused asks for the endpoint in ways that are no WebSocket.
func TestRelay_NotAnUpgrade_IsRefused(t *testing.T) {
	w := newWorld(t)
	for _, tt := range []struct {
		name, request string
		status        int
		want          string
	}{
		{"plain GET", "GET /ws HTTP/1.1\r\nHost: x\r\n\r\n", 426, "WebSocket endpoint"},
		{"other upgrade", "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: h2c\r\n\r\n", 426, "WebSocket endpoint"},
		{"old version", "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 8\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n", 426, "must be 13"},
		{"no key", "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\r\n", 400, "Sec-WebSocket-Key"},
		{"short key", "GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAA\r\n\r\n", 400, "Sec-WebSocket-Key"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			conn, err := w.dialIn()
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			fmt.Fprint(conn, tt.request)
			resp, err := http.ReadResponse(newReader(conn), nil)
			if err != nil {
				t.Fatal(err)
			}
			wantDetail(t, resp, tt.status, tt.want)
			if tt.status == 426 && (resp.Header.Get("Upgrade") != "websocket" || resp.Header.Get("Sec-WebSocket-Version") != "13") {
				t.Errorf("the answer does not say what would do: %v", resp.Header)
			}
		})
	}
}
