package weburl

import (
	"fmt"
	"strings"
	"testing"
)

func TestSwitched_LinksToVersions_ShowTheirFolders(t *testing.T) {
	for links, want := range map[string]string{
		"15 /docs/15/; 16 (current) /docs/16/; dev /docs/devel/": "[/docs/15 /docs/16 /docs/devel]",
		"15 /docs/15/a.html; 16 (current) /docs/current/a.html":  "[/docs/15 /docs/current]",
		"Version 3 /3/x; Version 4 /4/y":                         "[/3 /4]",
		"v8 – old /en/8/; v9 /en/9/":                             "[/en/8 /en/9]",
		"1 /page/1/; 2 /page/2/; 3 /page/3/":                     "[]",
		"1 /book/1/; next /book/2/":                              "[]",
		"15 (old) /docs/15/":                                     "[]",
		"Tea 15 /docs/15/; Tea 16 /docs/16/":                     "[]",
		"15 /a/; 16 (current) /b/":                               "[]",
	} {
		var choices []Choice
		for l := range strings.SplitSeq(links, "; ") {
			i := strings.LastIndex(l, " ")
			choices = append(choices, Choice{l[:i], Parse("http://a.test" + l[i+1:])})
		}
		if got := fmt.Sprint(Switched(choices)); got != want {
			t.Errorf("%s: %s, want %s", links, got, want)
		}
	}
}

func TestVersionIn_KnownFolder_IsCutOut(t *testing.T) {
	known := map[string]bool{"/docs/15": true, "/3": true}
	for path, want := range map[string]string{"/docs/15/a/b": "15 /docs/a/b false", "/docs/15/": "15 /docs/ true", "/3/x": "3 /x false", "/docs/150/a": " /docs/150/a false", "/docs/15": " /docs/15 false", "/docs/2.0/a": "2.0 /docs/a false"} {
		v, p, root := VersionIn(Parse("http://a.test"+path), known)
		if got := fmt.Sprint(v, " ", p, " ", root); got != want {
			t.Errorf("%s: %q, want %q", path, got, want)
		}
	}
}
