package farwire_test

import (
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// A message that announces more than 64 KiB is refused before any of it comes.
func TestFirstMessage_AnnouncesTooMuch_RefusedAtOnce(t *testing.T) {
	header := func(op byte, length uint64) []byte {
		return append(binary.BigEndian.AppendUint64([]byte{op, 0x80 | 127}, length), 1, 2, 3, 4)
	}
	w := newWorld(t)
	for _, path := range []string{"/ws", "/ws/crawl?api_key=" + testKey} {
		for name, write := range map[string]func(*peer){
			"one frame":  func(p *peer) { p.raw(header(0x81, 64<<10+1)) },
			"a huge one": func(p *peer) { p.raw(header(0x81, 1<<62)) },
			"fragments": func(p *peer) {
				p.frame(opText, false, make([]byte, 100))
				p.raw(append(binary.BigEndian.AppendUint16([]byte{0x80, 0x80 | 126}, 64<<10-99), 1, 2, 3, 4))
			},
		} {
			t.Run(path+" "+name, func(t *testing.T) {
				p := w.in(t).open(path)
				write(p)
				if r := p.refusal(); r.code != 1008 || !strings.Contains(r.text, "larger than 65536 bytes") {
					t.Errorf("got %+v", r)
				}
			})
		}
	}
}

// A body that announces more than 64 KiB gets its 413 before it comes, and before a key is
// looked for.
func TestBody_AnnouncesTooMuch_413AtOnce(t *testing.T) {
	w := newWorld(t)
	hook := w.also(w.gw.SiteChanged())
	for name, w := range map[string]*world{"/amqp": w, "/auth/token": w, "/hooks/site-changed": hook, "/amqp without a key": w, "/auth/token without a key": w} {
		path, noKey := strings.CutSuffix(name, " without a key")
		field := "X-API-Key: " + testKey
		if noKey {
			field = "X-None: 1"
		}
		conn, err := w.dialIn()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		conn.SetDeadline(time.Now().Add(testTimeout))
		fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: gw\r\n%s\r\nContent-Type: application/json\r\nContent-Length: 65537\r\n\r\n", path, field)
		resp, err := http.ReadResponse(newReader(conn), nil)
		if err != nil {
			t.Errorf("%s: no answer without a body: %v", name, err)
			continue
		}
		if b, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("%s: %s %s", name, resp.Status, b)
		}
	}
}

// Frames that carry nothing count on the wire: a client without a key has no more held
// of it than 128 KiB.
func TestFirstMessage_EmptyFrames_RefusedAt128KiB(t *testing.T) {
	w := newWorld(t)
	url := newTarget(t, echo)
	client := &peer{t: t, mask: true}
	for name, op := range map[string]byte{"fragments": opCont, "pongs": opPong} {
		t.Run(name, func(t *testing.T) {
			raw := client.encode(opText, false, nil)
			for len(raw) < 128<<10 {
				raw = append(raw, client.encode(op, op == opPong, nil)...)
			}
			p := w.in(t).open("/ws")
			p.raw(raw[:128<<10])
			if r := p.refusal(); r.code != 1008 || !strings.Contains(r.text, "too much before the connect message") {
				t.Errorf("got %+v", r)
			}
			p = w.in(t).open("/ws")
			p.raw(raw[:6*(100<<10/6)])
			p.frame(opCont, true, fmt.Appendf(nil, `{"apiKey":%q,"url":%q}`, testKey, url))
			p.wantConnected()
		})
	}
}

// What a client without a key has sent before its first message is whole takes no more
// memory than it has bytes: however little its frames carry, 128 KiB are held at most,
// beside the goroutine and the buffers of its connection.
func TestFirstMessage_HeldFrames_MemoryIsBounded(t *testing.T) {
	const ofConnection = 32 << 10
	clients := int64(50)
	if raceEnabled {
		clients = 20 // which take as long there
	}
	w := newWorld(t)
	client := &peer{t: t, mask: true}
	for name, piece := range map[string][]byte{
		"empty fragments": client.encode(opCont, false, nil),
		"empty pongs":     client.encode(opPong, true, nil),
		"small fragments": client.encode(opCont, false, []byte("a")),
		"large fragments": client.encode(opCont, false, make([]byte, 20<<10)),
		"large pongs":     client.encode(opPong, true, make([]byte, 125)),
	} {
		t.Run(name, func(t *testing.T) {
			raw := client.encode(opText, false, nil)
			most := 120 << 10
			if name == "large fragments" {
				most = 64 << 10 // a message is no larger
			}
			for len(raw)+len(piece) < most {
				raw = append(raw, piece...)
			}
			ping := client.encode(opPing, true, []byte("all read"))
			before := held()
			open := make([]*peer, clients)
			for i := range open {
				open[i] = w.in(t).open("/ws")
				open[i].raw(raw)
				open[i].raw(ping)
				open[i].want(frame{op: opPong, fin: true, payload: []byte("all read")})
			}
			if each := (held() - before) / clients; each > 128<<10+ofConnection {
				t.Errorf("%d bytes are held for each of %d that came", each, len(raw))
			}
			for _, p := range open {
				p.conn.Close()
			}
		})
	}
}
