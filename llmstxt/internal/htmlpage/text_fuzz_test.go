package htmlpage

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/farwire/farwire/llmstxt/internal/plain"
	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// textSeeds are pages on which readers differ about what is text.
var textSeeds = []string{
	"<p>one<p>two", "a<b>b</b>c", "<head>early<title>t</title></head>late", "<title>a</title><title>b</title>c", "<body><title>x</title>y",
	"<style>p{}</style>x", "<body><style>p{}</style>x<style>", "<script>a</script>b<script>c", "<noscript><p>on</p></noscript>off",
	"<textarea><p>raw</textarea>x", "<xmp><b></xmp>y", "<iframe>in</iframe>out", "<noembed>in</noembed>out", "<noframes>in</noframes>out",
	"<table>fostered<tr><td>cell</table>after", "<a href=x>link<a href=y>other", "<!-- c -->t<!-->u-->v", "<ul><li>a<li>b</ul>", "</p>x</br>y",
	"<html><body>x</body></html>y", "<head><meta charset=utf-8><p>x", "<head><noscript>n</noscript>x", "<nav>menu</nav><main>text</main><footer>end</footer>",
	"<div hidden>h</div>v", "<h1>title</h1><h2>more</h2>", "<button>b</button><label>l</label>", "<pre>\n code</pre>", "<?pi?>x<!doctype html>y", "< p>x</ p>y",
	"<script/>x</script>y", "<title/>x</title>y", "<details><summary>s</summary>d</details>", "<dl><dt>a<dd>b</dl>", "<p a='>'>x", "<p a=\"<q>\">x<", "x</", "x<!",
}

// FuzzText holds what a pass takes for a page's text to the text nodes of the tree
// that package html makes of it: the same letters, whatever their order, because a
// tree moves some out of tables.
func FuzzText(f *testing.F) {
	for _, s := range textSeeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, page []byte) {
		if len(page) > 1500 || !utf8.Valid(page) || bytes.ContainsAny(page, "\x00\r&") {
			return // other tests look at entities and encodings
		}
		low := bytes.ToLower(page)
		for _, other := range []string{"<svg", "<math", "<frameset", "<plaintext", "<select", "<template", "<!--<script"} {
			if bytes.Contains(low, []byte(other)) {
				return // rules of their own in a tree
			}
		}
		if bytes.Contains(low, []byte("<script")) && bytes.Contains(low, []byte("<!-")) {
			return // see FuzzTokens
		}
		doc, err := html.Parse(bytes.NewReader(page))
		if err != nil {
			return // too deep
		}
		p, err := Parse(t.Context(), page, 7000)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := letters(p.Short), letters(treeText(doc)); got != want {
			t.Fatalf("text %q, want %q, in %q", got, want, page)
		}
	})
}

// treeText is what a tree shows, its titles apart.
func treeText(doc *html.Node) string {
	var b strings.Builder
	for n := range doc.Descendants() {
		if n.Type != html.TextNode {
			continue
		}
		switch n.Parent.DataAtom {
		case atom.Script, atom.Style, atom.Title, atom.Noscript, atom.Iframe, atom.Noembed, atom.Noframes:
		default:
			b.WriteString(n.Data)
		}
	}
	return b.String()
}

// letters are the characters of a text that can be seen, in order of their number.
func letters(s string) string {
	r := []rune(strings.ReplaceAll(plain.OneLine(s), " ", ""))
	slices.Sort(r)
	return string(r)
}
