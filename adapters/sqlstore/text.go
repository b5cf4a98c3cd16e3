package sqlstore

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// escape makes text of any bytes: pages come with NUL and with what is no
// UTF-8, and PostgreSQL takes neither. Each such byte becomes U+FFFD and its
// two hexadecimal digits, and U+FFFD itself is doubled. All other text, nearly
// all there is, stays as it is.
func escape(s string) string {
	if utf8.ValidString(s) && strings.IndexByte(s, 0) < 0 && !strings.Contains(s, "\ufffd") {
		return s
	}
	var b strings.Builder
	for i := 0; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		switch {
		case r == utf8.RuneError && n > 1:
			b.WriteString("\ufffd\ufffd")
		case r == utf8.RuneError || r == 0:
			const digits = "0123456789abcdef"
			b.WriteString("\ufffd")
			b.WriteByte(digits[s[i]>>4])
			b.WriteByte(digits[s[i]&15])
		default:
			b.WriteString(s[i : i+n])
		}
		i += n
	}
	return b.String()
}

// unescape gives back what escape was given.
func unescape(s string) string {
	const mark = "\ufffd"
	if !strings.Contains(s, mark) {
		return s
	}
	var b strings.Builder
	for {
		before, rest, found := strings.Cut(s, mark)
		b.WriteString(before)
		if !found {
			return b.String()
		}
		s = rest
		if after, doubled := strings.CutPrefix(s, mark); doubled {
			b.WriteString(mark)
			s = after
		} else if c, ok := hexByte(s); ok {
			b.WriteByte(c)
			s = s[2:]
		} else {
			b.WriteString(mark) // a person has written here
		}
	}
}

func hexByte(s string) (byte, bool) {
	if len(s) < 2 {
		return 0, false
	}
	c, err := strconv.ParseUint(s[:2], 16, 8)
	return byte(c), err == nil
}

// text scans an escaped column.
type text struct{ *string }

func (t text) Scan(value any) error {
	switch v := value.(type) {
	case string:
		*t.string = unescape(v)
	case []byte:
		*t.string = unescape(string(v))
	default:
		return unexpected("a text", value)
	}
	return nil
}
