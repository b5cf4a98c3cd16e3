package htmlpage

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/net/html"
	"golang.org/x/net/html/atom"
)

// FuzzSimplify holds the words of a region that was simplified to those of the tree
// that package html makes of the region as it stands.
func FuzzSimplify(f *testing.F) {
	for _, s := range append(textSeeds,
		"<p class=a id='S:0' hidden>x<p title=t data-x=\"y\">z", "<a href=/x title='a b' class=c>one</a><a name=n>two</a>", "<div class=toc id=x><a href=y>z</a></div>",
		"<li style='display:none' class=toc><a href=y>z</a>", "<ul aria-hidden=true class=tableofcontents><li><a href=q>w</a></ul>", "<a href=x/>y</a>", "<p id=a/ class=nav>x",
		"<img alt='a>b' src=x>t", "<table border=0 cellpadding=1><tr><td width=5>c<td>d</table>", "<input type=hidden value=v><p>x", "<span role=navigation class=toc>n</span>m",
		"<template shadowrootmode=open><p lang=en>in</template>out", "<sup class=footnote-ref title=1>[1]</sup>x", "<a rel=next href=n target=_blank>Next</a>", "a<!-- b --!>c<!--d",
		"a<span class=pre>b c</span>d<p><span> </span>e<span id=S:1>f</span><span class=headerlink>g</span><span></span>h<span>i</SPAN>j", "<span>x<p></span>y",
		"<p ID=x CLASS='sidebar' Hidden>x</p>y", "<p a=b a=c class=nav class=main>x", "<dt id=&#83;:1 hidden>d<dd>e",
		"vector<<span>int</span>> x", "AT&<span>amp;</span>T", "<span>&</span>lt;b", "a &#<span>60;</span>b&#x3<span>C;</span>", "&<span>l</span>t;") {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, region []byte) {
		if len(region) > 1500 {
			return
		}
		if low := bytes.ToLower(region); bytes.Contains(low, []byte("<svg")) || bytes.Contains(low, []byte("<math")) {
			return // rules of their own in a tree
		} else if bytes.Contains(low, []byte("<table")) && bytes.Contains(low, []byte("<span")) {
			return // white space in front of a table that a text in it is moved to
		}
		l := lexer{page: region}
		for kind := l.next(); kind != endOfPage; kind = l.next() {
			switch l.tag {
			case atom.B, atom.Big, atom.Em, atom.Font, atom.I, atom.Nobr, atom.S, atom.Small, atom.Strike, atom.Strong, atom.U, atom.Code, atom.Tt:
				return // these go, or lose what they have
			}
		}
		was, err := html.Parse(bytes.NewReader(region))
		if err != nil {
			return // too deep
		}
		is, err := html.Parse(bytes.NewReader(simplify(nil, region)))
		if err != nil {
			t.Fatal(err)
		}
		for _, hints := range []bool{true, false} {
			if got, want := walked(is, hints), walked(was, hints); got != want {
				t.Fatalf("%q\nsimplified %q\nwords %s\nwant  %s", region, simplify(nil, region), got, want)
			}
		}
	})
}

func TestSimplify_TagsThatGo_LeaveTextAsItIs(t *testing.T) {
	for in, want := range map[string]string{
		"a vector<<b>int</b>> of": "a vector<int> of", "List<<i>T</i>, <em>U</em>>": "List<T, U>", "AT&<strong>amp;</strong>T": "AT&amp;T",
		"<u>&</u>lt;b": "&lt;b", "&#<big>60;</big>b&#<s>x3C;</s>": "&#60;b&#x3C;", "&<small>l</small>t;": "&lt;", "x<<font color=red>y</font>": "x<y",
		"un<b>believ</b>able &amp;<b>c</b>": "unbelievable &c",
	} {
		doc, err := html.Parse(bytes.NewReader(simplify(nil, []byte("<p>"+in))))
		if err != nil {
			t.Fatal(err)
		}
		var got strings.Builder
		for n := range doc.Descendants() {
			if n.Type == html.TextNode {
				got.WriteString(n.Data)
			}
		}
		if got.String() != want {
			t.Errorf("%q: %q, want %q", in, got.String(), want)
		}
	}
}

// walked are the words of a tree.
func walked(doc *html.Node, hints bool) string {
	w := walker{hints: hints}
	w.walk(doc.LastChild)
	w.flush()
	return fmt.Sprintf("%v %q %q %d", w.blocks, w.anchors, w.outer, w.preformatted)
}
