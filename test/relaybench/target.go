//go:build linux

package main

import (
	"crypto/sha1"
	"crypto/tls"
	"encoding/base64"
	"encoding/binary"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strconv"
	"sync"
)

// The far end of every session. It does the least that can be done, so that
// the relay between is what is measured: it knows the length of the frames
// that come, and neither reads headers nor unmasks.
//
//	/echo?size=N              a frame of N bytes for each frame of N bytes
//	/sink?size=N&messages=M   takes M frames of N bytes and answers with one of 1 byte
//	/source?size=N&messages=M sends M frames of N bytes after one of 1 byte has come; M 0: for ever
//	/body?size=N              of HTTP: takes the body of the request and answers with one of N bytes

func targetRole([]string) (*role, error) {
	cert, roots, err := identity()
	if err != nil {
		return nil, err
	}
	config := &tls.Config{Certificates: []tls.Certificate{cert}}
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go serveTarget(conn, config)
		}
	}()
	return &role{addr: ln.Addr().String(), roots: roots}, nil
}

// startTarget also lets the processes that start from now on trust it.
func startTarget() (*process, error) {
	p, err := startRole("target", "")
	if err != nil {
		return nil, err
	}
	return p, os.Setenv(rootsVariable, p.roots)
}

// serveTarget serves a connection with TLS or without.
func serveTarget(conn net.Conn, config *tls.Config) {
	defer func() { conn.Close() }()
	conn, br, err := secured(conn, config)
	if err != nil {
		return
	}
	r, err := http.ReadRequest(br)
	if err != nil {
		return
	}
	if r.Header.Get("Sec-WebSocket-Key") == "" {
		serveWeb(conn, br, r)
		return
	}
	sum := sha1.Sum([]byte(r.Header.Get("Sec-WebSocket-Key") + "258EAFA5-E914-47DA-95CA-C5AB0DC85B11"))
	_, err = fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Accept: %s\r\n\r\n", base64.StdEncoding.EncodeToString(sum[:]))
	if err != nil || br.Buffered() > 0 {
		return // no client of ours speaks before it has the answer
	}
	path, q := r.URL.Path, r.URL.Query()
	r, br = nil, nil // an idle session shall hold as little as it can
	size, messages := number(q, "size"), number(q, "messages")
	switch path {
	case "/echo":
		echo(conn, size)
	case "/sink":
		if _, err := io.CopyN(drain{}, conn, int64(messages)*int64(len(frame(size, true)))); err == nil {
			conn.Write(frame(1, false))
			io.Copy(io.Discard, conn)
		}
	case "/source":
		if _, err := io.ReadFull(conn, frame(1, true)); err == nil {
			go func() {
				defer conn.Close() // a close frame, or the end, is all that can come
				conn.Read(make([]byte, 1))
			}()
			if writeMessages(conn, frame(size, false), messages) == nil {
				io.Copy(io.Discard, conn)
			}
		}
	}
}

func number(q url.Values, name string) int {
	n, err := strconv.Atoi(q.Get(name))
	if err != nil {
		return 0
	}
	return n
}

func echo(conn net.Conn, size int) {
	in, out := frame(size, true), frame(size, false)
	for {
		n, err := io.ReadAtLeast(conn, in, 2)
		if err == nil && in[0]&0xf == 8 { // a close frame is answered, as targets do
			conn.Write([]byte{0x88, 0})
			return
		}
		if err == nil {
			_, err = io.ReadFull(conn, in[n:])
		}
		if err != nil {
			return
		}
		if _, err := conn.Write(out); err != nil {
			return
		}
	}
}

// batchSize is about how much is written at once to keep a pipe full.
const batchSize = 64 << 10

// writeMessages writes a frame as often as that, for ever when messages is 0.
func writeMessages(conn net.Conn, one []byte, messages int) error {
	per := max(1, batchSize/len(one))
	batch := make([]byte, 0, per*len(one))
	for range per {
		batch = append(batch, one...)
	}
	for left := messages; messages == 0 || left > 0; left -= per {
		n := per
		if messages > 0 {
			n = min(per, left)
		}
		if _, err := conn.Write(batch[:n*len(one)]); err != nil {
			return err
		}
	}
	return nil
}

// A drain takes bytes in large pieces.
type drain struct{}

// drains are kept: a new one for each small answer would be most of what load and
// target cost.
var drains = sync.Pool{New: func() any { return new([256 << 10]byte) }}

func (drain) Write(b []byte) (int, error) { return len(b), nil }

func (drain) ReadFrom(r io.Reader) (total int64, err error) {
	buf := drains.Get().(*[256 << 10]byte)
	defer drains.Put(buf)
	for {
		n, err := r.Read(buf[:])
		total += int64(n)
		if err == io.EOF {
			return total, nil
		}
		if err != nil {
			return total, err
		}
	}
}

// frame makes a binary frame with a payload of that size.
func frame(size int, masked bool) []byte {
	b := []byte{0x82}
	bit := byte(0)
	if masked {
		bit = 0x80
	}
	switch {
	case size < 126:
		b = append(b, bit|byte(size))
	case size < 1<<16:
		b = binary.BigEndian.AppendUint16(append(b, bit|126), uint16(size))
	default:
		b = binary.BigEndian.AppendUint64(append(b, bit|127), uint64(size))
	}
	if masked {
		b = append(b, 0x5a, 0x17, 0xc3, 0x88)
	}
	for i := range size {
		b = append(b, byte(i*7))
	}
	return b
}
