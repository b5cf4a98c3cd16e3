package sse_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/farwire/farwire/internal/sse"
)

func FuzzText(f *testing.F) {
	for _, s := range []string{"", "plain", "\"\\/\b\f\n\r\t\x00\x1f\x7f", "a\u2028b\u2029c\u0085d", "\xff\xe2\x80", "☃ü", "\ufffd", "a\r\n\r\nb"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, in []byte) {
		out := sse.AppendString(nil, in)
		if i := strings.IndexAny(string(out), "\r\n\u0085\u2028\u2029"); i >= 0 {
			t.Fatalf("%q has a line end in %q", in, out)
		}
		var back string
		if err := json.Unmarshal(out, &back); err != nil {
			t.Fatalf("%q gives %q: %v", in, out, err)
		}
		if want := strings.ToValidUTF8(string(in), "\ufffd"); back != want && back != perByte(in) {
			t.Fatalf("%q came back as %q", in, back)
		}
	})
}

// perByte replaces every byte that is not UTF-8, where ToValidUTF8 replaces
// runs of them.
func perByte(in []byte) string { return string([]rune(string(in))) }

func TestAppendError_CodeAndRetry_AreInTheEvent(t *testing.T) {
	got := string(sse.AppendError(nil, "agent error: \"x\"\n", 1011, "target_lost", false))
	want := "event: error\ndata: {\"message\": \"agent error: \\\"x\\\"\\n\", \"code\": 1011, \"reason\": \"target_lost\"}\n\n"
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	// An EventSource that would ask the same again is held off.
	got = string(sse.AppendError(nil, "no", 1008, "target_forbidden", true))
	want = "event: error\ndata: {\"message\": \"no\", \"code\": 1008, \"reason\": \"target_forbidden\"}\nretry: 86400000\n\n"
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func BenchmarkText(b *testing.B) {
	in := []byte(strings.Repeat(`{"odds": 1.95, "match": "A – B"}`, 8))
	out := make([]byte, 0, 1024)
	b.SetBytes(int64(len(in)))
	for b.Loop() {
		out = sse.AppendString(out[:0], in)
	}
}
