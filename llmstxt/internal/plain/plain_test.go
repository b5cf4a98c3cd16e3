package plain_test

import (
	"math/rand/v2"
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/farwire/farwire/llmstxt/internal/plain"
)

func tags(s string) string {
	return strings.Map(func(r rune) rune { return r + 0xe0000 }, s)
}

func TestVisible_HiddenCharacters_AreTakenOut(t *testing.T) {
	for in, want := range map[string]string{
		"plain text":                                     "plain text",
		"two\nlines\tand a tab":                          "two\nlines\tand a tab",
		"te\u00adst":                                     "test",
		"torch.\u200bnn.\u200bModule":                    "torch.nn.Module",
		"a\u202egnp.exe\u202c":                           "agnp.exe",
		"a\u2066b\u2069\u200e\u200f\u061c":               "ab",
		"x" + tags("ignore all") + "y":                   "xy",
		"\x1b[31mred\u009b0m":                            "[31mred0m",
		"a\ufe0fb\U000e0100":                             "ab",
		"a\u200db\u200cc":                                "abc",
		"\u0915\u094d\u200d\u0937":                       "\u0915\u094d\u200d\u0937",
		"\u0645\u06cc\u200c\u062e\u0648":                 "\u0645\u06cc\u200c\u062e\u0648",
		"👩\u200d💻 and ❤\ufe0f and 1\ufe0f\u20e3":         "👩\u200d💻 and ❤\ufe0f and 1\ufe0f\u20e3",
		"❤\ufe0f\ufe0f":                                  "❤\ufe0f",
		"葛\U000e0100":                                    "葛\U000e0100",
		"🏴" + tags("gbsct\x7f"):                          "🏴" + tags("gbsct\x7f"),
		"🏴" + tags("ignore\x7f"):                         "🏴",
		"\u0600123 \u115f\u3164\uffa0":                   "\u0600123 ",
		"\ufeffmark":                                     "mark",
		"\uf015Home\ue000 \uf8ff\U000f0001\U0010fffdx":   "Home x",
		"a\ufdd0\ufdef\ufffe\uffff\U0001ffff\U0010fffeb": "ab",
		"\ufdf2 \ufffd \ud7a3 \uf900 \U0001f34e":         "\ufdf2 \ufffd \ud7a3 \uf900 \U0001f34e",
	} {
		if got := plain.Visible(in); got != want {
			t.Errorf("%+q: %+q, want %+q", in, got, want)
		}
	}
}

func TestOneLine_SpacesAndControls_BecomeOneSpace(t *testing.T) {
	for in, want := range map[string]string{
		" a  b\n\tc ": "a b c", "": "", "\u00a0x\u3000y\u2028z": "x y z", "a\xffb": "a\ufffdb", "\u200b a": "a", "a \uf015 b": "a b", "a \u200b \uf015": "a", "ü  ö": "ü ö", "a\x00b": "a b",
	} {
		if got := plain.OneLine(in); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func FuzzOneLine(f *testing.F) {
	for _, s := range []string{"a b", "a\u200b\n b", "\xff\u202e", "👩\u200d💻", "🏴" + tags("gbeng\x7f")} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		out := plain.OneLine(s)
		if !utf8.ValidString(out) || strings.ContainsAny(out, "\n\r\t") || strings.Contains(out, "\u202e") {
			t.Fatalf("%+q: %+q", s, out)
		}
		if len(out) > 3*len(s) {
			t.Fatalf("%d bytes became %d", len(s), len(out))
		}
	})
}

func FuzzSentences(f *testing.F) {
	for _, s := range []string{"One. Two.", "e.g. this, i.e. that.", "这个。那个。", strings.Repeat("a. ", 50)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if got := strings.Join(plain.Sentences(s), ""); got != s {
			t.Fatalf("%q became %q", s, got)
		}
		if utf8.ValidString(s) {
			if got := plain.Cut(s, 50); utf8.RuneCountInString(got) > 50 {
				t.Fatalf("%q is longer than 50", got)
			}
		}
	})
}

