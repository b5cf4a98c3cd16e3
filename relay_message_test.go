package farwire_test

import (
	"fmt"
	"net"
	"regexp"
	"strings"
	"testing"
)

// TestConnectMessage_EachField_ReachesTheTarget holds every field of the connect message to what arrives
// at the target.
func TestConnectMessage_EachField_ReachesTheTarget(t *testing.T) {
	w := newWorld(t)
	type seen struct{ line, host, headers string }
	requests := make(chan seen, 1)
	url := newRawTarget(t, func(conn net.Conn, head string) {
		line, rest, _ := strings.Cut(head, "\r\n")
		host, rest, _ := strings.Cut(rest, "\r\n")
		requests <- seen{line, host, regexp.MustCompile(`(?m)^Sec-WebSocket-Key: .*\r\n`).ReplaceAllString(rest, "")}
		answerUpgrade(conn, head)
		echo(&peer{t: t, conn: conn, br: newReader(conn)})
	})
	host := strings.TrimSuffix(strings.TrimPrefix(url, "ws://"), "/")
	base := "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
	for _, tt := range []struct {
		name, path, fields string
		want               seen
	}{
		{"defaults", "", ``, seen{"GET / HTTP/1.1", "Host: " + host, base}},
		{"path and query", "a/b%20c?x=1&y=%2F&x=2", ``, seen{"GET /a/b%20c?x=1&y=%2F&x=2 HTTP/1.1", "Host: " + host, base}},
		{"headers as given, in order", "", `"headers":{"x-lower":"1","Origin":"https://a.example","AUTHORIZATION":"Bearer t","Accept":""}`,
			seen{"GET / HTTP/1.1", "Host: " + host, base + "x-lower: 1\r\nOrigin: https://a.example\r\nAUTHORIZATION: Bearer t\r\nAccept: \r\n"}},
		{"Host", "", `"headers":{"host":"virtual.example:8443"}`, seen{"GET / HTTP/1.1", "Host: virtual.example:8443", base}},
		{"cookies", "", `"cookies":{"b":"2","a":"1"}`, seen{"GET / HTTP/1.1", "Host: " + host, base + "Cookie: b=2; a=1\r\n"}},
		{"cookies beside a header", "", `"headers":{"Cookie":"c=3"},"cookies":{"a":"1"}`, seen{"GET / HTTP/1.1", "Host: " + host, base + "Cookie: c=3; a=1\r\n"}},
		{"cookies as given", "", `"cookies":{"s":"{\"a\":1}","foo[bar]":"a b,c; d","u":"ü\\"}`,
			seen{"GET / HTTP/1.1", "Host: " + host, base + "Cookie: s={\"a\":1}; foo[bar]=a b,c; d; u=ü\\\r\n"}},
		{"path as written", "stream/btc%2Fusdt|eth/../z?a=%7e&&{}", ``, seen{"GET /stream/btc%2Fusdt|eth/../z?a=%7e&&{} HTTP/1.1", "Host: " + host, base}},
		{"nulls are absent", "", `"headers":null,"cookies":null,"geo":null,"agent":null,"idle_timeout":null,"subprotocols":null,"proxy":null`,
			seen{"GET / HTTP/1.1", "Host: " + host, base}},
		{"unknown names", "", `"Headers":{"a":"b"},"future":[1,{"x":2}]`, seen{"GET / HTTP/1.1", "Host: " + host, base}},
		{"lists of agents and countries", "", `"geo":"us, de","agent":"AT5,De1"`, seen{"GET / HTTP/1.1", "Host: " + host, base}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			// Nothing of the client's own upgrade may reach the target.
			p := w.in(t).open("/ws", "Origin: https://page.example", "Cookie: session=own", "User-Agent: Mozilla/5.0", "Authorization: Basic eDp5")
			p.ask(url+tt.path, tt.fields)
			p.wantConnected()
			if got := <-requests; got != tt.want {
				t.Errorf("the target got\n%q\nwant\n%q", got, tt.want)
			}
			p.close(1000, "")
			p.wantClose(1000, "")
		})
	}
	t.Run("what a browser sent", func(t *testing.T) {
		p := w.in(t).open("/ws")
		p.ask(url, `"headers":{"Host":"x.example","Connection":"Upgrade","Pragma":"no-cache","Sec-WebSocket-Key":"x","Upgrade":"websocket"}`)
		p.wantText(`{"type":"connected","status":101,"node_id":"farwire-de1","ignored":["Connection","Sec-WebSocket-Key","Upgrade"]}`)
		if got, want := <-requests, (seen{"GET / HTTP/1.1", "Host: x.example", base + "Pragma: no-cache\r\n"}); got != want {
			t.Errorf("the target got\n%q\nwant\n%q", got, want)
		}
		p.close(1000, "")
		p.wantClose(1000, "")
	})
	t.Run("credentials in the url", func(t *testing.T) {
		p := w.in(t).open("/ws")
		p.ask("ws://user:pa%3Ass@"+host+"/", "")
		p.wantConnected()
		if got := <-requests; got.headers != base+"Authorization: Basic dXNlcjpwYTpzcw==\r\n" {
			t.Errorf("the target got %q", got.headers)
		}
		p.close(1000, "")
		p.wantClose(1000, "")
	})
}

func TestRelay_Subprotocol_IsPassedOn(t *testing.T) {
	w := newWorld(t)
	url := newRawTarget(t, func(conn net.Conn, head string) {
		answerUpgrade(conn, head, "Sec-WebSocket-Protocol: centrifuge-protobuf")
		echo(&peer{t: t, conn: conn, br: newReader(conn)})
	})
	p := w.open("/ws")
	p.ask(url, `"subprotocols":["json","centrifuge-protobuf"]`)
	p.wantText(`{"type":"connected","status":101,"node_id":"farwire-de1","subprotocol":"centrifuge-protobuf"}`)
}

// TestConnectMessage_Fragmented_IsRead sends the connect message in fragments, with pings in
// between, which the gateway answers.
func TestConnectMessage_Fragmented_IsRead(t *testing.T) {
	w := newWorld(t)
	url := newTarget(t, echo)
	p := w.open("/ws")
	msg := fmt.Appendf(nil, `{"apiKey":%q,"url":%q}`, testKey, url)
	p.frame(opText, false, msg[:10])
	p.frame(opPing, true, []byte("one"))
	p.want(frame{op: opPong, fin: true, payload: []byte("one")})
	p.frame(opCont, false, msg[10:20])
	p.frame(opPong, true, []byte("unasked"))
	p.frame(opCont, true, msg[20:])
	p.wantConnected()
	p.text("on")
	p.wantText("on")
}
