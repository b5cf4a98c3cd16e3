package decode

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
)

// Charset is the encoding in which a page was written; the zero value is UTF-8. It is safe for
// concurrent use.
type Charset struct{ enc encoding.Encoding }

// IsUTF8 reports whether addresses in the page mean what they say in UTF-8.
func (c Charset) IsUTF8() bool { return c.enc == nil }

// charsetOfPage is that of a page in an encoding. Addresses in a page of UTF-16 are in UTF-8.
func charsetOfPage(enc encoding.Encoding) Charset {
	if is(enc, "utf-8", "utf-16le", "utf-16be") {
		enc = nil
	}
	return Charset{enc}
}

// Query is an address, as a page has it, whose query is written as browsers send it: in the
// encoding of the page (WHATWG URL, "query state"), and what that does not have as a
// reference to a character. The path is always in UTF-8.
func (c Charset) Query(ref string) string {
	at := strings.IndexByte(ref, '?')
	if c.enc == nil || at < 0 || isASCII([]byte(ref[at:])) {
		return ref
	}
	query, fragment, marked := strings.Cut(ref[at:], "#")
	var b strings.Builder
	b.WriteString(ref[:at])
	encoder := c.enc.NewEncoder()
	for len(query) > 0 {
		n := strings.IndexFunc(query, func(r rune) bool { return r >= utf8.RuneSelf })
		if n < 0 {
			n = len(query)
		}
		b.WriteString(query[:n])
		query = query[n:]
		n = strings.IndexFunc(query, func(r rune) bool { return r < utf8.RuneSelf })
		if n < 0 {
			n = len(query)
		}
		c.write(&b, encoder, query[:n])
		query = query[n:]
	}
	if marked {
		b.WriteString("#" + fragment)
	}
	return b.String()
}

// write writes a text that is not ASCII.
func (c Charset) write(b *strings.Builder, encoder *encoding.Encoder, text string) {
	encoder.Reset()
	whole, err := encoder.String(text)
	if err != nil && utf8.RuneCountInString(text) > 1 {
		for _, r := range text {
			c.write(b, encoder, string(r))
		}
		return
	}
	if err != nil {
		r, _ := utf8.DecodeRuneInString(text)
		whole = fmt.Sprintf("&#%d;", r)
	}
	for i := range len(whole) {
		fmt.Fprintf(b, "%%%02X", whole[i])
	}
}
