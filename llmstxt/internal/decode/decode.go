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

	"github.com/gogs/chardet"
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
// its XML declaration, and by the statistics of its bytes. Whatever is said,
// what is valid UTF-8 with more than ASCII in it is UTF-8: nothing else looks
// so by chance. The result may share memory with body.
func UTF8(ctx context.Context, body []byte, kind string) ([]byte, error) {
	c := converter{ctx: ctx}
	if enc, n := mark(body); enc != nil {
		return c.convert(body[n:], enc)
	} else if n > 0 {
		body = body[n:]
	}
	header := lookup(charsetOf(kind))
	if is(header, "utf-16le", "utf-16be") {
		return checked(c.convert(body, header))
	}
	if enc, ok := wide(body); !ok {
		return nil, ErrText
	} else if enc != nil {
		return checked(c.convert(body, enc))
	}
	valid, ascii := utf8.Valid(body), isASCII(body)
	if valid && !ascii {
		return body, nil
	}
	meta := declared(body[:min(len(body), prescan)])
	for _, enc := range []encoding.Encoding{header, meta} {
		if enc == nil || is(enc, "utf-8") {
			continue
		}
		if out, err := checked(c.convert(body, enc)); err == nil || ctx.Err() != nil {
			return out, err
		}
	}
	if ascii && bytes.IndexByte(body, 0x1b) < 0 {
		return body, nil
	}
	if broken := invalid(body); (header != nil || meta != nil) && broken*20 <= len(body) && mostlyUTF8(body) {
		return bytes.ToValidUTF8(body, []byte("\ufffd")), nil
	}
	if enc := detect(body); enc != nil {
		if out, err := checked(c.convert(body, enc)); err == nil || ctx.Err() != nil {
			return out, err
		}
	}
	if mostlyUTF8(body) {
		return checked(bytes.ToValidUTF8(body, []byte("\ufffd")), nil)
	}
	return checked(c.convert(body, lookup("windows-1252")))
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

func charsetOf(kind string) string {
	if _, params, err := mime.ParseMediaType(kind); err == nil {
		return params["charset"]
	}
	_, rest, _ := strings.Cut(strings.ToLower(kind), "charset=")
	rest, _, _ = strings.Cut(rest, ";")
	return strings.Trim(rest, "\"' ")
}

// lookup finds an encoding by a label of the WHATWG's; nil if it is unknown. HZ, which
// browsers no longer read, is read all the same: it can do nobody harm here.
func lookup(label string) encoding.Encoding {
	if label == "" || len(label) > 40 {
		return nil
	}
	if strings.EqualFold(label, "hz-gb-2312") {
		return simplifiedchinese.HZGB2312
	}
	enc, err := htmlindex.Get(label)
	if err != nil {
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

// declared is what a page itself says.
func declared(head []byte) encoding.Encoding {
	z := html.NewTokenizer(bytes.NewReader(head))
	for {
		switch z.Next() {
		case html.ErrorToken:
			if m := xmlDeclaration.FindSubmatch(head); m != nil {
				return ascii(lookup(string(m[1])))
			}
			return nil
		case html.StartTagToken, html.SelfClosingTagToken:
			name, more := z.TagName()
			if string(name) != "meta" {
				continue
			}
			var charset, equiv, content string
			for more {
				var k, v []byte
				k, v, more = z.TagAttr()
				switch string(k) {
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
				return ascii(enc)
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

// detect guesses by the bytes' statistics, of which 64 KiB are enough.
func detect(body []byte) encoding.Encoding {
	if i := bytes.IndexByte(body, 0x1b); i >= 0 && isASCII(body) && bytes.Contains(body, []byte("\x1b$")) {
		return lookup("iso-2022-jp")
	}
	sample := body
	if len(sample) > prescan {
		// From where there is more than ASCII.
		i := bytes.IndexFunc(body, func(r rune) bool { return r >= 0x80 })
		sample = body[max(0, i):]
		sample = sample[:min(len(sample), prescan)]
	}
	// The detector asks for all encodings at once and has equal ones in any order.
	all, err := chardet.NewHtmlDetector().DetectAll(sample)
	var best chardet.Result
	for i, r := range all {
		if i == 0 || r.Confidence > best.Confidence || r.Confidence == best.Confidence && before(r.Charset, best.Charset) {
			best = r
		}
	}
	if err != nil || !severalBytes[best.Charset] {
		if enc := unknown(sample); enc != nil {
			return enc
		}
	}
	if err != nil || best.Confidence < 20 || strings.HasPrefix(best.Charset, "UTF-") {
		return nil
	}
	name := best.Charset
	if name == "GB-18030" {
		name = "gb18030"
	}
	return lookup(name)
}

// before says which of two encodings is taken that are equally likely.
func before(a, b string) bool {
	if severalBytes[a] != severalBytes[b] {
		return severalBytes[b]
	}
	return a < b
}

// severalBytes are the detector's encodings of several bytes a character.
var severalBytes = map[string]bool{"Shift_JIS": true, "EUC-JP": true, "EUC-KR": true, "GB-18030": true, "Big5": true, "ISO-2022-JP": true}

// unknown finds two encodings that the detector does not know by where their letters
// are: IBM866, in which all small letters of Russian stand below 0xb0 or above 0xdf, and
// Thai in windows-874, a script without spaces whose vowels and tones are in two ranges
// and stand where it has them, as letters of KOI8-R and halves of Chinese characters at
// the same places do not.
func unknown(b []byte) encoding.Encoding {
	var high, runs, cyrillic, small, thai, above, astray int
	for i, c := range b {
		if c < utf8.RuneSelf {
			continue
		}
		high++
		if i == 0 || b[i-1] < utf8.RuneSelf {
			runs++
		}
		if c < 0xb0 || c >= 0xe0 && c <= 0xf1 {
			cyrillic++
		}
		if c >= 0xa0 && c < 0xb0 {
			small++
		}
		if c >= 0xa1 && c <= 0xda || c >= 0xdf && c <= 0xfb {
			thai++
		}
		if c >= 0xd0 && c <= 0xda || c >= 0xe0 && c <= 0xee {
			above++
			if misplacedThai(b, i) {
				astray++
			}
		}
	}
	switch {
	case high < 20 || high < 3*runs:
		return nil // marks on Latin letters
	case cyrillic*20 >= high*19 && small*2 >= high:
		return lookup("ibm866")
	case thai*100 >= high*98 && high >= 5*runs && above*4 >= high && above*5 <= high*3 && astray*20 <= above:
		return lookup("windows-874")
	}
	return nil
}

// misplacedThai reports a vowel or a tone of Thai that stands where none can: one written
// above or below a letter has one before it, one written before a letter has one behind.
func misplacedThai(b []byte, i int) bool {
	letter := func(c byte) bool { return c >= 0xa1 && c <= 0xce }
	switch c := b[i]; {
	case c >= 0xe0 && c <= 0xe4:
		return i+1 < len(b) && !letter(b[i+1])
	case c == 0xd0, c == 0xd2, c == 0xd3, c == 0xe5, c == 0xe6:
		return false
	case i == 0:
		return true
	default:
		before := b[i-1]
		return !letter(before) && before != 0xd1 && !(before >= 0xd4 && before <= 0xda) && !(before >= 0xe7 && before <= 0xee)
	}
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

// MediaType is a Content-Type without its parameters, in lower case.
func MediaType(kind string) string {
	if m, _, err := mime.ParseMediaType(kind); err == nil {
		return m
	}
	kind, _, _ = strings.Cut(kind, ";")
	kind, _, _ = strings.Cut(kind, ",")
	return strings.ToLower(strings.TrimSpace(kind))
}
