// Package safetext makes what others wrote fit to be kept, shown and logged: cut
// between letters, printable, a name of safe characters. It imports nothing of ours,
// so that each package may use it.
package safetext

import (
	"regexp"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Cut returns the first bytes of s, most of them at the most, and divides no letter of
// valid UTF-8.
func Cut[T string | []byte](s T, most int) T {
	if len(s) <= most {
		return s
	}
	for most > 0 && s[most]&0xc0 == 0x80 { // a byte that continues a letter
		most--
	}
	return s[:most]
}

// Clip is [Cut] for a reader: a text that was cut ends with an ellipsis.
func Clip(s string, most int) string {
	if cut := Cut(s, most); len(cut) < len(s) {
		return cut + "…"
	}
	return s
}

// Printable returns s so that it cannot command a terminal or look like another text:
// each control character becomes U+FFFD, and what nobody sees is left out.
func Printable(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case unicode.IsControl(r):
			return unicode.ReplacementChar
		case unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point):
			return -1
		}
		return r
	}, s)
}

// IsPlain reports whether a reader sees all of s: it is UTF-8, [Printable] changes nothing,
// and no white space stands at its ends.
func IsPlain(s string) bool {
	return utf8.ValidString(s) && Printable(s) == s && strings.TrimSpace(s) == s
}

// Capital returns s with its first letter, one of ASCII, in upper case.
func Capital(s string) string {
	first := Cut(s, 1)
	return strings.ToUpper(first) + s[len(first):]
}

// Count returns a number with what it counts: "1 page", "2 pages", "0 addresses".
func Count[N int | int64](n N, one string) string {
	switch {
	case n == 1:
	case strings.HasSuffix(one, "s"):
		one += "es"
	default:
		one += "s"
	}
	return strconv.FormatInt(int64(n), 10) + " " + one
}

// ASCII returns what is visible ASCII in s, most bytes of it at the most. It fits into
// a header and into a field of a log line.
func ASCII(s string, most int) string {
	out := make([]byte, 0, min(len(s), most))
	for i := 0; i < len(s) && len(out) < most; i++ {
		if ' ' < s[i] && s[i] <= '~' {
			out = append(out, s[i])
		}
	}
	return string(out)
}

// InName reports whether a name may hold r, which is one of [A-Za-z0-9._-].
func InName(r rune) bool {
	return 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' || r == '.' || r == '_' || r == '-'
}

// IsName reports whether s has from one to most characters, all of them of [InName].
func IsName(s string, most int) bool {
	return 1 <= len(s) && len(s) <= most && !strings.ContainsFunc(s, func(r rune) bool { return !InName(r) })
}

// inURL finds a URL's scheme, user and password, host and path, and what follows these.
var inURL = regexp.MustCompile(`\b([A-Za-z][A-Za-z0-9+.-]*://)([^\s/?#"]*@)?([^\s?#"]*)([?#][^\s"]*)?`)

// WithoutSecrets returns a text whose URLs have no user, password, query and fragment, as
// valid UTF-8.
func WithoutSecrets(text string) string {
	if !strings.Contains(text, "://") {
		return strings.ToValidUTF8(text, "")
	}
	return strings.ToValidUTF8(inURL.ReplaceAllString(text, "$1$3"), "")
}

// WithoutRepeats returns an error whose text quotes what a target has sent up to where the
// target may repeat a query, a header or a cookie of its request: programs of other
// protocols answer a request with its own words.
func WithoutRepeats(err error) error {
	what, sent, quotes := strings.Cut(err.Error(), `"`)
	i := strings.IndexAny(sent, "?=:")
	if !quotes || i < 0 {
		return err
	}
	return &cutError{what + `"` + sent[:i] + `…"`, err}
}

// A cutError is an error of which less is told.
type cutError struct {
	text string
	err  error
}

func (e *cutError) Error() string { return e.text }
func (e *cutError) Unwrap() error { return e.err }
