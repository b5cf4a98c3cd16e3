package htmlpage_test

import (
	"strings"
	"testing"
)

// A formula of MathML without TeX says in a line what a browser shows by places.
func TestMathML_WithoutTeX_SaysWhatItShows(t *testing.T) {
	for formula, want := range map[string]string{
		"<mi>Q</mi><mo>=</mo><mi>m</mi><mi>c</mi><mfrac><mi>a</mi><mi>b</mi></mfrac><msup><mi>x</mi><mn>2</mn></msup>":              "Q=mca/bx^2",
		"<mfrac><mrow>\n<mi>a</mi> <mo>+</mo>\n<mi>b</mi></mrow><mn>12</mn></mfrac>":                                                "(a+b)/12",
		"<msubsup><mi>x</mi><mi>i</mi><mrow><mi>n</mi><mo>-</mo><mn>1</mn></mrow></msubsup>":                                        "x_i^(n-1)",
		"<munderover><mo>∑</mo><mrow><mi>i</mi><mo>=</mo><mn>1</mn></mrow><mi>n</mi></munderover><msub><mi>x</mi><mi>i</mi></msub>": "∑_(i=1)^nx_i",
		"<msqrt><mi>a</mi><mo>+</mo><msup><mi>b</mi><mn>10</mn></msup></msqrt>":                                                     "√(a+b^10)",
		"<mroot><mi>x</mi><mn>3</mn></mroot>":                                                                                       "x^(1/3)",
		"<mi>sin</mi><mi>x</mi><mi>y</mi>":                                                                                          "sin xy",
		"<mfrac><mi>a</mi><mspace/><mi>b</mi></mfrac></mrow></mfrac>":                                                               "a/b",
		"<semantics><mfrac><mi>a</mi><mi>b</mi></mfrac><annotation encoding=text>x</annotation></semantics>":                        "a/b",
	} {
		if got := markdown(t, "<title>x</title><main><p>So <math>"+formula+"</math>.</p></main>"); got != "So "+want+".\n" {
			t.Errorf("%s: %q, want %q", formula, got, want)
		}
	}
	if got := markdown(t, "<title>x</title><main><p>So <math alttext='\\frac{a}{b}'><mfrac><mi>a</mi><mi>b</mi></mfrac></math>.</p></main>"); got != "So $\\frac{a}{b}$.\n" {
		t.Errorf("alttext: %q", got)
	}
	deep := strings.Repeat("<mfrac><mi>a</mi>", 100) + "<mi>b</mi>" + strings.Repeat("</mfrac>", 100)
	if got := markdown(t, "<title>x</title><main><p>So <math>"+deep+"</math>.</p></main>"); !strings.HasPrefix(got, "So a/(a/(a/") || len(got) > 1000 {
		t.Errorf("deep: %q", got)
	}
}
