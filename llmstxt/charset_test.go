package llmstxt_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/farwire/farwire/llmstxt"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/japanese"
	"golang.org/x/text/encoding/simplifiedchinese"
	"golang.org/x/text/encoding/unicode"
)

// A page of an old encoding names others by words in the query, which browsers send in that.
func TestCrawl_QueryInAPageOfAnotherEncoding_IsSentAsBrowsersDo(t *testing.T) {
	for _, c := range []struct {
		name, word, sent string
		enc              encoding.Encoding
	}{
		{"iso-8859-1", "café", "caf%E9", charmap.Windows1252},
		{"windows-1251", "чай", "%F7%E0%E9", charmap.Windows1251},
		{"gbk", "新闻中心", "%D0%C2%CE%C5%D6%D0%D0%C4", simplifiedchinese.GBK},
		{"shift_jis", "表a茶", "%95%5Ca%92%83", japanese.ShiftJIS},
		{"iso-8859-2", "čaj €", "%E8aj%20%26%238364%3B", charmap.ISO8859_2},
		{"utf-8", "café", "caf%C3%A9", encoding.Nop},
		{"utf-16le", "café", "caf%C3%A9", unicode.UTF16(unicode.LittleEndian, unicode.IgnoreBOM)},
	} {
		for form, link := range map[string]string{"as it is": c.word, "escaped": c.sent, "entities": entities(c.word)} {
			body := fmt.Sprintf("<html lang=en><meta charset=%s><title>Teas</title><h1>Teas</h1><p>%s</p><p><a href='list.asp?class=%s&amp;n=1#a'>One</a> <a href='tee/%s'>Two</a> <a href='?a=b'>Three</a>", c.name, gadget, link, entities("ä"))
			sent, err := encoding.ReplaceUnsupported(c.enc.NewEncoder()).String(body)
			if form == "as it is" {
				sent, err = c.enc.NewEncoder().String(strings.ReplaceAll(body, "€", "&#8364;"))
			}
			if err != nil {
				t.Fatal(err)
			}
			w := &web{pages: map[string]answer{
				"http://docs.test/": {body: sent, header: map[string]string{"Content-Type": "text/html; charset=" + c.name}}, "http://docs.test/tee/%C3%A4": doc("Two"), "http://docs.test/?a=b": doc("Three"),
				"http://docs.test/list.asp?class=" + c.sent + "&n=1": doc("One"),
			}}
			if s := everyWay(t, w, "http://docs.test/", llmstxt.Options{}); len(s.Pages) != 4 {
				t.Errorf("%s, %s: %v, %v", c.name, form, urls(s), s.Skipped)
			}
		}
	}
}

// entities is a text in which each character that is not ASCII is a reference to it.
func entities(text string) string {
	var b strings.Builder
	for _, r := range text {
		if r < 0x80 {
			b.WriteRune(r)
		} else {
			fmt.Fprintf(&b, "&#%d;", r)
		}
	}
	return b.String()
}
