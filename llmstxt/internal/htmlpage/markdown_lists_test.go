package htmlpage_test

import (
	"strings"
	"testing"
)

// A definition within a definition is indented below the term that it belongs to.
func TestMarkdown_DefinitionsInDefinitions_AreNested(t *testing.T) {
	wantMarkdown(t, map[string]string{
		"<dl><dt>Pot<dd>Keeps tea.<dl><dt>lid<dd>Closes it.<dt>spout<dd>Pours.</dl>Is hot.<dt>Pan<dd>Fries.</dl>":                           "**Pot**\n\nKeeps tea.\n\n- **lid**\n\n  Closes it.\n\n- **spout**\n\n  Pours.\n\nIs hot.\n\n**Pan**\n\nFries.\n",
		"<dl><dt>a</dt><dd><dl><dt>b</dt><dt>c</dt><dd><p>d</p><pre>e</pre><dl><dt>f</dt><dd>g</dd></dl></dd></dl></dd></dl><dl><dt>h<dd>i": "**a**\n\n- **b**\n- **c**\n\n  d\n\n  ```\n  e\n  ```\n\n  - **f**\n\n    g\n\n**h**\n\ni\n",
		"<ul><li>a<dl><dt>b<dd>c<ul><li>d</ul><dl><dt>e<dd>f</dl></dl><li>g</ul>":                                                           "- a\n\n  **b**\n\n  c\n\n  - d\n  - **e**\n\n    f\n\n- g\n",
		"<dl><dt>a<dd><blockquote><dl><dt>b<dd>c</dl></blockquote></dl>":                                                                    "**a**\n\n> - **b**\n>\n>   c\n",
		"<dl><dd>It is<dl><dd>so.</dl></dl><p>End.":                                                                                         "It is\n\n  so.\n\nEnd.\n",
		"<table><tr><th>A<th>B<tr><td>x<td><dl><dt>b<dd><dl><dt>c<dd>d</dl></dl></table><p>End.":                                            "| A | B |\n| --- | --- |\n| x | b c d |\n\nEnd.\n",
		strings.Repeat("<dl><dd>", 20) + "deep" + strings.Repeat("</dl>", 20) + "<p>End.":                                                   strings.Repeat(" ", 32) + "deep\n\nEnd.\n",
		"</dl></dl><dl><dt>a<dd>b<dl hidden><dt>c<dd>d</dl></dl></dl><p>End.":                                                               "**a**\n\nb\n\nEnd.\n",
	})
}
