package htmlpage

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// seeds are markup in which tokenizers differ.
var seeds = []string{
	"", "<", "a<b", "a < b", "<p>x</p>", "<P CLASS=a>", "</p >", "</>", "</ p>", "<!-->x-->", "<!--->x-->", "<!--a--!>b", "<!--a-- b-->c",
	"<!doctype html>", "<?xml version='1.0'?>", "<![CDATA[x]]>", "<a href=x/>y", "<br/>", "<a b='c>d' e=\"f>g\" h=i>", "<a =b>", "<a b = c>",
	"<a b c>", "<a b/c>", "<a href='?a=1&copy=2&amp;b=&lt&ltx&#65&#x41;'>", "&amp;&lt;&notit;&copy", "<title>a</b>&amp;</title>",
	"<textarea><p></textarea>x", "<style>a<b</style><i>", "<script>if(a<b)</script>x", "<script><!--<script></script>--></script>y",
	"<script src=x></script>", "<noscript><p>on</p></noscript>", "<plaintext><p>", "<title/>x</title>", "<a b=c b=d>", "<x-y z>", "<p", "<p a", "<p a='",
	"<a\x00b c\x00d=e>", "<a \xff=\xfe>", "<iframe><a></iframe>", "<xmp><a></xmp>", "<!", "<!-", "<!--", "<!---", "</", "</a", "<?", "<script", "<script></scrip",
}

func FuzzTokens(f *testing.F) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, page []byte) {
		if len(page) > 4096 {
			return
		}
		low := bytes.ToLower(page)
		if bytes.Contains(low, []byte("<script")) && bytes.Contains(low, []byte("<!-")) {
			// The other one leaves an escaped script at any "<", the standard does not.
			return
		}
		if bytes.IndexByte(page, 0) >= 0 || bytes.IndexByte(page, '\r') >= 0 {
			return // replaced there, passed on here
		}
		compareTokens(t, page)
	})
}

// compareTokens holds the lexer to the tokens of html.Tokenizer.
func compareTokens(t *testing.T, page []byte) {
	z := html.NewTokenizer(bytes.NewReader(page))
	l := &lexer{page: page}
	for {
		tt := z.Next()
		raw := bytes.Clone(z.Raw())
		kind := l.next()
		if tt == html.ErrorToken {
			if kind != endOfPage {
				t.Fatalf("a token %q behind the end of %q", l.bytes(), page)
			}
			return
		}
		want := map[html.TokenType]tokenKind{html.TextToken: textToken, html.StartTagToken: startTag, html.SelfClosingTagToken: startTag,
			html.EndTagToken: endTag, html.CommentToken: otherToken, html.DoctypeToken: otherToken}[tt]
		if kind != want || !bytes.Equal(l.bytes(), raw) {
			t.Fatalf("token %d %q, want %d %q, in %q", kind, l.bytes(), want, raw, page)
		}
		switch kind {
		case textToken:
			if got, want := l.text(1<<20), string(z.Text()); got != want {
				t.Fatalf("text %q, want %q, in %q", got, want, page)
			}
		case startTag:
			name, more := z.TagName()
			if got := l.tag; got != atom.Lookup(name) && len(name) <= 16 {
				t.Fatalf("name %v, want %s, in %q", got, name, page)
			}
			for more {
				var k, v []byte
				k, v, more = z.TagAttr()
				if string(k) == "hidden" && len(v) == 0 {
					continue
				}
				if got := l.attrs(string(k))[0]; got != string(v) && isASCII(k) {
					t.Fatalf("attribute %q is %q, want %q, in %q", k, got, v, page)
				}
			}
		}
	}
}

// A tag keeps where its first attributes stand and reads the others when they are asked for.
func TestTokens_ManyAttributes_EachIsFound(t *testing.T) {
	shapes := []string{` a%d="%d > '"`, `/b%d='%d "'`, " C%d = %d", "\nd%d", "\td%d\f", " e%d=", ` f%d="x" / `, `g%d=%d/`, " h%d= \"\""}
	for count := range 3 * maxFound {
		var tag strings.Builder
		tag.WriteString("<BlockQuote")
		for i := range count {
			if shape := shapes[i%len(shapes)]; strings.Count(shape, "%") == 2 {
				fmt.Fprintf(&tag, shape+" ", i, count)
			} else {
				fmt.Fprintf(&tag, shape+" ", i)
			}
		}
		compareTokens(t, []byte(tag.String()+"></BLOCKQUOTE><p>"+strings.Repeat(tag.String()+"/>", 2)))
	}
}

func isASCII(b []byte) bool {
	return bytes.IndexFunc(b, func(r rune) bool { return r >= 0x80 || 'A' <= r && r <= 'Z' }) < 0
}

func TestTokens_Script_EndsAsTheStandardSays(t *testing.T) {
	for page, rest := range map[string]string{
		"<script>a</script>b":                                  "b",
		"<script>'<!-- <script> </script> -->' </script>b":     "b",
		"<script><!-- </script>b":                              "b",
		"<script><!-- <script> </script> x </script>b":         "b",
		"<script><!-- <script> --> </script>b":                 "b",
		"<script><!--> <script> </script>b":                    "b",
		"<script>document.write('<scr'+'ipt>')</script >b":     "b",
		"<script><!-- <scripty> </script>b":                    "b",
		"<script>" + strings.Repeat("<!-- <script ", 50) + "b": "",
	} {
		l := &lexer{page: []byte(page)}
		got := ""
		for k := l.next(); k != endOfPage; k = l.next() {
			if k == textToken && !l.plain {
				got += l.text(1 << 20)
			}
		}
		if got != rest {
			t.Errorf("%s: %q behind the script, want %q", page, got, rest)
		}
	}
}
