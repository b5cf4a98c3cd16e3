package weburl

import (
	"regexp"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestGlob_Stars_MatchWithinOrAcrossFolders(t *testing.T) {
	for _, tt := range []struct {
		glob, path string
		want       bool
	}{
		{"/docs/**", "/docs/a/b", true}, {"/docs/**", "/docs/", true}, {"/docs/**", "/other", false}, {"/docs/*", "/docs/a/b", false}, {"/docs/*", "/docs/a", true},
		{"**/*.html", "/a/b.html", true}, {"/a.c", "/abc", false}, {"/(x", "/(x", true}, {"/*/api/**", "/v1/api/x", true}, {"", "/", false},
		{"/**/x", "/x", true}, {"/**/x", "/a/b/x", true}, {"/**/x", "/ax", false}, {"/a/**/**/b", "/a/b", true}, {"/a/**/b/**", "/a/b/", true}, {"/a/**/b", "/ab", false},
	} {
		if got := ParseGlob(tt.glob).Match(tt.path); got != tt.want {
			t.Errorf("%s on %s: %t", tt.glob, tt.path, got)
		}
	}
}

// asRegexp says what a glob means in another language.
func asRegexp(pattern string) *regexp.Regexp {
	for strings.Contains(pattern, "/**/**/") {
		pattern = strings.ReplaceAll(pattern, "/**/**/", "/**/")
	}
	words := strings.NewReplacer("/**/", "/(?:.*/)?", "**", ".*", "*", "[^/]*")
	var b strings.Builder
	b.WriteString("(?s)^")
	for pattern != "" {
		n := strings.Index(pattern, "*")
		if n < 0 {
			n = len(pattern)
		}
		if n > 0 && strings.HasPrefix(pattern[n-1:], "/**/") {
			n--
		}
		b.WriteString(regexp.QuoteMeta(pattern[:n]))
		pattern = pattern[n:]
		for _, wildcard := range []string{"/**/", "**", "*"} {
			if strings.HasPrefix(pattern, wildcard) {
				b.WriteString(words.Replace(wildcard))
				pattern = pattern[len(wildcard):]
				break
			}
		}
	}
	return regexp.MustCompile(b.String() + "$")
}

// A glob matches what its regular expression does.
func FuzzGlob(f *testing.F) {
	for _, s := range [][2]string{{"/docs/**", "/docs/a/b"}, {"**/*.html", "/a/b.html"}, {"/*/api/**", "/v1/api/x"}, {"/**/x", "/a/b/x"}, {"/a/**/**/b", "/a/b"},
		{"/**/**", "/"}, {"*a**b*/**/", "/ab/aab/"}, {"***", "/a\n"}, {"/a/**/b/**/c", "/a/b/b/x/c"}, {"aaa*aa", "aaaaaa"}, {"**abaab**abaab", "xabaabaab"}, {"*aabaaab*", "aabaabaaab"}, {"**/a/a/b", "/a/a/a/b"}, {"/\xff*", "/\xff"}} {
		f.Add(s[0], s[1])
	}
	f.Fuzz(func(t *testing.T, pattern, path string) {
		got := ParseGlob(pattern).Match(path)
		if len(pattern) > 200 || len(path) > 500 || !utf8.ValidString(pattern) || !utf8.ValidString(path) {
			return // a regular expression takes long, or matches no bytes
		}
		if want := asRegexp(pattern).MatchString(path); got != want {
			t.Errorf("%q on %q: %v, want %v", pattern, path, got, want)
		}
	})
}
