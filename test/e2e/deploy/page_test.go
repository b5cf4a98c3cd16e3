//go:build unix

package deploy

import (
	"os"
	"regexp"
	"strings"
	"testing"
)

var block = regexp.MustCompile("(?ms)^<!-- ([^\n]+) -->\n\n```\\w+\n(.*?)^```$")

// blocks are what the page has to copy, each below a comment that names it.
func blocks(t *testing.T) map[string]string {
	t.Helper()
	text, err := os.ReadFile(repository + "/docs/operating.md")
	if err != nil {
		t.Fatal(err)
	}
	all := make(map[string]string)
	for _, m := range block.FindAllStringSubmatch(string(text), -1) {
		all[m[1]] = m[2]
	}
	return all
}

// pageBlock returns a block with words of the page replaced by those of the test,
// given in pairs. Each must be there.
func pageBlock(t *testing.T, name string, words ...string) string {
	t.Helper()
	text, ok := blocks(t)[name]
	if !ok {
		t.Fatalf("the page has no block %q", name)
	}
	for i := 0; i < len(words); i += 2 {
		if !strings.Contains(text, words[i]) {
			t.Fatalf("block %q does not say %q:\n%s", name, words[i], text)
		}
		text = strings.ReplaceAll(text, words[i], words[i+1])
	}
	return text
}

// What the page has to copy is tried by a test.
func TestPage_EveryBlock_IsTested(t *testing.T) {
	tried := map[string]bool{"nginx.conf": true, "Caddyfile": true, "browser.conf": true, "secrets.conf": true, "secrets.sh": true}
	for _, u := range units {
		tried[u.name], tried[u.env] = true, true
	}
	for _, name := range append(replacements, ofServices...) {
		tried[name] = true
	}
	for name := range blocks(t) {
		if !tried[name] {
			t.Errorf("nothing tries %s", name)
		}
	}
}
