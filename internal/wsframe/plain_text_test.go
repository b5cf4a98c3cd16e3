package wsframe_test

import (
	"strings"
	"testing"

	"github.com/farwire/farwire/internal/wsframe"
)

// clientFrame is a client's frame with a key that is not zero.
func clientFrame(first byte, payload string) string {
	head := []byte{first}
	switch n := len(payload); {
	case n < 126:
		head = append(head, 0x80|byte(n))
	case n < 1<<16:
		head = append(head, 0x80|126, byte(n>>8), byte(n))
	default:
		head = append(head, 0x80|127, 0, 0, 0, 0, byte(n>>24), byte(n>>16), byte(n>>8), byte(n))
	}
	const key = "\x37\x01\xfe\x80"
	body := []byte(payload)
	for i := range body {
		body[i] ^= key[i&3]
	}
	return string(head) + key + string(body)
}

// A text frame is plain from its first byte on and has its payload with its last, whatever
// is behind it.
func TestPlainText_EachPrefix_IsTheMessageWhenWhole(t *testing.T) {
	for _, size := range []int{0, 1, 125, 126, 4096, 65535, 65536} {
		message := strings.Repeat("0123456789abc", size/13+1)[:size]
		sent := clientFrame(0x81, message)
		step := max(1, len(sent)/500)
		for n := 0; n < len(sent); n += step {
			if payload, _, plain := wsframe.PlainText([]byte(sent[:n])); payload != nil || !plain {
				t.Fatalf("%d bytes, %d of %d: %q, plain %v", size, n, len(sent), payload, plain)
			}
		}
		for _, behind := range []string{"", "\x88", "more"} {
			payload, length, plain := wsframe.PlainText([]byte(sent + behind))
			if payload == nil || string(payload) != message || length != len(sent) || !plain {
				t.Errorf("%d bytes and %q: %d bytes of %d, plain %v", size, behind, len(payload), length, plain)
			}
		}
	}
}

func TestPlainText_AnythingElse_IsNotPlain(t *testing.T) {
	for name, sent := range map[string]string{
		"a fragment": clientFrame(0x01, "x"), "binary": clientFrame(0x82, "x"), "a ping": clientFrame(0x89, ""),
		"a close": clientFrame(0x88, "\x03\xe8"), "a continuation": clientFrame(0x80, "x"),
		"compressed": clientFrame(0xC1, "x"), "a reserved bit": clientFrame(0xA1, "x"), "no mask": "\x81\x01x",
		"a longer length than needed": "\x81\xfe\x00\x01abcdx", "too long": "\x81\xff\x00\x00\x00\x01\x00\x00\x00\x00abcd",
		"a length without end": "\x81\xff\xff\xff\xff\xff\xff\xff\xff\xffabcd",
	} {
		if payload, _, plain := wsframe.PlainText([]byte(sent)); payload != nil || plain {
			t.Errorf("%s: %q, plain %v", name, payload, plain)
		}
	}
}
