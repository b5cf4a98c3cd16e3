package llmstxt_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/farwire/farwire/llmstxt"
)

// checkedLines are files with all that Check has to say of them: no message too many.
var checkedLines = map[string]struct {
	text string
	want string // lines and messages
}{
	"empty":                  {"", "0: the file is empty"},
	"blank":                  {"\ufeff \n\n", "0: the file is empty"},
	"HTML":                   {"\n<!DOCTYPE HTML><title>Not found</title>", "0: the file is an HTML page, not an llms.txt"},
	"HTML without a doctype": {"<html lang=en>\n# A\n", "0: the file is an HTML page, not an llms.txt"},
	"gzip":                   {"\x1f\x8b\x08\x00\x00", "0: the file is not UTF-8"},
	"UTF-16":                 {"\xff\xfe#\x00 \x00A\x00", "0: the file is not UTF-8"},
	"whole texts":            {"# A\nSource: https://a.test/\n\nText.\n\n# B\nSource: https://a.test/b\n", "0: the file is an llms-full.txt, not an llms.txt"},
	"late H1":                {"Words.\n\n# A\n\n> s\n\n## B\n\n- [c](http://a.test/c): n\n", "1: the file does not begin with an H1 (# title)"},
	"H1 behind a section":    {"> s\n\n## B\n\n- [c](http://a.test/c): n\n\n# A\n", "1: the file does not begin with an H1 (# title)"},
	"three H1":               {"# A\n\n> s\n\n# B\n\n## B\n\n- [c](http://a.test/c): n\n\n# C\n", "5: there is a second H1|11: there is a second H1"},
	"code of tildes":         {"# A\n\n> s\n\n~~~sh\n# comment\n```\n## b\n\n> c\n~~~\n\n## B\n\n- [c](http://a.test/c): n\n", ""},
	"code of four":           {"# A\n\n> s\n\n````\n```\n# comment\n```\n````\n\n## B\n\n- [c](http://a.test/c): n\n", ""},
	"code in an item":        {"# A\n\n> s\n\n- do\n  ```sh\n# comment\n  ```\n\n## B\n\n- [c](http://a.test/c): n\n", ""},
	"code in a line":         {"# A\n\n> s\n\n```go build```\n\n## B\n\n- [c](http://a.test/c): n\n", ""},
	"code in a section":      {"# A\n\n> s\n\n## B\n\n- [c](http://a.test/c): n\n\n```sh\n# comment\nrun\n```\n\n- [d](http://a.test/d): n\n", "9: this is not a link of the form - [title](url): note"},
	"code without end":       {"# A\n\n> s\n\n```\nx\n\n## B\n\n- [c](http://a.test/c): n\n", "5: the block of code has no end|0: the file has no link"},
	"no section":             {"# A\n\n> s\n\n- [c](http://a.test/c): n\n- [d](http://a.test/d): n\n", "5: the link stands in no section, and no section has one; a section begins with ## name"},
	"brackets":               {"# A\n\n> s\n\n## B\n\n- [c[0]](http://a.test/c): n\n- [\\[d\\]](http://a.test/d): n\n- [e](http://a.test/?e[]=1): n\n", "7: the title has square brackets|8: the title has square brackets"},
	"parentheses":            {"# A\n\n> s\n\n## B\n\n- [c(x)](http://a.test/c_(x)): n\n- [d](http://a.test/d_%28x%29): n (1)\n", "7: the address has parentheses; write %28 and %29"},
	"two links in a line":    {"# A\n\n> s\n\n## B\n\n- [c](http://a.test/c) [d](http://a.test/d): n\n- [e](http://a.test/e): n\n", "7: this is not a link of the form - [title](url): note"},
	"one address":            {"# A\n\n> s\n\n## B\n\n- [c](http://a.test): n\n- [d](HTTP://A.test:80/): n\n- [e](https://a.test:443/?q): n\n- [f](https://a.test?q): n\n", "8: HTTP://A.test:80/ stands in line 7 already|10: https://a.test?q stands in line 9 already"},
	"other addresses":        {"# A\n\n> s\n\n## B\n\n- [c](http://a.test/c): n\n- [d](http://a.test/c#d): n\n- [e](http://a.test/C): n\n- [f](https://a.test/c): n\n- [g](http://a.test:443/c): n\n- [h](http://a.test/c/): n\n", ""},
}

func TestCheck_Messages_AreRightAndNoMore(t *testing.T) {
	for name, c := range checkedLines {
		for ending, text := range map[string]string{"LF": c.text, "CRLF": strings.ReplaceAll(c.text, "\n", "\r\n")} {
			_, _, problems := llmstxt.Check(text)
			var got []string
			for _, p := range problems {
				got = append(got, fmt.Sprintf("%d: %s", p.Line, p.Text))
			}
			if s := strings.Join(got, "|"); s != c.want {
				t.Errorf("%s, %s: got %q, want %q", name, ending, s, c.want)
			}
		}
	}
}
