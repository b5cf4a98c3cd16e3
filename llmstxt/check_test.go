package llmstxt_test

import (
	"strings"
	"testing"

	"github.com/farwire/farwire/llmstxt"
)

const checkedIndex = `# Example

> A site to check.

Some words, and a fence:

` + "```" + `
# not a heading
` + "```" + `

## Docs

- [Start](https://example.com/start): How to begin
- [Parentheses](https://example.com/a_%28b%29): Encoded

## Optional

- [Changes](https://example.com/changes): What is new
`

const checkedPages = `# Example

> https://example.com/

## Example

> https://example.com/

It is an example.

## Start

> https://example.com/start

How to begin.

- a list in an excerpt
`

func TestCheck_ValidFiles_NoProblems(t *testing.T) {
	count := map[llmstxt.Layout]int{llmstxt.Index: 3, llmstxt.Pages: 2}
	for layout, text := range map[llmstxt.Layout]string{llmstxt.Index: checkedIndex, llmstxt.Pages: checkedPages} {
		for name, text := range map[string]string{"plain": text, "CRLF": strings.ReplaceAll(text, "\n", "\r\n"), "BOM": "\uFEFF" + text} {
			got, links, problems := llmstxt.Check(text)
			if got != layout || len(problems) > 0 || len(links) != count[layout] {
				t.Errorf("%s, %s: layout %s, links %v, problems %v", layout, name, got, links, problems)
			}
		}
	}
}

func TestCheck_Wrong_LineNamed(t *testing.T) {
	edit := func(text, old, new string) string {
		if !strings.Contains(text, old) {
			t.Fatalf("%q is not there", old)
		}
		return strings.Replace(text, old, new, 1)
	}
	for name, c := range map[string]struct {
		text string
		line int
		want string
	}{
		"empty":               {"", 0, "is empty"},
		"no H1":               {edit(checkedIndex, "# Example\n", "Example\n"), 1, "H1"},
		"two H1":              {edit(checkedIndex, "## Optional", "# Optional"), 16, "second H1"},
		"no summary":          {edit(checkedIndex, "> A site to check.\n", ""), 4, "summary"},
		"H3":                  {edit(checkedIndex, "## Optional", "### Optional"), 16, "below H2"},
		"no section name":     {edit(checkedIndex, "## Docs", "## "), 11, "no name"},
		"empty section":       {edit(checkedIndex, "## Optional", "## Nothing\n\n## Optional"), 16, "no link"},
		"prose in a section":  {edit(checkedIndex, "## Docs\n", "## Docs\nThese are:\n"), 12, "form"},
		"relative":            {edit(checkedIndex, "https://example.com/changes", "/changes"), 18, "absolute"},
		"other scheme":        {edit(checkedIndex, "https://example.com/changes", "ftp://example.com/x"), 18, "absolute"},
		"twice":               {edit(checkedIndex, "https://example.com/changes", "https://example.com/start"), 18, "line 13 already"},
		"section twice":       {edit(checkedIndex, "## Optional", "## Docs"), 16, "Docs begins in line 11 already"},
		"Optional twice":      {checkedIndex + "\n##  Optional \n\n- [More](https://example.com/more): More\n", 20, "line 16 already"},
		"no note":             {edit(checkedIndex, ": What is new", ""), 18, "no note"},
		"no title":            {edit(checkedIndex, "[Changes]", "[]"), 18, "no title"},
		"not UTF-8":           {edit(checkedIndex, "What is new", "\xff"), 0, "UTF-8"},
		"pages, no address":   {edit(checkedPages, "> https://example.com/start\n", ""), 11, "no address"},
		"pages, no excerpt":   {edit(checkedPages, "It is an example.\n", ""), 7, "no note"},
		"pages, twice":        {edit(checkedPages, "https://example.com/start", "https://example.com/"), 13, "line 7 already"},
		"pages, second H1":    {edit(checkedPages, "## Start", "# Start"), 11, "second H1"},
		"pages, quote inside": {edit(checkedPages, "How to begin.", "> How to begin."), 15, "begins with >"},
	} {
		_, _, problems := llmstxt.Check(c.text)
		found := false
		for _, p := range problems {
			found = found || p.Line == c.line && strings.Contains(p.Text, c.want)
		}
		if !found {
			t.Errorf("%s: got %v, want line %d, %q", name, problems, c.line, c.want)
		}
	}
}

// The format says nothing of the place of Optional, and gives no meaning to names written otherwise.
func TestCheck_OptionalAnywhere_NoProblem(t *testing.T) {
	for name, text := range map[string]string{
		"first":              "# A\n\n> B\n\n## Optional\n\n- [a](https://a.test/): a\n\n## Docs\n\n- [b](https://b.test/): b\n",
		"two alike":          "# A\n\n> B\n\n## optional\n\n- [a](https://a.test/): a\n\n## Optional\n\n- [b](https://b.test/): b\n",
		"pages of one title": "# A\n\n> https://a.test/\n\n## B\n\n> https://a.test/\n\nA.\n\n## B\n\n> https://a.test/b\n\nB.\n",
	} {
		if _, _, problems := llmstxt.Check(text); len(problems) > 0 {
			t.Errorf("%s: %v", name, problems)
		}
	}
}

// FuzzCheck holds that Check neither fails nor is lost in what it is given, and
// takes what Parse takes.
func FuzzCheck(f *testing.F) {
	f.Add(checkedIndex)
	f.Add(checkedPages)
	f.Add("# A\n\n> b\n\n## C\n\n- [d](e): f")
	f.Fuzz(func(t *testing.T, text string) {
		lines := strings.Count(text, "\n") + 1
		_, links, problems := llmstxt.Check(text)
		for _, l := range links {
			if l.Line < 1 || l.Line > lines {
				t.Errorf("a link in line %d of %d", l.Line, lines)
			}
		}
		for _, p := range problems {
			if p.Line < 0 || p.Line > lines || p.Text == "" {
				t.Errorf("a problem in line %d of %d: %q", p.Line, lines, p.Text)
			}
		}
	})
}
