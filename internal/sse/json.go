package sse

import (
	"encoding/base64"
	"strconv"
	"unicode/utf8"
)

// AppendText appends s as a JSON string without its quotes (RFC 8259, section
// 7). Nothing in it can end a line: not for the event stream, not for a client
// that splits its text as Python does, at U+0085 too, and not for a script that
// the JSON is pasted into, which takes U+2028 and U+2029 as line ends. Bytes that
// are not UTF-8 become U+FFFD.
func AppendText(dst []byte, s []byte) []byte {
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if plain[c] {
			i++
			continue
		}
		if c < utf8.RuneSelf {
			dst = append(dst, s[start:i]...)
			dst = appendEscape(dst, c)
			i++
			start = i
			continue
		}
		r, size := utf8.DecodeRune(s[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			dst = append(dst, s[start:i]...)
			dst = append(dst, "\ufffd"...)
		case r == '\u0085', r == '\u2028', r == '\u2029':
			dst = append(dst, s[start:i]...)
			dst = append(dst, lineEnds[r]...)
		default:
			i += size
			continue
		}
		i += size
		start = i
	}
	return append(dst, s[start:]...)
}

// AppendString appends s as a JSON string with its quotes.
func AppendString[S string | []byte](dst []byte, s S) []byte {
	dst = append(dst, '"')
	dst = AppendText(dst, []byte(s))
	return append(dst, '"')
}

// AppendBase64 appends s in base64 (RFC 4648, section 4) without quotes.
func AppendBase64(dst []byte, s []byte) []byte {
	return base64.StdEncoding.AppendEncode(dst, s)
}

// AppendError appends the error event that ends a stream: a text, the code of a
// close frame that would say the same, and a reason for programs. After a last
// one an EventSource, which connects again by itself, waits for a day.
func AppendError(dst []byte, message string, code int, reason string, last bool) []byte {
	dst = append(dst, "event: error\ndata: {\"message\": "...)
	dst = AppendString(dst, message)
	dst = append(dst, `, "code": `...)
	dst = strconv.AppendInt(dst, int64(code), 10)
	dst = append(dst, `, "reason": `...)
	dst = AppendString(dst, reason)
	dst = append(dst, '}')
	if last {
		dst = append(dst, "\nretry: 86400000"...)
	}
	return append(dst, "\n\n"...)
}

func appendEscape(dst []byte, c byte) []byte {
	switch c {
	case '"', '\\':
		return append(dst, '\\', c)
	case '\n':
		return append(dst, '\\', 'n')
	case '\r':
		return append(dst, '\\', 'r')
	case '\t':
		return append(dst, '\\', 't')
	}
	const hex = "0123456789abcdef"
	return append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
}

// lineEnds are escapes of characters outside ASCII at which clients split lines.
var lineEnds = map[rune]string{'\u0085': `\u0085`, '\u2028': `\u2028`, '\u2029': `\u2029`}

// plain says which bytes stand for themselves whatever comes next.
var plain = func() (t [256]bool) {
	for c := ' '; c < utf8.RuneSelf; c++ {
		t[c] = c != '"' && c != '\\'
	}
	return t
}()
