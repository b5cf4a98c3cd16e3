package decode_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/farwire/farwire/llmstxt/internal/decode"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/korean"
	"golang.org/x/text/encoding/unicode"
)

const (
	ukrainianText  = "Цей пристрій перетворює воду на чай, і багатьом людям це дуже подобається вранці та ввечері. Є ще дві книги про її джерело."
	lithuanianText = "Šis prietaisas vandenį paverčia arbata, ir daugeliui žmonių tai labai patinka rytais ir vakarais. Yra dvi knygos apie šaltinį."
	latvianText    = "Šī ierīce pārvērš ūdeni tējā, un daudziem cilvēkiem tas ļoti patīk no rīta un vakarā. Ir divas grāmatas."
	estonianText   = "See seade muudab vee teeks ja paljudele inimestele meeldib see väga hommikul ja õhtul. On kaks raamatut, šokolaad ja žürii."
	vietnameseText = "Thiê\u0301t bi\u0323 na\u0300y biê\u0301n n\u01b0\u01a1\u0301c tha\u0300nh tra\u0300, râ\u0301t nhiê\u0300u ng\u01b0\u01a1\u0300i thi\u0301ch no\u0301 va\u0300o buô\u0309i sa\u0301ng."
	serbianText    = "Uređaj pretvara vodu u čaj, što se mnogim ljudima jako sviđa ujutro i naveče."
	czechText      = "Přístroj mění vodu v čaj, což se mnoha lidem velmi líbí ráno i večer. Jsou k němu také dvě knihy."
)

// The language of a page says in what it is written where its bytes do not.
func TestUTF8_NothingDeclaredButTheLanguage_IsDecoded(t *testing.T) {
	for name, tt := range map[string]struct {
		enc        encoding.Encoding
		lang, text string
	}{
		"KOI8-U":                       {charmap.KOI8U, "", ukrainianText},
		"KOI8-U of Ukrainian":          {charmap.KOI8U, "uk", ukrainianText},
		"windows-1251 of Ukrainian":    {charmap.Windows1251, "uk-UA", ukrainianText},
		"KOI8-R of Russian":            {charmap.KOI8R, "ru", russianText},
		"ISO-8859-5 of Russian":        {charmap.ISO8859_5, "ru", russianText},
		"IBM866 of Russian":            {charmap.CodePage866, "ru", russianText},
		"windows-1257 of Lithuanian":   {charmap.Windows1257, "lt", lithuanianText},
		"windows-1257 of Latvian":      {charmap.Windows1257, "lv-LV", latvianText},
		"windows-1257 of Estonian":     {charmap.Windows1257, "et", estonianText},
		"windows-1257 of few words":    {charmap.Windows1257, "lt", "Šaltinių žemėlapis"},
		"windows-1258 of Vietnamese":   {charmap.Windows1258, "vi", vietnameseText},
		"ISO-8859-2 of few words":      {charmap.ISO8859_2, "pl", "Źródła żółci."},
		"windows-1250 of few words":    {charmap.Windows1250, "pl", "Źródła śliwki."},
		"windows-1250 of Czech":        {charmap.Windows1250, "cs", czechText},
		"windows-1250 of Serbian":      {charmap.Windows1250, "sr", serbianText},
		"windows-1254 of few words":    {charmap.Windows1254, "tr", "Çay üzerine şunlar"},
		"windows-1251 of few words":    {charmap.Windows1251, "ru", "Чай и вода"},
		"windows-1252 of German":       {charmap.Windows1252, "de", germanText},
		"EUC-KR on a page in Estonian": {korean.EUCKR, "et", koreanText},
		"UTF-8 of Lithuanian":          {encoding.Nop, "lt", lithuanianText},
	} {
		body := page(t, tt.text, "", tt.enc)
		if tt.lang != "" {
			body = []byte(strings.Replace(string(body), "<html>", `<html class=x lang="`+tt.lang+`">`, 1))
		}
		out, err := decode.UTF8(t.Context(), body, "text/html")
		if err != nil || !strings.Contains(string(out), tt.text) {
			t.Errorf("%s: %v, %s", name, err, out)
		}
	}
}

// A label of an encoding that is not read is no reason to print signs of that.
func TestUTF8_EncodingNotRead_IsRefusedOrFound(t *testing.T) {
	shifted := "\x1b$)C<html><title>Tea</title><p>\x0e@L 55157B\x0f and \x0e9\x30\x0f."
	for _, label := range []string{"iso-2022-kr", "csISO2022KR", "ISO-2022-CN", "iso-2022-cn-ext", "replacement"} {
		for kind, head := range map[string]string{"text/html; charset=" + label: "", "text/html": "<meta charset=" + label + ">"} {
			if out, err := decode.UTF8(t.Context(), []byte(shifted+head), kind); !errors.Is(err, decode.ErrText) {
				t.Errorf("%s, %s: %v, %q", kind, head, err, out)
			}
			for text, enc := range map[string]encoding.Encoding{"plain words": encoding.Nop, koreanText: korean.EUCKR, germanText: encoding.Nop, russianText: charmap.KOI8R} {
				if out, err := decode.UTF8(t.Context(), page(t, text, head, enc), kind); err != nil || !strings.Contains(string(out), text) {
					t.Errorf("%s, %s: %v, %q", kind, head, err, out)
				}
			}
		}
	}
}

// What a header calls UTF-16 is that only if it may be.
func TestUTF8_UTF16InTheHeader_IsChecked(t *testing.T) {
	wide := func(e unicode.Endianness, text string) string {
		out, err := unicode.UTF16(e, unicode.IgnoreBOM).NewEncoder().String(text)
		if err != nil {
			t.Fatal(err)
		}
		return out
	}
	for label, e := range map[string]unicode.Endianness{"utf-16": unicode.LittleEndian, "UTF-16LE": unicode.LittleEndian, "utf-16be": unicode.BigEndian, "ucs-2": unicode.LittleEndian} {
		kind := "text/html; charset=" + label
		for name, tt := range map[string]struct{ body, want string }{
			"ASCII":              {"<html><title>Tea</title><p>plain words of a page", "plain words of a page"},
			"ASCII without tags": {"plain words of a page", "plain words of a page"},
			"UTF-8":              {"<p>" + germanText, germanText},
			"windows-1251":       {string(page(t, russianText, "", charmap.Windows1251)), russianText},
			"UTF-16":             {wide(e, "<html><p>"+japaneseText), japaneseText},
			"UTF-16, no zeros":   {wide(e, strings.Repeat(chineseText, 20)), chineseText},
			"mark, no zeros":     {wide(e, "\ufeff"+chineseText), chineseText},
		} {
			if out, err := decode.UTF8(t.Context(), []byte(tt.body), kind); err != nil || !strings.Contains(string(out), tt.want) {
				t.Errorf("%s, %s: %v, %q", name, kind, err, out)
			}
		}
	}
	// The page's own label cannot be read in UTF-16.
	if out, err := decode.UTF8(t.Context(), page(t, germanText, "<meta charset=utf-16>", charmap.Windows1252), "text/html"); err != nil || !strings.Contains(string(out), germanText) {
		t.Errorf("meta: %v, %q", err, out)
	}
}
