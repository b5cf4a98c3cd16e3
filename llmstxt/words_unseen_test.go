package llmstxt_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/farwire/farwire/llmstxt"
)

// TeX that a page carries beside its picture is a part of its sentences.
func TestExcerpt_Formulas_HaveTheirTeX(t *testing.T) {
	const tail = ", as everybody who makes tea knows by heart."
	katex := `<span class="katex"><span class="katex-mathml"><math xmlns="http://www.w3.org/1998/Math/MathML"><semantics><mrow><mi>E</mi><mo>=</mo><mi>m</mi></mrow><annotation encoding="application/x-tex">E_{0} = mc^2 \le x</annotation></semantics></math></span><span class="katex-html" aria-hidden="true"><span class="base">E=mc2</span></span></span>`
	for formula, want := range map[string]string{
		katex: `$E_{0} = mc^2 \le x$`,
		`<math alttext="x"><mi>x</mi><mo>+</mo><mn>1</mn></math>`: "x+1",
		`<span class="mwe-math-element"><span class="mwe-math-mathml-inline" style="display: none;"><math><mi>x</mi></math></span><img class="mwe-math-fallback-image-inline" src=/x.svg alt="{\displaystyle a_{1}&lt;b}"></span>`: "$a_{1}<b$",
		`<img src=/latex.php class=latex alt='\frac{1}{2}'>`: `$\frac{1}{2}$`,
		`\( x_1 + y \)`: `\( x_1 + y \)`,
		`<math><semantics><mi>q</mi><annotation-xml encoding="MathML-Content"><ci>zz</ci></annotation-xml></semantics></math>`: "q",
	} {
		p := one(t, "<title>Energy</title><main><h1>Energy</h1><p>The energy of the pot is "+formula+tail+"</p></main>", llmstxt.Options{})
		if want := "The energy of the pot is " + want + tail; p.Excerpt != want {
			t.Errorf("%q, want %q", p.Excerpt, want)
		}
	}
}

func TestExcerpt_SignsOfNotes_AreLeftOut(t *testing.T) {
	for sup, want := range map[string]string{
		"<sup>[a]</sup>": "", "<sup>[note 1]</sup>": "", "<sup><i><a href=/wiki/Citation>[citation needed]</a></i></sup>": "", "<sup>[<i><a href=/wiki/C>citation needed</a></i>]</sup>": "",
		"<sup><a href='#fn-tea'>tea</a></sup>": "", "<sup><a href=#a>a</a>, <a href=#b>b</a></sup>": "", "<sup>TM</sup>": "TM", "<sup><a href=/tm>TM</a></sup>": "TM", "<sup>[1]</sup>": "", "<sup>†</sup>": "",
	} {
		p := one(t, "<title>Pots</title><main><h1>Pots</h1><p>The gadget"+sup+" turns water into tea, which many people like.</p></main>", llmstxt.Options{})
		if want := "The gadget" + want + " turns water into tea, which many people like."; p.Excerpt != want {
			t.Errorf("%s: %q", sup, p.Excerpt)
		}
	}
}

// A line about the last change is the same line, whatever the day and whoever made it.
func TestExcerpt_LineWithAnotherDateOnEachPage_IsLeftOut(t *testing.T) {
	months := strings.Fields("January February March April May June July August September October")
	own := strings.Split("The pot holds what the kettle has made. A lid keeps the heat where it belongs. Cups are made for people with thin fingers. Filters let water pass and hold the leaves. "+
		"Sugar has no place on this list at all. Trays carry everything to the garden at once. Spoons rest on saucers until somebody is bored. Napkins forgive what hands have done before.", ". ")
	for _, form := range []string{"Last updated on %[2]s %[1]d, 2025 by Ann.", "This page was last modified on %[1]d %[2]s 2024 at 10:%[1]d.", "Last changed on 2025-03-0%[1]d by the people of the kitchen."} {
		w := &web{pages: map[string]answer{}}
		var links []string
		for i := range 8 {
			l := "/" + word(i)
			links = append(links, l)
			w.pages["http://docs.test"+l] = html("<title>" + word(i) + "</title><main><h1>" + word(i) + "</h1><p>" + fmt.Sprintf(form, i+1, months[i]) + "</p><p>" + strings.TrimSuffix(own[i], ".") + ".</p></main>")
		}
		w.pages["http://docs.test/"] = doc("Home", links...)
		for _, p := range everyWay(t, w, "http://docs.test/", llmstxt.Options{}).Pages[1:] {
			if strings.Contains(p.Excerpt, "Last") || strings.Contains(p.Excerpt, "last") || len(p.Excerpt) < 30 {
				t.Errorf("%s: %q", p.URL, p.Excerpt)
			}
		}
	}
}

