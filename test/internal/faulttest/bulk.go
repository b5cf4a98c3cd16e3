package faulttest

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"time"
)

// Flood is a target for measuring: it sends without an end, until the
// connection does. One who asks for a WebSocket gets frames of 64 KiB, anybody
// else, after an empty line, the same bytes. It closes the connection.
func Flood(conn net.Conn) {
	defer conn.Close()
	conn.SetReadDeadline(time.Now().Add(30 * time.Second))
	br := bufio.NewReader(conn)
	var head bytes.Buffer
	for {
		line, err := br.ReadSlice('\n')
		if err != nil {
			return
		}
		head.Write(line)
		if len(bytes.TrimSpace(line)) == 0 {
			break
		}
	}
	if req, err := http.ReadRequest(bufio.NewReader(&head)); err == nil {
		if _, err := conn.Write(switching(req)); err != nil {
			return
		}
	}
	bulk := bytes.Repeat(frame{op: opBinary, fin: true, tail: noise[:64<<10]}.wire(false), 4)
	for {
		if _, err := conn.Write(bulk); err != nil {
			return
		}
	}
}

// Open connects to a target through a gateway. What is read are the bytes of
// its frames, headers included.
func Open(ctx context.Context, gateway, target, key string) (io.ReadCloser, error) {
	conn, br, _, err := connect(ctx, gateway, target, key)
	if err != nil {
		return nil, err
	}
	return struct {
		io.Reader
		io.Closer
	}{br, conn}, nil
}
