// Package decode makes text of what a server sends: it takes content encodings
// off and finds out in which character encoding a page is written.
package decode

import (
	"bytes"
	"context"
	"errors"
	"mime"
	"regexp"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/html"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"
)

const prescan = 64 << 10 // bytes in which a page may say how it is written

// ErrText says that no encoding makes text of a page.
var ErrText = errors.New("its text cannot be decoded")

// UTF8 converts a page. What it is written in is found, in this order, in its
// byte order mark, in the header, in the meta elements of its first 64 KiB, in
// its XML declaration, and by the statistics of its bytes and the language that it
// says it is in. Whatever is said, what is valid UTF-8 with more than ASCII in it is
// UTF-8: nothing else looks so by chance. The result may share memory with body.
func UTF8(ctx context.Context, body []byte, kind string) ([]byte, error) {
	text, _, err := Text(ctx, body, kind)
	return text, err
}

// Text is UTF8 with the encoding in which the body was written.
func Text(ctx context.Context, body []byte, kind string) ([]byte, Charset, error) {
	text, enc, err := text(ctx, body, kind)
	return text, charsetOfPage(enc), err
}

func text(ctx context.Context, body []byte, kind string) ([]byte, encoding.Encoding, error) {
	c := converter{ctx: ctx}
	in := func(enc encoding.Encoding) ([]byte, encoding.Encoding, error) {
		out, err := checked(c.convert(body, enc))
		return out, enc, err
	}
	if enc, n := mark(body); enc != nil {
		out, err := c.convert(body[n:], enc)
		return out, enc, err
	} else if n > 0 {
		body = body[n:]
	}
	header := lookup(charsetOf(kind))
	if is(header, "utf-16le", "utf-16be") {
		if isWide(body) {
			return in(header)
		}
		header = nil
	}
	if enc, ok := wide(body); !ok {
		return nil, nil, ErrText
	} else if enc != nil {
		return in(enc)
	}
	valid, ascii := utf8.Valid(body), isASCII(body)
	if valid && !ascii {
		return body, nil, nil
	}
	if ascii && shifts.Match(body) {
		return nil, nil, ErrText
	}
	meta, lang := declared(body[:min(len(body), prescan)])
	for _, enc := range []encoding.Encoding{header, meta} {
		if enc == nil || is(enc, "utf-8") {
			continue
		}
		if out, enc, err := in(enc); err == nil || ctx.Err() != nil {
			return out, enc, err
		}
	}
	if ascii && bytes.IndexByte(body, 0x1b) < 0 {
		return body, nil, nil
	}
	if broken := invalid(body); (header != nil || meta != nil) && broken*20 <= len(body) && mostlyUTF8(body) {
		return bytes.ToValidUTF8(body, []byte("\ufffd")), nil, nil
	}
	if enc := detect(body, lang); enc != nil {
		if out, enc, err := in(enc); err == nil || ctx.Err() != nil {
			return out, enc, err
		}
	}
	if mostlyUTF8(body) {
		out, err := checked(bytes.ToValidUTF8(body, []byte("\ufffd")), nil)
		return out, nil, err
	}
	return in(lookup("windows-1252"))
}

// mark finds a byte order mark. UTF-8 has no encoding of its own here.
func mark(b []byte) (encoding.Encoding, int) {
	switch {
	case bytes.HasPrefix(b, []byte("\xef\xbb\xbf")):
		return nil, 3
	case bytes.HasPrefix(b, []byte("\xff\xfe")):
		return unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM), 2
	case bytes.HasPrefix(b, []byte("\xfe\xff")):
		return unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM), 2
	}
	return nil, 0
}

// wide finds UTF-16 that no mark and no header names by the zero bytes of the tags
// in it: they stand beside each ASCII character, at the same places. It returns false
// for what has more of them, as UTF-32 has, which no browser reads.
func wide(b []byte) (enc encoding.Encoding, ok bool) {
	head := b[:min(len(b), 1024)&^1]
	if bytes.IndexByte(head, 0) < 0 {
		return nil, true
	}
	var zeros [2]int // at even and odd places
	for i, c := range head {
		if c == 0 {
			zeros[i&1]++
		}
	}
	most, least := max(zeros[0], zeros[1]), min(zeros[0], zeros[1])
	switch {
	case most*10 < len(head):
		return nil, true // stray ones
	case least*5 > most:
		return nil, false
	case zeros[0] > zeros[1]:
		return unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM), true
	}
	return unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM), true
}

// isWide reports whether what is called UTF-16 may be: it has zero bytes, or it is not
// valid UTF-8 and holds none of the tags that pages begin with. Text without spaces, such
// as Chinese, has no zero bytes.
func isWide(b []byte) bool {
	head := b[:min(len(b), 1024)]
	return bytes.IndexByte(head, 0) >= 0 || !utf8.Valid(b) && !narrowTag.Match(head)
}