func TestExcerpt_HiddenByStyle_IsLeftOut(t *testing.T) {
	for style, hidden := range map[string]bool{
		"height:0;overflow:hidden": true, "overflow: hidden; height: 0px": true, "position:absolute;width:1px;height:1px;overflow:hidden": true, "max-height:0; overflow:hidden": true,
		"clip-path: inset(50%)": true, "position:absolute;clip:rect(1px, 1px, 1px, 1px)": true, "clip:rect(0 0 0 0)": true, "position:absolute;left:-999px": true, "text-indent:-9999px": true,
		"overflow:hidden": false, "line-height:0;overflow:hidden": false, "height:10px;overflow:hidden": false, "height:0": false, "left:-10px": false, "margin-left:-500px": false, "padding:0;margin-left:-999px": false, "padding:0;left:-500px": true, "color:red; text-indent:-999px": true, "clip-path:inset(0 0 0 5px)": false, "clip:rect(0,100px,20px,0)": false, "width:100%;overflow:hidden": false,
	} {
		const said = "This sentence stands in front of all the others of the page."
		p := one(t, "<title>Tea</title><main><h1>Tea</h1><p style='"+style+"'>"+said+"</p><p>"+gadget+"</p></main>", llmstxt.Options{})
		if got := !strings.Contains(p.Excerpt, said); got != hidden || !strings.Contains(p.Excerpt, gadget) {
			t.Errorf("%s: %q", style, p.Excerpt)
		}
	}
}

// What the tools of a Markdown page read is no prose.
func TestExcerpt_MarkdownOfGenerators_HasItsProse(t *testing.T) {
	for _, source := range []string{
		"import Tabs from '@theme/Tabs';\nimport {A, B} from \"./x\";\n\n# Tea\n\n" + gadget, "# Tea\n\nexport const Highlight = ({children}) => (\n  <span>\n    {children}\n  </span>\n);\n\n" + gadget,
		"# Tea\n\n:::note\n\n" + gadget + "\n\n:::", "# Tea\n\n:::tip[Good to know]\n" + gadget + "\n:::", "# Tea\n\n::: {.callout-note}\n" + gadget + "\n:::\n",
		"# Tea\n\n<script setup>\nimport { ref } from 'vue'\n\nThis is not a sentence that anybody should read here.\n</script>\n\n" + gadget, "<style>\n.x { color: red }\n</style>\n# Tea\n\n" + gadget, "<style>.x{}</style>\n# Tea\n\n" + gadget,
		"# Tea\n\n" + gadget + "\n\n[^1]: See the book about tea, which has a chapter on it.\n",
	} {
		w := &web{pages: map[string]answer{"http://docs.test/": doc("Home", "/tea.md"), "http://docs.test/tea.md": {body: source, header: map[string]string{"Content-Type": "text/markdown"}}}}
		s := everyWay(t, w, "http://docs.test/", llmstxt.Options{})
		if len(s.Pages) != 2 || s.Pages[1].Excerpt != gadget || len(s.Pages[1].Links) > 0 || w.asked("http://docs.test/See") > 0 {
			t.Errorf("%q: %+v", source, s.Pages[1])
		}
	}
	// Sentences that begin alike are prose.
	for _, said := range []string{"import duties on tea are what this page explains to people.", "export of tea from China is what this page explains to people.", "The ::: sign stands before what is a note on this page."} {
		w := &web{pages: map[string]answer{"http://docs.test/": doc("Home", "/tea.md"), "http://docs.test/tea.md": {body: "# Tea\n\n" + said, header: map[string]string{"Content-Type": "text/markdown"}}}}
		if s := everyWay(t, w, "http://docs.test/", llmstxt.Options{}); len(s.Pages) != 2 || s.Pages[1].Excerpt != said {
			t.Errorf("%q: %+v", said, s.Pages)
		}
	}
}
