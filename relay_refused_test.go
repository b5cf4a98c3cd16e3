package farwire_test

import (
	"bytes"
	"fmt"
	"io"
	"net"
	"runtime"
	"strings"
	"testing"
	"time"
)

// A client that is refused leaves nothing behind. A connection that is merely
// forgotten would be kept for ever by its own finalizer, and 16 KB with it.
func TestRefusedClient_HandlerReturns_HoldsNoMemory(t *testing.T) {
	w := newWorld(t)
	const upgrade = " HTTP/1.1\r\nHost: gateway.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
	const text = "\x81\x85\x00\x00\x00\x00hello" // and not JSON
	for name, sent := range map[string]string{
		"relay, no JSON":   "GET /ws" + upgrade + text,
		"relay, a breach":  "GET /ws" + upgrade + "\xf1\x80\x00\x00\x00\x00",
		"relay, gone":      "GET /ws" + upgrade,
		"crawl, wrong key": "GET /ws/crawl?api_key=nobody" + upgrade,
		"crawl, no JSON":   "GET /ws/crawl?api_key=" + testKey + upgrade + text,
		"crawl, gone":      "GET /ws/crawl?api_key=" + testKey + upgrade,
	} {
		refuse := func() {
			conn, err := w.dialIn()
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if _, err := io.WriteString(conn, sent); err != nil {
				t.Fatal(err)
			}
			if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
				t.Fatal(err)
			}
			conn.SetReadDeadline(time.Now().Add(testTimeout))
			if _, err := io.Copy(io.Discard, conn); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		const times = 200
		for range 20 { // for what is made once
			refuse()
		}
		before := heapInUse()
		for range times {
			refuse()
		}
		kept := heapInUse() - before
		for end := time.Now().Add(testTimeout); kept > times*4<<10 && time.Now().Before(end); {
			kept = heapInUse() - before // the last handlers may still be on their way out
		}
		if kept > times*4<<10 {
			t.Errorf("%s: each of %d clients has left %d bytes behind", name, times, kept/times)
		}
	}
}

// heapInUse is what the heap holds when all garbage, with finalizers or not, is
// gone.
func heapInUse() int64 {
	var m runtime.MemStats
	for range 3 {
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// A breach of the frame format is the client's fault, for operators too.
func TestBreach_BrokenFrame_IsNotAnInternalError(t *testing.T) {
	w := newWorld(t)
	p := w.open("/ws")
	p.raw([]byte{0xf1, 0x80, 0, 0, 0, 0})
	if f := p.next(); f.op != opClose {
		t.Errorf("got %v, want a close frame", f)
	}
	p.conn.Close()
	w.wantLog(`msg=refused kind=relay subject="" status=400 err="a frame broke the format"`)
}

func TestConnectMessage_Invalid_IsRefused(t *testing.T) {
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
		{"empty host", ask(`"headers":{"Host":""}`), "Host is not valid"},
		{"host with two ports", ask(`"headers":{"Host":"in.test:80:80"}`), "Host is not valid"},
		{"host with a zone", ask(`"headers":{"Host":"[fe80::1%25lo]"}`), "Host is not valid"},
		{"host with a bare zone", ask(`"headers":{"Host":"[fe80::1%lo]:80"}`), "Host is not valid"},
		{"host of an open bracket", ask(`"headers":{"Host":"[::1"}`), "Host is not valid"},
		{"host without brackets", ask(`"headers":{"Host":"::1"}`), "Host is not valid"},
		{"host with a user", ask(`"headers":{"Host":"a@in.test"}`), "Host is not valid"},
		{"host with a path", ask(`"headers":{"Host":"in.test/a"}`), "Host is not valid"},
		{"host with a query", ask(`"headers":{"Host":"in.test?a"}`), "Host is not valid"},
		{"two hosts", ask(`"headers":{"Host":"in.test,other.test"}`), "Host is not valid"},
		{"host that is a port", ask(`"headers":{"Host":":80"}`), "Host is not valid"},
		{"host with a port above all", ask(`"headers":{"Host":"in.test:65536"}`), "Host is not valid"},
		{"host with an escape", ask(`"headers":{"Host":"in%2etest"}`), "Host is not valid"},
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
				p.conn.SetWriteDeadline(time.Now().Add(testTimeout))
				if _, err := p.conn.Write(bytes.Repeat(p.encode(opPong, true, make([]byte, 125)), 100)); err != nil {
					return
				}
			}
		}()
		p.wantError(1008, "too much before the connect message")
	})
}

// manyNames is the inside of an object with so many members.
func manyNames(n int) string {
	list := make([]string, n)
	for i := range list {
		list[i] = fmt.Sprintf(`"n%d":"v"`, i)
	}
	return strings.Join(list, ",")
}
