//go:build linux

package main

import (
	"bufio"
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// hostileSize is that of what a client without a key sends: it passes the bounds on headers and
// first messages, so that it is read.
const hostileSize = 60 << 10

// filled is begin, as many units as hostileSize holds, and end. A %x in the unit is
// another number each time.
func filled(begin, unit, end string) string {
	var b strings.Builder
	b.WriteString(begin)
	for i := 0x1000; b.Len() < hostileSize-len(end)-len(unit)-4; i++ {
		if strings.Contains(unit, "%x") {
			fmt.Fprintf(&b, unit, i)
		} else {
			b.WriteString(unit)
		}
	}
	return b.String() + end
}

// hostileObjects are JSON that costs much for its length, where nobody counts.
var hostileObjects = map[string]string{
	"names":        filled(`{"a":1`, `,"%x":1`, `}`),
	"names inside": filled(`{"x":{"a":1`, `,"%x":1`, `}}`),
	"headers":      filled(`{"url":"ws://a","headers":{"a":"b"`, `,"%x":"v"`, `}}`),
	"cookies":      filled(`{"url":"ws://a","cookies":{"a":"b"`, `,"%x":"v"`, `}}`),
	"subprotocols": filled(`{"url":"ws://a","subprotocols":["a"`, `,"%x"`, `]}`),
	"slugs":        filled(`{"url":"ws://a","agent":"a`, ",a", `"}`),
	"escapes":      filled(`{"url":"`, `\u0041`, `"}`),
	"levels":       filled(`{"a":`, `{"a":`, ""),
	"arrays":       filled(`{"a":`, "[", ""),
	"a number":     filled(`{"idle_timeout":1`, "0", `}`),
	"routing keys": filled(`{"host":"a","exchange":"e","routing_key":["a"`, `,"%x"`, `]}`),
	"arguments":    filled(`{"host":"a","bindings":[{"exchange":"e","arguments":{"a":1`, `,"%x":1`, `}}]}`),
	"allow":        filled(`{"allow":["a"`, `,"%x.test:80"`, `]}`),
	"a key":        filled(`{"url":"ws://a","host":"a","apiKey":"`, "a.b", `"}`),
}

// hostileHeaders are requests whose line or whose fields cost much for their length.
var hostileHeaders = map[string]string{
	"content type":      "POST /amqp HTTP/1.1\r\nContent-Length: 2\r\n" + filled("Content-Type: application/json", "; a%x=b", "\r\n"),
	"content type, *":   "POST /amqp HTTP/1.1\r\nContent-Length: 2\r\n" + filled("Content-Type: application/json", "; a%x*0=b", "\r\n"),
	"a hook's type":     "POST /hooks/site-changed HTTP/1.1\r\nContent-Length: 2\r\n" + filled("Content-Type: application/json", "; a%x=b", "\r\n"),
	"event id":          "POST /amqp HTTP/1.1\r\nContent-Length: 2\r\nContent-Type: application/json\r\n" + filled("Last-Event-ID: ", "9", "\r\n"),
	"bearer":            "GET /usage HTTP/1.1\r\n" + filled("Authorization: Bearer eyJ", "a.", "\r\n"),
	"a token":           "GET /usage HTTP/1.1\r\nAuthorization: Bearer " + base64.RawURLEncoding.EncodeToString([]byte(filled(`{"alg":`, `[`, ``)[:20<<10])) + ".e30.AAAA\r\n",
	"a token's body":    "GET /usage HTTP/1.1\r\nAuthorization: Bearer eyJhbGciOiJIUzI1NiJ9." + base64.RawURLEncoding.EncodeToString([]byte(filled(`{"a":`, `{"a":`, ``)[:40<<10])) + ".AAAA\r\n",
	"fields":            "GET /network HTTP/1.1\r\n" + filled("", "X-%x: a\r\n", ""),
	"cookie":            "GET /to/-/http/a.test/ HTTP/1.1\r\n" + filled("Cookie: a=b", "; fw_%x=v", "\r\n"),
	"forwarded":         "GET /sites HTTP/1.1\r\n" + filled("X-Forwarded-For: 127.0.0.1", ",127.0.0.1", "\r\n"),
	"query":             filled("GET /ws?url=ws://a.test/", "&a%x=b", " HTTP/1.1\r\n"),
	"query's headers":   filled("GET /ws?url=ws://a.test/", "&header=A%x:b", " HTTP/1.1\r\n"),
	"readiness":         filled("GET /readyz?require=stores", ",stores", " HTTP/1.1\r\n"),
	"options":           filled("GET /to/geo=DE", ";a%x=b", "/http/a.test/ HTTP/1.1\r\n"),
	"encoded options":   filled("GET /to/geo=DE;session=", "%41", "/http/a.test/ HTTP/1.1\r\n"),
	"path form's host":  filled("GET /to/-/http/", "a.", "/ HTTP/1.1\r\n"),
	"path form's path":  filled("GET /to/-/http/a.test/", "../", " HTTP/1.1\r\n"),
	"tunnel's host":     filled("CONNECT ", "a.", ":443 HTTP/1.1\r\n"),
	"tunnel's options":  "CONNECT a.test:443 HTTP/1.1\r\nProxy-Authorization: Basic " + base64.StdEncoding.EncodeToString([]byte(filled("geo=DE", ";a%x=b", ":p")[:40<<10])) + "\r\n",
	"absolute":          filled("GET http://a.test/", "%25", " HTTP/1.1\r\n"),
	"file":              filled("GET /files/", "a/", " HTTP/1.1\r\n"),
	"session":           filled("DELETE /sessions/", "a", " HTTP/1.1\r\n"),
	"preflight":         "OPTIONS /amqp HTTP/1.1\r\nOrigin: https://a.test\r\nAccess-Control-Request-Method: POST\r\n" + filled("Access-Control-Request-Headers: a", ", x-%x", "\r\n"),
	"agent":             "GET /agents/attach HTTP/1.1\r\nUpgrade: farwire-agent\r\nConnection: Upgrade\r\n" + filled("Authorization: Bearer ", "a", "\r\n"),
	"agent's upgrades":  "GET /agents/attach HTTP/1.1\r\nConnection: Upgrade\r\n" + filled("Upgrade: a", ", x%x", "\r\n"),
	"agent's offer":     upgradeLine("/agents/attach") + filled("Sec-WebSocket-Protocol: a", ", x%x", "\r\n"),
	"direct form offer": upgradeLine("/ws?url=ws://a.test/") + filled("Sec-WebSocket-Protocol: a", ", x%x", "\r\n"),
	"extensions":        upgradeLine("/ws?url=ws://a.test/") + filled("Sec-WebSocket-Extensions: permessage-deflate", "; x%x=1, permessage-deflate", "\r\n"),
}

// hostileOfAdmin are requests of the listener for operators.
var hostileOfAdmin = map[string]string{
	"admin's key":   "GET /sessions HTTP/1.1\r\n" + filled("Authorization: Bearer ", "a", "\r\n"),
	"admin's query": filled("DELETE /sessions?subject=a", "&a%x=b", " HTTP/1.1\r\n"),
	"admin's path":  filled("GET /debug/pprof/", "a/", " HTTP/1.1\r\n"),
}

func upgradeLine(path string) string {
	return "GET " + path + " HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
}

// A call is one message of somebody without a key, to one listener.
type call struct {
	name, listener, head string
	frames               []byte // what follows the answer 101
}

func textFrame(s string) []byte {
	b := binary.BigEndian.AppendUint64([]byte{0x81, 0xff}, uint64(len(s)))
	return append(append(b, 0, 0, 0, 0), s...)
}

// callsWithoutKey are all hostile messages, and the harmless ones of the same length that
// they are compared with.
func callsWithoutKey(public, admin string) (harmless, hostile []call) {
	request := func(name, listener, lines string) call {
		return call{name, listener, lines + "Host: 127.0.0.1\r\nConnection: close\r\n\r\n{}", nil}
	}
	socket := func(name, path string, frames []byte) call {
		return call{name, public, upgradeLine(path) + "Host: 127.0.0.1\r\n\r\n", frames}
	}
	body := func(name, path, body string) call {
		return call{name, public, fmt.Sprintf("POST %s HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%s", path, len(body), body), nil}
	}
	plain := filled(`{"url":"`, "a", `"}`)
	harmless = []call{
		request("fields", public, "GET /usage HTTP/1.1\r\n"+filled("X-Filler: ", "a", "\r\n")),
		socket("message", "/ws", textFrame(plain)),
		body("body", "/amqp", plain),
	}
	for name, object := range hostileObjects {
		hostile = append(hostile, socket("/ws "+name, "/ws", textFrame(object)))
		for _, path := range []string{"/amqp", "/auth/token", "/hooks/site-changed"} {
			hostile = append(hostile, body(path+" "+name, path, object))
		}
	}
	hostile = append(hostile, socket("/ws empty fragments", "/ws", append([]byte{0x01, 0x80, 0, 0, 0, 0}, bytes.Repeat([]byte{0x00, 0x80, 0, 0, 0, 0}, hostileSize/6)...)),
		socket("/ws pings", "/ws", bytes.Repeat([]byte{0x89, 0x80, 0, 0, 0, 0}, 1000)))
	for name, lines := range hostileHeaders {
		hostile = append(hostile, request(name, public, lines))
	}
	for name, lines := range hostileOfAdmin {
		hostile = append(hostile, request(name, admin, lines))
	}
	slices.SortFunc(hostile, func(a, b call) int { return strings.Compare(a.name, b.name) })
	return harmless, hostile
}

// send sends the call and waits until it is answered; a socket is left when its first
// answer, or what it says when it is closed, is there.
func (c call) send(t testing.TB) {
	t.Helper()
	conn, err := net.Dial("tcp", c.listener)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(time.Minute))
	if _, err := io.WriteString(conn, c.head); err != nil {
		t.Fatalf("%s: %v", c.name, err)
	}
	r := bufio.NewReader(conn)
	resp, err := http.ReadResponse(r, nil)
	if err != nil {
		t.Fatalf("%s: %v", c.name, err)
	}
	defer resp.Body.Close()
	if c.frames == nil {
		unread := resp.StatusCode == http.StatusRequestHeaderFieldsTooLarge && resp.Header.Get("X-Farwire-From") == "" // net/http's own
		if unread || resp.StatusCode == http.StatusSwitchingProtocols {
			t.Fatalf("%s: %s: it is not read", c.name, resp.Status)
		}
		if _, err := io.Copy(io.Discard, resp.Body); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		return
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		t.Fatalf("%s: %s", c.name, resp.Status)
	}
	// What is refused early is not read to its end.
	if _, err := conn.Write(append(slices.Clone(c.frames), 0x88, 0x80, 0, 0, 0, 0)); err != nil {
		return
	}
	if _, err := r.ReadByte(); err != nil {
		return
	}
}

