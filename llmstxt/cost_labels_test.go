//go:build linux

package llmstxt_test

import "testing"

// Looking ahead behind each tag, for labels, icons, tabs and long lists, costs a page no more than its length.
func TestCost_LooksAhead_IsLinear(t *testing.T) {
	text, page := readText, readPage("text/html")
	for name, build := range map[string]func(size int) []byte{
		"labels in labels":           fill("<main><h2>", "<span class=badge>", ""),
		"labels beside words":        fill("<main><h2>", "a<code class=tag>b</code>", ""),
		"labels behind tags":         fill("<main><p>a", "<b></b><span class=label>b</span>", ""),
		"classifiers":                fill("<main><dl><dt>", "x<span class=classifier>", ""),
		"types that are tags":        fill("<main><p>", "a<object>", ""),
		"objects":                    fill("<main><p>", "a<object data=x>", ""),
		"lists of tabs":              fill("<main>", "<div class=x-tabs__label>a", ""),
		"lists of tabs with buttons": fill("<main>", "<ul class=tabs__list><button>", ""),
		"tabs and panels":            fill("<main>", "<div class=tabs__nav><b>a</b></div><div class=tabs__panel>b</div>", ""),
		"icons of notes":             fill("<main>", "<div class=note><table><tr><td class=icon><i title=x>", ""),
		"cells of a note":            fill("<main><div class=note><table>", "<tr><td><th><img alt=x>", ""),
		"lines with a style":         fill("<main><pre>", "<span style='display: block'>x<br>", ""),
		"changed lines":              fill("<main><pre>", "<span class='line diff add'>+a</span>\n", ""),
		"descriptions":               fill("<title>a</title>", "<div id=description>x", "<h3>b</h3>"),
		"index":                      numbered("<main><h1>a</h1>", "<p><a href=a%d#b>some words that are linked</a>x", ""),
		"contents, again and again": func(n int) []byte {
			return fill("<body><h1>a</h1>", string(numbered("", "<li><a href='#%d'>some words that are linked</a>", "")(64<<10))+"<p>One sentence that is longer than forty bytes, surely.", "")(n)
		},
	} {
		t.Run(name, func(t *testing.T) {
			if raceDetector {
				page(t, build(12<<10))
				return
			}
			linear(t, 192<<10, build, page)
		})
	}
	for name, build := range map[string]func(size int) []byte{
		"directives":           fill("", ":::{note} x\n", ""),
		"directives' versions": fill("", ":::{deprecated} 1 **x\n", ""),
		"a long directive":     fill(":::{py:function} ", "{a} ", ""),
	} {
		t.Run(name, func(t *testing.T) { linear(t, 48<<10, build, text) })
	}
}
