package decode_test

import (
	"bytes"
	"compress/flate"
	"compress/gzip"
	"compress/zlib"
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"github.com/andybalholm/brotli"
	"github.com/farwire/farwire/llmstxt/internal/decode"
	"github.com/klauspost/compress/zstd"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/traditionalchinese"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/encoding/unicode/utf32"
)

// Sentences about the same thing in several languages.
const (
	japaneseText = "この道具は水をお茶に変えます。朝も昼も夜も使えますし、多くの人に喜ばれています。説明書は二つあります。"
	russianText  = "Этот прибор превращает воду в чай, и многим людям это очень нравится по утрам и вечерам. К нему есть две книги."
	chineseText  = "这个小工具可以把水变成茶，很多人都喜欢它，因为它非常方便实用。它也可以做咖啡，说明书一共有两本。"
	taiwanText   = "這個小工具可以把水變成茶，很多人都喜歡它，因為它非常方便實用。它也可以做咖啡，說明書一共有兩本。"
	koreanText   = "이 도구는 물을 차로 바꾸며 많은 사람들이 아침과 저녁에 즐겨 사용합니다. 설명서는 두 권입니다."
	germanText   = "Das Gerät macht aus Wasser Tee, was sehr vielen Menschen früh und spät gefällt. Für größere Mengen gibt es zwei Bücher."
	polishText   = "Urządzenie zamienia wodę w herbatę, co bardzo wielu ludzi lubi rano i wieczorem. Są też dwie książki o źródłach żółci."
	greekText    = "Η συσκευή μετατρέπει το νερό σε τσάι, κάτι που αρέσει σε πολλούς ανθρώπους το πρωί και το βράδυ."
	hebrewText   = "המכשיר הופך מים לתה ואנשים רבים אוהבים את זה בבוקר ובערב. יש לו שני ספרים."
	arabicText   = "يحول الجهاز الماء إلى شاي وهذا ما يحبه كثير من الناس في الصباح والمساء. له كتابان."
	thaiText     = "อุปกรณ์นี้เปลี่ยนน้ำให้เป็นชา ซึ่งหลายคนชอบในตอนเช้าและตอนเย็น มีหนังสือคู่มือสองเล่ม"
	turkishText  = "Cihaz suyu çaya dönüştürür ve birçok insan bunu sabah ve akşam çok sever. İki kitabı vardır, şunlar ağırdır."
)

func page(t *testing.T, text, head string, enc encoding.Encoding) []byte {
	t.Helper()
	out, err := enc.NewEncoder().String("<html><head>" + head + "<title>Tea</title></head><body class=\"page wide\"><h1>Tea</h1><p>" + text + "</p></body></html>")
	if err != nil {
		t.Fatal(err)
	}
	return []byte(out)
}

func TestUTF8_NothingDeclared_EncodingIsDetected(t *testing.T) {
	for name, tt := range map[string]struct {
		enc  encoding.Encoding
		text string
	}{
		"Shift_JIS": {japanese.ShiftJIS, japaneseText}, "EUC-JP": {japanese.EUCJP, japaneseText}, "ISO-2022-JP": {japanese.ISO2022JP, japaneseText},
		"GBK": {simplifiedchinese.GBK, chineseText}, "Big5": {traditionalchinese.Big5, taiwanText}, "EUC-KR": {korean.EUCKR, koreanText},
		"windows-1250": {charmap.Windows1250, polishText}, "windows-1251": {charmap.Windows1251, russianText}, "windows-1252": {charmap.Windows1252, germanText},
		"windows-1253": {charmap.Windows1253, greekText}, "windows-1254": {charmap.Windows1254, turkishText}, "windows-1255": {charmap.Windows1255, hebrewText},
		"windows-1256": {charmap.Windows1256, arabicText}, "KOI8-R": {charmap.KOI8R, russianText}, "ISO-8859-2": {charmap.ISO8859_2, polishText}, "ISO-8859-5": {charmap.ISO8859_5, russianText},
		"IBM866": {charmap.CodePage866, russianText}, "windows-874": {charmap.Windows874, thaiText},
		"UTF-16LE": {unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM), russianText}, "UTF-16BE": {unicode.UTF16(unicode.BigEndian, unicode.IgnoreBOM), germanText},
		"UTF-16 of Japanese": {unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM), japaneseText},
	} {
		out, err := decode.UTF8(t.Context(), page(t, tt.text, "", tt.enc), "text/html")
		if err != nil || !strings.Contains(string(out), tt.text) {
			t.Errorf("%s: %v, %s", name, err, out)
		}
	}
}

