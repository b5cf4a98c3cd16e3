package mdpage_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/farwire/farwire/llmstxt/internal/mdpage"
)

func parse(t testing.TB, text string, markdown bool) *mdpage.Page {
	t.Helper()
	p, err := mdpage.Parse(context.Background(), []byte(text), markdown)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func hrefs(p *mdpage.Page) (out []string) {
	for _, l := range p.Links {
		out = append(out, l.Href)
	}
	return out
}

func texts(p *mdpage.Page) (out []string) {
	for _, b := range p.Blocks {
		out = append(out, string(b.Kind)+" "+b.Text)
	}
	return out
}

func TestParse_InlineMarkup_BecomesPlainText(t *testing.T) {
	for in, want := range map[string]string{
		"a **b** _c_ ~~d~~ `e_*f`":           "a b c d e_*f",
		"snake_case and 2 * 3 and a_b_c":     "snake_case and 2 * 3 and a_b_c",
		"[t](u) ![i](v) [x][y] [z] a[0]":     "t x [z] a[0]",
		`\*not\* &amp; &lt; <b>x</b>`:        "*not* & < x",
		"`&amp;` ``a`b`` `open":              "&amp; a`b `open",
		"[a [b] c](u) [(](v) [w](<a b> 'x')": "a [b] c ( w",
		"](](](]( [[[[":                      "](](](]( [[[[",
		"a.[^1] b[^note-2] c[^d e] [^] f":    "a. b c[^d e] [^] f",
		"1 < 2 <notatag and 3":               "1 < 2 <notatag and 3",
	} {
		p := parse(t, in, true)
		if len(p.Blocks) != 1 || p.Blocks[0].Text != want {
			t.Errorf("%q reads %q, want %q", in, texts(p), want)
		}
	}
}

func TestParse_EachBlock_HasItsTag(t *testing.T) {
	p := parse(t, "+++\ntitle = \"Front\"\n+++\nSetext\n======\n\nPara one\nline two\n- item *a*\n  goes on\n1) item b\n\n> quoted\n\n| A | B |\n|---|---|\n| c | d |\n\n    code\n\n~~~\n# no\n~~~\n### Third ###\nx\n---\n***\n[//]: # (a remark)\n", true)
	want := []string{"h1 Setext", "p Para one line two", "li item a goes on", "li item b", "p quoted", "td A", "td B", "td c", "td d", "pre ", "h Third", "h x"}
	if got := texts(p); !slices.Equal(got, want) || p.Title != "Front" {
		t.Errorf("title %q, blocks %q", p.Title, got)
	}
	if p := parse(t, "# First *title*\n\n## Second\n", true); p.Title != "First title" {
		t.Errorf("title %q", p.Title)
	}
	if p := parse(t, "A line of text.\n\nhttp://a.test/x, (http://a.test/y)\n", false); p.Title != "" || fmt.Sprint(hrefs(p)) != "[http://a.test/x http://a.test/y]" {
		t.Errorf("title %q, links %v", p.Title, hrefs(p))
	}
}

func TestParse_EachFormOfLink_IsFound(t *testing.T) {
	p := parse(t, "[a](b.md#part) [a](<c d> \"t\") [e](f(g).md) <https://h.test> https://i.test/j). [k]\n\n[k]: l 'm'\n[^1]: note\n[n](#here) <a class=x href=\"o&amp;p\">q</a>\n", true)
	if got := fmt.Sprint(hrefs(p)); got != "[b.md c d f(g).md https://h.test https://i.test/j l o&p]" {
		t.Errorf("links %s", got)
	}
}

// Samples of HTML are no part of the page's own, wherever they stand.
func TestParse_SamplesOfHTML_HideNothing(t *testing.T) {
	const last = "p What follows is read."
	script := `<script type="application/ld+json">{"a": "` + strings.Repeat("b", 600) + `"}</script>`
	for in, want := range map[string][]string{
		"1. Add:\n\n    ```html\n    <script src=\"x.js\"></script>\n    ```\n": {"li Add:", "pre "},
		"- Add:\n\n\t```html\n\t<script>\n\t# no\n\t```\n":                      {"li Add:", "pre "},
		"!!! note\n    ~~~\n    <style>\n    ~~~\n":                             {"p !!! note", "pre "},
		"* a\n    * b\n\n        ```\n        <script>\n\n        - x\n":        {"li a", "li b", "pre "}, // which does not end
		"```html\n<script>\n```\n":                                              {"pre "},
		"Write:\n\n    <script>\n":                                              {"p Write:", "pre "},
		"<style>\n":                                                             {},
		"<script>\n<script>\n":                                                  {},
		script + "\n":                                                           {},
		"<SCRIPT>\nno\n</Script>\n":                                             {},
		"<script\n>no\n\nno\n</script>\n\n<style media=print>\nno\n\nno </STYLE>\n": {},
	} {
		if got := texts(parse(t, "The first line\n\n"+in+"\nWhat follows is read.\n", true)); !slices.Equal(got, append(append([]string{"p The first line"}, want...), last)) {
			t.Errorf("%q reads %q", in, got)
		}
	}
	text, _, err := mdpage.Whole(t.Context(), []byte("1. Add:\n\n    ```html\n    <script src=\"x.js\"></script>\n    ```\n\nDone.\n"), true, 1000, func(href string) string { return href })
	if err != nil || !strings.Contains(string(text), "x.js") || !strings.Contains(string(text), "Done.") {
		t.Errorf("%q, %v", text, err)
	}
}

func TestParse_Cancelled_Ends(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := mdpage.Parse(ctx, []byte(strings.Repeat("a line\n", 10000)), true); err != context.Canceled {
		t.Errorf("ended with %v", err)
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"# a\n\n[b](c) `d` ![e](f)\n", "---\ntitle: x\n---\n", "a\n===\n", "[[[](](", "```\n~~~\n", "<!-- a\n--> b", "| a | b", "\\", "`", "<", "\xff[\xfe](\x00)"} {
		f.Add(s, true)
		f.Add(s, false)
	}
	f.Fuzz(func(t *testing.T, s string, markdown bool) {
		p := parse(t, s, markdown)
		size := 0
		for _, b := range p.Blocks {
			if size += len(b.Text); !utf8.ValidString(b.Text) || strings.ContainsAny(b.Text, "\n\x00\u200b") {
				t.Errorf("block %q", b.Text)
			}
		}
		if size > 40<<10 || len(p.Blocks) > 200 {
			t.Errorf("%d blocks of %d bytes", len(p.Blocks), size)
		}
	})
}
