package loadtest

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/farwire/farwire/internal/harness"
)

// A Hostile is what came of inputs that mean harm.
type Hostile struct {
	Inputs  int
	Took    time.Duration
	By      map[string]int // how many at each entry
	Answers map[string]int // HTTP statuses and close frames; "-" is none before we left
	Touched int64          // connections to what is forbidden
	Before  Resources
	After   Resources
}

func (r *Hostile) String() string {
	return fmt.Sprintf("%d hostile inputs in %.0f s (%.0f a second), by entry: %v\nanswers: %v\nconnections to the forbidden address: %d\nbefore: %v\nafter:  %v",
		r.Inputs, r.Took.Seconds(), float64(r.Inputs)/r.Took.Seconds(), r.By, r.Answers, r.Touched, r.Before, r.After)
}

// A canary listens where nobody may come.
type canary struct {
	ln      net.Listener
	touched atomic.Int64
}

func newCanary() (*canary, error) {
	// Every address of this machine: whichever name or spelling leads here.
	ln, err := net.Listen("tcp", ":0")
	if err != nil {
		return nil, err
	}
	c := &canary{ln: ln}
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return // closed
			}
			c.touched.Add(1)
			conn.Close()
		}
	}()
	return c, nil
}

// Hostile sends n inputs that mean harm over all entry points, and looks at
// what is left: no panic, nobody has touched what is forbidden, no internal
// error, and as little held as before. The scene's agents must be guarded.
func (s *Network) Hostile(ctx context.Context, n int, seed uint64) (*Hostile, error) {
	r := &Hostile{Inputs: n, By: map[string]int{}, Answers: map[string]int{}}
	c, err := newCanary()
	if err != nil {
		return r, err
	}
	defer c.ln.Close()
	_, port, err := net.SplitHostPort(c.ln.Addr().String())
	if err != nil {
		return r, err
	}
	if r.Before, err = s.awaitRelease(ctx, Resources{}); err != nil {
		return r, err
	}

	const workers = 128
	var mu sync.Mutex
	var wrong []error
	began := time.Now()
	var left atomic.Int64
	left.Store(int64(n))
	each(workers, workers, func(i int) {
		v := &attacker{addr: s.Addr, rng: rand.New(rand.NewPCG(seed, uint64(i))), port: port, by: map[string]int{}, answers: map[string]int{}}
		defer v.disconnect()
		for left.Add(-1) >= 0 && ctx.Err() == nil {
			if err := v.attack(); err != nil {
				mu.Lock()
				wrong = append(wrong, err)
				mu.Unlock()
			}
		}
		mu.Lock()
		defer mu.Unlock()
		for entry, count := range v.by {
			r.By[entry] += count
		}
		for answer, count := range v.answers {
			r.Answers[answer] += count
		}
	})
	r.Took = time.Since(began)
	if ctx.Err() != nil {
		return r, context.Cause(ctx)
	}
	// The store of sites keeps some connections that it did not need before.
	allowed := r.Before
	allowed.Goroutines += pooled
	allowed.Files += pooled
	r.After, err = s.awaitRelease(ctx, allowed)
	r.Touched = c.touched.Load()
	switch {
	case err != nil:
		return r, err
	case len(wrong) > 0:
		return r, fmt.Errorf("%d went wrong: %w\nthe gateway says: %.2000s", len(wrong), errors.Join(wrong[:min(len(wrong), 5)]...), s.gateway.Log())
	case r.Touched > 0:
		return r, errors.New("what is forbidden was reached")
	}
	return r, s.gateway.Crashed()
}

// A attacker sends one input after the other.
type attacker struct {
	addr string
	port string // of the canary
	rng  *rand.Rand
	conn net.Conn // for plain requests, kept open while the gateway does
	br   *bufio.Reader

	sent        []byte // last
	by, answers map[string]int
}

func (v *attacker) disconnect() {
	if v.conn != nil {
		v.conn.Close()
		v.conn = nil
	}
}

