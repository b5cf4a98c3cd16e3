package main

import (
	"bufio"
	"crypto/tls"
	"io"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// What docs/security.md says of one HTTP/2 connection is what the program announces, a
// hundred requests at a time and for all their bodies a window of 1 MiB, and what it holds
// of bodies that are not whole and have shown no key.
func TestServe_HTTP2Connection_BoundsAreAnnounced(t *testing.T) {
	const requests, window = 100, 1 << 20
	s := serveSecured(t)
	c, err := tls.Dial("tcp", s.addr, &tls.Config{InsecureSkipVerify: true, NextProtos: []string{"h2"}})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(time.Minute))
	if _, err := io.WriteString(c, http2.ClientPreface); err != nil {
		t.Fatal(err)
	}
	f := http2.NewFramer(c, bufio.NewReader(c))
	f.WriteSettings()
	most, left, reset := uint32(0), 1<<16-1, map[uint32]bool{} // RFC 9113, section 6.9.2
	// read follows what the server announces until it has answered a ping.
	read := func(number byte) {
		t.Helper()
		if err := f.WritePing(false, [8]byte{number}); err != nil {
			t.Fatal(err)
		}
		for {
			frame, err := f.ReadFrame()
			if err != nil {
				t.Fatal(err)
			}
			switch frame := frame.(type) {
			case *http2.SettingsFrame:
				if n, ok := frame.Value(http2.SettingMaxConcurrentStreams); ok {
					most = n
				}
			case *http2.WindowUpdateFrame:
				if frame.StreamID == 0 {
					left += int(frame.Increment)
				}
			case *http2.RSTStreamFrame:
				reset[frame.StreamID] = true
			case *http2.PingFrame:
				if frame.IsAck() && frame.Data[0] == number {
					return
				}
			}
		}
	}
	read(1)
	if most != requests || left != window {
		t.Errorf("%d requests at a time and a window of %d bytes are announced, want %d and %d", most, left, requests, window)
	}
	// A key may stand in the body of such a request, so it is read to its end.
	var head writer
	enc := hpack.NewEncoder(&head)
	sent := map[uint32]int{}
	for i, id := 0, uint32(1); i < requests; i, id = i+1, id+2 {
		head = head[:0]
		for _, field := range [][2]string{{":method", "POST"}, {":scheme", "https"}, {":authority", s.addr}, {":path", "/amqp"}, {"content-type", "application/json"}} {
			enc.WriteField(hpack.HeaderField{Name: field[0], Value: field[1]})
		}
		if err := f.WriteHeaders(http2.HeadersFrameParam{StreamID: id, BlockFragment: head, EndHeaders: true}); err != nil {
			t.Fatal(err)
		}
		for range 3 { // less than a body may have, and not its end
			for left < 16<<10 {
				read(2)
			}
			if err := f.WriteData(id, false, make([]byte, 16<<10)); err != nil {
				t.Fatal(err)
			}
			sent[id] += 16 << 10
			left -= 16 << 10
		}
	}
	read(3)
	held := 0
	for id, n := range sent {
		if !reset[id] {
			held += n
		}
	}
	if most := 2 * window; held > most { // what was read, and what was not
		t.Errorf("%d bytes of bodies are held, want %d at most", held, most)
	}
}

// A writer keeps what is written.
type writer []byte

func (w *writer) Write(b []byte) (int, error) {
	*w = append(*w, b...)
	return len(b), nil
}
