//go:build linux

package main

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// bodySize is that of the large bodies.
const bodySize = 16 << 20

// The loads of the path form. A connection sends one request after the other.
var pathLoads = []named{
	{"requests", load{"requests, answers of 128 bytes, 32 connections", 128, 32, 100, func(int) part { return fetch }, aRequest}},
	{"bodies", load{"bodies of 16 MiB, 2 connections each way", bodySize, 4, 10, func(i int) part { return []part{fetch, store}[i%2] }, aGB(bodySize)}},
}

var (
	fetch = part{do: func(l *link, size, requests int) error {
		return l.ask("GET", size, 0, requests)
	}}
	store = part{do: func(l *link, size, requests int) error {
		return l.ask("PUT", 1, size, requests)
	}}
)

// head is what a request has besides its path and its length: those of a plain client.
const head = " HTTP/1.1\r\nHost: %s\r\nUser-Agent: relaybench/1\r\nAccept: */*\r\nAccept-Encoding: gzip, br\r\nX-API-Key: " + benchKey + "\r\nContent-Length: %d\r\n\r\n"

// openPath connects to the relay, or directly to the target.
func (r *relay) openPath(target string) (*link, error) {
	addr, prefix := target, ""
	if len(r.processes) > 0 {
		addr = r.processes[0].addr
	}
	if r.farwire {
		prefix = "/to/-/http/" + target
	}
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	return &link{conn: conn, br: bufio.NewReader(conn), prefix: prefix}, nil
}

// ask sends requests with a body of some bytes, and reads answers of some.
func (l *link) ask(method string, answer, body, requests int) error {
	request := fmt.Appendf(nil, "%s %s/body?size=%d"+head, method, l.prefix, answer, l.conn.RemoteAddr(), body)
	for range requests {
		if _, err := l.conn.Write(request); err != nil {
			return err
		}
		if body > 0 {
			if err := writeMessages(l.conn, filler[:], body/len(filler)); err != nil {
				return err
			}
		}
		resp, err := http.ReadResponse(l.br, nil)
		if err != nil {
			return err
		}
		n, err := drain{}.ReadFrom(resp.Body)
		resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK || n != int64(answer) {
			return fmt.Errorf("%s with %d of %d bytes, %v", resp.Status, n, answer, err)
		}
	}
	return nil
}

var filler [64 << 10]byte

// serveWeb is the target of requests: it takes each body and answers with one.
func serveWeb(conn net.Conn, br *bufio.Reader, r *http.Request) {
	for {
		if _, err := (drain{}).ReadFrom(r.Body); err != nil {
			return
		}
		size := number(r.URL.Query(), "size")
		answer := fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nServer: target\r\nContent-Length: %d\r\n\r\n", size)
		whole := size / len(filler)
		if _, err := conn.Write(append(answer, filler[:size%len(filler)]...)); err != nil {
			return
		}
		if whole > 0 {
			if err := writeMessages(conn, filler[:], whole); err != nil {
				return
			}
		}
		var err error
		if r, err = http.ReadRequest(br); err != nil {
			return
		}
	}
}

// measurePath has each relay pass requests of HTTP.
func measurePath(p *plan, target *process) ([]goal, error) {
	return inTurns(p, target, byPath, "nginx", pathLoads, pathGoals)
}

// tunnelLoads are those of WebSockets, here in a tunnel, and one that opens tunnels.
var tunnelLoads = []named{
	{"lockstep", tunneled(loads["lockstep"], "tunnels, 128 bytes each way in lock-step, 64 tunnels", unit{"ns/exchange", time.Nanosecond, 2, "messages"})},
	{"bulk", tunneled(loads["bulk"], "tunnels, in quantity, 4 each way", aGB(64<<10))},
	{"opening", load{"tunnels opened for one request each, 16 at a time", 128, 16, 20, func(int) part { return opening }, aRequest}},
}

func tunneled(ld load, title string, u unit) load {
	ld.title, ld.unit = title, u
	return ld
}

// opening opens a tunnel for each request.
var opening = part{
	do: func(l *link, size, requests int) error {
		for range requests {
			one, err := l.open()
			if err != nil {
				return err
			}
			err = one.ask("GET", size, 0, 1)
			one.conn.Close()
			if err != nil {
				return err
			}
		}
		return nil
	},
}

// openTunnel opens a tunnel to the target, and in it a WebSocket with that path. With
// an empty path it opens none yet, and requests are what the tunnels are for.
func (r *relay) openTunnel(target, path string) (*link, error) {
	if path == "" {
		conn, err := net.Dial("tcp", target)
		return &link{conn: conn, open: func() (*link, error) {
			conn, err := r.tunnel(target)
			if err != nil {
				return nil, err
			}
			return &link{conn: conn, br: bufio.NewReader(conn)}, nil
		}}, err
	}
	conn, err := r.tunnel(target)
	if err != nil {
		return nil, err
	}
	return shake(conn, target, path, "")
}

// tunnel returns a connection to the target through the relay.
func (r *relay) tunnel(target string) (_ net.Conn, err error) {
	if len(r.processes) == 0 {
		return net.Dial("tcp", target)
	}
	conn, err := net.Dial("tcp", r.processes[0].addr)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			conn.Close()
		}
	}()
	conn.SetDeadline(time.Now().Add(handshakeTimeout))
	ask := &http.Request{Method: http.MethodConnect, Header: http.Header{}}
	ask.SetBasicAuth("bench", benchKey)
	if _, err = fmt.Fprintf(conn, "CONNECT %s HTTP/1.1\r\nHost: %s\r\nProxy-Authorization: %s\r\n\r\n", target, target, ask.Header.Get("Authorization")); err != nil {
		return nil, err
	}
	// The target says nothing before it is asked.
	resp, err := http.ReadResponse(bufio.NewReaderSize(conn, 1024), ask)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(resp.Body)
		return nil, fmt.Errorf("CONNECT was answered %s %q", resp.Status, text)
	}
	return conn, conn.SetDeadline(time.Time{})
}

// measureTunnel has each forward proxy carry tunnels.
func measureTunnel(p *plan, target *process) ([]goal, error) {
	return inTurns(p, target, byConnect, "tinyproxy", tunnelLoads, tunnelGoals)
}
