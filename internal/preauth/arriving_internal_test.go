package preauth

import (
	"bufio"
	"bytes"
	"net/http"
	"strings"
	"testing"
)

// A head ends where net/http ends it, however it is cut: nobody hides lines behind what only
// looks like an end, and no body is taken for a head.
func FuzzHead_Ends_WhereNetHTTPEndsIt(f *testing.F) {
	for _, head := range []string{
		"GET / HTTP/1.1\r\nHost: a\r\n\r\nbody\nbody\n\n",
		"GET / HTTP/1.1\nHost: a\n\nGET / HTTP/1.1\n\n",
		"GET / HTTP/1.1\nHost: a\n\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\na: b\r\n c\r\n \r\n\t\n\r\nrest",
		"GET / HTTP/1.1\r\nHost: a\r\na: b\r\r\n\r\n\r\n",
		"GET / HTTP/1.1\nHost: a\n\r\r\n\n",
		"GET / HTTP/1.0\n\n\n",
		"\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\na:\r\n \r\n\r\n",
		"GET / HTTP/1.1\r\nHost: a\r\na:" + strings.Repeat("x", 5000) + "\r\n\r\nx\n",
	} {
		for _, size := range []uint8{0, 1, 7} {
			f.Add([]byte(head), size)
		}
	}
	f.Fuzz(func(t *testing.T, head []byte, size uint8) {
		r := bytes.NewReader(head)
		br := bufio.NewReader(r)
		if _, err := http.ReadRequest(br); err != nil {
			return // net/http answers and closes
		}
		end := len(head) - r.Len() - br.Buffered()
		c := new(Conn)
		c.expectHead(false)
		for at := 0; c.reading.Load() == inHead; {
			n := len(head) - at
			if size > 0 {
				n = min(n, int(size))
			}
			if n == 0 {
				t.Fatalf("%q has no end, where net/http ends it at %d", head, end)
			}
			c.arrives(head[at : at+n])
			if at += n; c.reading.Load() == inBody {
				lines := bytes.Count(head[:end], []byte{'\n'}) - 1 // without the empty one
				if want := taken(head[at:]); c.arrival.ahead != taken(head[end:])-want {
					t.Errorf("%q: what is behind the head takes %d, want %d", head, c.arrival.ahead, taken(head[end:])-want)
				}
				if got := c.arrival.head; got < lines*lineCost || got > end+lines*lineCost {
					t.Errorf("%q: the head takes %d for %d lines of %d bytes", head, got, lines, end)
				}
			}
		}
	})
}

// What is read ahead counts to the next head: all of the last read, with the byte by which
// net/http notices a client that leaves.
func TestReadAhead_LastRead_CountsToTheNextHead(t *testing.T) {
	c := new(Conn)
	c.reading.Store(inBody)
	for _, step := range []struct {
		text       string
		room, want int
	}{
		{"a\nb\n", readerSize, 4 + 2*lineCost},
		{"c", 1, 5 + 2*lineCost},
		{"d\n", readerSize - 10, 2 + lineCost},
		{strings.Repeat("\n", 10), 32 << 10, 0},
	} {
		c.readAhead([]byte(step.text), step.room)
		if c.arrival.ahead != step.want {
			t.Errorf("%q into %d bytes: %d, want %d", step.text, step.room, c.arrival.ahead, step.want)
		}
	}
	c.readAhead([]byte("a\n"), readerSize)
	for _, known := range []bool{true, false} {
		if c.expectHead(!known); (c.arrival.head == 0) != known {
			t.Errorf("known %v: the next head begins with %d", known, c.arrival.head)
		}
	}
}
