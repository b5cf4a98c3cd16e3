package amqpwire_test

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/farwire/farwire/internal/amqpwire"
)

// frame builds one frame.
func frame(kind byte, channel uint16, payload []byte) []byte {
	b := []byte{kind}
	b = binary.BigEndian.AppendUint16(b, channel)
	b = binary.BigEndian.AppendUint32(b, uint32(len(payload)))
	return append(append(b, payload...), 0xCE)
}

func method(channel, class, id uint16, args ...byte) []byte {
	b := binary.BigEndian.AppendUint16(nil, class)
	b = binary.BigEndian.AppendUint16(b, id)
	return frame(1, channel, append(b, args...))
}

func short(s string) []byte { return append([]byte{byte(len(s))}, s...) }

func long(s string) []byte {
	return append(binary.BigEndian.AppendUint32(nil, uint32(len(s))), s...)
}

func deliver(tag uint64, exchange, key string) []byte {
	args := short("consumer")
	args = binary.BigEndian.AppendUint64(args, tag)
	args = append(args, 1)
	args = append(args, short(exchange)...)
	args = append(args, short(key)...)
	return method(1, 60, 60, args...)
}

func header(size uint64, flags uint16, properties ...byte) []byte {
	b := binary.BigEndian.AppendUint16(nil, 60)
	b = binary.BigEndian.AppendUint16(b, 0)
	b = binary.BigEndian.AppendUint64(b, size)
	b = binary.BigEndian.AppendUint16(b, flags)
	return frame(2, 1, append(b, properties...))
}

func body(s string) []byte { return frame(3, 1, []byte(s)) }

func join(parts ...[]byte) []byte { return bytes.Join(parts, nil) }

var (
	start     = method(0, 10, 10, []byte("whatever a broker says first")...)
	heartbeat = frame(8, 0, nil)
	declareOK = method(1, 50, 11, []byte("queue")...)
)

// A sink writes down what it is given.
type sink struct {
	limit uint64
	seen  []string
	kept  [][]byte
	owned []string
}

func (s *sink) Begin(d *amqpwire.Delivery) bool { return s.limit == 0 || d.Size <= s.limit }
func (s *sink) Pause()                          {}

func (s *sink) Deliver(d *amqpwire.Delivery, body []byte) {
	text := fmt.Sprintf("%d %s %s %s", d.Tag, d.Exchange, d.RoutingKey, d.ContentType)
	switch {
	case body == nil:
		text += fmt.Sprintf(" without %d", d.Size)
	case len(body) > 100:
		text += fmt.Sprintf(" %d of %q", len(body), body[:1])
	default:
		text += fmt.Sprintf(" %q", body)
	}
	if len(body) > amqpwire.Inline {
		s.kept = append(s.kept, body)
		s.owned = append(s.owned, string(body))
	}
	s.seen = append(s.seen, text)
}

// read gives the stream to a Reader and returns what the library would see.
func read(src io.Reader, s *sink) ([]byte, error) {
	r := amqpwire.NewReader(src, s)
	var out []byte
	p := make([]byte, 4096)
	for {
		n, err := r.Read(p)
		out = append(out, p[:n]...)
		if err != nil {
			return out, err
		}
	}
}

var sources = map[string]func(io.Reader) io.Reader{
	"whole":     func(r io.Reader) io.Reader { return r },
	"byte":      iotest.OneByteReader,
	"half":      iotest.HalfReader,
	"with data": iotest.DataErrReader,
}

func TestReader_Deliveries_GoToTheSink(t *testing.T) {
	huge := strings.Repeat("h", 100_000)
	full := strings.Repeat("f", amqpwire.Inline)
	stream := join(
		start, declareOK,
		deliver(1, "ex", "key"), header(0, 0),
		heartbeat,
		deliver(2, "ex", "key"), header(5, 1<<15, short("text/plain")...), body("hel"), heartbeat, body("lo"),
		deliver(3, "", ""), header(2, 0), body("ok"),
		deliver(4, "ex", "big"), header(100_000, 0), body(huge[:40_000]), body(huge[40_000:80_000]), body(huge[80_000:]),
		deliver(5, "ex", "full"), header(uint64(len(full)), 0), body(full[:1]), body(""), body(full[1:]),
		method(1, 60, 21, short("consumer")...), // consume-ok
	)
	want := []string{
		`1 ex key  ""`, `2 ex key text/plain "hello"`, `3    "ok"`, `4 ex big  100000 of "h"`, `5 ex full  65536 of "f"`,
	}
	through := join(start, declareOK, heartbeat, heartbeat, method(1, 60, 21, short("consumer")...))
	for name, source := range sources {
		t.Run(name, func(t *testing.T) {
			var s sink
			out, err := read(source(bytes.NewReader(stream)), &s)
			if err != io.EOF {
				t.Errorf("err %v", err)
			}
			if !bytes.Equal(out, through) {
				t.Errorf("through came %q", out)
			}
			if strings.Join(s.seen, "\n") != strings.Join(want, "\n") {
				t.Errorf("got\n%s", strings.Join(s.seen, "\n"))
			}
			for i := range s.kept {
				if string(s.kept[i]) != s.owned[i] {
					t.Error("a body that was given changed afterwards")
				}
			}
		})
	}
}

