package weburl

import "strings"

// Escape decodes what never needed an escape, escapes what must have
// one, and writes the rest in capitals.
func Escape(s string) string {
	marked := 0 // bytes with an escape, now or then
	for i := range len(s) {
		if s[i] == '%' || escaped(s[i]) {
			marked++
		}
	}
	if marked == 0 {
		return s
	}
	var b strings.Builder
	b.Grow(len(s) + 2*marked)
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c == '%' && i+2 < len(s) && isHex(s[i+1]) && isHex(s[i+2]) {
			c = unhex(s[i+1])<<4 | unhex(s[i+2])
			i += 2
			if unreserved(c) {
				b.WriteByte(c)
				continue
			}
		} else if c != '%' && !escaped(c) {
			b.WriteByte(c)
			continue
		}
		b.WriteByte('%')
		b.WriteByte(upperHex[c>>4])
		b.WriteByte(upperHex[c&15])
	}
	return b.String()
}

// escaped reports a byte that does not stand in an address as it is.
func escaped(c byte) bool { return c >= 0x7f || c <= ' ' || strings.IndexByte("\"<>`{}|^\\", c) >= 0 }

const upperHex = "0123456789ABCDEF"

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func unhex(c byte) byte {
	switch {
	case c <= '9':
		return c - '0'
	case c >= 'a':
		return c - 'a' + 10
	}
	return c - 'A' + 10
}

func unreserved(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || strings.IndexByte("-._~*", c) >= 0 // the star for net/url, which mixes it up with its escape
}