func TestUTF8_CharsetDeclared_IsDecoded(t *testing.T) {
	late := "<!--" + strings.Repeat("x", 5000) + "-->"
	script := "<script>var s = \"<meta charset='koi8-r'>\";" + strings.Repeat("x=1;", 500) + "</script>"
	for name, tt := range map[string]struct {
		body []byte
		kind string
		want string
	}{
		"header":               {page(t, russianText, "", charmap.KOI8R), "text/html; charset=KOI8-R", russianText},
		"meta":                 {page(t, russianText, "<meta charset=windows-1251>", charmap.Windows1251), "text/html", russianText},
		"late meta":            {page(t, japaneseText, late+`<meta http-equiv="Content-Type" content="text/html; charset=Shift_JIS">`, japanese.ShiftJIS), "text/html", japaneseText},
		"meta behind a script": {page(t, russianText, script+"<meta charset=windows-1251>", charmap.Windows1251), "text/html; charset=utf-8", russianText},
		"ISO-2022-JP by meta":  {page(t, japaneseText, "<meta charset=ISO-2022-JP>", japanese.ISO2022JP), "text/html", japaneseText},
		"XML declaration":      {append([]byte(`<?xml version="1.0" encoding="iso-8859-2"?>`), page(t, polishText, "", charmap.ISO8859_2)...), "application/xhtml+xml", polishText},
		"meta is wrong":        {page(t, germanText, "<meta charset=iso-8859-1>", encoding.Nop), "text/html", germanText},
		"header is wrong":      {page(t, germanText, "", charmap.Windows1252), "text/html; charset=utf-8", germanText},
		"one stray byte":       {[]byte("<title>ä</title><p>" + germanText + " A stray \x96 byte."), "text/html; charset=utf-8", germanText},
		"only ASCII":           {[]byte("<p>plain words</p>"), "text/html; charset=utf-16", "plain words"},
		"unknown label":        {page(t, germanText, "", encoding.Nop), "text/html; charset=klingon", germanText},
	} {
		out, err := decode.UTF8(t.Context(), tt.body, tt.kind)
		if err != nil || !strings.Contains(string(out), tt.want) {
			t.Errorf("%s: %v, %.300s", name, err, out)
		}
	}
}

func TestUTF8_Binary_IsRefused(t *testing.T) {
	junk := make([]byte, 4000)
	for i := range junk {
		junk[i] = byte(i*i*31 + i*7 + i>>3)
	}
	wide := page(t, germanText, "", utf32.UTF32(utf32.LittleEndian, utf32.IgnoreBOM))
	for _, kind := range []string{"text/html", "text/html; charset=utf-8"} {
		if out, err := decode.UTF8(t.Context(), wide, kind); !errors.Is(err, decode.ErrText) {
			t.Errorf("UTF-32, %s: %v, %q", kind, err, out[:min(len(out), 60)])
		}
	}
	for _, kind := range []string{"text/html", "text/html; charset=utf-8", "text/html; charset=windows-1252"} {
		if out, err := decode.UTF8(t.Context(), junk, kind); !errors.Is(err, decode.ErrText) {
			t.Errorf("%s: %v, %q", kind, err, out[:min(len(out), 60)])
		}
	}
}

