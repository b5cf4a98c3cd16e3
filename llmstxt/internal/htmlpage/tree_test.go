package htmlpage

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/PuerkitoBio/goquery"
	"golang.org/x/net/html"
)

// treeSeeds are regions that a browser reads without repair.
var treeSeeds = []string{
	"", " ", "a", " a &lt; b &copy ", "<p>a<p>b", "<ul><li>a<li>b<p>c<li>d</ul>e", "<dl><dt>a<dd>b<dt>c</dl>", "</div><p>a</p></div></section>b",
	"<h1>a<h2>b</h2>", "<pre>\n\na</pre>", "<pre><code>\na</code></pre>", "<table><tr><td>a<p>b</td><th>c</th></tr><tr></table>d",
	"<table><caption>a</caption><colgroup><col><col></colgroup><thead><tr><th>b</th></tr></thead> <tbody>\n<tr></tr></tbody></table>",
	"<table><tr><td><table><tr><td>a</td></tr></table></td></tr></table>", "<a href='?a=1&amp;b' HREF=c class>x</a>", "<x-y Z=1><X-Y>a</x-y></X-y>",
	"<p>a<span>b<div>c</div>d", "<button>a<p>b</button>c", "<p>a</span>b</code>c", "<!-- a --> b<!---->c", "<code><code><code><code>a</code></code></code>b</code>c",
	"<p><script>a</b>&lt;</script>b<style></style>", "<li>a<div><li>b", "<li>a<span><li>b", "<div><p>a<hr>b", "<p>a<table><tr><td><p>b</td></tr></table>c", "&#32; a",
	"a</p></body> <!-- b --> </html> <!-- c -->", "a</body>b<!-- c -->", "<form>a</form></form><form><p>b</p></form>c", "<p>a<svg viewBox=x><g><path/><path></path></g></svg>b", "</p>a",
}

// repaired are regions that a browser repairs, so that html.Parse reads them.
var repaired = []string{
	"<p><b>a<p>b", "<b><i>a</b>b</i>", "<a>a<a>b", "<table>a<tr><td>b</table>", "<table><tr><td>a<td>b</table>", "<form><form>", "</body> a", "<table></body>", "</br>", "<svg><p>a</svg>", "<svg><title>a</svg>", "<form><div></form>", "<select><option>a",
	"<title>a</title>", "<meta>a", "<template>a</template>", "<textarea>\na</textarea>", "<html class=a>", "<body>", "<frameset>", "<image>", "<!doctype html>a", "<?a>", "a\r\nb", "a\x00b",
	"<button>a<button>b", "<table><td>a", "<table><col>", "<nobr>a<nobr>b", "<ruby>a<rt>b<rt>c", "<object><p>a</object>", strings.Repeat("<div>", 600),
}

// shape returns a tree as text.
func shape(n *html.Node) string {
	var b strings.Builder
	var write func(n *html.Node)
	write = func(n *html.Node) {
		switch n.Type {
		case html.TextNode:
			fmt.Fprintf(&b, "%q", n.Data)
		case html.CommentNode:
			b.WriteString("<!>")
		case html.ElementNode:
			fmt.Fprintf(&b, "<%s %d", n.Data, n.DataAtom)
			if formats(n.DataAtom) && len(n.Attr) > 1 || n.Namespace != "" {
				b.WriteString(" …" + n.Namespace) // html.Parse sorts them, and writes them anew
			} else {
				for _, a := range n.Attr {
					fmt.Fprintf(&b, " %s=%q", a.Key, a.Val)
				}
			}
			b.WriteString(">(")
			var last *html.Node
			for c := n.FirstChild; c != nil; c = c.NextSibling {
				if c.Parent != n || c.PrevSibling != last {
					b.WriteString("a node that is elsewhere")
				}
				last = c
				write(c)
			}
			if n.LastChild != last {
				b.WriteString("a wrong last child")
			}
			b.WriteString(")")
		}
	}
	write(n)
	return b.String()
}

// compareTrees holds the tree to that of html.Parse and reports whether there was one.
func compareTrees(t *testing.T, region string) bool {
	t.Helper()
	made := trees.Get().(*tree)
	defer made.leave()
	got := made.read([]byte(region))
	if got == nil {
		return false
	}
	doc, err := goquery.NewDocumentFromReader(bytes.NewReader([]byte(region)))
	if err != nil {
		t.Fatalf("a tree of %q, which html.Parse refuses: %v", region, err)
	}
	want := doc.FindMatcher(theBody)
	if want.Length() == 0 {
		t.Fatalf("a tree of %q, which has no body", region)
	}
	if got, want := shape(got), shape(want.Get(0)); got != want {
		t.Fatalf("the tree of\n%q is\n%s, want\n%s", region, got, want)
	}
	return true
}

func TestTree_WellFormed_IsThatOfTheParser(t *testing.T) {
	for _, region := range treeSeeds {
		if !compareTrees(t, region) {
			t.Errorf("no tree of %q", region)
		}
	}
}

func TestTree_NeedsRepair_IsLeftToTheParser(t *testing.T) {
	for _, region := range repaired {
		if compareTrees(t, region) {
			t.Errorf("a tree of %q", region)
		}
	}
}

// randomRegion has tags in any order, most of them closed in the order in which they were opened.
func randomRegion(r *rand.Rand) string {
	tags := strings.Fields(`p p div span a code li ul ol dl dt dd h1 h2 table table tbody thead tr tr td th caption colgroup col pre br hr img b
		button section article blockquote form script style noscript label kbd x-y figure meta link sup iframe dialog summary input textarea select svg nobr object search body body html form form svg svg path g PATH`)
	texts := []string{"a", " ", "\n", " b\n", "&amp;", "&#32;", "<!-- c -->", "<", "&lt"}
	var b strings.Builder
	var open []string
	sloppy := r.IntN(20) // of twenty end tags, how many are any
	for range r.IntN(30) {
		switch r.IntN(5) {
		case 0, 1:
			tag := tags[r.IntN(len(tags))]
			fmt.Fprintf(&b, "<%s%s>", tag, []string{"", " class=a", " ID='b' id=c", " /"}[r.IntN(4)])
			open = append(open, tag)
		case 2, 3:
			if r.IntN(20) < sloppy/4 {
				fmt.Fprintf(&b, "</%s>", tags[r.IntN(len(tags))])
			} else if n := len(open) - 1; n >= 0 {
				if r.IntN(40) >= sloppy {
					fmt.Fprintf(&b, "</%s>", open[n])
				}
				open = open[:n]
			}
		default:
			b.WriteString(texts[r.IntN(len(texts))])
		}
	}
	return b.String()
}

func TestTree_Random_IsThatOfTheParser(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	n := 0
	for range 20_000 {
		if compareTrees(t, randomRegion(r)) {
			n++
		}
	}
	if n < 5_000 {
		t.Errorf("of 20000 regions %d have a tree", n)
	}
}

func FuzzTree(f *testing.F) {
	for _, s := range append(append(seeds, treeSeeds...), repaired...) {
		f.Add([]byte(s))
	}
	r := rand.New(rand.NewPCG(3, 4))
	for range 100 {
		f.Add([]byte(randomRegion(r)))
	}
	f.Fuzz(func(t *testing.T, region []byte) {
		if len(region) <= 4096 {
			compareTrees(t, string(region))
		}
	})
}
