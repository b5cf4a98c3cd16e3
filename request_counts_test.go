package farwire_test

import (
	"encoding/binary"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/farwire/farwire"
)

// list repeats a unit with a number in it, n times.
func list(n int, unit string) string {
	var parts []string
	for i := range n {
		parts = append(parts, fmt.Sprintf(unit, i))
	}
	return strings.Join(parts, ",")
}

// What a request may hold is counted, to the one.
func TestConnectMessage_Counts_RefusedBeyond(t *testing.T) {
	for _, c := range []struct {
		name, message string
		refused       string // empty: accepted
	}{
		{"100 headers", `"headers":{` + list(100, `"X-%d":"v"`) + `}`, ""},
		{"101 headers", `"headers":{` + list(101, `"X-%d":"v"`) + `}`, "more than 100"},
		{"60 headers, 40 cookies", `"headers":{` + list(60, `"X-%d":"v"`) + `},"cookies":{` + list(40, `"c%d":"v"`) + `}`, ""},
		{"60 headers, 41 cookies", `"headers":{` + list(60, `"X-%d":"v"`) + `},"cookies":{` + list(41, `"c%d":"v"`) + `}`, "more than 100"},
		{"32 subprotocols", `"subprotocols":[` + list(32, `"p%d"`) + `]`, ""},
		{"33 subprotocols", `"subprotocols":[` + list(33, `"p%d"`) + `]`, "more than 32"},
		{"64 slugs", `"agent":"` + list(64, "a%d") + `"`, ""},
		{"65 slugs", `"agent":"` + list(65, "a%d") + `"`, "agent has more than 64"},
		{"65 countries", `"geo":"` + strings.Repeat("US,", 64) + `US"`, "geo has more than 64"},
		{"64 commas", `"agent":"` + strings.Repeat(",", 64) + `"`, "agent has more than 64"},
	} {
		_, err := farwire.ParseConnect([]byte(`{"url":"ws://a.test/",` + c.message + `}`))
		if (err == nil) != (c.refused == "") || err != nil && !strings.Contains(err.Error(), c.refused) {
			t.Errorf("%s: %v, want %q", c.name, err, c.refused)
		}
	}
	var protocols []string
	for i := range 33 {
		protocols = append(protocols, fmt.Sprintf("p%d", i))
	}
	if _, err := farwire.ParseDirect("url=ws://a.test/", "", protocols[:32]); err != nil {
		t.Errorf("32 subprotocols in the direct form: %v", err)
	}
	if _, err := farwire.ParseDirect("url=ws://a.test/", "", protocols); err == nil {
		t.Error("33 subprotocols in the direct form are accepted")
	}
	if _, err := farwire.ParseDirect("url=ws://a.test/"+strings.Repeat("&header=a:b", 101), "", nil); err == nil {
		t.Error("101 headers in the direct form are accepted")
	}
}

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

// A body that announces more than 64 KiB gets its 413 before it comes.
func TestBody_AnnouncesTooMuch_413AtOnce(t *testing.T) {
	w := newWorld(t)
	hook := w.also(w.gw.SiteChanged())
	for path, w := range map[string]*world{"/amqp": w, "/auth/token": w, "/hooks/site-changed": hook} {
		conn, err := w.dialIn()
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		conn.SetDeadline(time.Now().Add(patience))
		fmt.Fprintf(conn, "POST %s HTTP/1.1\r\nHost: gw\r\nX-API-Key: %s\r\nContent-Type: application/json\r\nContent-Length: 65537\r\n\r\n", path, testKey)
		resp, err := http.ReadResponse(newReader(conn), nil)
		if err != nil {
			t.Errorf("%s: no answer without a body: %v", path, err)
			continue
		}
		if b, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusRequestEntityTooLarge {
			t.Errorf("%s: %s %s", path, resp.Status, b)
		}
	}
}