// Some brokers send a body frame of no bytes where the specification wants none.
func TestReader_EmptyBodyFrames_AreSkipped(t *testing.T) {
	stream := join(start,
		deliver(1, "e", "k"), header(0, 0), body(""),
		deliver(2, "e", "k"), header(0, 0), body(""), body(""), heartbeat,
		deliver(3, "e", "k"), header(6, 0), body(""), body("ab"), heartbeat, body(""), body("cdef"), body(""),
		deliver(4, "e", "k"), header(1, 0), body("x"),
		method(1, 60, 21, short("consumer")...),
		deliver(5, "e", "k"), header(0, 0), body(""), heartbeat)
	for name, source := range sources {
		var s sink
		r := amqpwire.NewReader(source(bytes.NewReader(stream)), &s)
		if _, err := io.ReadAll(r); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		for {
			if _, _, err := r.Next(make([]byte, 64)); err != nil {
				if err != io.EOF {
					t.Errorf("%s: %v", name, err)
				}
				break
			}
		}
		if got := strings.Join(s.seen, "; "); got != `1 e k  ""; 2 e k  ""; 3 e k  "abcdef"; 4 e k  "x"; 5 e k  ""` {
			t.Errorf("%s: %s", name, got)
		}
	}
	for name, bad := range map[string][]byte{
		"before any message":  join(start, body("")[:7], []byte{0}),
		"instead of a header": join(start, deliver(1, "e", "k"), body("")),
	} {
		var format amqpwire.FormatError
		if _, err := read(bytes.NewReader(bad), &sink{}); !errors.As(err, &format) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestReader_UnwantedBody_IsSkipped(t *testing.T) {
	stream := join(start,
		deliver(1, "e", "k"), header(11, 0), body("hello "), body("world"),
		deliver(2, "e", "k"), header(10, 0), body("1234567890"))
	for name, source := range sources {
		s := sink{limit: 10}
		if _, err := read(source(bytes.NewReader(stream)), &s); err != io.EOF {
			t.Errorf("%s: %v", name, err)
		}
		if got := strings.Join(s.seen, "; "); got != `1 e k  without 11; 2 e k  "1234567890"` {
			t.Errorf("%s: %s", name, got)
		}
	}
}

func TestReader_EveryProperty_IsRead(t *testing.T) {
	props := join(short("a/b"), short("gzip"), long("\x01kt\x01"), []byte{2, 9}, short("corr"), short("reply"), short("60000"),
		short("mid"), binary.BigEndian.AppendUint64(nil, 1700000000), short("kind"), short("user"), short("app"))
	var got amqpwire.Delivery
	var headers string
	s := catch(func(d *amqpwire.Delivery, _ []byte) { got, headers = *d, string(d.Headers) })
	stream := join(start, deliver(7, "e", "k"), header(0, 0xFFF8, props...))
	if _, err := amqpwire.NewReader(bytes.NewReader(stream), s).Read(make([]byte, 10_000)); err != nil {
		t.Fatal(err)
	}
	readAll(stream, s)
	if string(got.ContentType) != "a/b" || string(got.CorrelationID) != "corr" || string(got.MessageID) != "mid" ||
		string(got.Type) != "kind" || !got.HasTimestamp || got.Timestamp != 1700000000 || !got.Redelivered ||
		!got.HasHeaders || headers != "\x01kt\x01" || got.Tag != 7 ||
		string(got.ContentEncoding) != "gzip" || !got.HasDeliveryMode || got.DeliveryMode != 2 || !got.HasPriority || got.Priority != 9 ||
		string(got.ReplyTo) != "reply" || string(got.Expiration) != "60000" || string(got.UserID) != "user" || string(got.AppID) != "app" {
		t.Errorf("%+v", got)
	}
}

type catch func(*amqpwire.Delivery, []byte)

func (catch) Begin(*amqpwire.Delivery) bool               { return true }
func (catch) Pause()                                      {}
func (c catch) Deliver(d *amqpwire.Delivery, body []byte) { c(d, body) }

func readAll(stream []byte, s amqpwire.Sink) {
	_, _ = io.Copy(io.Discard, amqpwire.NewReader(bytes.NewReader(stream), s))
}

func TestReader_OtherProtocol_IsNamed(t *testing.T) {
	for _, c := range []struct {
		name, in string
		is       func(error) bool
	}{
		{"TLS alert", "\x15\x03\x03\x00\x02\x02\x46", func(err error) bool { return errors.Is(err, amqpwire.ErrTLS) }},
		{"HTTP", "HTTP/1.1 400 Bad Request\r\n\r\n", func(err error) bool { return errors.Is(err, amqpwire.ErrOther) }},
		{"SSH", "SSH-2.0-OpenSSH\r\n", func(err error) bool { return errors.Is(err, amqpwire.ErrOther) }},
		{"AMQP 1.0", "AMQP\x00\x01\x00\x00", func(err error) bool {
			var v amqpwire.VersionError
			return errors.As(err, &v) && v == "1.0"
		}},
		{"AMQP 1.0 with SASL", "AMQP\x03\x01\x00\x00", func(err error) bool {
			return err.Error() == "the target speaks AMQP 1.0, not AMQP 0-9-1"
		}},
		{"AMQP 0-10", "AMQP\x01\x01\x00\x0a", func(err error) bool {
			return err.Error() == "the target speaks AMQP 0-10, not AMQP 0-9-1"
		}},
		{"AMQP 0-9", "AMQP\x01\x01\x00\x09", func(err error) bool {
			return err.Error() == "the target speaks AMQP 0-9, not AMQP 0-9-1"
		}},
		{"nothing", "", func(err error) bool { return err == io.EOF }},
		{"half", "AMQP", func(err error) bool { return err == io.ErrUnexpectedEOF }},
	} {
		for name, source := range sources {
			if _, err := read(source(strings.NewReader(c.in)), &sink{}); !c.is(err) {
				t.Errorf("%s, %s: %v", c.name, name, err)
			}
		}
	}
}

func TestReader_InvalidFrame_Fails(t *testing.T) {
	noEnd := func(b []byte) []byte { b[len(b)-1] = 0; return b }
	for name, bad := range map[string][]byte{
		"type":                        frame(9, 1, nil),
		"no end of a method":          noEnd(deliver(1, "e", "k")),
		"no end of a header":          join(deliver(1, "e", "k"), noEnd(header(1, 0))),
		"no end of a body":            join(deliver(1, "e", "k"), header(1, 0), noEnd(body("x"))),
		"no end of a body, in pieces": join(deliver(1, "e", "k"), header(2, 0), body("x"), noEnd(body("y"))),
		"body without header":         body("x"),
		"body without delivery":       join(deliver(1, "e", "k"), body("x")),
		"header without delivery":     header(1, 0),
		"delivery inside another":     join(deliver(1, "e", "k"), deliver(2, "e", "k")),
		"body too long":               join(deliver(1, "e", "k"), header(1, 0), body("xy")),
		"body after the end":          join(deliver(1, "e", "k"), header(1, 0), body("x"), body("y")),
		"return":                      method(1, 60, 50),
		"get-ok":                      method(1, 60, 71),
		"short deliver":               method(1, 60, 60, 1, 'x', 0, 0),
		"short header":                join(deliver(1, "e", "k"), frame(2, 1, []byte{0, 60, 0, 0})),
		"short property":              join(deliver(1, "e", "k"), header(1, 1<<15, 200, 'x')),
		"other class":                 join(deliver(1, "e", "k"), frame(2, 1, make([]byte, 14))),
		"endless flags":               join(deliver(1, "e", "k"), header(1, 0xFFFF, 0xFF, 0xFF, 0xFF)),
		"huge method":                 append([]byte{1, 0, 0, 0x7f, 0xff, 0xff, 0xff}, 0, 10, 0, 11),
		"huge header":                 join(deliver(1, "e", "k"), []byte{2, 0, 1, 0x7f, 0xff, 0xff, 0xff}),
	} {
		for source, make := range sources {
			_, err := read(make(bytes.NewReader(join(start, bad))), &sink{})
			var format amqpwire.FormatError
			if !errors.As(err, &format) {
				t.Errorf("%s, %s: %v", name, source, err)
			}
		}
	}
	if _, err := read(bytes.NewReader(join(start, deliver(1, "e", "k"))), &sink{}); err != io.ErrUnexpectedEOF {
		t.Errorf("cut inside a message: %v", err)
	}
}

func TestReader_LargeHeader_IsRead(t *testing.T) {
	table := append(short("key"), 'S')
	table = append(table, long(strings.Repeat("v", 120_000))...)
	size := 0
	s := catch(func(d *amqpwire.Delivery, _ []byte) { size += len(d.Headers) })
	one := join(deliver(1, "e", "k"), header(0, 1<<13, long(string(table))...))
	readAll(join(start, one, one, deliver(2, "e", "k"), header(1, 0), body("x"), one), s)
	if size != 3*len(table) {
		t.Errorf("%d bytes of headers, want 3 times %d", size, len(table))
	}
}

// A large header makes the buffer so large that a body above Inline fits into it. The sink
// keeps that body, so it is one of its own.
func TestReader_LargeBodyBehindLargeHeader_IsGiven(t *testing.T) {
	table := append(short("key"), 'S')
	table = append(table, long(strings.Repeat("v", 70_000))...)
	for _, name := range []string{"whole", "half", "with data"} {
		s := &sink{}
		stream := [][]byte{start, deliver(1, "e", "k"), header(1, 1<<13, long(string(table))...), body("x")}
		for i := range 6 {
			text := strings.Repeat(string(rune('a'+i)), amqpwire.Inline+1+i*6_000)
			stream = append(stream, deliver(uint64(i)+2, "e", "k"), header(uint64(len(text)), 0), body(text))
		}
		read(sources[name](bytes.NewReader(join(stream...))), s)
		if len(s.kept) != 6 {
			t.Errorf("%s: %d bodies are kept", name, len(s.kept))
		}
		for i, kept := range s.kept {
			if string(kept) != s.owned[i] {
				t.Errorf("%s: body %d has changed since it was delivered", name, i)
			}
		}
	}
}

// A header may announce any body up to the limit: memory grows with what comes.
func TestReader_AnnouncedBody_CostsWhatHasCome(t *testing.T) {
	const announced = 16 << 20
	for _, came := range []int{1, 1000, 100_000, 1 << 20} {
		stream := join(start, deliver(1, "e", "k"), header(announced, 0), body(strings.Repeat("x", came)))
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		read(bytes.NewReader(stream), &sink{})
		runtime.ReadMemStats(&after)
		if grown := after.TotalAlloc - before.TotalAlloc; grown > 1<<20+uint64(12*came) {
			t.Errorf("%d bytes of a body cost %d bytes of memory", came, grown)
		}
	}
}

func FuzzReader(f *testing.F) {
	f.Add(join(start, deliver(1, "e", "k"), header(5, 1<<15, short("t")...), body("hello"), heartbeat), uint8(3))
	f.Add(join(start, declareOK, deliver(1, "", ""), header(0, 0), deliver(2, "", ""), header(3, 0), body("a"), body("bc")), uint8(9))
	f.Add([]byte("AMQP\x00\x00\x09\x01"), uint8(1))
	f.Add(join(start, deliver(1, "e", "k"), header(1<<40, 0), body("a")), uint8(200))
	f.Fuzz(func(t *testing.T, in []byte, piece uint8) {
		a, b := sink{limit: 1 << 20}, sink{limit: 1 << 20}
		outA, errA := read(bytes.NewReader(in), &a)
		outB, errB := read(&pieces{in, int(piece)%97 + 1}, &b)
		if !bytes.Equal(outA, outB) || strings.Join(a.seen, "\n") != strings.Join(b.seen, "\n") {
			t.Fatalf("in pieces: %q, %q; whole: %q, %q", outB, b.seen, outA, a.seen)
		}
		if fmt.Sprint(errA) != fmt.Sprint(errB) {
			t.Fatalf("in pieces: %v; whole: %v", errB, errA)
		}
		if len(outA) > len(in) {
			t.Fatalf("%d bytes of %d came through", len(outA), len(in))
		}
	})
}

type pieces struct {
	b []byte
	n int
}

func (p *pieces) Read(b []byte) (int, error) {
	if len(p.b) == 0 {
		return 0, io.EOF
	}
	n := copy(b, p.b[:min(p.n, len(p.b))])
	p.b = p.b[n:]
	return n, nil
}
