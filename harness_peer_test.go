package farwire_test

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"
)

const (
	testKey     = "key-of-alice-0123456789"
	otherKey    = "key-of-bob-9876543210"
	testTimeout = 30 * time.Second
	testAgent   = "farwire-de1"
)

// A peer is one end of a raw WebSocket: it says exactly what it is told to.
type peer struct {
	t    testing.TB
	conn net.Conn
	br   *bufio.Reader
	mask bool // a client masks what it sends
	resp *http.Response
	req  *http.Request // at a target: the upgrade request
}

// open dials the gateway and upgrades at path; lines are further headers.
func (w *world) open(path string, lines ...string) *peer {
	w.t.Helper()
	p := w.try(path, lines...)
	if p.resp.StatusCode != http.StatusSwitchingProtocols {
		body, _ := io.ReadAll(p.resp.Body)
		w.t.Fatalf("upgrade of %s: %s: %s", path, p.resp.Status, body)
	}
	return p
}

// try is open for upgrades that may be refused.
func (w *world) try(path string, lines ...string) *peer {
	w.t.Helper()
	conn, err := w.dialIn()
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { conn.Close() })
	var nonce [16]byte
	rand.Read(nonce[:])
	req := "GET " + path + " HTTP/1.1\r\nHost: gateway.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " + base64.StdEncoding.EncodeToString(nonce[:]) + "\r\n"
	for _, l := range lines {
		req += l + "\r\n"
	}
	p := &peer{t: w.t, conn: conn, br: bufio.NewReader(conn), mask: true}
	p.raw([]byte(req + "\r\n"))
	p.resp, err = http.ReadResponse(p.br, nil)
	if err != nil {
		w.t.Fatalf("upgrade of %s: %v", path, err)
	}
	return p
}

// ask sends a connect message made of pairs: key, value, key, value.
func (p *peer) ask(targetURL string, more string) {
	p.t.Helper()
	msg := fmt.Sprintf(`{"apiKey":%q,"url":%q`, testKey, targetURL)
	if more != "" {
		msg += "," + more
	}
	p.frame(opText, true, []byte(msg+"}"))
}

// connected asks for a target and expects to be told that it is there.
func (w *world) connected(targetURL, more string) *peer {
	w.t.Helper()
	p := w.open("/ws")
	p.ask(targetURL, more)
	p.wantConnected()
	return p
}

func (p *peer) wantConnected() {
	p.t.Helper()
	p.want(frame{op: opText, fin: true, payload: []byte(`{"type":"connected","status":101,"node_id":"` + testAgent + `"}`)})
}

const (
	opCont   = 0x0
	opText   = 0x1
	opBinary = 0x2
	opClose  = 0x8
	opPing   = 0x9
	opPong   = 0xA
)

type frame struct {
	op      byte
	fin     bool
	masked  bool
	payload []byte // unmasked
}

func (f frame) String() string {
	name := map[byte]string{opCont: "continuation", opText: "text", opBinary: "binary", opClose: "close", opPing: "ping", opPong: "pong"}[f.op]
	if !f.fin {
		name += " (more follows)"
	}
	switch {
	case f.op == opClose && len(f.payload) >= 2:
		return fmt.Sprintf("%s %d %q", name, binary.BigEndian.Uint16(f.payload), f.payload[2:])
	case len(f.payload) > 200:
		return fmt.Sprintf("%s of %d bytes", name, len(f.payload))
	}
	if f.op == opText && utf8.Valid(f.payload) && !strings.ContainsFunc(string(f.payload), unicode.IsControl) {
		return name + " " + string(f.payload)
	}
	return fmt.Sprintf("%s %q", name, f.payload)
}

func closePayload(code int, reason string) []byte {
	return append(binary.BigEndian.AppendUint16(nil, uint16(code)), reason...)
}

// encode makes the bytes of a frame.
func (p *peer) encode(op byte, fin bool, payload []byte) []byte {
	b := []byte{op}
	if fin {
		b[0] |= 0x80
	}
	var m byte
	if p.mask {
		m = 0x80
	}
	switch n := len(payload); {
	case n < 126:
		b = append(b, m|byte(n))
	case n < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, m|126), uint16(n))
	default:
		b = binary.BigEndian.AppendUint64(append(b, m|127), uint64(n))
	}
	if !p.mask {
		return append(b, payload...)
	}
	var key [4]byte
	rand.Read(key[:])
	b = append(b, key[:]...)
	for i, c := range payload {
		b = append(b, c^key[i%4])
	}
	return b
}

