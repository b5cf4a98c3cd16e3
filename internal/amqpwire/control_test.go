package amqpwire_test

import (
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/farwire/farwire/internal/amqpwire"
)

var consumeOK = method(1, 60, 21, short("farwire")...)

func closing(channel, class, id uint16, code uint16, text string) []byte {
	args := append([]byte{byte(code >> 8), byte(code)}, short(text)...)
	return method(channel, class, id, append(args, 0, 0, 0, 0)...)
}

func TestReader_BeforeTheConsumer_LibraryReads(t *testing.T) {
	stream := join(start, declareOK,
		deliver(1, "e", "early"), header(1, 0), body("x"),
		consumeOK,
		deliver(2, "e", "k"), header(1, 0), body("y"), heartbeat,
		method(1, 60, 11),        // qos-ok
		method(2, 20, 20, 0),     // flow off
		method(2, 20, 20, 1),     // flow on
		frame(8, 0, []byte("?")), // not allowed to hold anything, and passed over
		closing(1, 20, 40, 406, "PRECONDITION_FAILED - too late"),
		method(1, 60, 30, append(short("farwire"), 1)...),
		closing(0, 10, 50, 320, "CONNECTION_FORCED - bye"),
		method(0, 10, 51),
	)
	for name, source := range sources {
		for _, size := range []int{8, 512} {
			var s sink
			r := amqpwire.NewReader(source(bytes.NewReader(stream)), &s)
			library, err := io.ReadAll(r)
			if err != nil || !bytes.Equal(library, join(start, declareOK, consumeOK)) || !r.HandedOver() {
				t.Fatalf("%s: the library read %q, %v, handed %v", name, library, err, r.HandedOver())
			}
			var got []string
			scratch := make([]byte, size)
			for {
				c, why, err := r.Next(scratch)
				if err != nil {
					if err != io.EOF {
						t.Errorf("%s: %v", name, err)
					}
					break
				}
				got = append(got, map[amqpwire.Control]string{amqpwire.Other: "other", amqpwire.Cancelled: "cancelled",
					amqpwire.ChannelClosed: "channel closed", amqpwire.Closed: "closed", amqpwire.CloseOK: "close-ok",
					amqpwire.FlowOff: "flow off", amqpwire.FlowOn: "flow on"}[c]+" "+why.Error())
			}
			want := "other 0 |other 0 |flow off 0 |flow on 0 |other 0 |channel closed 406 PRECONDITION_FAILED - too late|cancelled 0 |closed 320 CONNECTION_FORCED - bye|close-ok 0 "
			if strings.Join(got, "|") != want {
				t.Errorf("%s: got\n%s\nwant\n%s", name, strings.Join(got, "|"), want)
			}
			if strings.Join(s.seen, "; ") != `1 e early  "x"; 2 e k  "y"` {
				t.Errorf("%s: deliveries %s", name, s.seen)
			}
		}
	}
}

func TestNext_InvalidMethod_Fails(t *testing.T) {
	for name, bad := range map[string][]byte{
		"flow cut short":  method(1, 20, 20),
		"close cut short": method(0, 10, 50, 1, 64, 200, 'x'),
		"too large":       method(0, 10, 50, make([]byte, 5000)...),
		"no end":          append(closing(0, 10, 50, 320, "x")[:19], 0),
	} {
		r := amqpwire.NewReader(bytes.NewReader(join(start, consumeOK, bad)), &sink{})
		if _, err := io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
		_, _, err := r.Next(make([]byte, 512))
		var format amqpwire.FormatError
		if !errors.As(err, &format) {
			t.Errorf("%s: %v", name, err)
		}
	}
	r := amqpwire.NewReader(bytes.NewReader(join(start, consumeOK, heartbeat[:3])), &sink{})
	if _, err := io.ReadAll(r); err != nil {
		t.Fatal(err)
	}
	if _, _, err := r.Next(make([]byte, 512)); err != io.ErrUnexpectedEOF {
		t.Errorf("cut inside a frame: %v", err)
	}
}

// A library that was refused on its first channel consumes on another.
func TestReader_SecondChannel_IsTheConsumers(t *testing.T) {
	stream := join(start, closing(1, 20, 40, 403, "ACCESS_REFUSED - no"),
		method(2, 20, 11), method(2, 60, 21, short("farwire")...), heartbeat)
	r := amqpwire.NewReader(bytes.NewReader(stream), &sink{})
	library, err := io.ReadAll(r)
	if err != nil || !bytes.Equal(library, stream[:len(stream)-len(heartbeat)]) || !r.HandedOver() || r.Channel() != 2 {
		t.Errorf("the library read %q, %v, channel %d", library, err, r.Channel())
	}
}

// The frames as the specification's grammar has them, octet by octet.
func TestAppend_OwnFrames_MatchTheGrammar(t *testing.T) {
	for _, c := range []struct {
		name string
		got  []byte
		want string
	}{
		{"heartbeat", amqpwire.AppendHeartbeat(nil), "08 0000 00000000 ce"},
		{"ack", amqpwire.AppendAck(nil, 1, 258), "01 0001 0000000d 003c 0050 0000000000000102 01 ce"},
		{"flow-ok", amqpwire.AppendFlowOK(nil, 2, true), "01 0002 00000005 0014 0015 01 ce"},
		{"flow-ok of off", amqpwire.AppendFlowOK(nil, 1, false), "01 0001 00000005 0014 0015 00 ce"},
		{"close", amqpwire.AppendClose(nil), "01 0000 00000011 000a 0032 00c8 06 636c6f736564 0000 0000 ce"},
		{"close-ok", amqpwire.AppendCloseOK(nil), "01 0000 00000004 000a 0033 ce"},
	} {
		if got := hex.EncodeToString(c.got); got != strings.ReplaceAll(c.want, " ", "") {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

func FuzzNext(f *testing.F) {
	f.Add(join(heartbeat, closing(0, 10, 50, 320, "x"), deliver(1, "e", "k"), header(1, 0), body("y")))
	f.Add(method(0, 10, 50, 1))
	f.Fuzz(func(t *testing.T, in []byte) {
		r := amqpwire.NewReader(bytes.NewReader(join(start, consumeOK, in)), &sink{limit: 1 << 20})
		if _, err := io.ReadAll(r); err != nil {
			t.Fatal(err)
		}
		scratch := make([]byte, 512)
		for i := 0; ; i++ {
			_, why, err := r.Next(scratch)
			if err != nil {
				return
			}
			if i > len(in) || len(why.Text) > 255 {
				t.Fatalf("%d frames, %q", i, why)
			}
		}
	})
}
