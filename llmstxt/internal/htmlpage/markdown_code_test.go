package htmlpage_test

import (
	"strings"
	"testing"
)

// TestMarkdown_CodeOfHighlighters_KeepsItsLines: what generators make of code, with
// elements for lines and with numbers of lines, is the code that a reader sees.
func TestMarkdown_CodeOfHighlighters_KeepsItsLines(t *testing.T) {
	const want = "```\nif a {\n    b()\n\n}\n```\n"
	numbers := "1\n2\n3\n4\n"
	for name, page := range map[string]string{
		"plain":                         "<pre>if a {\n    b()\n\n}\n</pre>",
		"blocks":                        "<figure class=frame><pre><code><div class=ec-line><div class=gutter><div class=ln aria-hidden=true>1</div></div><div class=code><span>if</span> a {</div></div><div class=ec-line><div class=code>    b()</div></div><div class=ec-line><div class=code>\n</div></div><div class=ec-line><div class=code>}</div></div></code></pre><div class=copy><button>Copy</button></div></figure>",
		"empty block":                   "<pre><div>if a {</div><div>    b()</div><div></div><div>}</div></pre>",
		"lines with breaks":             "<pre><code><div class=token-line><span class=n></span><span>if</span> a {<br></div><div class=token-line><span class=n></span><span>    b()</span><br></div><div class=token-line><span class=n></span><span><span style='display:inline-block'></span></span><br></div><div class=token-line>}<br></div></code></pre>",
		"items with breaks":             "<pre><ol><li>if a {<br/></li><li>    b()<br/></li><li><br/></li><li>}<br/></li></ol></pre>",
		"spans that are blocks":         "<pre><code><span style='display: block'>if a {</span><span style='display:block'>    b()</span><span style='display:block'>\n</span><span style='color:red;display:block;'>}</span></code></pre>",
		"spans that are blocks, ended":  "<pre><code><span style='display:block'><span class=linenumber style='display:inline-block'>1</span><span>if</span> a {\n</span><span style='display:block'><span class=linenumber>2</span>    b()\n</span><span style='display:block'><span class=linenumber>3</span>\n</span><span style='display:block'><span class=linenumber>4</span>}</span></code></pre>",
		"spans in rows":                 "<pre><span style='display:flex'>if a {<br></span><span style='display:flex'>    b()<br></span><span style='display:flex'><br></span><span style='display:flex'>}<br></span></pre>",
		"list":                          "<pre class='prettyprint linenums'><ol class=linenums><li class=L0>if a {</li><li class=L1>    b()</li><li class=L2></li><li class=L3>}</li></ol></pre>",
		"breaks":                        "<pre>if a {<br>    b()<br><br>}</pre>",
		"doxygen":                       "<div class=fragment><div class=line>if a {</div>\n<div class=line>    <a href=b.html>b</a>()</div>\n<div class=line> </div>\n<div class=line>}</div>\n</div><!-- fragment -->",
		"doxygen, numbered":             "<div class=fragment><div class=line><a name=l1></a><span class=lineno>    1</span>&#160;if a {</div>\n<div class=line><a name=l2></a><span class=lineno><a class=line href=x.html>    2</a></span>&#160;&#160;&#160;  b()</div>\n<div class=line><span class=lineno>    3</span>&#160;</div>\n<div class=line><span class=lineno>    4</span>&#160;}</div>\n</div>",
		"numbers in spans":              "<pre><code><span class=linenos>1 </span>if a {\n<span class=linenos>2 </span>    b()\n<span class=linenos>3 </span>\n<span class=linenos>4 </span>}\n</code></pre>",
		"numbers in a column":           "<table class=highlighttable><tr><td class=linenos><div class=linenodiv><pre>" + numbers + "</pre></div></td><td class=code><div class=highlight><pre>if a {\n    b()\n\n}\n</pre></div></td></tr></table>",
		"numbers in a column, coloured": "<div class=highlight><table class=highlighttable><tr><td class=linenos><div><pre><span></span><span>1</span>\n<span>2</span>\n<span>3</span>\n<span>4</span></pre></div></td><td class=code><div><pre><span></span><code><span class=k>if</span> <span>a</span> <span>{</span>\n<span class=hll>    <span>b</span><span>()</span>\n</span>\n<span>}</span>\n</code></pre></div></td></tr></table></div>",
		"column of lines":               "<figure class=highlight><table><tr><td class=gutter><pre><span class=line>1</span><br><span class=line>2</span><br><span class=line>3</span><br><span class=line>4</span><br></pre></td><td class=code><pre><span class=line>if a {</span><br><span class=line>    b()</span><br><span class=line></span><br><span class=line>}</span><br></pre></td></tr></table></figure>",
		"column in code":                "<div class=highlight><pre class=highlight><code><table class=rouge-table><tbody><tr><td class='rouge-gutter gl'><pre class=lineno>" + numbers + "</pre></td><td class=rouge-code><pre>if a {\n    b()\n\n}\n</pre></td></tr></tbody></table></code></pre></div>",
		"sphinx":                        "<div class=highlight><pre><div class=viewcode-block id=a><a class=viewcode-back href=a.html#a>[docs]</a><span>if</span> a {\n    b()\n\n}</div></pre></div>",
		"hard spaces":                   "<pre>if a {\n&nbsp;&nbsp;&nbsp;&nbsp;b()\n\n}</pre>",
	} {
		got := strings.ReplaceAll(markdown(t, "<title>x</title><main>"+page+"</main>"), "\n \n", "\n\n")
		if got != want {
			t.Errorf("%s:\n%s, want\n%s", name, got, want)
		}
	}
}

