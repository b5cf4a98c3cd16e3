package farwire_test

import (
	"bufio"
	"bytes"
	"compress/flate"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/farwire/farwire"
)

const (
	deflateOffer = "Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits"
	stateless    = "permessage-deflate; client_no_context_takeover"
)

// deflated compresses a message as a client does that keeps no context.
func deflated(t testing.TB, s string) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := flate.NewWriter(&b, flate.BestSpeed)
	if err != nil {
		t.Fatal(err)
	}
	io.WriteString(w, s)
	if err := w.Flush(); err != nil {
		t.Fatal(err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte{0, 0, 0xff, 0xff})
}

const opDeflated = opText | 0x40

// deflateTarget is a target that answers the offer of compression with answer,
// none when that is empty, and then serves. It tells what it was offered.
func deflateTarget(t *testing.T, answer string, serve func(*peer)) (url string, offers <-chan string) {
	t.Helper()
	told := make(chan string, 1)
	url = newRawTarget(t, func(conn net.Conn, head string) {
		req, err := http.ReadRequest(bufio.NewReader(strings.NewReader(head + "\r\n\r\n")))
		if err != nil {
			t.Error(err)
			return
		}
		told <- req.Header.Get("Sec-WebSocket-Extensions")
		var extra []string
		if answer != "" {
			extra = append(extra, "Sec-WebSocket-Extensions: "+answer)
		}
		io.WriteString(conn, upgradeAnswer(req, extra...))
		serve(&peer{t: t, conn: conn, br: newReader(conn)})
	})
	return url, told
}

// wantRaw reads exactly these bytes.
func (p *peer) wantRaw(want []byte) {
	p.t.Helper()
	got := make([]byte, len(want))
	if _, err := io.ReadFull(p.br, got); err != nil || !bytes.Equal(got, want) {
		p.t.Errorf("got % x, %v, want % x", got, err, want)
	}
}

func TestRelay_DirectFormCompression_IsTheTargets(t *testing.T) {
	w := newWorld(t)
	up := (&peer{t: t, mask: true}).encode(opDeflated, true, deflated(t, "from the client"))
	down := (&peer{t: t}).encode(opDeflated, true, deflated(t, "from the target"))
	const answer = "permessage-deflate; client_max_window_bits=12; server_no_context_takeover"
	url, offers := deflateTarget(t, answer, func(p *peer) {
		p.wantRaw(up)
		p.raw(down)
		p.wantClose(1000, "")
		p.close(1000, "")
	})
	p := w.open("/ws?url="+escape(url)+"&api_key="+testKey,
		"Sec-WebSocket-Extensions: x-other, permessage-deflate; client_max_window_bits", "Sec-WebSocket-Extensions: permessage-deflate")
	if got, want := <-offers, "permessage-deflate; client_max_window_bits, permessage-deflate"; got != want {
		t.Errorf("the target was offered %q, want %q", got, want)
	}
	if got := p.resp.Header.Get("Sec-WebSocket-Extensions"); got != answer {
		t.Errorf("the client was told %q, want %q", got, answer)
	}
	p.raw(up)
	p.wantRaw(down)
	p.close(1000, "")
	p.wantClose(1000, "")
}

func TestRelay_MessageFormCompression_IsStateless(t *testing.T) {
	for _, first := range []bool{false, true} {
		t.Run(fmt.Sprintf("first message compressed %v", first), func(t *testing.T) {
			w := newWorld(t)
			early := (&peer{t: t, mask: true}).encode(opDeflated, true, deflated(t, "sent ahead"))
			down := (&peer{t: t}).encode(opDeflated, true, deflated(t, "from the target"))
			url, offers := deflateTarget(t, "permessage-deflate", func(p *peer) {
				p.wantRaw(early)
				p.raw(down)
				p.wantClose(1000, "")
				p.close(1000, "")
			})
			p := w.open("/ws", deflateOffer)
			if got := p.resp.Header.Get("Sec-WebSocket-Extensions"); got != stateless {
				t.Fatalf("the client was told %q, want %q", got, stateless)
			}
			ask := fmt.Sprintf(`{"apiKey":%q,"url":%q}`, testKey, url)
			if first {
				p.frame(opDeflated, true, deflated(t, ask))
			} else {
				p.text(ask)
			}
			p.raw(early)
			if got := <-offers; got != stateless {
				t.Errorf("the target was offered %q, want %q", got, stateless)
			}
			p.wantConnected()
			p.wantRaw(down)
			p.close(1000, "")
			p.wantClose(1000, "")
		})
	}
}

func TestRelay_TargetDeclinesCompression_GetsPlainMessages(t *testing.T) {
	w := newWorld(t)
	long := strings.Repeat("a long message that compresses well ", 10_000)
	url, _ := deflateTarget(t, "", echo)
	p := w.open("/ws", deflateOffer)
	p.ask(url, "")
	p.wantConnected()
	p.frame(opDeflated, true, deflated(t, "compressed"))
	p.wantText("compressed")
	p.text("plain")
	p.wantText("plain")
	p.frame(opDeflated, true, deflated(t, long))
	var got strings.Builder
	for {
		f := p.next()
		got.Write(f.payload)
		if f.fin {
			break
		}
	}
	if got.String() != long {
		t.Errorf("%d bytes came back of %d", got.Len(), len(long))
	}
	p.frame(opDeflated, true, []byte{0xff, 0xff})
	p.wantClose(1007, "compressed data cannot be inflated")
}

func TestRelay_DecompressionBomb_Closes1009(t *testing.T) {
	w := newWorld(t, func(o *farwire.Options) { o.Relay.KeepAlive = -1 }) // a slow machine takes longer than its interval
	url, _ := deflateTarget(t, "", func(p *peer) { io.Copy(io.Discard, p.conn) })
	p := w.open("/ws", deflateOffer)
	p.ask(url, "")
	p.wantConnected()
	p.frame(opDeflated, true, deflated(t, strings.Repeat("\x00", 64<<20+1)))
	p.wantClose(1009, "compressed message becomes too large")
}

func TestRelay_FirstMessageIsABomb_Closes1008(t *testing.T) {
	p := newWorld(t).open("/ws", deflateOffer)
	p.frame(opDeflated, true, deflated(t, strings.Repeat(" ", 16<<20)))
	p.wantError(1008, "larger than 65536 bytes")
}

func TestRelay_OfferThatDoesNotFit_IsDeclined(t *testing.T) {
	for name, tt := range map[string]struct {
		offer string
		off   bool
	}{
		"restricts the server's window":  {"permessage-deflate; server_max_window_bits=10", false},
		"restricts the server's context": {"permessage-deflate; server_no_context_takeover", false},
		"another extension":              {"permessage-bzip2", false},
		"compression turned off":         {"permessage-deflate", true},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(o *farwire.Options) {
				if tt.off {
					o.Relay.Compression = farwire.CompressionOff
				}
			})
			url, offers := deflateTarget(t, "", echo)
			p := w.open("/ws", "Sec-WebSocket-Extensions: "+tt.offer)
			if got := p.resp.Header.Get("Sec-WebSocket-Extensions"); got != "" {
				t.Errorf("the client was told %q", got)
			}
			p.ask(url, "")
			p.wantConnected()
			if got := <-offers; got != "" {
				t.Errorf("the target was offered %q", got)
			}
			p.frame(opDeflated, true, []byte("x"))
			p.wantClose(1002, "reserved bit set")
		})
	}
}
