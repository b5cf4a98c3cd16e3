package loadtest

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/farwire/farwire/internal/harness"
)

// A gateway speaks HTTP/2 over TLS alone, so a second one does.

// openSecure starts the second gateway.
func (s *Network) openSecure(ctx context.Context, program string) error {
	cert, key, err := writeCertificate(s.dir)
	if err != nil {
		return err
	}
	s.secure, s.secureAddr, err = harness.LaunchGateway(ctx, program, filepath.Join(s.dir, "secure"), "127.0.0.1:0",
		"--tls-cert", cert, "--tls-key", key, "--log-level", "warn", "--drain-timeout", "30s", "--local-agent", "local:ZZ")
	return err
}

// writeCertificate writes one that nobody verifies.
func writeCertificate(dir string) (cert, key string, err error) {
	pair, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		return "", "", err
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(24 * time.Hour), DNSNames: []string{"gw"}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, pair.Public(), pair)
	if err != nil {
		return "", "", err
	}
	cert, key = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	if err := os.WriteFile(cert, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		return "", "", err
	}
	return cert, key, os.WriteFile(key, pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(pair)}), 0o600)
}

// Types and flags of frames (RFC 9113, section 6).
const (
	dataFrame, headersFrame, priorityFrame, resetFrame, settingsFrame = 0, 1, 2, 3, 4
	pingFrame, goAwayFrame, windowFrame, continuationFrame            = 6, 7, 8, 9

	endStream, endHeaders = 1, 4
)

