package loadtest

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/farwire/farwire/internal/harness"
)

var entries = []struct {
	name   string
	attack func(*attacker) (answer, said string, err error)
}{
	{"relay message", func(v *attacker) (string, string, error) {
		return v.message("/ws", v.frame(v.json(`{"apiKey":"KEY","url":"ws://HOST/x","headers":{"A":"b"},"cookies":{"c":"d"},"geo":"ZZ","agent":"agent1","idle_timeout":1.5,"subprotocols":["a"],"proxy":"http://HOST"}`)))
	}},
	{"relay frames", func(v *attacker) (string, string, error) {
		hello := frame(true, 1, fmt.Appendf(nil, `{"apiKey":%q,"url":"ws://echo.farwire.alt"}`, harness.Key))
		return v.message("/ws", append(hello, v.mangle(v.frames())...))
	}},
	{"relay query", func(v *attacker) (string, string, error) {
		return v.message(v.query("/ws", "url=ws://HOST/x", "geo=ZZ", "agent=agent1", "idle_timeout=1", "proxy=socks5://HOST", "header=A: b"), v.mangle(v.frames()))
	}},
	{"crawl message", func(v *attacker) (string, string, error) {
		return v.message("/ws/crawl?api_key="+harness.Key, v.frame(v.json(`{"url":"http://HOST/","maxPages":5,"descLength":200,"enableAutoUpdate":true,"recrawlIntervalMinutes":1,"llmEnhance":true,"useBrightdata":true,"format":"index","geo":"ZZ","agent":"agent1"}`)))
	}},
	{"AMQP", func(v *attacker) (string, string, error) {
		return v.post("/amqp", v.json(`{"apiKey":"KEY","host":"BARE","port":PORT,"virtual_host":"/","username":"u","password":"p","exchange":"e","routing_key":"#","queue_prefix":"q","ssl":false,"heartbeat":60,"geo":"ZZ","agent":"agent1"}`))
	}},
	{"token", func(v *attacker) (string, string, error) { return v.post("/auth/token", nil) }},
	{"hook", func(v *attacker) (string, string, error) {
		return v.post("/hooks/site-changed", v.json(`{"base_url":"http://HOST/","webhook_secret":"SECRET"}`))
	}},
	{"path", func(v *attacker) (string, string, error) {
		paths := []string{"/files/../../etc/passwd", "/files/llms/%2e%2e/%2e%2e/x", "/usage", "/network", "/healthz", "/", "/agents/attach", "/ws/crawl", "/debug/pprof/", "/metrics"}
		return v.get(v.target(paths[v.rng.IntN(len(paths))]))
	}},
	{"attach", func(v *attacker) (string, string, error) {
		head := "GET /agents/attach HTTP/1.1\r\nHost: gw\r\nConnection: Upgrade\r\nUpgrade: farwire-agent\r\nAuthorization: Bearer " + harness.Secret + "\r\n\r\n"
		hello := `{"version":1,"slug":"evil","country":"ZZ","instance":"i","software":"s","links":[],"yield":false}`
		said := append([]byte{0, byte(len(hello))}, hello...)
		if v.rng.IntN(2) == 0 {
			said = v.mangle(said)
		}
		// Frames of the multiplexer: a ping, a stream, data for a stream that is not there.
		return v.raw(slices.Concat([]byte(head), said, v.mangle([]byte(
			"\x00\x02\x00\x01\x00\x00\x00\x00\x00\x00\x00\x01\x00\x01\x00\x01\x00\x00\x00\x02\x00\x00\x00\x00"+
				"\x00\x00\x00\x00\x00\x00\x00\x05\x00\x00\x00\x04abcd\x00\x00\x00\x00\x00\x00\x00\x02\x00\x00\x00\x06\x00\x04{\"t\""))))
	}},
	{"path form", func(v *attacker) (string, string, error) {
		forms := []string{"/to/-/http/HOST/x", "/to/geo=ZZ,agent=agent1,timeout=1,insecure,follow=5/https/HOST/a//b?c#d", "/to/KEY/ws/HOST/", "/to/proxy=http%3A%2F%2FHOST,headers=all/http/HOST/%2e%2e/"}
		return v.plain(fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: gw\r\nX-API-Key: %s\r\n\r\n", v.target(v.fill(forms[v.rng.IntN(len(forms))])), harness.Key))
	}},
	{"forward proxy", func(v *attacker) (string, string, error) {
		return v.raw(v.mangle([]byte(v.fill("GET http://HOST/x HTTP/1.1\r\nHost: HOST\r\nProxy-Authorization: Bearer KEY\r\nTE: trailers\r\nConnection: close, X-A\r\nX-A: b\r\n\r\n"))))
	}},
	{"CONNECT", func(v *attacker) (string, string, error) {
		head := v.fill("CONNECT HOST HTTP/1.1\r\nHost: HOST\r\nProxy-Authorization: Bearer KEY\r\n\r\n")
		if v.rng.IntN(2) == 0 {
			head = string(v.mangle([]byte(head)))
		}
		return v.raw(append([]byte(head), v.frames()...))
	}},
	{"SOCKS", func(v *attacker) (string, string, error) {
		other := *v
		other.addr = v.socks
		greeting := fmt.Appendf(nil, "\x05\x01\x02\x01\x00%c%s", len(harness.Key), harness.Key)
		host := hosts[v.rng.IntN(len(hosts))]
		request := fmt.Appendf(greeting, "\x05\x01\x00\x03%c%s\x00\x50", len(host), host)
		if v.rng.IntN(3) > 0 {
			request = v.mangle(request)
		}
		return other.raw(request)
	}},
	{"admin", func(v *attacker) (string, string, error) {
		other := *v
		other.addr = v.admin
		paths := []string{"/sessions", "/sessions?subject=x", "/metrics", "/debug/pprof/", "/debug/pprof/cmdline", "/sessions/x"}
		methods := []string{"GET", "DELETE", "POST", "OPTIONS"}
		origins := []string{"", "Origin: https://evil.example\r\n", "Sec-Fetch-Site: cross-site\r\n", "Host: evil.example\r\n"}
		return other.raw(fmt.Appendf(nil, "%s %s HTTP/1.1\r\nHost: %s\r\n%sConnection: close\r\n\r\n",
			methods[v.rng.IntN(len(methods))], v.target(paths[v.rng.IntN(len(paths))]), v.admin, origins[v.rng.IntN(len(origins))]))
	}},
	{"peer", func(v *attacker) (string, string, error) {
		return v.raw(append([]byte("GET /agents/attach HTTP/1.1\r\nHost: gw\r\nConnection: Upgrade\r\nUpgrade: farwire-peer\r\nAuthorization: Bearer "+harness.Secret+"\r\n\r\n"), v.mangle([]byte(`{"version":1}`))...))
	}},
	{"withheld body", func(v *attacker) (string, string, error) {
		paths := []string{"/amqp", "/auth/token", "/hooks/site-changed", "/to/-/http/127.0.0.1/"}
		return v.raw(fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: gw\r\nX-API-Key: %s\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n{", paths[v.rng.IntN(len(paths))], harness.Key, 2+v.rng.IntN(100_000)))
	}},
	{"HTTP/2", (*attacker).over2},
	{"bytes", func(v *attacker) (string, string, error) {
		return v.raw(v.mangle([]byte("GET /ws HTTP/1.1\r\nHost: gw\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nX-API-Key: " + harness.Key + "\r\n\r\n")))
	}},
}

// hosts are ways to write an address that is forbidden.
var hosts = []string{
	"127.0.0.1", "127.1", "2130706433", "0x7f000001", "0177.0.0.1", "0x7f.1", "127.0.0.1.", "0", "0.0.0.0", "localhost", "LOCALHOST.",
	"[::1]", "[::]", "[::ffff:127.0.0.1]", "[::ffff:7f00:1]", "[::127.0.0.1]", "[64:ff9b::7f00:1]", "[64:ff9b:1::7f00:1]", "[2002:7f00:1::]",
	"[2001:0:7f00:1::]", "[fe80::1%25lo]", "[fe80::1%25eth0]", "[::1%25lo]", "user:pass@127.0.0.1", "127.0.0.1#@example.com", "example.com@127.0.0.1",
	"127。0。0。1", "①②⑦.⓪.⓪.①", "%31%32%37.0.0.1", "ip6-localhost", "127.0.0.1%00.example.com", "127.0.0.1\\@example.com", "169.254.169.254", "[fd00:ec2::254]",
	"10.0.0.1", "192.168.0.1", "172.16.0.1", "100.64.0.1", "[::ffff:0:127.0.0.1]", "[0:0:0:0:0:0:0:1]", "[::1]@127.0.0.1", "0:0:0:0:0:0:0:1", "127.0.0.1 ", "\t127.0.0.1",
}

// fill writes an address and the key into a template.
func (v *attacker) fill(template string) string {
	host := hosts[v.rng.IntN(len(hosts))]
	key := harness.Key
	if v.rng.IntN(5) == 0 {
		key = "not-a-key-of-anybody"
	}
	return strings.NewReplacer("HOST", host+":"+v.port, "BARE", strings.Trim(host, "[]"), "PORT", v.port, "KEY", key).Replace(template)
}

// json fills a template in and spoils it, but for one in three.
func (v *attacker) json(template string) []byte {
	b := []byte(v.fill(template))
	if v.rng.IntN(3) == 0 {
		return b
	}
	return v.mangle(b)
}

var fragments = []string{
	"\x00", "\xff\xfe", `"`, `\`, `\ud800`, `\u0000`, "{", "}", "[", "]", `{"a":`, "null", "true", "-1", "1e999", "18446744073709551616", "NaN", "0x10",
	`"apiKey":""`, `"url":"file:///etc/passwd",`, `"__proto__":{},`, "\r\n", "\r\nX-Injected: 1\r\n", "%0d%0a", "../", "💥", "\u202e", "\ufeff", " ", ",", ":", "'",
	strings.Repeat("[", 3000), strings.Repeat(`{"a":`, 1000), strings.Repeat("A", 70_000), strings.Repeat("é", 2000),
}

// mangle spoils bytes in one to four places.
func (v *attacker) mangle(b []byte) []byte {
	b = bytes.Clone(b)
	for range 1 + v.rng.IntN(4) {
		at := 0
		if len(b) > 0 {
			at = v.rng.IntN(len(b))
		}
		to := min(len(b), at+1+v.rng.IntN(16))
		switch v.rng.IntN(6) {
		case 0:
			if len(b) > 0 {
				b[at] ^= 1 << v.rng.IntN(8)
			}
		case 1:
			b = append(b[:at:at], b[to:]...)
		case 2:
			b = append(b[:to:to], b[at:]...)
		case 3:
			b = append(append(b[:at:at], fragments[v.rng.IntN(len(fragments))]...), b[at:]...)
		case 4:
			b = append(append(b[:at:at], fragments[v.rng.IntN(len(fragments))]...), b[to:]...)
		case 5:
			b = b[:at]
		}
	}
	return b
}

// target makes a path that is spoilt every other time, but stays one line.
func (v *attacker) target(path string) string {
	if v.rng.IntN(2) == 0 {
		path = string(v.mangle([]byte(path)))
	}
	return "/" + strings.TrimPrefix(strings.Map(func(r rune) rune {
		if r <= ' ' || r == 0x7f {
			return '%'
		}
		return r
	}, path), "/")
}

func (v *attacker) query(path string, parameters ...string) string {
	var q strings.Builder
	q.WriteString(path + "?api_key=" + harness.Key)
	for _, p := range parameters {
		if v.rng.IntN(2) == 0 || strings.HasPrefix(p, "url=") {
			q.WriteString("&" + v.fill(p))
		}
	}
	return v.target(q.String())
}

// frame wraps a message, most of the time as is right.
func (v *attacker) frame(message []byte) []byte {
	switch v.rng.IntN(12) {
	case 0:
		return frame(false, 1, message) // unmasked
	case 1:
		return frame(true, byte(v.rng.IntN(16)), message)
	case 2:
		return v.mangle(frame(true, 1, message))
	}
	return frame(true, 1, message)
}

// frames are a few of all kinds.
func (v *attacker) frames() []byte {
	var b []byte
	for range 1 + v.rng.IntN(4) {
		payload := make([]byte, v.rng.IntN(200))
		for i := range payload {
			payload[i] = byte(v.rng.Uint32())
		}
		f := frame(v.rng.IntN(8) > 0, byte(v.rng.IntN(16)), payload)
		f[0] ^= byte(v.rng.IntN(3) / 2 << (4 + v.rng.IntN(4)))
		b = append(b, f...)
	}
	return b
}

// frame is one of a client.
func frame(masked bool, op byte, payload []byte) []byte {
	bit := byte(0)
	if masked {
		bit = 0x80
	}
	b := []byte{0x80 | op}
	switch n := len(payload); {
	case n < 126:
		b = append(b, bit|byte(n))
	case n < 1<<16:
		b = append(b, bit|126, byte(n>>8), byte(n))
	default:
		b = append(b, bit|127, 0, 0, 0, 0, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	}
	if masked {
		b = append(b, 0, 0, 0, 0) // a mask that changes nothing
	}
	return append(b, payload...)
}

const pooled = 20 // more is not what a pool keeps

const glance = 300 * time.Millisecond // how long a attacker waits for an answer
