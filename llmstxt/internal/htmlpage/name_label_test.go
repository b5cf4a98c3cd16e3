package htmlpage_test

import (
	"context"
	"testing"

	"github.com/farwire/farwire/llmstxt/internal/htmlpage"
)

// A label that only a style sets apart from a name is no part of the name.
func TestLabels_BesideNames_StandApart(t *testing.T) {
	for heading, want := range map[string][2]string{
		"<code class=tsd-tag>Readonly</code><span>lid</span>":                                                {"## `Readonly` lid", "Readonly lid"},
		"<code class=tsd-tag>Static</code><code class=tsd-tag>Readonly</code><span>hot<wbr/>Lid</span>":      {"## `Static` `Readonly` hotLid", "Static Readonly hotLid"},
		"Variable tea<wbr/>Pot<code class='tsd-tag'>Const</code>":                                            {"## Variable teaPot `Const`", "Variable teaPot Const"},
		"Kettle<span class='badge badge--new'>new</span>":                                                    {"## Kettle new", "Kettle new"},
		"<a href=x.html>Kettle</a><span class=doc-label><b>beta</b></span>":                                  {"## [Kettle](http://a.test/x.html) **beta**", "Kettle beta"},
		"<span class=sl-badge>2.0</span>boil()":                                                              {"## 2.0 boil()", "2.0 boil()"},
		"boil()<span class=badge>async</span>":                                                               {"## boil() async", "boil() async"},
		"<code>Map&lt;Pot&gt;</code><span class=badge><span></span>new</span><b>lid</b>":                     {"## `Map<Pot>` new **lid**", "Map<Pot> new lid"},
		"<span class=badge><b>New</b></span>lid":                                                             {"## **New** lid", "New lid"},
		"<span class=http-label>GET</span><code>/pots</code>":                                                {"## GET `/pots`", "GET /pots"},
		"<span class=tag>in</span>/<span class=tag>out</span>":                                               {"## in/out", "in/out"},
		"lid<span class=classifier>Cover</span><span class=classifier><code>optional</code></span>":          {"## lid Cover `optional`", "lid Cover optional"},
		"boil(<span class=tag>tea</span>), <code class=tag>pot</code>.":                                      {"## boil(tea), `pot`.", "boil(tea), pot."},
		"The <code class=tag>div</code>s and <code>Pot</code>s":                                              {"## The `div`s and `Pot`s", "The divs and Pots"},
		"<span class=stage>Tea</span>pot, <span class=language>T</span>ea, <span class=tags>p</span>ot":      {"## Teapot, Tea, pot", "Teapot, Tea, pot"},
		"<code class=html>&lt;<span class='token tag'>b</span>r</code> and <code><i class=tag>b</i>r</code>": {"## `<br` and `br`", "<br and br"},
	} {
		page := "<title>x</title><main><h2>" + heading + "</h2><p>Words.</p></main>"
		if got := markdown(t, page); got != want[0]+"\n\nWords.\n" {
			t.Errorf("%s:\n%q, want\n%q", heading, got, want[0])
		}
		p, err := htmlpage.Parse(context.Background(), []byte(page), 1500)
		if err != nil {
			t.Fatal(err)
		}
		if blocks, _ := p.Blocks(""); len(blocks) == 0 || blocks[0].Text != want[1] {
			t.Errorf("%s: blocks %v, want %q first", heading, blocks, want[1])
		}
	}
}
