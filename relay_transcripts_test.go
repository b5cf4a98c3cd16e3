package farwire_test

import (
	"bytes"
	"compress/flate"
	"fmt"
	"io"
	"net"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/farwire/farwire/internal/harness"
)

// A transcript is a conversation as a client sees it, with what the target is asked,
// compared with a file in testdata; -update writes the file anew.
type transcript struct {
	*peer
	lines []string
}

// volatile finds what differs from run to run.
var volatile = regexp.MustCompile(`127\.0\.0\.1(:|%3A)\d+`)

func (w *world) transcript(path string, headers ...string) *transcript {
	w.t.Helper()
	tr := &transcript{}
	tr.note("> GET " + path)
	for _, h := range headers {
		tr.note("> " + h)
	}
	tr.peer = w.try(path, headers...)
	tr.note("< " + tr.resp.Status)
	for _, name := range []string{"Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions", "X-Farwire-Node", "X-Farwire-From", "Retry-After",
		"Www-Authenticate", "Location", "Set-Cookie", "Content-Security-Policy", "Cache-Control", "Content-Type"} {
		for _, v := range tr.resp.Header.Values(name) {
			tr.note("< " + name + ": " + v)
		}
	}
	return tr
}

func (tr *transcript) note(line string) {
	tr.lines = append(tr.lines, volatile.ReplaceAllString(line, "TARGET"))
}

func (tr *transcript) send(op byte, payload string) {
	tr.t.Helper()
	tr.note("> " + whole(frame{op: op, fin: true, payload: []byte(payload)}))
	tr.frame(op, true, []byte(payload))
}

// ask says the connect message; more are further fields.
func (tr *transcript) ask(target, more string) {
	tr.t.Helper()
	if more != "" {
		more = ", " + more
	}
	tr.send(opText, fmt.Sprintf(`{"apiKey": %q, "url": %q%s}`, testKey, target, more))
}

func (tr *transcript) receive() {
	tr.t.Helper()
	tr.note("< " + whole(tr.next()))
}

// whole is a frame in words, long texts included.
func whole(f frame) string {
	if f.op == opText && f.fin && utf8.Valid(f.payload) {
		return "text " + string(f.payload)
	}
	return f.String()
}

// bye closes from the client's side.
func (tr *transcript) bye() {
	tr.t.Helper()
	tr.send(opClose, string(closePayload(1000, "")))
	tr.receive()
}

// sayDeflated sends a compressed message.
func (tr *transcript) sendDeflated(payload string) {
	tr.t.Helper()
	tr.note("> compressed text " + payload)
	tr.frame(opDeflated, true, deflated(tr.t, payload))
}

// hearDeflated reads a short compressed message of one frame.
func (tr *transcript) receiveDeflated() {
	tr.t.Helper()
	head := make([]byte, 2)
	if _, err := io.ReadFull(tr.br, head); err != nil || head[0] != 0x80|opDeflated || head[1] > 125 {
		tr.t.Fatalf("a frame begins % x (%v), want a short compressed message", head, err)
	}
	payload := make([]byte, head[1])
	if _, err := io.ReadFull(tr.br, payload); err != nil {
		tr.t.Fatal(err)
	}
	tail := []byte{0, 0, 0xff, 0xff, 1, 0, 0, 0xff, 0xff}
	plain, err := io.ReadAll(flate.NewReader(io.MultiReader(bytes.NewReader(payload), bytes.NewReader(tail))))
	if err != nil {
		tr.t.Fatal(err)
	}
	tr.note("< compressed text " + string(plain))
}

// body notes the body of an answer that is not 101.
func (tr *transcript) body() {
	tr.t.Helper()
	b, err := io.ReadAll(tr.resp.Body)
	if err != nil {
		tr.t.Fatal(err)
	}
	tr.note("< " + strings.TrimSpace(string(b)))
}

func (tr *transcript) compare(name string) {
	tr.t.Helper()
	if tr.resp.StatusCode == 101 {
		tr.wantEnd()
	}
	compareTranscript(tr.t, filepath.Join("testdata", "relay", name+".txt"), tr.lines)
}

// A headTarget is a target that tells what it is asked.
type headTarget struct {
	url   string
	heads chan string
}