func (p *peer) frame(op byte, fin bool, payload []byte) {
	p.t.Helper()
	p.raw(p.encode(op, fin, payload))
}

func (p *peer) text(s string) { p.t.Helper(); p.frame(opText, true, []byte(s)) }

func (p *peer) close(code int, reason string) {
	p.t.Helper()
	p.frame(opClose, true, closePayload(code, reason))
}

func (p *peer) raw(b []byte) {
	p.t.Helper()
	p.conn.SetWriteDeadline(time.Now().Add(testTimeout))
	if _, err := p.conn.Write(b); err != nil {
		p.t.Errorf("write: %v", err)
	}
}

// next reads one frame, at most for d.
func (p *peer) nextWithin(d time.Duration) (frame, error) {
	p.conn.SetReadDeadline(time.Now().Add(d))
	var h [2]byte
	if _, err := io.ReadFull(p.br, h[:]); err != nil {
		return frame{}, err
	}
	f := frame{op: h[0] & 0x0f, fin: h[0]&0x80 != 0, masked: h[1]&0x80 != 0}
	if h[0]&0x70 != 0 {
		return frame{}, fmt.Errorf("reserved bits in %x", h)
	}
	n := uint64(h[1] & 0x7f)
	var ext [8]byte
	switch n {
	case 126:
		if _, err := io.ReadFull(p.br, ext[6:]); err != nil {
			return frame{}, err
		}
		n = binary.BigEndian.Uint64(ext[:])
	case 127:
		if _, err := io.ReadFull(p.br, ext[:]); err != nil {
			return frame{}, err
		}
		n = binary.BigEndian.Uint64(ext[:])
	}
	var key [4]byte
	if f.masked {
		if _, err := io.ReadFull(p.br, key[:]); err != nil {
			return frame{}, err
		}
	}
	f.payload = make([]byte, n)
	if _, err := io.ReadFull(p.br, f.payload); err != nil {
		return frame{}, err
	}
	if f.masked {
		for i := range f.payload {
			f.payload[i] ^= key[i%4]
		}
	}
	return f, nil
}

func (p *peer) next() frame {
	p.t.Helper()
	f, err := p.nextWithin(testTimeout)
	if err != nil {
		p.t.Fatalf("reading a frame: %v", err)
	}
	if f.masked == p.mask {
		p.t.Errorf("frame %v: masked is %v", f, f.masked)
	}
	return f
}

// want reads a frame and compares it.
func (p *peer) want(w frame) {
	p.t.Helper()
	f := p.next()
	if f.op != w.op || f.fin != w.fin || !bytes.Equal(f.payload, w.payload) {
		p.t.Fatalf("got %v, want %v", f, w)
	}
}

func (p *peer) wantText(s string) {
	p.t.Helper()
	p.want(frame{op: opText, fin: true, payload: []byte(s)})
}

func (p *peer) wantClose(code int, reason string) {
	p.t.Helper()
	p.want(frame{op: opClose, fin: true, payload: closePayload(code, reason)})
}

// wantError reads an error message with the text inside, and the close after it.
func (p *peer) wantError(code int, text string) {
	p.t.Helper()
	f := p.next()
	if f.op != opText || !strings.HasPrefix(string(f.payload), `{"type":"error","message":"`) || !strings.Contains(string(f.payload), text) {
		p.t.Fatalf("got %v, want an error message with %q", f, text)
	}
	c := p.next()
	if c.op != opClose || len(c.payload) < 2 || int(binary.BigEndian.Uint16(c.payload)) != code {
		p.t.Fatalf("got %v, want close %d", c, code)
	}
}

// wantEnd expects the end of the connection, without another byte.
func (p *peer) wantEnd() {
	p.t.Helper()
	p.conn.SetReadDeadline(time.Now().Add(2 * testTimeout))
	b, err := io.ReadAll(p.br)
	if len(b) > 0 {
		p.t.Errorf("got %d bytes more: %q", len(b), b[:min(len(b), 60)])
	}
	var timeout net.Error
	if errors.As(err, &timeout) && timeout.Timeout() {
		p.t.Errorf("the connection was not ended")
	}
	p.conn.Close()
}