var narrowTag = regexp.MustCompile(`(?i)<(?:!doctype|html|head|meta|title|body|script)[\s>]`)

// shifts are what the encodings of ISO 2022 for Korean and Chinese begin with, which no
// browser reads any longer.
var shifts = regexp.MustCompile(`\x1b\$\)[ACG]`)

func charsetOf(kind string) string {
	if _, params, err := mime.ParseMediaType(kind); err == nil {
		return params["charset"]
	}
	_, rest, _ := strings.Cut(strings.ToLower(kind), "charset=")
	rest, _, _ = strings.Cut(rest, ";")
	return strings.Trim(rest, "\"' ")
}

// lookup finds an encoding by a label of the WHATWG's; nil if it is unknown, or the label
// of one for which browsers show a sign that they cannot read it. HZ, which
// browsers no longer read, is read all the same: it can do nobody harm here.
func lookup(label string) encoding.Encoding {
	if label == "" || len(label) > 40 {
		return nil
	}
	if strings.EqualFold(label, "hz-gb-2312") {
		return simplifiedchinese.HZGB2312
	}
	enc, err := htmlindex.Get(label)
	if err != nil || enc == encoding.Replacement {
		return nil
	}
	return enc
}

func is(enc encoding.Encoding, names ...string) bool {
	if enc == nil {
		return false
	}
	name, err := htmlindex.Name(enc)
	for _, n := range names {
		if err == nil && n == name {
			return true
		}
	}
	return false
}

var xmlDeclaration = regexp.MustCompile(`^\s*<\?xml[^>]{0,200}\sencoding\s*=\s*["']([A-Za-z0-9_.:-]{1,40})["']`)

// declared is what a page itself says, and its language.
func declared(head []byte) (enc encoding.Encoding, lang string) {
	z := html.NewTokenizer(bytes.NewReader(head))
	for {
		switch z.Next() {
		case html.ErrorToken:
			if m := xmlDeclaration.FindSubmatch(head); m != nil {
				return ascii(lookup(string(m[1]))), lang
			}
			return nil, lang
		case html.StartTagToken, html.SelfClosingTagToken:
			name, more := z.TagName()
			if string(name) != "meta" && string(name) != "html" {
				continue
			}
			var charset, equiv, content string
			for more {
				var k, v []byte
				k, v, more = z.TagAttr()
				switch string(k) {
				case "lang":
					if string(name) == "html" && lang == "" {
						lang = string(v)
					}
				case "charset":
					charset = string(v)
				case "http-equiv":
					equiv = string(v)
				case "content":
					content = string(v)
				}
			}
			if charset == "" && strings.EqualFold(equiv, "content-type") {
				charset = charsetOf(content)
			}
			if enc := lookup(strings.TrimSpace(charset)); enc != nil {
				return ascii(enc), lang
			}
		}
	}
}

// ascii puts UTF-8 for an encoding in which the words that name it could not
// have been read.
func ascii(enc encoding.Encoding) encoding.Encoding {
	if is(enc, "utf-16le", "utf-16be") {
		return lookup("utf-8")
	}
	return enc
}

func isASCII(b []byte) bool {
	for _, c := range b {
		if c >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// invalid counts bytes that are not UTF-8.
func invalid(b []byte) int {
	n := 0
	for i := 0; i < len(b); {
		r, size := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && size == 1 {
			n++
		}
		i += size
	}
	return n
}

// mostlyUTF8 reports text in which valid sequences outnumber what is invalid by
// far: a stray byte in a page that was put together of several.
func mostlyUTF8(b []byte) bool {
	good, bad := 0, 0
	for i := 0; i < len(b); {
		if b[i] < utf8.RuneSelf {
			i++
			continue
		}
		r, size := utf8.DecodeRune(b[i:])
		if r == utf8.RuneError && size == 1 {
			bad++
		} else {
			good++
		}
		i += size
	}
	return good >= 4*bad
}

// IsHTML reports whether a Content-Type is that of a page.
func IsHTML(kind string) bool {
	m := MediaType(kind)
	return m == "text/html" || m == "application/xhtml+xml"
}

// IsXML reports whether a Content-Type is that of XML of any kind, which may be a page.
func IsXML(kind string) bool {
	m := MediaType(kind)
	return m == "text/xml" || m == "application/xml"
}

// MediaType is a Content-Type without its parameters, in lower case.
func MediaType(kind string) string {
	if m, _, err := mime.ParseMediaType(kind); err == nil {
		return m
	}
	kind, _, _ = strings.Cut(kind, ";")
	kind, _, _ = strings.Cut(kind, ",")
	return strings.ToLower(strings.TrimSpace(kind))
}
