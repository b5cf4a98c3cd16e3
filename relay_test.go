package farwire_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/internal/harness"
)

func acceptKey(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// A transcript is a conversation as a client sees it, compared with a file in
// testdata; -update writes the file anew.
type transcript struct {
	*peer
	lines []string
}

var volatile = regexp.MustCompile(`127\.0\.0\.1(:|%3A)\d+`)

func (w *world) transcript(path string, headers ...string) *transcript {
	tr := &transcript{}
	tr.note("> GET " + path)
	for _, h := range headers {
		tr.note("> " + h)
	}
	tr.peer = w.open(path, headers...)
	tr.note("< " + tr.resp.Status)
	for _, name := range []string{"Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions", "X-Farwire-Node"} {
		if v := tr.resp.Header.Get(name); v != "" {
			tr.note("< " + name + ": " + v)
		}
	}
	return tr
}

func (tr *transcript) note(line string) {
	tr.lines = append(tr.lines, volatile.ReplaceAllString(line, "TARGET"))
}

func (tr *transcript) say(op byte, payload string) {
	tr.note("> " + frame{op: op, fin: true, payload: []byte(payload)}.String())
	tr.frame(op, true, []byte(payload))
}

func (tr *transcript) hear() {
	tr.t.Helper()
	tr.note("< " + tr.next().String())
}

func (tr *transcript) compare(name string) {
	tr.t.Helper()
	tr.wantEnd()
	file := filepath.Join("testdata", "relay", name+".txt")
	got := strings.Join(tr.lines, "\n") + "\n"
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			tr.t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(file)
	if err != nil {
		tr.t.Fatal(err)
	}
	if got != string(want) {
		tr.t.Errorf("%s: the conversation was\n%s\nwant\n%s", file, got, want)
	}
}

func TestTranscripts(t *testing.T) {
	w := newWorld(t)
	url := newTarget(t, echo)
	refused := "ws://" + harness.FreeAddr(t) + "/"

	t.Run("session", func(t *testing.T) {
		tr := w.in(t).transcript("/ws")
		tr.say(opText, fmt.Sprintf(`{"apiKey": %q, "url": %q, "geo": "DE"}`, testKey, url))
		tr.hear()
		tr.say(opText, "hello from scraping api")
		tr.hear()
		tr.say(opBinary, "\x00\xff")
		tr.hear()
		tr.say(opPing, "are you there")
		tr.hear()
		tr.say(opClose, string(closePayload(4321, "enough")))
		tr.hear()
		tr.compare("session")
	})
	t.Run("subprotocol", func(t *testing.T) {
		tr := w.in(t).transcript("/ws", "Sec-WebSocket-Protocol: graphql-ws, other")
		tr.say(opText, fmt.Sprintf(`{"key": %q, "url": %q}`, testKey, url))
		tr.hear()
		tr.say(opClose, "")
		tr.hear()
		tr.compare("subprotocol")
	})
	for name, message := range map[string]string{
		"key-missing":    fmt.Sprintf(`{"url": %q}`, url),
		"key-invalid":    fmt.Sprintf(`{"apiKey": "not-a-key-of-anyone", "url": %q}`, url),
		"no-agent":       fmt.Sprintf(`{"apiKey": %q, "url": %q, "geo": "US,FR", "agent": "us1"}`, testKey, url),
		"target-refuses": fmt.Sprintf(`{"apiKey": %q, "url": %q}`, testKey, refused),
		"not-json":       `hello`,
	} {
		t.Run(name, func(t *testing.T) {
			tr := w.in(t).transcript("/ws")
			tr.say(opText, strings.ReplaceAll(message, refused, refused))
			tr.hear()
			tr.hear()
			tr.compare(name)
		})
	}
	t.Run("direct", func(t *testing.T) {
		tr := w.in(t).transcript("/ws?url="+escape(url)+"&api_key="+testKey+"&EIO=4", "Sec-WebSocket-Protocol: a, b")
		tr.say(opText, "hello")
		tr.hear()
		tr.say(opClose, string(closePayload(1000, "")))
		tr.hear()
		tr.compare("direct")
	})
}

// TestConnectMessage holds every field of the connect message to what arrives
// at the target.
func TestConnectMessage(t *testing.T) {
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

func TestSubprotocol(t *testing.T) {
	w := newWorld(t)
	url := newRawTarget(t, func(conn net.Conn, head string) {
		answerUpgrade(conn, head, "Sec-WebSocket-Protocol: centrifuge-protobuf")
		echo(&peer{t: t, conn: conn, br: newReader(conn)})
	})
	p := w.open("/ws")
	p.ask(url, `"subprotocols":["json","centrifuge-protobuf"]`)
	p.wantText(`{"type":"connected","status":101,"node_id":"farwire-de1","subprotocol":"centrifuge-protobuf"}`)
}

func TestRefusedMessages(t *testing.T) {
	w := newWorld(t)
	url := newTarget(t, echo)
	ask := func(more string) string { return fmt.Sprintf(`{"apiKey":%q,"url":%q,%s}`, testKey, url, more) }
	to := func(u string) string { return fmt.Sprintf(`{"apiKey":%q,"url":%q}`, testKey, u) }
	for _, tt := range []struct{ name, message, want string }{
		{"empty", ``, "not valid JSON"},
		{"array", `[]`, "not a JSON object"},
		{"string", `"x"`, "not a JSON object"},
		{"two objects", `{}{}`, "more than one"},
		{"trailing comma", `{"url":"x",}`, "not valid JSON"},
		{"duplicate key", `{"url":"a","url":"b"}`, `\"url\" is given twice`},
		{"duplicate in headers", ask(`"headers":{"A":"1","A":"2"}`), `\"A\" is given twice`},
		{"duplicate in an unknown field", ask(`"x":[{"a":1,"a":2}]`), `\"a\" is given twice`},
		{"duplicate at the bottom of many lists", `{"x":` + strings.Repeat("[", 9990) + `{"a":1,"b":[],"a":2}` + strings.Repeat("]", 9990) +
			`,"y":"` + strings.Repeat("y", 40<<10) + `"}`, "nested too deep"},
		{"duplicate at the bottom of many objects", `{"x":` + strings.Repeat(`{"a":`, 9990) + `{"b":1e999,"b":2}` + strings.Repeat("}", 9990) + "}",
			"nested too deep"},
		{"duplicate at the eighth level", `{"x":` + strings.Repeat("[", 6) + `{"a":1e999,"a":2}` + strings.Repeat("]", 6) + "}", `\"a\" is given twice`},
		{"nine levels", `{"x":` + strings.Repeat("[", 8) + strings.Repeat("]", 8) + "}", "nested too deep"},
		{"many names", `{` + manyNames(65) + `}`, "more than 64 names"},
		{"many names inside", `{"x":[{` + manyNames(65) + `}]}`, "x has more than 64 names"},
		{"many headers", ask(`"headers":{` + manyNames(101) + `}`), "headers has more than 100 names"},
		{"no key in a message of many levels", `{"x":` + strings.Repeat(`{"a":`, 9990) + `"a"` + strings.Repeat("}", 9990) + "}", "nested too deep"},
		{"no key in eight levels", `{"x":` + strings.Repeat(`{"a":`, 7) + `"a"` + strings.Repeat("}", 7) + "}", "API key missing"},
		{"no key", fmt.Sprintf(`{"url":%q}`, url), "API key missing"},
		{"empty key", `{"apiKey":"","url":"ws://a/"}`, "API key missing"},
		{"null key", `{"apiKey":null,"url":"ws://a/"}`, "API key missing"},
		{"number for a key", `{"apiKey":1}`, "apiKey must be a string"},
		{"wrong key", `{"key":"0123456789abcdef"}`, "API key invalid"},
		{"other spelling of the key", fmt.Sprintf(`{"ApiKey":%q}`, testKey), "API key missing"},
		{"no url", fmt.Sprintf(`{"apiKey":%q}`, testKey), "url is missing"},
		{"url of ftp", to("ftp://example.com/"), "ws:// or wss://"},
		{"url without host", to("ws:///path"), "host is missing"},
		{"url with a bracket in a zone", to("ws://[fe80::1%25lo]lo]:80/"), "host is not valid"},
		{"url without scheme", to("example.com"), "ws:// or wss://"},
		{"url with fragment", to("ws://example.com/#x"), "fragment"},
		{"url with an empty fragment", to("ws://example.com/#"), "fragment"},
		{"url with port 0", to("ws://example.com:0/"), "port is out of range"},
		{"url with a large port", to("ws://example.com:65536/"), "port is out of range"},
		{"url that cannot be parsed", to("ws://exa mple/%zz"), "url cannot be parsed"},
		{"url with a line break", to("ws://example.com/\r\nX: y"), "url cannot be parsed"},
		{"url not a string", fmt.Sprintf(`{"apiKey":%q,"url":["ws://a"]}`, testKey), "url must be a string"},
		{"headers not an object", ask(`"headers":["a"]`), "headers must be an object of strings"},
		{"header not a string", ask(`"headers":{"a":1}`), "headers must be an object of strings"},
		{"header name with a space", ask(`"headers":{"a b":"1"}`), "not a header name"},
		{"empty header name", ask(`"headers":{"":"1"}`), "not a header name"},
		{"header value with a line break", ask(`"headers":{"A":"1\r\nB: 2"}`), "cannot hold"},
		{"header value with a bare line feed", ask(`"headers":{"A":"1\nB: 2"}`), "cannot hold"},
		{"header value with a zero byte", ask(`"headers":{"A":"\u0000"}`), "cannot hold"},
		{"cookie value with a line break", ask(`"cookies":{"a":"1\r\nB: 2"}`), "cannot hold"},
		{"cookie name with a semicolon", ask(`"cookies":{"a;b":"1"}`), "cannot hold"},
		{"cookie name with an equals sign", ask(`"cookies":{"a=b":"1"}`), "cannot hold"},
		{"empty cookie name", ask(`"cookies":{"":"1"}`), "cannot hold"},
		{"cookie name of umlauts", ask(`"cookies":{"ü":"a"}`), "cannot hold"},
		{"two hosts", ask(`"headers":{"Host":"a","host":"b"}`), "Host is given twice"},
		{"bad host", ask(`"headers":{"Host":"a b"}`), "Host is not valid"},
		{"idle_timeout a string", ask(`"idle_timeout":"5"`), "idle_timeout must be a number"},
		{"idle_timeout negative", ask(`"idle_timeout":-0.5`), "zero or more"},
		{"geo a list", ask(`"geo":["DE"]`), "geo must be a string"},
		{"agent a number", ask(`"agent":5`), "agent must be a string"},
		{"subprotocols a string", ask(`"subprotocols":"a"`), "subprotocols must be an array of strings"},
		{"subprotocols of numbers", ask(`"subprotocols":[1]`), "subprotocols must be an array of strings"},
		{"subprotocols with null", ask(`"subprotocols":[null]`), "subprotocols must be an array of strings"},
		{"subprotocol with a comma", ask(`"subprotocols":["a,b"]`), "not a subprotocol name"},
		{"subprotocol with a line break", ask(`"subprotocols":["a\r\nX: y"]`), "not a subprotocol name"},
		{"subprotocol twice", ask(`"subprotocols":["a","a"]`), "given twice"},
		{"proxy of ftp", ask(`"proxy":"ftp://way.example:1"`), "http:// or socks5://"},
		{"session with a slash", ask(`"session":"a/b"`), "session must be 1 to 64"},
		{"session too long", ask(`"session":"` + strings.Repeat("a", 65) + `"`), "session must be 1 to 64"},
		{"session a number", ask(`"session":1`), "session must be a string"},
		{"timeout negative", ask(`"timeout":-1`), "zero or more"},
		{"timeout too long", ask(`"timeout":60.5`), "at most 60 seconds"},
		{"timeout a string", ask(`"timeout":"5"`), "timeout must be a number"},
		{"insecure where it is not allowed", ask(`"insecure":true`), "insecure is not allowed here"},
		{"insecure a string", ask(`"insecure":"yes"`), "insecure must be true or false"},
		{"ca without a certificate", ask(`"ca":"-----BEGIN"`), "ca must be certificates in PEM"},
		{"server_name with a slash", ask(`"server_name":"a/b"`), "server_name is not valid"},
		{"too many redirects", ask(`"follow_redirects":6`), "follow_redirects must be a whole number from 0 to 5"},
		{"proxy with a path", ask(`"proxy":"http://way.example:1/x"`), "alone"},
		{"proxy without host", ask(`"proxy":"socks5://:1080"`), "host is missing"},
		{"agent of commas", ask(`"agent":" , "`), "agent names no agent"},
		{"geo of blanks", ask(`"geo":" "`), "geo names no country"},
		{"pinned agent absent", ask(`"agent":"fr7"`), "no agent is attached that fits agent fr7"},
		{"country absent", ask(`"geo":"FR,US"`), "no agent is attached that fits geo FR,US"},
		{"agent fits, country does not", ask(`"agent":"de1","geo":"FR"`), "no agent is attached"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := w.in(t).open("/ws")
			p.text(tt.message)
			code := 1008
			if strings.HasPrefix(tt.want, "no agent is attached") {
				code = 1011
			}
			p.wantError(code, tt.want)
			p.wantEnd()
		})
	}
	names := []string{"Connection", "upgrade", "Sec-WebSocket-Key", "sec-websocket-protocol", "Sec-Websocket-Extensions",
		"Transfer-Encoding", "content-length", "TE", "Trailer", "Keep-Alive", "Proxy-Authorization", "proxy-connection"}
	for _, name := range names {
		t.Run("hop header "+name, func(t *testing.T) {
			p := w.in(t).open("/ws")
			p.ask(url, fmt.Sprintf(`"headers":{"A":"b",%q:"x"}`, name))
			p.wantText(fmt.Sprintf(`{"type":"connected","status":101,"node_id":"farwire-de1","ignored":[%q]}`, name))
		})
	}
	t.Run("binary", func(t *testing.T) {
		p := w.in(t).open("/ws")
		p.frame(opBinary, true, []byte(to(url)))
		p.wantError(1008, "must be text")
	})
	t.Run("not UTF-8", func(t *testing.T) {
		p := w.in(t).open("/ws")
		p.text("{\"apiKey\":\"\xff\"}")
		p.wantError(1008, "not UTF-8")
	})
	t.Run("too large", func(t *testing.T) {
		p := w.in(t).open("/ws")
		p.text(ask(`"x":"` + strings.Repeat("x", 64<<10) + `"`))
		p.wantError(1008, "larger than 65536 bytes")
	})
	t.Run("just small enough", func(t *testing.T) {
		p := w.in(t).open("/ws")
		msg := ask(`"x":""`)
		p.text(ask(`"x":"` + strings.Repeat("x", 64<<10-len(msg)) + `"`))
		p.wantConnected()
	})
	t.Run("a flood before the message", func(t *testing.T) {
		p := w.in(t).open("/ws")
		go func() {
			for { // until the gateway has had enough
				p.conn.SetWriteDeadline(time.Now().Add(patience))
				if _, err := p.conn.Write(bytes.Repeat(p.encode(opPong, true, make([]byte, 125)), 100)); err != nil {
					return
				}
			}
		}()
		p.wantError(1008, "too much before the connect message")
	})
}

// TestMessageInPieces sends the connect message in fragments, with pings in
// between, which the gateway answers.
func TestMessageInPieces(t *testing.T) {
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

// Both sides send frames before they are told that the session is connected.
func TestRelay_FramesAroundConnected_NoneIsLost(t *testing.T) {
	w := newWorld(t)
	early := func() []byte {
		p := &peer{t: t}
		return append(append(p.encode(opText, true, []byte("first")), p.encode(opBinary, false, []byte("sec"))...), p.encode(opCont, true, []byte("ond"))...)
	}()
	for cut := range len(early) + 1 {
		url := newRawTarget(t, func(conn net.Conn, head string) {
			// The 101 and a part of the first frames in one segment.
			conn.Write(append([]byte(upgradeAnswerTo(head)), early[:cut]...))
			conn.Write(early[cut:])
			p := &peer{t: t, conn: conn, br: newReader(conn)}
			p.want(frame{op: opText, fin: true, payload: []byte("behind the message")})
			p.want(frame{op: opPong, fin: true, payload: []byte("a pong for the target")})
			p.want(frame{op: opBinary, fin: false, payload: []byte{1}})
			p.want(frame{op: opCont, fin: true, payload: []byte{2}})
			echo(p)
		})
		p := w.in(t).open("/ws")
		ask := p.encode(opText, true, fmt.Appendf(nil, `{"apiKey":%q,"url":%q}`, testKey, url))
		ask = append(ask, p.encode(opText, true, []byte("behind the message"))...)
		ask = append(ask, p.encode(opPong, true, []byte("a pong for the target"))...)
		ask = append(ask, p.encode(opBinary, false, []byte{1})...)
		last := p.encode(opCont, true, []byte{2})
		p.raw(append(ask, last[:cut%len(last)]...))
		p.wantConnected()
		p.raw(last[cut%len(last):])
		p.wantText("first")
		p.want(frame{op: opBinary, fin: false, payload: []byte("sec")})
		p.want(frame{op: opCont, fin: true, payload: []byte("ond")})
		p.close(1000, "")
		p.wantClose(1000, "")
		p.wantEnd()
	}
}

// TestEarlyFrameWithUpgrade sends the connect message in the same segment as
// the upgrade request, as no client may but some do.
func TestEarlyFrameWithUpgrade(t *testing.T) {
	w := newWorld(t)
	url := newTarget(t, echo)
	for range 20 {
		conn, err := w.dialIn()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		p := &peer{t: t, conn: conn, br: newReader(conn), mask: true}
		req := "GET /ws HTTP/1.1\r\nHost: gateway.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
			"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
		b := append([]byte(req), p.encode(opText, true, fmt.Appendf(nil, `{"apiKey":%q,"url":%q}`, testKey, url))...)
		p.raw(append(b, p.encode(opText, true, []byte("early"))...))
		readHead(t, p.br)
		p.wantConnected()
		p.wantText("early")
	}
}

// TestFramesAsTheyAre lets frames of every kind and many sizes cross both ways.
func TestFramesAsTheyAre(t *testing.T) {
	w := newWorld(t)
	p := w.connected(newTarget(t, echo), "")
	for _, n := range []int{0, 1, 125, 126, 127, 65535, 65536, 1 << 20} {
		payload := bytes.Repeat([]byte("0123456789abcdef"), n/16+1)[:n]
		p.frame(opBinary, true, payload)
		p.want(frame{op: opBinary, fin: true, payload: payload})
	}
	p.frame(opText, false, []byte("a"))
	p.frame(opPing, true, []byte("in between"))
	p.frame(opCont, false, nil)
	p.frame(opCont, true, []byte("c"))
	p.want(frame{op: opText, fin: false, payload: []byte("a")})
	p.want(frame{op: opPong, fin: true, payload: []byte("in between")})
	p.want(frame{op: opCont, fin: false})
	p.want(frame{op: opCont, fin: true, payload: []byte("c")})
	p.text("not \xff UTF-8 and none of our business")
	p.wantText("not \xff UTF-8 and none of our business")
}

func TestRelay_Pongs_ReachTheOtherSide(t *testing.T) {
	w := newWorld(t)
	url := newTarget(t, func(p *peer) {
		p.frame(opPong, true, []byte("unsolicited"))
		p.frame(opPing, true, []byte("from the target"))
		p.want(frame{op: opPong, fin: true, payload: []byte("from the client")})
		echo(p)
	})
	p := w.connected(url, "")
	p.want(frame{op: opPong, fin: true, payload: []byte("unsolicited")})
	p.want(frame{op: opPing, fin: true, payload: []byte("from the target")})
	p.frame(opPong, true, []byte("from the client"))
	p.text("alive")
	p.wantText("alive")
}

// Each side sends close frames of every kind.
func TestRelay_CloseFrame_ReachesTheOtherSide(t *testing.T) {
	w := newWorld(t)
	payloads := [][]byte{nil, closePayload(1000, ""), closePayload(1001, "bye"), closePayload(3000, "ü"), closePayload(4999, strings.Repeat("r", 123)),
		closePayload(1012, "\xff is not UTF-8"), closePayload(999, "not even a code")}
	for _, payload := range payloads {
		closing := frame{op: opClose, fin: true, payload: payload}
		t.Run("client "+closing.String()[:min(30, len(closing.String()))], func(t *testing.T) {
			var wg sync.WaitGroup
			wg.Add(1)
			p := w.in(t).connected(newTarget(t, func(p *peer) {
				defer wg.Done()
				p.want(closing)
				p.frame(opClose, true, closePayload(4000, "answer"))
				p.wantEnd()
			}), "")
			p.frame(opClose, true, payload)
			p.wantClose(4000, "answer")
			p.wantEnd()
			wg.Wait()
		})
		t.Run("target "+closing.String()[:min(30, len(closing.String()))], func(t *testing.T) {
			var wg sync.WaitGroup
			wg.Add(1)
			p := w.in(t).connected(newTarget(t, func(p *peer) {
				defer wg.Done()
				p.frame(opClose, true, payload)
				p.wantClose(4001, "answer")
				p.wantEnd()
			}), "")
			p.want(closing)
			p.close(4001, "answer")
			p.wantEnd()
			wg.Wait()
		})
	}
}

// TestLosses ends connections without a close frame, where a frame ends and
// inside one.
func TestLosses(t *testing.T) {
	w := newWorld(t)
	half := func(p *peer) []byte { b := p.encode(opBinary, true, make([]byte, 100)); return b[:50] }
	t.Run("target at a boundary", func(t *testing.T) {
		p := w.in(t).connected(newTarget(t, func(p *peer) { p.text("last"); p.conn.Close() }), "")
		p.wantText("last")
		p.wantClose(1013, "target lost")
		p.close(1013, "")
		p.wantEnd()
	})
	t.Run("target between fragments", func(t *testing.T) {
		p := w.in(t).connected(newTarget(t, func(p *peer) { p.frame(opText, false, []byte("a")); p.conn.Close() }), "")
		p.want(frame{op: opText, fin: false, payload: []byte("a")})
		p.wantClose(1013, "target lost")
	})
	t.Run("target inside a frame", func(t *testing.T) {
		p := w.in(t).connected(newTarget(t, func(p *peer) { p.raw(half(p)); p.conn.Close() }), "")
		if f, err := p.nextWithin(patience); err == nil {
			t.Errorf("got %v of a truncated frame", f)
		}
	})
	t.Run("client at a boundary", func(t *testing.T) {
		done := make(chan struct{})
		p := w.in(t).connected(newTarget(t, func(p *peer) {
			defer close(done)
			p.want(frame{op: opText, fin: true, payload: []byte("last")})
			p.wantClose(1001, "client lost")
			p.close(1001, "")
			p.wantEnd()
		}), "")
		p.text("last")
		p.conn.Close()
		<-done
	})
	t.Run("client inside a frame", func(t *testing.T) {
		done := make(chan struct{})
		p := w.in(t).connected(newTarget(t, func(p *peer) {
			defer close(done)
			if f, err := p.nextWithin(patience); err == nil {
				t.Errorf("got %v of a truncated frame", f)
			}
		}), "")
		p.raw(half(p))
		p.conn.Close()
		<-done
	})
}

// TestBrokenFrames has each side break the format in turn.
func TestBrokenFrames(t *testing.T) {
	w := newWorld(t)
	masked := func(b ...byte) []byte { b[1] |= 0x80; return append(b, 1, 2, 3, 4) }
	long := func(first byte, size uint64) []byte {
		return binary.BigEndian.AppendUint64([]byte{first, 127}, size)
	}
	for _, tt := range []struct {
		name           string
		client, target []byte
	}{
		{"reserved opcode", masked(0x83, 0), []byte{0x83, 0}},
		{"reserved control opcode", masked(0x8b, 0), []byte{0x8b, 0}},
		{"reserved bit", masked(0xc1, 0), []byte{0xc1, 0}},
		{"wrong mask", []byte{0x81, 0}, masked(0x81, 0)},
		{"fragmented control", masked(0x09, 0), []byte{0x09, 0}},
		{"long control", masked(0x89, 126, 0, 126), []byte{0x89, 126, 0, 126}},
		{"16 bits not needed", masked(0x82, 126, 0, 125), []byte{0x82, 126, 0, 125}},
		{"64 bits not needed", masked(long(0x82, 65535)...), long(0x82, 65535)},
		{"length with its top bit", masked(long(0x82, 1<<63)...), long(0x82, 1<<63)},
		{"continuation of nothing", masked(0x80, 0), []byte{0x80, 0}},
	} {
		t.Run(tt.name+" by the client", func(t *testing.T) {
			done := make(chan struct{})
			p := w.in(t).connected(newTarget(t, func(p *peer) {
				defer close(done)
				p.wantTextBytes("fine")
				p.wantClose(1011, "client broke the frame format")
				p.frame(opClose, true, closePayload(1011, ""))
				p.wantEnd()
			}), "")
			p.raw(append(p.encode(opText, true, []byte("fine")), tt.client...))
			if f := p.next(); f.op != opClose || binary.BigEndian.Uint16(f.payload) != 1002 {
				t.Errorf("got %v, want close 1002", f)
			}
			<-done
		})
		t.Run(tt.name+" by the target", func(t *testing.T) {
			done := make(chan struct{})
			p := w.in(t).connected(newTarget(t, func(p *peer) {
				defer close(done)
				p.raw(append(p.encode(opText, true, []byte("fine")), tt.target...))
				if f := p.next(); f.op != opClose || binary.BigEndian.Uint16(f.payload) != 1002 {
					t.Errorf("got %v, want close 1002", f)
				}
			}), "")
			p.wantText("fine")
			if f := p.next(); f.op != opClose || binary.BigEndian.Uint16(f.payload) != 1011 {
				t.Errorf("got %v, want close 1011", f)
			}
			<-done
		})
	}
	t.Run("before connected", func(t *testing.T) {
		for _, b := range [][]byte{{0x81, 0}, masked(0x83, 0), masked(0x81, 126, 0, 5)} {
			p := w.in(t).open("/ws")
			p.raw(append(b, make([]byte, 16)...))
			if f := p.next(); f.op != opClose || binary.BigEndian.Uint16(f.payload) != 1002 {
				t.Errorf("% x: got %v, want close 1002", b, f)
			}
		}
	})
}

func (p *peer) wantTextBytes(s string) {
	p.t.Helper()
	p.want(frame{op: opText, fin: true, payload: []byte(s)})
}

// TestWhileDialling covers the time between the message and the answer.
func TestWhileDialling(t *testing.T) {
	w := newWorld(t)
	answer := make(chan struct{})
	slow := newRawTarget(t, func(conn net.Conn, head string) {
		<-answer
		answerUpgrade(conn, head)
		p := &peer{t: t, conn: conn, br: newReader(conn)}
		p.want(frame{op: opPong, fin: true, payload: []byte("kept")})
		echo(p)
	})
	arrived, ended := make(chan struct{}), make(chan struct{})
	silent := newRawTarget(t, func(conn net.Conn, _ string) {
		close(arrived)
		io.Copy(io.Discard, conn)
		close(ended)
	})
	t.Run("pings are answered and the rest is kept", func(t *testing.T) {
		p := w.in(t).open("/ws")
		p.ask(slow, "")
		p.frame(opPing, true, []byte("are you there"))
		p.frame(opPong, true, []byte("kept"))
		p.want(frame{op: opPong, fin: true, payload: []byte("are you there")})
		answer <- struct{}{}
		p.wantConnected()
		p.text("x")
		p.wantText("x")
	})
	t.Run("a client that leaves is noticed", func(t *testing.T) {
		p := w.in(t).open("/ws")
		p.ask(silent, "")
		p.frame(opPing, true, nil)
		p.want(frame{op: opPong, fin: true})
		<-arrived
		p.conn.Close()
		select {
		case <-ended:
		case <-time.After(patience):
			t.Error("the target's connection outlived the client")
		}
	})
}

// TestSessionLine looks for the one line that each session leaves.
func TestSessionLine(t *testing.T) {
	w := newWorld(t)
	p := w.connected(newTarget(t, echo), "")
	p.text("12345")
	p.wantText("12345")
	p.close(4005, "done")
	p.wantClose(4005, "done")
	p.wantEnd()
	if err := w.gw.Shutdown(context.Background()); err != nil {
		t.Fatal(err)
	}
	line := regexp.MustCompile(`level=INFO msg="session ended" session=[0-9a-f]{16} kind=relay subject=alice key_id=[0-9a-f]{16} client=127.0.0.1 ` +
		`agent=farwire-de1 target=127.0.0.1:\d+ ended_by=client code=4005 cause="" frames_to_target=2 frames_to_client=2 ` +
		`bytes_to_target=\d+ bytes_to_client=\d+ duration_s=\S+`)
	if n := len(line.FindAllString(w.log.String(), -1)); n != 1 {
		t.Errorf("%d lines of the session in\n%s", n, w.log)
	}
}

// A lateWriter lets a status through only with a body, as middleware that
// compresses does.
type lateWriter struct {
	http.ResponseWriter
	status int
}

func (w *lateWriter) WriteHeader(status int) { w.status = status }

func (w *lateWriter) Write(b []byte) (int, error) {
	w.ResponseWriter.WriteHeader(w.status)
	return w.ResponseWriter.Write(b)
}

func (w *lateWriter) Hijack() (net.Conn, *bufio.ReadWriter, error) {
	return http.NewResponseController(w.ResponseWriter).Hijack()
}

func (w *lateWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// The relay upgrades although the middleware keeps the 101 back.
func TestRelay_MiddlewareWritesStatusLate_Works(t *testing.T) {
	w := newWorld(t)
	url := newTarget(t, echo)
	late := w.also(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		w.gw.Relay().ServeHTTP(&lateWriter{ResponseWriter: rw}, r)
	}))
	p := late.connected(url, "")
	p.text("hello")
	p.wantText("hello")
	late.open("/ws?api_key=" + testKey + "&url=" + url).text("hello")
	if log := w.log.String(); strings.Contains(log, "superfluous") {
		t.Error(log)
	}
}

// TestDirectKeepsTheHostsAuthorization does not tell a target what the caller
// showed to the host, unless the caller says so.
func TestDirectKeepsTheHostsAuthorization(t *testing.T) {
	w := newWorld(t)
	heads := make(chan string, 1)
	url := newRawTarget(t, func(_ net.Conn, head string) { heads <- head })
	named := w.also(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		r = r.WithContext(farwire.WithPrincipal(r.Context(), farwire.Principal{Subject: "carol"}))
		w.gw.Relay().ServeHTTP(rw, r)
	}))
	for query, want := range map[string]string{"": "", "&header=Authorization:%20Basic%20dDp0": "Basic dDp0"} {
		named.try("/ws?url="+url+query, "Authorization: Basic Y2Fyb2w6cHc=")
		head := <-heads
		if strings.Contains(head, "Y2Fyb2w6cHc=") || strings.Contains(head, "Authorization: Basic dDp0") != (want != "") {
			t.Errorf("the target is told\n%s", head)
		}
	}
}

// manyNames is the inside of an object with so many members.
func manyNames(n int) string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf(`"n%d":"v"`, i)
	}
	return strings.Join(list, ",")
}
