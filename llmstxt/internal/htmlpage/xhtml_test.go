package htmlpage

import (
	"strings"
	"testing"
)

func TestFromXML_OwnEndsAndSections_BecomeHTML(t *testing.T) {
	for xhtml, want := range map[string]string{
		`<p>a</p><br/><img src="x"/><hr />`:                     `<p>a</p><br/><img src="x"/><hr />`,
		`<script src="x.js"/><p>a</p>`:                          `<script src="x.js"></script><p>a</p>`,
		`<title/><SCRIPT a=">"  /><p>a`:                         `<title></title><SCRIPT a=">"  ></SCRIPT><p>a`,
		`<a id="x"/><iframe src="y"/><textarea/>t`:              `<a id="x"></a><iframe src="y"></iframe><textarea></textarea>t`,
		`<p><![CDATA[a < b & "c" > d]]> e</p>`:                  `<p>a &lt; b &amp; &#34;c&#34; &gt; d e</p>`,
		`<p><![CDATA[a]]><![CDATA[b`:                            `<p>ab`,
		`<script>/*<![CDATA[*/ a<b/> /*]]>*/</script><div/>`:    `<script>/*<![CDATA[*/ a<b/> /*]]>*/</script><div></div>`,
		`<!-- <script/> --><?x <a/> ?><svg><path d="m"/></svg>`: `<!-- <script/> --><?x <a/> ?><svg><path d="m"></path></svg>`,
		`<p`: `<p`, ``: ``, `<a/`: `<a/`, `x<`: `x<`,
	} {
		if got := string(FromXML([]byte(xhtml))); got != want {
			t.Errorf("%s:\n%s, want\n%s", xhtml, got, want)
		}
	}
	for _, long := range []string{strings.Repeat("<a/>", 1<<16), "<![CDATA[" + strings.Repeat("<", 1<<18) + "]]>", strings.Repeat("<![CDATA[", 1<<16)} {
		if got := FromXML([]byte(long)); len(got) > 6*len(long) {
			t.Errorf("%.20s…: %d bytes of %d", long, len(got), len(long))
		}
	}
}
