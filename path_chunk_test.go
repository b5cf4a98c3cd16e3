package farwire_test

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"sync/atomic"
	"testing"
)

// chunkParts is a body in chunks, cut anywhere, and what each part has of the body.
func chunkParts(rnd *rand.Rand, chunks int) (parts, bodies [][]byte) {
	var wire, body []byte
	var of []int // how much of the body each prefix of wire has
	add := func(b []byte, ofBody bool) {
		for _, c := range b {
			if wire = append(wire, c); ofBody {
				body = append(body, c)
			}
			of = append(of, len(body))
		}
	}
	for range chunks {
		data := make([]byte, 1+rnd.IntN([]int{8, 300, 5_000, 100_000}[rnd.IntN(4)]))
		for i := range data {
			data[i] = byte(rnd.Uint32())
		}
		size := fmt.Sprintf([]string{"%x", "%X", "%04x", "%x;name=\"value\""}[rnd.IntN(4)], len(data))
		add([]byte(size+"\r\n"), false)
		add(data, true)
		add([]byte("\r\n"), false)
	}
	add([]byte("0\r\nX-End: yes\r\n\r\n"), false)
	for start, sent := 0, 0; start < len(wire); {
		end := min(len(wire), start+1+rnd.IntN([]int{3, 200, 6_000, 150_000}[rnd.IntN(4)]))
		parts, bodies = append(parts, wire[start:end]), append(bodies, body[sent:of[end-1]])
		start, sent = end, of[end-1]
	}
	return parts, bodies
}

// What has arrived of a chunk goes on at once: a target may take long over the rest of it.
func TestPathForm_ChunkArrivesInParts_EachPartGoesOn(t *testing.T) {
	rnd := rand.New(rand.NewPCG(1, 2))
	ctx, cancel := context.WithTimeout(t.Context(), 2*testTimeout)
	defer cancel()
	for range 10 {
		parts, bodies := chunkParts(rnd, 12)
		taken := make(chan struct{}) // what was sent has arrived
		var conns atomic.Int32
		w := newPathWorld(t, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
			conns.Add(1)
			conn, brw, err := http.NewResponseController(rw).Hijack()
			if err != nil {
				t.Error(err)
				return
			}
			defer conn.Close()
			for err == nil { // several requests
				sendParts(ctx, conn, parts, taken)
				_, err = http.ReadRequest(brw.Reader)
			}
		}))
		conn, err := w.dialIn()
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		stop := context.AfterFunc(ctx, func() { conn.Close() })
		defer stop()
		br := bufio.NewReader(conn)
		for range 2 {
			fmt.Fprintf(conn, "GET /to/key=%s/http/%s/ HTTP/1.1\r\nHost: gateway.test\r\n\r\n", testKey, w.host())
			resp, err := http.ReadResponse(br, nil)
			if err != nil {
				t.Fatal(err)
			}
			for i, want := range bodies {
				got := make([]byte, len(want))
				if _, err := io.ReadFull(resp.Body, got); err != nil || !bytes.Equal(got, want) {
					t.Fatalf("part %d of %d, with %d bytes of the body: %v", i, len(bodies), len(want), err)
				}
				if i < len(bodies)-1 {
					select {
					case taken <- struct{}{}:
					case <-ctx.Done():
						t.Fatal("the target has gone")
					}
				}
			}
			if rest, err := io.ReadAll(resp.Body); err != nil || len(rest) > 0 || resp.Trailer.Get("X-End") != "yes" {
				t.Fatalf("at the end: %d bytes, %v, %v", len(rest), err, resp.Trailer)
			}
		}
		if n := conns.Load(); n != 1 {
			t.Errorf("%d connections to the target", n)
		}
	}
}

// sendParts sends each part when the one before has arrived.
func sendParts(ctx context.Context, conn net.Conn, parts [][]byte, taken <-chan struct{}) {
	io.WriteString(conn, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
	for i, part := range parts {
		if _, err := conn.Write(part); err != nil {
			return
		}
		if i == len(parts)-1 {
			return
		}
		select {
		case <-taken:
		case <-ctx.Done():
			return
		}
	}
}