// processCPU is the processor time that a process has used, its threads together.
func processCPU(t testing.TB, pid int) time.Duration {
	t.Helper()
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	var ticks int64 // of 10 ms on every Linux that Go runs on
	for _, f := range fields[11:13] {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		ticks += n
	}
	return time.Duration(ticks) * 10 * time.Millisecond
}

// each is the processor time of the program for one call, of many.
func (c call) each(t testing.TB, pid int) time.Duration {
	t.Helper()
	const calls = 12
	began := processCPU(t, pid)
	for range calls {
		c.send(t)
	}
	return (processCPU(t, pid) - began) / calls
}

// What a client without a key sends costs the whole program, from the first byte to the answer, no
// more than ten times what as many harmless bytes do, whatever it asks of which listener.
// The contract's 5 ms are at most a quarter of the time that is always forgiven, because
// the race detector and a busy machine make every instruction dearer; a message that
// costs with the square of its length, or is worked on before it is counted, takes more.
func TestServe_MessageWithoutKey_CostIsLinear(t *testing.T) {
	g := startServe(t, "--admin-listen", "127.0.0.1:0", "--agent-secret", "an-agent-secret-0123456789", "--trusted-proxies", "127.0.0.0/8", "--log-level", "error")
	admin := g.Await(g.Stderr, `(?m)^metrics at http://(\S+)/metrics$`)[1]
	harmless, hostile := callsWithoutKey(g.Addr, admin)
	var length time.Duration
	for _, c := range harmless {
		c.each(t, g.Pid()) // what is made once is made
		cost := c.each(t, g.Pid())
		t.Logf("%6.2f ms  harmless %s", cost.Seconds()*1e3, c.name)
		length = max(length, cost)
	}
	most := max(20*time.Millisecond, 10*length)
	for _, c := range hostile {
		cost := c.each(t, g.Pid())
		if cost > most { // what the program did beside it is not the message's
			cost = min(cost, c.each(t, g.Pid()))
		}
		t.Logf("%6.2f ms  %s", cost.Seconds()*1e3, c.name)
		if cost > most {
			t.Errorf("%s costs %v of processor time, harmless bytes %v", c.name, cost, length)
		}
	}
}
