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
	"regexp"
	"strings"
	"testing"

	"github.com/farwire/farwire"
)

func acceptKey(key string) string {
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	return base64.StdEncoding.EncodeToString(sum[:])
}

// Both sides send frames before they are told that the session is connected.
func TestRelay_FramesAroundConnected_AllArrive(t *testing.T) {
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

// TestRelay_FrameWithTheUpgrade_IsRead sends the connect message in the same segment as
// the upgrade request, as no client may but some do.
func TestRelay_FrameWithTheUpgrade_IsRead(t *testing.T) {
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

// TestRelay_EveryKindOfFrame_CrossesUnchanged lets frames of every kind and many sizes cross both ways.
func TestRelay_EveryKindOfFrame_CrossesUnchanged(t *testing.T) {
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

// TestLog_EachSession_HasOneLine looks for the one line that each session leaves.
func TestLog_EachSession_HasOneLine(t *testing.T) {
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

// TestDirect_AuthorizationOfTheHost_IsNotPassedOn does not tell a target what the caller
// showed to the host, unless the caller says so.
func TestDirect_AuthorizationOfTheHost_IsNotPassedOn(t *testing.T) {
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
