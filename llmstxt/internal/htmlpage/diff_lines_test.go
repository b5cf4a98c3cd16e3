package htmlpage_test

import "testing"

// Lines that a style alone shows as added or removed have their sign.
func TestMarkdown_ChangedLinesOfCode_HaveTheirSigns(t *testing.T) {
	const want = "```diff\n a = 1\n-b = 2\n+b = 3\n\n c = 4\n```\n"
	for name, page := range map[string]string{
		"Expressive Code": "<figure class=frame><pre data-language=js><code><div class=ec-line><div class=code>a = 1</div></div><div class='ec-line highlight del'><div class=code>b = 2</div></div><div class='ec-line highlight ins'><div class=code>b = 3</div></div><div class=ec-line><div class=code>\n</div></div><div class=ec-line><div class=code>c = 4</div></div></code></pre></figure>",
		"numbers":         "<pre><code><div class=ec-line><div class=gutter><div class=ln>1</div></div><div class=code>a = 1</div></div><div class='ec-line del'><div class=gutter><div class=ln>2</div></div><div class=code>b = 2</div></div><div class='ec-line ins'><div class=gutter><div class=ln>3</div></div><div class=code>b = 3</div></div><div class=ec-line><div class=code>\n</div></div><div class=ec-line><div class=code>c = 4</div></div></code></pre>",
		"Shiki":           "<pre class=shiki><code><span class=line>a = 1</span>\n<span class='line diff remove'><span>b</span> = 2</span>\n<span class='line diff add'>b = 3</span>\n<span class=line></span>\n<span class=line>c = 4</span></code></pre>",
		"Docusaurus":      "<pre><code><span class=token-line>a = 1</span><br><span class='token-line code-block-diff-remove-line'>b = 2</span><br><span class='token-line code-block-diff-add-line'>b = 3</span><br><span class=token-line></span><br><span class=token-line>c = 4</span></code></pre>",
	} {
		if got := markdown(t, "<title>x</title><main>"+page+"</main>"); got != want {
			t.Errorf("%s:\n%s, want\n%s", name, got, want)
		}
	}
	wantMarkdown(t, map[string]string{
		"<pre><span class='line diff add'>+a</span>\n<span class='line diff remove'>-b</span></pre><pre>c</pre>": "```\n+a\n-b\n```\n\n```\nc\n```\n",
		"<pre>a <span class='line diff add'>b</span>\nc</pre>":                                                   "```\na b\nc\n```\n",
		"<pre><span class='diff add'>a</span>\n<span class=add>b</span></pre>":                                   "```\na\nb\n```\n",
		"<pre><span class=line>ins</span>\n<ins>b</ins></pre>":                                                   "```\nins\nb\n```\n",
		"<p class='line diff add'>Words are no code.</p>":                                                        "Words are no code.\n",
	})
}

// Where the text of code has the signs, no line gets a second one.
func TestMarkdown_SignsInTextAndStyle_StandOnce(t *testing.T) {
	wantMarkdown(t, map[string]string{
		"<pre class=shiki><code><span class=line> a</span>\n<span class='line diff remove'>-b</span>\n<span class='line diff add'>+c</span>\n<span class='line diff add'></span>\n<span class=line> d</span></code></pre>": "```diff\n a\n-b\n+c\n+\n d\n```\n",
		"<pre><code class=language-diff><span class=line>a</span>\n<span class='line diff remove'>-b</span>\n<span class='line diff add'>c</span></code></pre>":                                                            "```diff\na\n-b\n+c\n```\n",
		"<pre><code><div class='ec-line del'>-b</div><div class='ec-line del'>\n</div><div class=ec-line> c</div></code></pre>":                                                                                            "```diff\n-b\n-\n c\n```\n",
		// Entries of a list begin with the sign of a line that is removed.
		"<pre><code><span class=line>tea:</span>\n<span class='line diff remove'>- green</span>\n<span class='line diff add'>- black</span></code></pre>":        "```diff\n tea:\n-- green\n+- black\n```\n",
		"<pre><code><span class='line diff remove'>- green</span>\n<span class='line diff remove'>  hot</span>\n<span class=line>tea</span></code></pre>":        "```diff\n-- green\n-  hot\n tea\n```\n",
		"<pre><code><span class=line>a</span>\n<span class='line diff add'></span>\n<span class=line>b</span></code></pre>":                                      "```diff\n a\n+\n b\n```\n",
		"<pre><code class=language-yaml><span class='line diff remove'>- a</span>\n<span class='line diff add'>b</span>\n<span>- c</span></code></pre>":          "```diff\n-- a\n+b\n - c\n```\n",
		"<pre><code class=language-js><span class='line diff add'><span>+</span> a</span>\n<span class='line diff remove'>b</span>\n<span>c</span></code></pre>": "```diff\n+ a\n-b\nc\n```\n",
	})
}
