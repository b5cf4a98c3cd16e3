package farwire_test

import (
	"io"
	"net"
	"runtime"
	"testing"
	"time"
)

// A client that is refused leaves nothing behind. A connection that is merely
// forgotten would be kept for ever by its own finalizer, and 16 KB with it.
func TestRefusedClient_HandlerReturns_HoldsNoMemory(t *testing.T) {
	w := newWorld(t)
	const upgrade = " HTTP/1.1\r\nHost: gateway.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
	const text = "\x81\x85\x00\x00\x00\x00hello" // and not JSON
	for name, sent := range map[string]string{
		"relay, no JSON":   "GET /ws" + upgrade + text,
		"relay, a breach":  "GET /ws" + upgrade + "\xf1\x80\x00\x00\x00\x00",
		"relay, gone":      "GET /ws" + upgrade,
		"crawl, wrong key": "GET /ws/crawl?api_key=nobody" + upgrade,
		"crawl, no JSON":   "GET /ws/crawl?api_key=" + testKey + upgrade + text,
		"crawl, gone":      "GET /ws/crawl?api_key=" + testKey + upgrade,
	} {
		refuse := func() {
			conn, err := w.dialIn()
			if err != nil {
				t.Fatal(err)
			}
			defer conn.Close()
			if _, err := io.WriteString(conn, sent); err != nil {
				t.Fatal(err)
			}
			if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
				t.Fatal(err)
			}
			conn.SetReadDeadline(time.Now().Add(patience))
			if _, err := io.Copy(io.Discard, conn); err != nil {
				t.Fatalf("%s: %v", name, err)
			}
		}
		const times = 200
		for range 20 { // for what is made once
			refuse()
		}
		before := heapInUse()
		for range times {
			refuse()
		}
		kept := heapInUse() - before
		for end := time.Now().Add(patience); kept > times*4<<10 && time.Now().Before(end); {
			kept = heapInUse() - before // the last handlers may still be on their way out
		}
		if kept > times*4<<10 {
			t.Errorf("%s: each of %d clients has left %d bytes behind", name, times, kept/times)
		}
	}
}

// heapInUse is what the heap holds when all garbage, with finalizers or not, is
// gone.
func heapInUse() int64 {
	var m runtime.MemStats
	for range 3 {
		runtime.GC()
	}
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// A breach of the frame format is the client's fault, for operators too.
func TestBreach_BrokenFrame_IsNotAnInternalError(t *testing.T) {
	w := newWorld(t)
	p := w.open("/ws")
	p.raw([]byte{0xf1, 0x80, 0, 0, 0, 0})
	if f := p.next(); f.op != opClose {
		t.Errorf("got %v, want a close frame", f)
	}
	p.conn.Close()
	w.wantLog(`msg=refused kind=relay status=400 err="a frame broke the format"`)
}