// attack sends one input and notes the answer. What is an error must not have
// happened.
func (v *attacker) attack() error {
	one := entries[v.rng.IntN(len(entries))]
	v.by[one.name]++
	answer, said, err := one.attack(v)
	if err != nil {
		return fmt.Errorf("%s: %w", one.name, err)
	}
	v.answers[answer]++
	if answer == "500" || strings.Contains(said, "internal error") {
		return fmt.Errorf("%s: an internal error: %s %.200q\n%.2000q", one.name, answer, said, v.sent)
	}
	return nil
}

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

// message upgrades and sends bytes right behind.
func (v *attacker) message(target string, sent []byte) (answer, said string, err error) {
	return v.raw(append([]byte("GET "+target+" HTTP/1.1\r\nHost: gw\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"), sent...))
}

// raw sends bytes on a connection of their own and reads what comes for a while.
func (v *attacker) raw(sent []byte) (answer, said string, err error) {
	v.sent = sent
	conn, err := net.DialTimeout("tcp", v.addr, patience)
	if err != nil {
		return "", "", fmt.Errorf("the gateway takes no connection: %w", err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(glance))
	conn.Write(sent) // a gateway that has heard enough may cut it off
	br := bufio.NewReader(conn)
	resp, err := http.ReadResponse(br, nil)
	if err != nil {
		return "-", "", nil
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusSwitchingProtocols {
		body, _ := io.ReadAll(io.LimitReader(resp.Body, 4096)) // as much as came in time
		return fmt.Sprint(resp.StatusCode), string(body), nil
	}
	rest, _ := io.ReadAll(io.LimitReader(br, 64<<10))
	return closeCode(rest), string(rest), nil
}

// closeCode finds the close frame at the end of a server's frames.
func closeCode(b []byte) string {
	for len(b) >= 2 {
		size, head := int(b[1]), 2
		if size == 126 && len(b) >= 4 {
			size, head = int(b[2])<<8|int(b[3]), 4
		}
		if size > 125 && head == 2 || len(b) < head+size {
			break
		}
		if b[0] == 0x88 && size >= 2 {
			if code := int(b[head])<<8 | int(b[head+1]); code >= 1000 && code <= 1015 {
				return fmt.Sprintf("close %d", code)
			}
			return "close as sent" // the echo of another
		}
		b = b[head+size:]
	}
	return "-"
}

func (v *attacker) post(path string, body []byte) (answer, said string, err error) {
	keys := []string{"X-API-Key: " + harness.Key, "X-API-Key: nobodys-key-at-all", "Authorization: Bearer eyJhbGciOiJub25lIn0.e30.", "X-Nothing: 1"}
	return v.plain(fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: gw\r\nContent-Type: application/json\r\n%s\r\nContent-Length: %d\r\n\r\n%s",
		path, keys[v.rng.IntN(len(keys))], len(body), body))
}

func (v *attacker) get(target string) (answer, said string, err error) {
	return v.plain(fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: gw\r\n\r\n", target))
}

// plain sends a request on a connection that is kept for the next one.
func (v *attacker) plain(request []byte) (answer, said string, err error) {
	v.sent = request
	for try := range 2 {
		if v.conn == nil {
			if v.conn, err = net.DialTimeout("tcp", v.addr, patience); err != nil {
				v.conn = nil
				return "", "", fmt.Errorf("the gateway takes no connection: %w", err)
			}
			v.br = bufio.NewReader(v.conn)
			try = 1
		}
		v.conn.SetDeadline(time.Now().Add(patience))
		v.conn.Write(request) // reading tells
		resp, err := http.ReadResponse(v.br, nil)
		if err != nil {
			v.disconnect()
			if try == 0 {
				continue // it had been closed while nothing was said
			}
			return "-", "", nil
		}
		if strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") {
			v.conn.SetReadDeadline(time.Now().Add(glance))
		}
		body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
		if err != nil || resp.Close || strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") {
			v.disconnect()
		}
		return fmt.Sprint(resp.StatusCode), string(body), nil
	}
	return "-", "", nil
}
