package decode

import (
	"bytes"
	"strings"
	"unicode/utf8"

	"github.com/gogs/chardet"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/language"
)

// In which encoding a page is that does not say it.

// detect guesses by the bytes' statistics, of which 64 KiB are enough, and by the
// language of the page.
func detect(body []byte, lang string) encoding.Encoding {
	if isASCII(body) && bytes.Contains(body, []byte("\x1b$")) {
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
	if err != nil || !severalBytes[best.Charset] {
		if enc := usual(sample, lang, best); enc != nil {
			return enc
		}
	}
	if err != nil || best.Confidence < 20 || strings.HasPrefix(best.Charset, "UTF-") {
		return nil
	}
	name := best.Charset
	switch name {
	case "GB-18030":
		name = "gb18030"
	case "KOI8-R":
		name = "koi8-u" // has the letters of Ukrainian in place of lines for tables
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

const sure = 60 // percent; the detector's other guesses are often of another script

// usual is the encoding that the HTML standard has for pages in a language which do not
// say theirs, if the detector does not know that encoding, or is not sure and its guess
// is one in which the language is not written. It is nil where that standard names
// windows-1252 or an encoding of several bytes.
func usual(b []byte, lang string, guess chardet.Result) encoding.Encoding {
	if lang == "" || len(lang) > 35 {
		return nil
	}
	tag, err := language.Parse(lang)
	if err != nil {
		return nil
	}
	name := htmlindex.LanguageDefault(tag)
	script, known := scripts[name]
	if !known || letters(b) != (script >= cyrillic) {
		return nil
	}
	own, guessed := scripts[strings.ToLower(strings.TrimSuffix(guess.Charset, "-I"))]
	if script != baltic && script != vietnamese && script != thai && (guess.Confidence >= sure || guessed && own == script && guess.Confidence >= 20) {
		return nil
	}
	if windows := larger[name]; windows != "" && hasC1(b) {
		name = windows
	}
	return lookup(name)
}

// Scripts with encodings of one byte; the first are Latin.
const (
	latin2 = iota
	turkish
	baltic
	vietnamese
	cyrillic
	greek
	hebrew
	arabic
	thai
)

var scripts = map[string]int{"iso-8859-2": latin2, "windows-1250": latin2, "iso-8859-9": turkish, "windows-1254": turkish,
	"windows-1257": baltic, "windows-1258": vietnamese, "windows-1251": cyrillic, "koi8-r": cyrillic, "koi8-u": cyrillic, "iso-8859-5": cyrillic,
	"iso-8859-7": greek, "windows-1253": greek, "iso-8859-8": hebrew, "windows-1255": hebrew, "iso-8859-6": arabic, "windows-1256": arabic, "windows-874": thai}

// larger are encodings with letters where others have control characters.
var larger = map[string]string{"iso-8859-2": "windows-1250", "iso-8859-7": "windows-1253"}

// letters reports a text in which most letters are outside ASCII: those of a script that
// is not Latin.
func letters(b []byte) bool {
	high, runs := 0, 0
	for i, c := range b {
		if c >= utf8.RuneSelf {
			if high++; i == 0 || b[i-1] < utf8.RuneSelf {
				runs++
			}
		}
	}
	return high >= 2*runs
}

// hasC1 reports bytes that are control characters in the encodings of ISO 8859.
func hasC1(b []byte) bool {
	for _, c := range b {
		if c >= 0x80 && c < 0xa0 {
			return true
		}
	}
	return false
}
