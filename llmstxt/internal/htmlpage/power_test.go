package htmlpage_test

import (
	"context"
	"testing"

	"github.com/farwire/farwire/llmstxt/internal/htmlpage"
)

// TestPowers_Exponents_HaveTheirSign: in notes and in Markdown. What else is raised has none.
func TestPowers_Exponents_HaveTheirSign(t *testing.T) {
	for in, want := range map[string]string{
		"10<sup>6</sup> bytes":                 "10^6 bytes",
		"10<sup>-3</sup> s":                    "10^(-3) s",
		"2<sup>n</sup> states":                 "2^n states",
		"2<sup><i>n</i> − 1</sup> states":      "2^(n−1) states",
		"1.5<sup>32</sup>":                     "1.5^32",
		"1024<sup>2</sup> bytes":               "1024^2 bytes",
		"E = mc<sup>-2</sup>":                  "E = mc^(-2)",
		"x<sup>2</sup> + y<sup>2</sup>":        "x^2 + y^2",
		"40 km<sup>2</sup> of tea":             "40 km^2 of tea",
		"mol<sup>−1</sup>":                     "mol^(−1)",
		"sin<sup>2</sup> a":                    "sin^2 a",
		"(a+b)<sup>2</sup>":                    "(a+b)^2",
		"A<sup>T</sup>":                        "A^T",
		"2<sup>nd</sup> pot":                   "2nd pot",
		"1<sup>er</sup> mai":                   "1er mai",
		"M<sup>me</sup> Tee":                   "Mme Tee",
		"D<sup>r</sup> Tee":                    "Dr Tee",
		"n<sup>o</sup> 5":                      "no 5",
		"Acme<sup>TM</sup>":                    "AcmeTM",
		"x<sup>[</sup>":                        "x",
		"10<sup><a href=/p>6</a></sup>":        "10",
		"made in 1999<sup>1</sup>":             "made in 1999",
		"a tea (or two)<sup>2</sup>":           "a tea (or two)",
		"a word<sup>3</sup>":                   "a word",
		"3×10<sup>6</sup>":                     "3×10^6",
		"≈10<sup>6</sup> or −2<sup>8</sup>":    "≈10^6 or −2^8",
		"4·x<sup>2</sup>, √x<sup>3</sup>":      "4·x^2, √x^3",
		"5 /µm<sup>2</sup> — km<sup>2</sup>":   "5 /µm^2 — km^2",
		"it’s<sup>2</sup> or it's<sup>3</sup>": "it’s or it's",
		"$4.99<sup>1</sup> a month":            "$4.99 a month",
		"€ 25,000<sup>2</sup>":                 "€ 25,000",
		"£5<sup>10</sup>":                      "£5",
		"$x + 2<sup>8</sup>":                   "$x + 2^8",
		"word <sup>3</sup>":                    "word",
	} {
		p, err := htmlpage.Parse(context.Background(), []byte("<title>x</title><main><p>It is "+in), 1500)
		if err != nil {
			t.Fatal(err)
		}
		blocks, _ := p.Blocks("")
		if len(blocks) != 1 || blocks[0].Text != "It is "+want {
			t.Errorf("%s: %+v, want %q", in, blocks, want)
		}
	}
	for in, want := range map[string]string{
		"10<sup>6</sup> bytes":       "10^6 bytes",
		"<b>x</b><sup>2</sup>":       "**x**^2",
		"<i>n</i><sup>n-1</sup> a":   "*n*^(n-1) a",
		"2<sup>2<sup>n</sup></sup>":  "22^n",
		"<code>2<sup>8</sup></code>": "`2^8`",
		"in 1999<sup>1</sup>":        "in 1999", "a word<sup>3</sup>": "a word", "a word.<sup>12</sup> And": "a word. And", "a word <sup>3</sup>": "a word",
		"$4.99<sup>1</sup> a month": "$4.99 a month",
		"'x<sup>2</sup>'":           "'x^2'",
		"3×10<sup>6</sup>":          "3×10^6",
		"CO<sup>2</sup>":            "CO2", "it<sup>2</sup>": "it2", "<sup>2</sup>": "2",
	} {
		if got := markdown(t, "<title>x</title><main><p>It is "+in); got != "It is "+want+"\n" {
			t.Errorf("%s: %q, want %q", in, got, want)
		}
	}
}
