package main

import (
	"bufio"
	"context"
	"crypto/rand"
	"crypto/sha1"
	"crypto/tls"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// Opcodes of RFC 6455, section 5.2.
const (
	opText   = 1
	opBinary = 2
	opClose  = 8
	opPing   = 9
	opPong   = 10
)

// A socket is the client's side of a WebSocket, as small as a terminal needs
// it. It is written out because it goes on reading after it has sent its close
// frame, which the message APIs of libraries do not: what a target still sends
// to a client whose input has ended is printed and not lost.
type socket struct {
	rw   io.ReadWriteCloser
	br   *bufio.Reader
	open bool // inside a fragmented message

	mu     sync.Mutex  // one frame at a time
	closed bool        // our close frame is sent
	late   *time.Timer // from then on: ends a silent connection
}

// A closing is the peer's close frame.
type closing struct {
	code   int // 1005: none was given
	reason string
}

// dialSocket shakes hands with an http or https address.
func dialSocket(ctx context.Context, u *url.URL) (*socket, error) {
	protocols := new(http.Protocols)
	protocols.SetHTTP1(true)
	transport := &http.Transport{Proxy: http.ProxyFromEnvironment, Protocols: protocols, ResponseHeaderTimeout: answerTimeout}
	nonce := make([]byte, 16)
	rand.Read(nonce) // never fails
	key := base64.StdEncoding.EncodeToString(nonce)
	req := (&http.Request{Method: http.MethodGet, URL: u, Header: http.Header{
		"Upgrade": {"websocket"}, "Connection": {"Upgrade"},
		"Sec-Websocket-Key": {key}, "Sec-Websocket-Version": {"13"},
	}}).WithContext(ctx)
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return nil, fmt.Errorf("cannot reach the gateway at %s: %w; %s", u.Host, err, whatToTry(err))
	}
	rw, ok := resp.Body.(io.ReadWriteCloser)
	sum := sha1.Sum([]byte(key + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	switch {
	case resp.StatusCode != http.StatusSwitchingProtocols || !ok:
		defer resp.Body.Close()
		return nil, fmt.Errorf("the gateway at %s answered %s%s", u.Host, resp.Status, detail(resp.Body))
	case resp.Header.Get("Sec-WebSocket-Accept") != base64.StdEncoding.EncodeToString(sum[:]):
		rw.Close()
		return nil, fmt.Errorf("no WebSocket at %s: wrong Sec-WebSocket-Accept", u)
	}
	return newSocket(rw), nil
}

// whatToTry is what makes a gateway answer that could not be reached.
func whatToTry(err error) string {
	switch {
	case errors.As(err, new(*tls.CertificateVerificationError)):
		return "give a --gateway that its certificate is for, and in SSL_CERT_FILE the certificate of its issuer if the system does not trust it"
	case errors.As(err, new(tls.RecordHeaderError)), errors.Is(err, http.ErrSchemeMismatch):
		return "without TLS write --gateway as http://HOST"
	}
	return "is farwire serve running there?"
}

func newSocket(rw io.ReadWriteCloser) *socket {
	return &socket{rw: rw, br: bufio.NewReader(rw)}
}

// detail returns what a gateway's error says.
func detail(body io.Reader) string {
	var answer struct {
		Detail string `json:"detail"`
	}
	if json.NewDecoder(io.LimitReader(body, 64<<10)).Decode(&answer) != nil || answer.Detail == "" {
		return ""
	}
	return ": " + answer.Detail
}

// Close cuts the connection.
func (s *socket) Close() error { return s.rw.Close() }

// send writes one frame, masked as section 5.3 has it. After our close frame
// nothing may follow.
func (s *socket) send(op byte, payload []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return errors.New("closed")
	}
	frame := []byte{0x80 | op}
	switch n := len(payload); {
	case n < 126:
		frame = append(frame, 0x80|byte(n))
	case n < 1<<16:
		frame = binary.BigEndian.AppendUint16(append(frame, 0x80|126), uint16(n))
	default:
		frame = binary.BigEndian.AppendUint64(append(frame, 0x80|127), uint64(n))
	}
	var mask [4]byte
	rand.Read(mask[:]) // never fails
	frame = append(frame, mask[:]...)
	for i, b := range payload {
		frame = append(frame, b^mask[i%4])
	}
	if op == opClose {
		s.closed = true
		s.late = time.AfterFunc(closeTimeout, func() { s.Close() })
	}
	_, err := s.rw.Write(frame)
	return err
}

// sendClose sends a close frame unless one is sent. An error is left to the
// reader, who meets it too.
func (s *socket) sendClose(code int) {
	var payload []byte
	if code != 1005 {
		payload = binary.BigEndian.AppendUint16(nil, uint16(code))
	}
	s.send(opClose, payload)
}

// message copies the payload of the next message to w, or returns the close
// frame that came instead, answered. Pings are answered on the way.
func (s *socket) message(w io.Writer) (*closing, error) {
	for {
		op, fin, n, err := s.header()
		if err != nil {
			return nil, err
		}
		if op < opClose {
			if _, err := io.CopyN(w, s.br, n); err != nil {
				return nil, err
			}
			if fin {
				return nil, nil
			}
			continue
		}
		payload := make([]byte, n)
		if _, err := io.ReadFull(s.br, payload); err != nil {
			return nil, err
		}
		switch op {
		case opPing:
			s.send(opPong, payload) // fails only when the reader will, too
		case opClose:
			c := &closing{code: 1005}
			if n >= 2 {
				c.code, c.reason = int(binary.BigEndian.Uint16(payload)), string(payload[2:])
			}
			s.sendClose(c.code)
			return c, nil
		}
	}
}

var errFrame = errors.New("a frame that breaks RFC 6455")

// header reads one frame header (section 5.2).
func (s *socket) header() (op byte, fin bool, n int64, err error) {
	var b [8]byte
	if _, err := io.ReadFull(s.br, b[:2]); err != nil {
		return 0, false, 0, err
	}
	s.received()
	op, fin, n = b[0]&0x0f, b[0]&0x80 != 0, int64(b[1]&0x7f)
	control := op >= opClose
	switch {
	case b[0]&0x70 != 0, b[1]&0x80 != 0, control && (!fin || n > 125), op > opPong, op > opBinary && !control:
		return 0, false, 0, errFrame
	case !control && s.open != (op == 0):
		return 0, false, 0, errFrame
	case n == 126:
		_, err = io.ReadFull(s.br, b[:2])
		n = int64(binary.BigEndian.Uint16(b[:2]))
	case n == 127:
		_, err = io.ReadFull(s.br, b[:8])
		n = int64(binary.BigEndian.Uint64(b[:8]))
	}
	if n < 0 {
		return 0, false, 0, errFrame
	}
	if !control {
		s.open = !fin
	}
	return op, fin, n, err
}

// received gives a peer that still sends more time to answer our close frame.
func (s *socket) received() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.late != nil {
		s.late.Reset(closeTimeout)
	}
}