func packed(t *testing.T, body string, pack func(io.Writer) io.WriteCloser) []byte {
	t.Helper()
	var b bytes.Buffer
	w := pack(&b)
	if _, err := io.WriteString(w, body); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestBody_EachEncoding_IsDecoded(t *testing.T) {
	const body = "<title>Packed</title><p>Each page of this site is packed in another way."
	gz := func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) }
	raw := packed(t, body, func(w io.Writer) io.WriteCloser { f, _ := flate.NewWriter(w, 9); return f })
	z := packed(t, body, func(w io.Writer) io.WriteCloser { e, _ := zstd.NewWriter(w); return e })
	one := packed(t, body, gz)
	for name, tt := range map[string]struct {
		sent     []byte
		encoding string
		fails    bool
	}{
		"plain": {[]byte(body), "", false}, "identity": {[]byte(body), "identity", false}, "gzip": {one, "gzip", false}, "x-gzip": {one, "X-GZIP", false},
		"zlib": {packed(t, body, func(w io.Writer) io.WriteCloser { return zlib.NewWriter(w) }), "deflate", false}, "bare deflate": {raw, "deflate", false},
		"br": {packed(t, body, func(w io.Writer) io.WriteCloser { return brotli.NewWriter(w) }), "br", false}, "zstd": {z, "zstd", false},
		"twice": {packed(t, string(one), gz), "gzip, gzip", false}, "twice, said once": {packed(t, string(one), gz), "gzip", false}, "undeclared": {one, "", false},
		"not packed": {[]byte(body), "gzip", false}, "a charset": {[]byte(body), "utf-8", false}, "cut off": {one[:len(one)-12], "gzip", true},
		"unknown": {raw, "snappy", true}, "junk": {[]byte("\x00\x01\x02"), "br", true}, "many layers": {one, "gzip,gzip,gzip,gzip,gzip", true},
	} {
		out, err := decode.Body(t.Context(), tt.sent, tt.encoding, 1<<20, 1<<20, nil)
		if (err != nil) != tt.fails || err == nil && string(out) != body {
			t.Errorf("%s: %v, %.80q", name, err, out)
		}
	}
}

func TestBody_Bomb_IsTooLarge(t *testing.T) {
	zeros := strings.Repeat("\x00", 20<<20)
	for name, pack := range map[string]func(io.Writer) io.WriteCloser{
		"gzip": func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) },
		"br":   func(w io.Writer) io.WriteCloser { return brotli.NewWriterLevel(w, 1) },
		"zstd": func(w io.Writer) io.WriteCloser { e, _ := zstd.NewWriter(w); return e },
	} {
		larger := 0
		out, err := decode.Body(t.Context(), packed(t, zeros, pack), name, 8<<20, 512<<10, func(large bool) (*bytes.Buffer, error) {
			if large {
				larger++
			}
			return nil, nil
		})
		if !errors.Is(err, decode.ErrTooLarge) || out != nil || larger != 1 {
			t.Errorf("%s: %v, %d bytes, asked %d times", name, err, len(out), larger)
		}
	}
}

// Whoever has the right to a large body waits for it once, however often the body is packed.
func TestBody_LargeInEachLayer_RoomIsAskedForOnce(t *testing.T) {
	body := strings.Repeat("<p>words of a page that is packed", 30_000)
	stored := func(w io.Writer) io.WriteCloser { z, _ := gzip.NewWriterLevel(w, gzip.NoCompression); return z }
	best := func(w io.Writer) io.WriteCloser { z, _ := gzip.NewWriterLevel(w, gzip.BestCompression); return z }
	window := func(w io.Writer) io.WriteCloser { return brotli.NewWriterLevel(w, 1) }
	for name, c := range map[string]struct {
		sent      []byte
		encodings string
	}{
		"once":        {packed(t, body, best), "gzip"},
		"twice":       {packed(t, string(packed(t, body, stored)), best), "gzip, gzip"},
		"five times":  {packed(t, string(packed(t, string(packed(t, string(packed(t, string(packed(t, body, stored)), stored)), stored)), stored)), best), "gzip, gzip, gzip"},
		"three times": {packed(t, string(packed(t, string(packed(t, body, stored)), window)), window), "gzip, br, br"},
	} {
		asked := map[bool]int{}
		out, err := decode.Body(t.Context(), c.sent, c.encodings, 8<<20, 64<<10, func(large bool) (*bytes.Buffer, error) {
			asked[large]++
			return new(bytes.Buffer), nil
		})
		if err != nil || string(out) != body || asked[true] != 1 || asked[false] != 1 {
			t.Errorf("%s: %v, %d bytes, asked %v", name, err, len(out), asked)
		}
	}
}

