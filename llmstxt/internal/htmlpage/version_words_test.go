package htmlpage

import (
	"testing"

	"golang.org/x/net/html"

	"github.com/farwire/farwire/llmstxt/internal/plain"
	"github.com/farwire/farwire/llmstxt/internal/weburl"
)

// What a quick look at a link's words leaves out is the name of no version, however the page
// writes it.
func TestMayBeVersion_EachVersion_IsLookedAt(t *testing.T) {
	names := []string{"1", "v2", "V2.0", "3.11 (current)", "version 3", "Version 3.1", "release 4", "rel 2.1", "latest", "Stable", "STABLE", "current", "next",
		"dev", "devel", "main", "master", "nightly", "edge", "canary", "lts", "beta", "preview", "snapshot", "latest (1.2)", "stable – 3.4"}
	spellings := []func(string) string{
		func(s string) string { return s },
		func(s string) string { return " \n\t" + s + " " },
		func(s string) string { return "\u00a0" + s },
		func(s string) string { return "\u200b" + s },
		func(s string) string { return "\v" + s },
		func(s string) string { return s[:1] + "\u00ad" + s[1:] },
		func(s string) string { return s[:1] + "&shy;" + s[1:] },
		func(s string) string { return "&#x" + hexOf(s[0]) + ";" + s[1:] },
	}
	for _, name := range names {
		for i, spell := range spellings {
			words := spell(name)
			if !weburl.IsVersion(plain.OneLine(html.UnescapeString(words))) {
				t.Errorf("spelling %d of %q is the name of no version", i, name)
			}
			if !mayBeVersion([]byte(words)) {
				t.Errorf("%q is not looked at", words)
			}
		}
	}
	for _, words := range []string{"", " ", "Tea", " os.path", "versions", "(1.2)", "vy 2", "snapshots of it", "maintenance"} {
		if mayBeVersion([]byte(words)) {
			t.Errorf("%q is looked at", words)
		}
	}
}

func hexOf(c byte) string { return string("0123456789abcdef"[c>>4]) + string("0123456789abcdef"[c&15]) }
