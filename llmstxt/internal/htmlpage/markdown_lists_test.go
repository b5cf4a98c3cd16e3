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

// A list that begins with the page's title is the page itself, as Docco writes the comments of a program beside its
// code. Other lists with headings stay lists.
func TestMarkdown_ListWithThePagesTitle_IsNoList(t *testing.T) {
	wantMarkdown(t, map[string]string{
		"<p>Pots.</p><ul><li><div><h1>Pot</h1><p>It keeps tea.</p><ul><li>a<li>b</ul></div><li><p>Fill it.</p><pre>fill()</pre><li><h2>Lid</h2>Closes it.</ul><p>End.": "Pots.\n\n# Pot\n\nIt keeps tea.\n\n- a\n- b\n\nFill it.\n\n```\nfill()\n```\n\n## Lid\n\nCloses it.\n\nEnd.\n",
		"<p>Pots.</p><ul><li>First.<li><h1>Pot</h1><p>It keeps tea.</ul><p>End.":                                                                                       "Pots.\n\n- First.\n\n# Pot\n\nIt keeps tea.\n\nEnd.\n",
		"<p>Pots.</p><ul><li><h2>Pot</h2><p>It keeps tea.<li><h2>Lid</h2></ul><ol><li><h1>Pan</h1><p>Fries.</ol><ul><li>a<ul><li><h1>Cup</h1><p>Small.</ul></ul>":      "Pots.\n\n- ## Pot\n\n  It keeps tea.\n\n- ## Lid\n\n1. # Pan\n\n   Fries.\n\n- a\n  - # Cup\n\n    Small.\n",
	})
}

// A button that says what the list behind it is of is the item's name; others are nothing to read.
func TestMarkdown_ButtonBeforeAList_NamesTheItem(t *testing.T) {
	wantMarkdown(t, map[string]string{
		"<ul><li><button type=button><svg><path d=M1></svg>content</button><ul><li><svg></svg>index.mdx<li><button>tea</button></ul><li>package.json</ul><p>End.": "- content\n  - index.mdx\n  - tea\n- package.json\n\nEnd.\n",
		"<ol><li><button><b>Pots</b></button> <div><ol><li>Lid</ol></div></ol>":                                                                                   "1. **Pots**\n   1. Lid\n",
		"<ul><li><button>Copy</button><li><button>Share</button> it<li>Pots<button>Open</button><ul><li>Lid</ul></ul><p>End.":                                     "- it\n- Pots\n  - Lid\n\nEnd.\n",
		"<ul><li><button><svg></svg></button><ul><li>Lid</ul></ul><button>Open</button><ul><li>Pan</ul>":                                                          "- - Lid\n\n- Pan\n",
	})
}