// What looks like numbers of lines and is the code's own stays, and so do the lines of a poem.
func TestMarkdown_NumbersInCode_Stay(t *testing.T) {
	wantMarkdown(t, map[string]string{
		"<pre>a<span style='display:inline-block'> b</span><span style='padding:0'>c</span></pre>": "```\na bc\n```\n",
		"<pre><div><br>a<br><br></div><div>b</div></pre>":                                          "```\na\n\nb\n```\n",
		"<pre>a = [\n<span class=mi>1</span>,\n<span class=mi>2</span>]</pre>":                     "```\na = [\n1,\n2]\n```\n",
		"<pre><span class=ln>one</span> two</pre>":                                                 "```\none two\n```\n",
		"<table><tr><td><pre>$ seq 2\n1\n2</pre><td><pre>$ seq 3</pre></table>":                    "```\n$ seq 2\n1\n2\n```\n\n```\n$ seq 3\n```\n",
		"<p>It prints<pre>1\n2\n</pre><p>and ends.":                                                "It prints\n\n```\n1\n2\n```\n\nand ends.\n",
		"<div class=line-block><div class=line>A rose</div><div class=line>is a rose.</div></div>": "A rose\n\nis a rose.\n",
		"<div class=fragment><p>Words in a part of the page.</p></div>":                            "Words in a part of the page.\n",
	})
}

func TestMarkdown_LanguageOfCode_IsWhatItsElementsSay(t *testing.T) {
	wantMarkdown(t, map[string]string{
		"<div class='highlight-python notranslate'><div class=highlight><pre><span></span>x</pre></div></div>":                                                                                     "```python\nx\n```\n",
		"<div class='highlight highlight-source-shell'><pre>x</pre></div>":                                                                                                                         "```shell\nx\n```\n",
		"<div class='language-ruby highlighter-rouge'><div class=highlight><pre><code>x</code></pre></div>":                                                                                        "```ruby\nx\n```\n",
		"<pre class=shiki language=bash><code language=bash><span class=line>x</span></code></pre>":                                                                                                "```bash\nx\n```\n",
		"<pre data-language=js><code><div class=ec-line>x</div></code></pre>":                                                                                                                      "```js\nx\n```\n",
		"<div class='highlight-default notranslate'><div class=highlight><pre>x</pre></div></div>":                                                                                                 "```\nx\n```\n",
		"<figure class='highlight js'><table><tr><td class=gutter><pre><span class=line>1</span><br></pre></td><td class=code><pre><span class=line>x</span><br></pre></td></tr></table></figure>": "```js\nx\n```\n",
		"<div class='highlight-go'><table><tr><td class=linenos><pre>1\n2</pre></td><td class=code><pre>x\ny</pre></td></tr></table></div><pre>z</pre>":                                            "```go\nx\ny\n```\n\n```\nz\n```\n",
		"<figure class=highlight><figcaption>swift</figcaption><pre>x</pre></figure>":                                                                                                              "swift\n\n```\nx\n```\n",
		"<div class='card swift'><pre>x</pre></div>":                                                                                                                                               "```\nx\n```\n",
		"<div class=highlight-wrapper><pre>x</pre></div>":                                                                                                                                          "```\nx\n```\n",
		"<pre class='rouge highlight'><code data-lang=console>x</code></pre>":                                                                                                                      "```console\nx\n```\n",
		"<pre><code class=ts><span class=hl-1>x</span></code></pre>":                                                                                                                               "```ts\nx\n```\n",
		"<div class=sourceCode><pre class='sourceCode bash'><code class='sourceCode bash'>x</code></pre></div>":                                                                                    "```bash\nx\n```\n",
		"<pre class='code block'><code class='c go text'>x</code></pre>":                                                                                                                           "```\nx\n```\n",
		"<div class=lang-en><pre>x</pre></div>":                                                                                                                                                    "```\nx\n```\n",
		"<div class=highlight-python><pre>x</pre></div><pre>y</pre>":                                                                                                                               "```python\nx\n```\n\n```\ny\n```\n",
		"<div class=highlight-python><p>Words.</p><pre>y</pre></div>":                                                                                                                              "Words.\n\n```\ny\n```\n",
	})
}
