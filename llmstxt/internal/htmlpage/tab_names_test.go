package htmlpage_test

import (
	"fmt"
	"testing"
)

// The name of a tab that a panel has once more for paper stands once; other words at its beginning stay.
func TestMarkdown_NameOfATabInItsPanel_StandsOnce(t *testing.T) {
	const list = "<div role=tablist><button role=tab aria-controls=a>On Linux</button><button role=tab aria-controls=b>On &quot;Mac&quot;</button></div>"
	for name, want := range map[string]string{
		"<div class=tab-title>%s</div>":                  "**%s**\n\n%s is simple.\n",
		"<!--[-->\n<p> %s </p>":                          "**%s**\n\n%s is simple.\n",
		"<span>%s</span>":                                "**%s**\n\n%s is simple.\n",
		"<h3>%s</h3>":                                    "**%s**\n\n### %[1]s\n\n%s is simple.\n",
		"<h3 style='visibility:hidden;height:0'>%s</h3>": "**%s**\n\n%s is simple.\n",
		"<h3 style=color:red>%s</h3>":                    "**%s**\n\n### %[1]s\n\n%s is simple.\n",
		"<p>Pots.</p><h3 style='opacity:0'>%s</h3>":      "**%s**\n\nPots.\n\n### %[1]s\n\n%s is simple.\n",
		"<p>%s it <i>is</i>.</p>":                        "**%s**\n\n%[1]s it *is*.\n\n%s is simple.\n",
		"<p>Now: %s</p>":                                 "**%s**\n\nNow: %[1]s\n\n%s is simple.\n",
		"<div><div>%s</div><p>It too.</p></div>":         "**%s**\n\nIt too.\n\n%s is simple.\n",
		"<div class=code><div class=t><i role=img><svg><title>File</title><path d=M1></path></svg></i>%s</div><pre>brew</pre></div>": "**%s**\n\n```\nbrew\n```\n\n%s is simple.\n",
		"<span>%s</span> install pot": "**%s**\n\n%[1]s install pot\n\n%s is simple.\n",
		"<pre>brew</pre><p>%s</p>":    "**%s**\n\n```\nbrew\n```\n\n%[1]s\n\n%s is simple.\n",
	} {
		page, expected := "<title>Pots</title><main><p>Pots.</p>"+list, "Pots.\n"
		for i, tab := range []string{"On Linux", `On "Mac"`} {
			page += fmt.Sprintf("<div role=tabpanel id=%c>"+name+"<p>%s is simple.</p></div>", 'a'+i, tab, "It")
			expected += "\n" + fmt.Sprintf(want, tab, "It")
		}
		if got := markdown(t, page); got != expected {
			t.Errorf("%s:\n%s, want\n%s", name, got, expected)
		}
	}
}

// Slate names the language of code by the tab that shows it.
func TestMarkdown_CodeInATabOfALanguage_HasTheLanguage(t *testing.T) {
	for class, want := range map[string]string{"highlight tab tab-ruby": "ruby", "highlight shell tab-shell": "shell", "tab-content": "", "tab tab-first": ""} {
		if got := markdown(t, "<title>x</title><main><p>Tea.</p><pre class='"+class+"'><code>brew</code></pre></main>"); got != "Tea.\n\n```"+want+"\nbrew\n```\n" {
			t.Errorf("%s: %q", class, got)
		}
	}
}
