package farwire_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha1"
	"encoding/base64"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

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