func TestBody_EncodingNotApplied_LeavesTheBody(t *testing.T) {
	const body = "<title>Packed</title><p>Its server says more encodings than it has."
	gz := string(packed(t, body, func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) }))
	for _, encodings := range []string{"br, deflate, gzip", "deflate, gzip, identity", "utf-8, br, gzip", "gzip, gzip, gzip"} {
		if out, err := decode.Body(t.Context(), []byte(gz), encodings, 1<<20, 64, nil); err != nil || string(out) != body {
			t.Errorf("%s: %v, %.80q", encodings, err, out)
		}
	}
}

func TestStream_ManyLayers_IsRefused(t *testing.T) {
	for n, refused := range map[int]bool{2: false, 4: true, 80_000: true} {
		_, err := decode.Stream(strings.NewReader("\x3b"), strings.Repeat("identity,", n-1)+"identity")
		if (err != nil) != refused {
			t.Errorf("%d layers: %v", n, err)
		}
	}
}

func TestDecode_ContextEnded_Stops(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := decode.UTF8(ctx, page(t, russianText, "", charmap.KOI8R), "text/html; charset=koi8-r"); !errors.Is(err, context.Canceled) {
		t.Errorf("text: %v", err)
	}
	if _, err := decode.Body(ctx, packed(t, "x", func(w io.Writer) io.WriteCloser { return gzip.NewWriter(w) }), "gzip", 100, 100, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("body: %v", err)
	}
}

func FuzzUTF8(f *testing.F) {
	f.Add([]byte("<meta charset=koi8-r>\xf0\xf2\xe9"), "text/html")
	f.Add([]byte("\xff\xfea\x00"), "text/html; charset=utf-8")
	f.Add([]byte("\x1b$B$3\x1b(B"), "")
	f.Fuzz(func(t *testing.T, body []byte, kind string) {
		out, err := decode.UTF8(t.Context(), body, kind)
		if err == nil && len(out) > 4*len(body)+64 {
			t.Fatalf("%d bytes became %d", len(body), len(out))
		}
	})
}

func FuzzBody(f *testing.F) {
	for _, name := range []string{"gzip", "deflate", "br", "zstd", "", "gzip, br"} {
		f.Add([]byte("\x1f\x8b\x08\x00"), name)
		f.Add([]byte("(\xb5/\xfd\x00X"), name)
	}
	f.Fuzz(func(t *testing.T, sent []byte, encodings string) {
		out, err := decode.Body(t.Context(), sent, encodings, 1<<16, 1<<12, nil)
		if err == nil && len(out) > 1<<16 {
			t.Fatalf("%d bytes", len(out))
		}
	})
}

func TestUTF8_HZDeclared_IsRead(t *testing.T) {
	for kind, head := range map[string]string{"text/html; charset=HZ-GB-2312": "", "text/html": "<meta charset=hz-gb-2312>"} {
		body := page(t, chineseText, head, simplifiedchinese.HZGB2312)
		if out, err := decode.UTF8(t.Context(), body, kind); err != nil || !strings.Contains(string(out), chineseText) {
			t.Errorf("%s %s: %v, %.200q", kind, head, err, out)
		}
	}
}