// newHeadTarget answers each upgrade with further header lines and echoes, or answers
// with the function.
func newHeadTarget(t *testing.T, answer func(conn net.Conn, head string), lines ...string) *headTarget {
	t.Helper()
	if answer == nil {
		answer = func(conn net.Conn, head string) {
			answerUpgrade(conn, head, lines...)
			echo(&peer{t: t, conn: conn, br: newReader(conn)})
		}
	}
	w := &headTarget{heads: make(chan string, 8)}
	w.url = newRawTarget(t, func(conn net.Conn, head string) {
		w.heads <- head
		answer(conn, head)
	})
	return w
}

var nonce = regexp.MustCompile(`Sec-WebSocket-Key: .*`)

// asked notes what the target was asked.
func (tr *transcript) asked(of *headTarget) {
	for line := range strings.SplitSeq(strings.TrimSpace(<-of.heads), "\r\n") {
		tr.note("target < " + nonce.ReplaceAllString(line, "Sec-WebSocket-Key: NONCE"))
	}
}

func TestRelay_Transcripts_StayTheSame(t *testing.T) {
	w := newWorld(t)
	url := newTarget(t, echo)
	refused := "ws://" + harness.FreeAddr(t) + "/"

	t.Run("session", func(t *testing.T) {
		tr := w.in(t).transcript("/ws")
		tr.ask(url, `"geo": "DE"`)
		tr.receive()
		tr.send(opText, "hello from scraping api")
		tr.receive()
		tr.send(opBinary, "\x00\xff")
		tr.receive()
		tr.send(opPing, "are you there")
		tr.receive()
		tr.send(opClose, string(closePayload(4321, "enough")))
		tr.receive()
		tr.compare("session")
	})
	t.Run("subprotocol", func(t *testing.T) {
		tr := w.in(t).transcript("/ws", "Sec-WebSocket-Protocol: graphql-ws, other")
		tr.send(opText, fmt.Sprintf(`{"key": %q, "url": %q}`, testKey, url))
		tr.receive()
		tr.send(opClose, "")
		tr.receive()
		tr.compare("subprotocol")
	})
	for name, message := range map[string]string{
		"key-missing":      fmt.Sprintf(`{"url": %q}`, url),
		"key-invalid":      fmt.Sprintf(`{"apiKey": "not-a-key-of-anyone", "url": %q}`, url),
		"no-agent":         fmt.Sprintf(`{"apiKey": %q, "url": %q, "geo": "US,FR", "agent": "us1"}`, testKey, url),
		"target-refuses":   fmt.Sprintf(`{"apiKey": %q, "url": %q}`, testKey, refused),
		"not-json":         `hello`,
		"given-twice":      fmt.Sprintf(`{"apiKey": %q, "url": %q, "geo": "DE", "geo": "AT"}`, testKey, url),
		"session-invalid":  fmt.Sprintf(`{"apiKey": %q, "url": %q, "session": "a/b"}`, testKey, url),
		"timeout-too-long": fmt.Sprintf(`{"apiKey": %q, "url": %q, "timeout": 61}`, testKey, url),
		"insecure":         fmt.Sprintf(`{"apiKey": %q, "url": %q, "insecure": true}`, testKey, strings.Replace(url, "ws", "wss", 1)),
		"zone":             fmt.Sprintf(`{"apiKey": %q, "url": "ws://[fe80::1%%25eth0]/"}`, testKey),
		"proxy-refuses":    fmt.Sprintf(`{"apiKey": %q, "url": "ws://target.example/", "proxy": %q}`, testKey, strings.Trim(refused, "ws:/")),
	} {
		t.Run(name, func(t *testing.T) {
			tr := w.in(t).transcript("/ws")
			tr.send(opText, message)
			tr.receive()
			tr.receive()
			tr.compare(name)
		})
	}
	t.Run("direct", func(t *testing.T) {
		tr := w.in(t).transcript("/ws?url="+escape(url)+"&api_key="+testKey+"&EIO=4", "Sec-WebSocket-Protocol: a, b")
		tr.send(opText, "hello")
		tr.receive()
		tr.bye()
		tr.compare("direct")
	})
}
