package safetext_test

import (
	"errors"
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/farwire/farwire/internal/safetext"
)

func TestCut_WithinALetter_CutsBeforeIt(t *testing.T) {
	const text = "aé€😀z"
	for most, want := range []string{"", "a", "a", "aé", "aé", "aé", "aé€", "aé€", "aé€", "aé€", "aé€😀", text, text} {
		if got := safetext.Cut(text, most); got != want {
			t.Errorf("%d bytes: %q, want %q", most, got, want)
		}
		if got := string(safetext.Cut([]byte(text), most)); got != want {
			t.Errorf("%d bytes of a slice: %q, want %q", most, got, want)
		}
		clipped := want + "…"
		if want == text {
			clipped = text
		}
		if got := safetext.Clip(text, most); got != clipped {
			t.Errorf("clipped to %d bytes: %q, want %q", most, got, clipped)
		}
	}
	if got := safetext.Cut("\x80\x80\x80", 2); got != "" {
		t.Errorf("of bytes that continue no letter: %q", got)
	}
}

func TestPrintable_UnseenText_IsLeftOut(t *testing.T) {
	for _, r := range "\u202e\u2066\u200b\u00ad\ufe0f\U000e0101\U000e0041\u2028\u034f\x1b\x07\r\n" {
		want := "ab"
		if unicode.IsControl(r) {
			want = "a\ufffdb"
		}
		if got := safetext.Printable("a" + string(r) + "b"); got != want {
			t.Errorf("%U: %q, want %q", r, got, want)
		}
	}
	if seen := "Zoë said: 日本 ☃"; safetext.Printable(seen) != seen {
		t.Errorf("a text that everybody sees became %q", safetext.Printable(seen))
	}
}

func TestCount_EachNumber_AgreesWithItsWord(t *testing.T) {
	for want, got := range map[string]string{
		"0 pages": safetext.Count(0, "page"), "1 page": safetext.Count(1, "page"), "2 addresses": safetext.Count(2, "address"), "1 address": safetext.Count(int64(1), "address"),
		"-1 links": safetext.Count(-1, "link"), "10 enrolled sites": safetext.Count(10, "enrolled site"),
	} {
		if got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}

func TestASCII_OtherBytes_AreLeftOut(t *testing.T) {
	if got := safetext.ASCII("v1 \x00é\x7f~!\n2", 64); got != "v1~!2" {
		t.Errorf("%q", got)
	}
	if got := safetext.Capital("gone") + safetext.Capital("") + safetext.Capital("éa"); got != "Goneéa" {
		t.Errorf("capitals: %q", got)
	}
	if got := safetext.ASCII("a b c d", 3); got != "abc" {
		t.Errorf("three bytes: %q", got)
	}
}

func TestIsName_EachCharacter_IsAllowedOrRefused(t *testing.T) {
	const safe = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-"
	for r := range rune(0x250) {
		if got, want := safetext.IsName(string(r), 1), strings.ContainsRune(safe, r); got != want {
			t.Errorf("%q is a name: %v", r, got)
		}
	}
	for name, want := range map[string]bool{safe: false, safe[:64]: true, "": false, "a/b": false, "a\xff": false, "..": true} {
		if got := safetext.IsName(name, 64); got != want {
			t.Errorf("%q is a name: %v", name, got)
		}
	}
}

func FuzzText(f *testing.F) {
	f.Add("aé€😀z", 3)
	f.Add("\xff\x80\u202e\x1b[2J", 2)
	f.Fuzz(func(t *testing.T, s string, most int) {
		if most < 0 {
			return
		}
		cut := safetext.Cut(s, most)
		if len(cut) > most || !strings.HasPrefix(s, cut) || utf8.ValidString(s) && (!utf8.ValidString(cut) || len(cut) < min(len(s), most)-3) {
			t.Errorf("%d bytes of %q: %q", most, s, cut)
		}
		if p := safetext.Printable(s); !utf8.ValidString(p) || strings.ContainsFunc(p, unicode.IsControl) || safetext.Printable(p) != p {
			t.Errorf("%q printed: %q", s, p)
		}
	})
}

func TestWithoutSecrets_AnyURL_HasNeitherUserNorQuery(t *testing.T) {
	for text, want := range map[string]string{
		"":                                      "",
		"no URL: a?b=c@d":                       "no URL: a?b=c@d",
		"http://h/p?q=s: refused":               "http://h/p refused",
		`Get "https://u:p@h:1/p?q=s#f": x`:      `Get "https://h:1/p": x`,
		"wss://u@h/a@b and amqps://u:p@h/v?x=1": "wss://h/a@b and amqps://h/v",
		"socks5h://u:p@h HTTP://u:p@H/#tok":     "socks5h://h HTTP://H/",
		"http://u:a@b@h/":                       "http://h/",
		"x http://[::1]:8/?a http://h":          "x http://[::1]:8/ http://h",
		"\xffhttp://u:p@h\xff/":                 "http://h/",
	} {
		if got := safetext.WithoutSecrets(text); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}

func TestWithoutRepeats_TargetSendsTheRequestBack_NothingSecretIsQuoted(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "unexpected EOF": "unexpected EOF", "no quotation: a?b=c": "no quotation: a?b=c",
		`not HTTP: "SSH-2.0-OpenSSH_9.2"`:               `not HTTP: "SSH-2.0-OpenSSH_9.2"`,
		`not HTTP: "-ERR GET /a?token=s HTTP/1.1"`:      `not HTTP: "-ERR GET /a…"`,
		`a header line: "Authorization: Bearer secret"`: `a header line: "Authorization…"`,
		`a header line: "a=secret"`:                     `a header line: "a…"`,
		`twice: "a", "b?secret"`:                        `twice: "a", "b…"`,
	} {
		err := errors.New(text)
		if got := safetext.WithoutRepeats(err); got.Error() != want || !errors.Is(got, err) {
			t.Errorf("%s: %s, want %s", text, got, want)
		}
	}
}
