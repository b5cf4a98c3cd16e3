package amqpstream_test

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/farwire/farwire/internal/amqpstream"
	"github.com/farwire/farwire/internal/brokertest"
	"github.com/farwire/farwire/internal/sse"
)

// bounded consumes what b delivers within limits of its own.
func bounded(t *testing.T, b *brokertest.Broker, l amqpstream.Limits) *amqpstream.Consumer {
	t.Helper()
	near, far := net.Pipe()
	go b.Talk(far)
	c, err := amqpstream.Consume(context.Background(), near, own(), l)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// A body that is rendered only as it is written arrives as it was sent, wherever its pieces
// are parted.
func TestDeliver_LargeBody_ArrivesWhole(t *testing.T) {
	for name, body := range map[string]string{
		"64 KiB":            strings.Repeat("a", 64<<10),
		"one byte more":     strings.Repeat("a", 64<<10+1),
		"two-byte runes":    "a" + strings.Repeat("é", 50_000),
		"three-byte runes":  "ab" + strings.Repeat("€", 50_000),
		"four-byte runes":   "abc" + strings.Repeat("😀", 50_000),
		"bytes":             strings.Repeat("\x00\xff", 50_000),
		"bytes, one more":   strings.Repeat("\x00\xff", 50_000) + "x",
		"text but the end":  strings.Repeat("a", 100_000) + "\xff",
		"a rune cut short":  strings.Repeat("é", 50_000) + "\xc3",
		"line ends, quotes": strings.Repeat("\"\r\n\\\u2028", 30_000),
	} {
		b := &brokertest.Broker{Serve: func(c *brokertest.Conn) {
			c.Deliver(1, "k", body)
			c.Deliver(2, "k", "behind it")
		}}
		got := strings.SplitAfter(events(t, bounded(t, b, limits), 2), "\n\n")
		if len(got) != 3 {
			t.Errorf("%s: %d events", name, len(got)-1)
			continue
		}
		var e struct {
			Body     string `json:"body"`
			Encoding string `json:"body_encoding"`
			Tag      int    `json:"delivery_tag"`
		}
		data, _, _ := strings.Cut(strings.TrimPrefix(got[0], "event: message\ndata: "), "\n")
		if err := json.Unmarshal([]byte(data), &e); err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if e.Encoding == "base64" {
			plain, err := base64.StdEncoding.DecodeString(e.Body)
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
			e.Body = string(plain)
		}
		if e.Body != body || e.Tag != 1 || !strings.Contains(got[1], `"body": "behind it"`) {
			t.Errorf("%s: %d bytes, want %d; tag %d, and then %.80s", name, len(e.Body), len(body), e.Tag, got[1])
		}
	}
}

// The limit itself is delivered, and one byte more is not.
func TestDeliver_BodyAtTheLimit_IsDelivered(t *testing.T) {
	for _, most := range []int64{1, 100, 70_000} {
		b := &brokertest.Broker{Serve: func(c *brokertest.Conn) {
			c.Deliver(1, "k", strings.Repeat("x", int(most)))
			c.Deliver(2, "k", strings.Repeat("x", int(most)+1))
		}}
		got := strings.SplitAfter(events(t, bounded(t, b, amqpstream.Limits{Budget: 1 << 20, Body: most}), 2), "\n\n")
		omitted := fmt.Sprintf(`"body_omitted": true, "body_size": %d`, most+1)
		if strings.Contains(got[0], "body_omitted") || !strings.Contains(got[0], `"`+strings.Repeat("x", int(most))+`"`) || !strings.Contains(got[1], omitted) {
			t.Errorf("%d: %.200s", most, got)
		}
	}
}

// delivery is a message as a broker sends it.
func delivery(tag uint64, body string) []byte {
	head := binary.BigEndian.AppendUint64([]byte{0, 60, 0, 0}, uint64(len(body)))
	return slices.Concat(
		method(1, 60, 60, brokertest.ShortString("farwire"), binary.BigEndian.AppendUint64(nil, tag), []byte{0}, brokertest.ShortString("ex"), brokertest.ShortString("k")),
		brokertest.Frame(2, 1, append(head, 0, 0)), brokertest.Frame(3, 1, []byte(body)))
}

// A writer that waits for the first of a burst is woken though the reader has no room for
// the rest of what one read gave.
func TestBuffer_BurstBeyondTheBudget_WriterIsWoken(t *testing.T) {
	for _, size := range []int{1, 100, 600} {
		synctest.Test(t, func(t *testing.T) {
			const n = 30
			deliver := make(chan struct{})
			b := &brokertest.Broker{Serve: func(c *brokertest.Conn) {
				<-deliver
				var burst []byte
				for tag := range n {
					burst = append(burst, delivery(uint64(tag+1), strings.Repeat("x", size))...)
				}
				c.Write(burst)
			}}
			c := bounded(t, b, amqpstream.Limits{Budget: 2000, Body: 1 << 20})
			if _, ok := c.Take(&amqpstream.Batch{}); ok {
				t.Fatal("there is a batch before the first message")
			}
			close(deliver)
			synctest.Wait()
			select {
			case <-c.Ready():
			default:
				t.Fatalf("%d bytes wait, and the writer with them", c.Waiting())
			}
			if got := c.Waiting(); got == 0 || got > 1000+200 { // the event of the last has more than its body
				t.Errorf("%d bytes wait", got)
			}
			if got := events(t, c, n); strings.Count(got, "\n\n") != n {
				t.Errorf("%d events", strings.Count(got, "\n\n"))
			}
			c.Close()
		})
	}
}

// A cutWriter fails behind so many bytes, and then its flush does.
type cutWriter struct {
	header http.Header
	left   int
}

var errCut = errors.New("cut")

func (w *cutWriter) Header() http.Header { return w.header }
func (w *cutWriter) WriteHeader(int)     {}

func (w *cutWriter) Write(p []byte) (int, error) {
	if w.left -= len(p); w.left < 0 {
		return 0, errCut
	}
	return len(p), nil
}

func (w *cutWriter) FlushError() error {
	if w.left <= 0 {
		return errCut
	}
	return nil
}

// A batch of which anything did not reach the client is not to be acknowledged: wherever
// the connection ends, Write says so.
func TestBatch_Write_ConnectionEnds_Fails(t *testing.T) {
	for name, body := range map[string]string{"small": "x", "large text": strings.Repeat("x", 200_000), "large bytes": strings.Repeat("\xff", 200_000)} {
		b := &brokertest.Broker{Serve: func(c *brokertest.Conn) { c.Deliver(1, "k", body) }}
		c := bounded(t, b, limits)
		batch, ok := c.Take(&amqpstream.Batch{})
		if !ok {
			<-c.Ready()
			batch, _ = c.Take(&amqpstream.Batch{})
		}
		if batch.Count != 1 || batch.Bytes != int64(len(body)) {
			t.Fatalf("%s: %d messages of %d bytes", name, batch.Count, batch.Bytes)
		}
		if small := name == "small"; batch.Small() != small {
			t.Errorf("%s: small %v", name, !small)
		}
		whole := &cutWriter{header: http.Header{}, left: 1 << 20}
		s, err := sse.Open(whole, 0, nil)
		if err != nil {
			t.Fatal(err)
		}
		before := whole.left
		if err := batch.Write(s); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		length := before - whole.left
		for _, left := range []int{0, 1, length / 3, length / 2, length - 20, length - 1, length} { // length: the flush fails
			w := &cutWriter{header: http.Header{}, left: 1 << 20}
			s, err := sse.Open(w, 0, nil)
			if err != nil {
				t.Fatal(err)
			}
			w.left = left
			if err := batch.Write(s); !errors.Is(err, errCut) {
				t.Errorf("%s: with %d of %d bytes written: %v", name, left, length, err)
			}
		}
	}
}

// What waits is counted with the large body that is among it, and an idle buffer gives its
// memory back without losing anything.
func TestBuffer_Waiting_CountsTheLargeBody(t *testing.T) {
	const size = 100_000
	synctest.Test(t, func(t *testing.T) {
		b := &brokertest.Broker{Serve: func(c *brokertest.Conn) { c.Deliver(1, "k", strings.Repeat("x", size)) }}
		c := bounded(t, b, limits)
		c.Shrink()
		synctest.Wait()
		before := c.Waiting()
		if before < size {
			t.Errorf("%d bytes wait, want %d", before, size)
		}
		if c.Shrink(); c.Waiting() != before {
			t.Errorf("%d bytes are lost", before-c.Waiting())
		}
		if got := events(t, c, 1); !strings.Contains(got, strings.Repeat("x", size)) {
			t.Errorf("%d bytes", len(got))
		}
		c.Close()
	})
}

// A consumer whose reader waits for room can be closed, and what it holds can still be taken.
func TestConsumer_Close_BufferFull_KeepsWhatIsHeld(t *testing.T) {
	for _, size := range []int{1000, 60_000, 100_000} {
		synctest.Test(t, func(t *testing.T) {
			const n = 600
			b := &brokertest.Broker{Serve: func(c *brokertest.Conn) {
				for tag := range n {
					c.Deliver(uint64(tag+1), "k", strings.Repeat("x", size))
				}
			}}
			c := bounded(t, b, amqpstream.Limits{Budget: 200_000, Body: 1 << 20})
			synctest.Wait() // until the reader waits
			held := c.Waiting()
			c.Close()
			<-c.Ended()
			batch, ok := c.Take(&amqpstream.Batch{})
			if !ok || batch.Count == 0 || batch.Count == n || held < batch.Bytes {
				t.Errorf("%d messages are held, of %d bytes", batch.Count, batch.Bytes)
			}
			if _, more := c.Take(&amqpstream.Batch{}); more || len(b.Asked(brokertest.Close)) != 1 {
				t.Errorf("more is held: %v, closed %d times", more, len(b.Asked(brokertest.Close)))
			}
		})
	}
}