// over2 sends frames to the gateway that speaks HTTP/2, and notes how the first stream, or
// all of them, ended.
func (v *attacker) over2() (answer, said string, err error) {
	dialer := &net.Dialer{Timeout: stepTimeout}
	conn, err := tls.DialWithDialer(dialer, "tcp", v.secure, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
	if err != nil {
		return "", "", fmt.Errorf("the gateway takes no connection with TLS: %w", err)
	}
	defer conn.Close()
	frames := append(frame2(settingsFrame, 0, 0), v.frames2()...)
	if v.rng.IntN(4) == 0 {
		frames = v.mangle(frames)
	}
	v.sent = frames
	conn.SetDeadline(time.Now().Add(glance))
	go func() { // which goes on while nothing is read of what is answered
		io.WriteString(conn, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
		conn.Write(frames) // a gateway that has heard enough may cut it off
	}()
	got, _ := io.ReadAll(io.LimitReader(conn, 256<<10)) // as much as came in time
	return outcome2(got), string(got), nil
}

// frames2 are one of the ways to ask for much with little.
func (v *attacker) frames2() (b []byte) {
	paths := []string{"/ws", "/amqp", "/auth/token", "/hooks/site-changed", "/usage", "/to/-/http/HOST/x", "/to/KEY/ws/HOST/", "/files/../x", "/healthz", "/agents/attach"}
	methods := []string{"GET", "POST", "OPTIONS", "HEAD"}
	more := []string{"x-api-key", harness.Key, "content-type", "application/json", "te", "gzip", "cookie", "a=b", "expect", "100-continue", "host", v.fill("HOST"), "x-forwarded-for", "127.0.0.1"}
	if v.rng.IntN(3) == 0 {
		// What is invalid ends the stream, and what follows for that stream the connection.
		methods = append(methods, "CONNECT", "get\r\n")
		more = append(more, "content-length", "5", "connection", "upgrade", ":protocol", "websocket", "Upper", "a", ":path", "/again", "transfer-encoding", "chunked")
	}
	fields := func() []byte {
		f := fields2(":method", methods[v.rng.IntN(len(methods))], ":scheme", "https", ":authority", "gw", ":path", v.target(v.fill(paths[v.rng.IntN(len(paths))])))
		for range v.rng.IntN(4) {
			i := 2 * v.rng.IntN(len(more)/2)
			f = append(f, fields2(more[i], more[i+1])...)
		}
		return f
	}
	switch v.rng.IntN(8) {
	case 0: // streams that are reset at once
		for id := range uint32(300) {
			b = append(b, frame2(headersFrame, endHeaders, 2*id+1, fields()...)...)
			b = append(b, frame2(resetFrame, 0, 2*id+1, 0, 0, 0, 8)...)
		}
	case 1: // a head without an end
		b = frame2(headersFrame, 0, 1, fields()...)
		for range 64 {
			b = append(b, frame2(continuationFrame, 0, 1, fields2("a", strings.Repeat("b", v.rng.IntN(4000)))...)...)
		}
	case 2: // a table of fields that is named over and over
		head := append(fields(), 0x40, 1, 'x')
		head = append(append(head, 0x7f, 0x81, 0x1e), strings.Repeat("y", 4000)...)
		b = frame2(headersFrame, endHeaders|endStream, 1, append(head, strings.Repeat("\xbe", 8000)...)...)
	case 3: // nothing, often
		kinds := [][]byte{frame2(pingFrame, 0, 0, make([]byte, 8)...), frame2(settingsFrame, 0, 0), frame2(priorityFrame, 0, 3, 0, 0, 0, 3, 1), frame2(windowFrame, 0, 0, 0x7f, 0xff, 0xff, 0xff), frame2(dataFrame, 0, 1)}
		kind := kinds[v.rng.IntN(len(kinds))]
		for range 2000 {
			b = append(b, kind...)
		}
	case 4: // answers that find no window
		b = frame2(settingsFrame, 0, 0, 0, 4, 0, 0, 0, 0)
		fallthrough
	default:
		for id := range uint32(1 + v.rng.IntN(200)) {
			ends := byte(endHeaders)
			if v.rng.IntN(2) == 0 {
				ends |= endStream
			}
			b = append(b, frame2(headersFrame, ends, 2*id+1, fields()...)...)
			if ends&endStream == 0 {
				b = append(b, frame2(dataFrame, byte(v.rng.IntN(2)), 2*id+1, v.json(`{"apiKey":"KEY","url":"ws://HOST/x","host":"BARE"}`)...)...)
			}
		}
	}
	return b
}

// frame2 is a frame of HTTP/2.
func frame2(kind, flags byte, stream uint32, payload ...byte) []byte {
	b := binary.BigEndian.AppendUint32(nil, uint32(len(payload))<<8|uint32(kind))
	b = binary.BigEndian.AppendUint32(append(b, flags), stream)
	return append(b, payload...)
}

// fields2 are names and values as HPACK's literals that no table takes.
func fields2(pairs ...string) (b []byte) {
	for i, s := range pairs {
		if i%2 == 0 {
			b = append(b, 0)
		}
		b = append(binaryLength(b, len(s)), s...)
	}
	return b
}

// binaryLength appends a length with a prefix of seven bits (RFC 7541, section 5.1).
func binaryLength(b []byte, n int) []byte {
	if n < 0x7f {
		return append(b, byte(n))
	}
	b = append(b, 0x7f)
	for n -= 0x7f; n >= 0x80; n >>= 7 {
		b = append(b, byte(n)|0x80)
	}
	return append(b, byte(n))
}

// outcome2 reads frames of the gateway's: "500" if an answer has that status, else how the
// connection or the first stream ended.
func outcome2(b []byte) string {
	outcome := "-"
	for len(b) >= 9 {
		n := int(b[0])<<16 | int(b[1])<<8 | int(b[2])
		kind, payload := b[3], b[9:]
		if len(payload) < n {
			break
		}
		payload, b = payload[:n], payload[n:]
		switch {
		case kind == headersFrame && n > 0 && payload[0] == 0x8e: // ":status: 500" of the static table
			return "500"
		case kind == goAwayFrame && n >= 8:
			outcome = fmt.Sprint("go away ", binary.BigEndian.Uint32(payload[4:]))
		case outcome != "-":
		case kind == headersFrame:
			outcome = "answered over HTTP/2"
		case kind == resetFrame && n == 4:
			outcome = fmt.Sprint("reset ", binary.BigEndian.Uint32(payload))
		}
	}
	return outcome
}
