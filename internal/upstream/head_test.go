package upstream

import (
	"bufio"
	"bytes"
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
)

// heads are answers of which some are plain.
var heads = []string{
	"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: abc=\r\n\r\n\x81\x01x",
	"HTTP/1.1 101 \r\nupgrade:websocket\r\nCONNECTION: upgrade \r\nSet-Cookie: a=1\r\nset-cookie: b=2; Path=/\r\nx-a.b: 1\r\n\r\n",
	"HTTP/1.1 101 x\r\nSet-Cookie: a=1\r\nX-B:\r\nSet-Cookie: \t b=2\t\r\nsec-websocket-protocol: graphql-ws\r\n\r\nrest",
	"HTTP/1.1 101 x\r\nA: b\r\n folded\r\n\r\n",
	"HTTP/1.1 101 x\r\nA: b\r\n : c\r\n\r\n",
	"HTTP/1.1 101 x\r\nA b: c\r\n\r\n",
	"HTTP/1.1 101 x\r\nA: \x80\r\n\r\n",
	"HTTP/1.1 101 x\r\nA: b\nB: c\r\n\r\n",
	"HTTP/1.1 101 x\r\nPragma: no-cache\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n",
	"HTTP/1.1 101 x\r\n\r\n",
	"HTTP/1.1 101\r\nA: b\r\n\r\n",
	"HTTP/1.0 101 x\r\nA: b\r\n\r\n",
	"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok",
	"HTTP/1.1 101 x\r\nA: b\r\n",
}

// compareHeads fails the test where a head is read in another way than net/http does, and
// reports whether it was read at all.
func compareHeads(t *testing.T, b []byte) bool {
	t.Helper()
	got, size := parseSwitch(b)
	if got == nil {
		return false
	}
	br := bufio.NewReaderSize(bytes.NewReader(b), len(b)+16)
	resp, err := http.ReadResponse(br, &http.Request{Method: http.MethodGet})
	if err != nil {
		t.Fatalf("%q is accepted; net/http says %v", b, err)
	}
	if resp.StatusCode != http.StatusSwitchingProtocols || resp.ProtoMinor != 1 {
		t.Fatalf("%q is accepted as a 101, and has %s %s", b, resp.Proto, resp.Status)
	}
	if !maps.EqualFunc(got, resp.Header, slices.Equal) {
		t.Fatalf("%q has %v, want %v", b, got, resp.Header)
	}
	rest, err := br.Peek(br.Buffered())
	if err != nil || !bytes.Equal(b[size:], rest) {
		t.Fatalf("behind %q is %q, want %q, %v", b, b[size:], rest, err)
	}
	return true
}

func TestParseSwitch_EachHead_ReadsAsNetHTTPDoes(t *testing.T) {
	read := 0
	for _, head := range heads {
		if compareHeads(t, []byte(head)) {
			read++
		}
	}
	if read != 2 {
		t.Errorf("%d of the heads are plain, want 2", read)
	}
}

func TestSwitched_HeadInParts_LeavesItToNetHTTP(t *testing.T) {
	whole := heads[0]
	br := bufio.NewReader(&parts{whole[:40], whole[40:]})
	if h := switched(br); h != nil {
		t.Fatalf("read %v of a part", h)
	}
	resp, err := http.ReadResponse(br, nil)
	if err != nil || resp.Header.Get("Upgrade") != "websocket" {
		t.Fatalf("%v, %v", resp, err)
	}
	br = bufio.NewReader(strings.NewReader(whole))
	if h := switched(br); h.Get("Upgrade") != "websocket" || br.Buffered() != 3 {
		t.Errorf("%v, and %d bytes behind it", h, br.Buffered())
	}
}

// parts are read one at a time.
type parts []string

func (p *parts) Read(b []byte) (int, error) {
	n := copy(b, (*p)[0])
	*p = (*p)[1:]
	return n, nil
}

func FuzzParseSwitch(f *testing.F) {
	for _, head := range heads {
		f.Add([]byte(head))
	}
	f.Fuzz(func(t *testing.T, b []byte) { compareHeads(t, b) })
}
