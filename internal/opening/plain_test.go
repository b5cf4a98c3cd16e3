package opening_test

import (
	"context"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/farwire/farwire/internal/opening"
)

// masked is a client's text frame under a key of its own.
func masked(payload string) string {
	f := []byte(frame(text, payload))
	head := len(f) - len(payload)
	key := f[head-4 : head]
	copy(key, "\x01\x80\xfe\x37")
	for i := range len(payload) {
		f[head+i] ^= key[i&3]
	}
	return string(f)
}

// A first message is the same however many pieces it comes in, whatever its size and whatever
// comes before and behind it, and no byte behind it is lost.
func TestClient_Ask_AnyPieces_TheSameMessage(t *testing.T) {
	const behind = "\x82\x83abcdefg and more"
	for _, size := range []int{0, 1, 2, 125, 126, 127, 4079, 4080, 4087, 4088, 4089, 4096, 5000, 64 << 10} {
		message := strings.Repeat("0123456789abcde", size/15+1)[:size]
		for name, sent := range map[string]string{
			"alone":      masked(message),
			"followed":   masked(message) + behind,
			"after ping": frame(ping, "x") + masked(message) + behind,
			"fragments":  frame(more, message) + frame(0x80, "") + behind,
		} {
			for _, cut := range []int{0, 1, 2, 3, 4, 5, 6, 8, 9, 14, 15, 100, 4095, 4096, 4097, len(sent) - 1} {
				if cut >= len(sent) || size == 64<<10 && cut%2 == 0 {
					continue
				}
				got, rest := askedOf(t, sent[:cut], sent[cut:])
				if got != message || !strings.HasSuffix(sent, rest) || strings.HasSuffix(sent, behind) && rest != behind {
					t.Errorf("%d bytes, %s, cut at %d: %d bytes, behind it %.40q", size, name, cut, len(got), rest)
				}
			}
		}
	}
}

// askedOf returns the first message of a client that sends two pieces, and all bytes
// behind it. They may arrive as one.
func askedOf(t *testing.T, first, second string) (message, rest string) {
	t.Helper()
	asked, all := make(chan string, 1), make(chan string, 1)
	conn, _, _ := opened(t, "v1", func(c *opening.Client) {
		msg, err := c.Ask(context.Background(), "test message")
		if err != nil {
			t.Error(err)
		}
		asked <- string(msg)
		early := string(c.Early())
		c.Release()
		b, err := io.ReadAll(c.Conn)
		if err != nil {
			t.Error(err)
		}
		all <- early + string(b)
	})
	for _, piece := range []string{first, second} {
		if _, err := io.WriteString(conn, piece); err != nil {
			t.Fatal(err)
		}
	}
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		t.Fatal(err)
	}
	return <-asked, <-all
}

// What a client has sent early stays as it is while others are asked: messages are read into
// memory that clients share in turn.
func TestClient_Early_OthersAreAsked_Stays(t *testing.T) {
	const behind = "\x82\x83abcdefg of the first client"
	asked, others := make(chan struct{}), make(chan struct{})
	early := make(chan string, 1)
	conn, _, _ := opened(t, "", func(c *opening.Client) {
		if _, err := c.Ask(context.Background(), "test message"); err != nil {
			t.Error(err)
		}
		close(asked)
		<-others
		early <- string(c.Early())
	})
	if _, err := io.WriteString(conn, masked("{}")+behind); err != nil { // they arrive as one
		t.Fatal(err)
	}
	<-asked
	for range 20 {
		askedOf(t, masked("{}"), strings.Repeat("another client's", 10))
	}
	close(others)
	if got := <-early; got != behind {
		t.Errorf("%q, want %q", got, behind)
	}
}