// A text of ASCII alone has the key that it has beside other characters.
func TestKey_ASCII_SameAsBesideOthers(t *testing.T) {
	all := make([]byte, 0, 256)
	for c := range byte(0x80) {
		all = append(all, c, 'A'+c%26)
	}
	for _, s := range []string{"", "C++ and C#", "A [link](`code`) @home {1_000}", string(all)} {
		if got, beside := plain.Key(s), plain.Key(s+"É"); got+"é" != beside {
			t.Errorf("%q: %q, beside another character %q", s, got, beside)
		}
	}
}

// An abbreviation ends no sentence behind a sign that opens something either.
func TestSentences_AbbreviationBehindASign_EndsNone(t *testing.T) {
	for _, sign := range []string{"", "(", "[", `"`, "'", "“", "‘", "«", "/"} {
		for _, word := range []string{"Dr. Ada Doe", "e.g. Tea", "No. 5", "A. Doe"} {
			text := "We read of " + sign + word + " in the paper of today. "
			if got := plain.Sentences(text + "It was old."); len(got) != 2 || got[0] != text {
				t.Errorf("%q", got)
			}
		}
	}
}

// What goes on in lower case goes on with the sentence, behind a name with a sign too.
func TestSentences_SignBeforeALowerLetter_EndsNone(t *testing.T) {
	for _, sign := range []string{"!", "?", ".", `!"`, "?)", "!”"} {
		for begin, want := range map[string]int{"is": 1, "(is": 1, "“is": 1, "is.": 1, "It": 2, "Ist": 2, "Éa": 2} {
			text := "This is Yahoo" + sign + " "
			if got := plain.Sentences(text + begin + " a name"); len(got) != want || want == 2 && got[0] != text {
				t.Errorf("%s %s: %q", sign, begin, got)
			}
		}
	}
}

// CommonMark, section 2.5, in the lengths that names and numbers have.
func TestIsEntity_AnyText_AsTheExpressionSays(t *testing.T) {
	entity := regexp.MustCompile(`^&(#[0-9]{1,7}|#[xX][0-9a-fA-F]{1,6}|[a-zA-Z][a-zA-Z0-9]{1,40});`)
	texts := []string{"", "&", "&;", "&a;", "&#", "&#;", "&#x", "&#x;", "&#X1f600;", "&#1234567;", "&#12345678;",
		"&#x123456;", "&#x1234567;", "&a" + strings.Repeat("b", 40) + ";", "&a" + strings.Repeat("b", 41) + ";", "amp;"}
	for range 10_000 {
		b := []byte("&")
		for range rand.N(10) {
			b = append(b, "&#xXaAgG09;; "[rand.N(13)])
		}
		texts = append(texts, string(b))
	}
	for _, s := range texts {
		if got, want := plain.IsEntity(s), entity.MatchString(s); got != want {
			t.Errorf("%q: %v, want %v", s, got, want)
		}
	}
}

// Shorter ways to an answer give the same one as the long ones.
func TestText_OfManyKinds_IsReadAlikeInBothWays(t *testing.T) {
	r := rand.New(rand.NewPCG(3, 4))
	pieces := []string{"a", "Z", "9", " ", ".", "!", "?", ",", "\n", "\t", "\x00", "\x7f", "é", "\u00a0", "\u200b", "\uf015", "。", "C#", "#", "¶", " ¶", "e.g. ", ". B", "İ", "\xff"}
	for range 30_000 {
		var b strings.Builder
		for range r.IntN(8) {
			b.WriteString(pieces[r.IntN(len(pieces))])
		}
		text := b.String()
		if got, want := plain.OneLine(text), plain.Collapse(plain.Visible(plain.Collapse(text))); got != want {
			t.Fatalf("one line of %q is %q, want %q", text, got, want)
		}
		key := plain.Key(text)
		if !plain.KeyIs(text, key) {
			t.Fatalf("%q has not the key %q", text, key)
		}
		if other := plain.Key(text[:len(text)/2]); plain.KeyIs(text, other) != (other == key) {
			t.Fatalf("%q and the key %q", text, other)
		}
		other := strings.ReplaceAll(text, "Z", "É") // a letter that has the long way taken
		if got, want := len(plain.Sentences(text)), len(plain.Sentences(other)); got != want {
			t.Fatalf("%q has %d sentences, want %d", text, got, want)
		}
	}
}
