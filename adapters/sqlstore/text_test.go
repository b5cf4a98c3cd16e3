package sqlstore

import (
	"math/rand/v2"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestEscape_InvalidText_ReadsBackAsItWas(t *testing.T) {
	for text, want := range map[string]string{
		"":                 "",
		"Grüße 𝄞\n":        "Grüße 𝄞\n",
		"a\x00b":           "a\ufffd00b",
		"caf\xe9":          "caf\ufffde9",
		"\ufffd":           "\ufffd\ufffd",
		"\ufffd00":         "\ufffd\ufffd00",
		"\xed\xa0\x80\xff": "\ufffded\ufffda0\ufffd80\ufffdff",
	} {
		if got := escape(text); got != want || unescape(got) != text {
			t.Errorf("%q becomes %q, want %q, and then %q", text, got, want, unescape(got))
		}
	}
	// What only a person can have written stays as it is.
	for _, text := range []string{"\ufffd", "a\ufffdzz", "\ufffd0", "\ufffd+1"} {
		if got := unescape(text); got != text {
			t.Errorf("%q is read as %q", text, got)
		}
	}
	// Any bytes become text and come back.
	pieces := []string{"\x00", "\ufffd", "\xff", "00", "e9", "a", "é", "\xc3", "\xef\xbf", "\xbd", "𝄞"}
	dice := rand.New(rand.NewPCG(1, 2))
	for range 10_000 {
		var b strings.Builder
		for range dice.IntN(8) {
			b.WriteString(pieces[dice.IntN(len(pieces))])
		}
		text, got := b.String(), escape(b.String())
		if !utf8.ValidString(got) || strings.Contains(got, "\x00") || unescape(got) != text {
			t.Fatalf("%q becomes %q and then %q", text, got, unescape(got))
		}
	}
}
