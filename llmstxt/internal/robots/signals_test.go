package robots_test

import (
	"net/url"
	"strings"
	"testing"

	"github.com/farwire/farwire/llmstxt/internal/robots"
)

// A signal may hold for a path alone, by the rules of Allow and Disallow; the longest path
// that says something of models counts, and of equal ones a no.
func TestRobots_SignalOfAPath_HoldsForThatPath(t *testing.T) {
	for name, tt := range map[string]struct {
		file    string
		refused []string
		read    []string
	}{
		"without a path":           {"User-agent: *\nContent-Signal: ai-train=no, ai-input=no", []string{"/", "/a", "/?q"}, nil},
		"in front of all groups":   {"Content-Signal: /a ai-input=no\nUser-agent: *\nAllow: /", []string{"/a", "/a/b", "/ab", "/a?q"}, []string{"/", "/b/a"}},
		"of a path":                {"User-agent: *\nContent-Signal: /members/ search=yes, ai-input=no", []string{"/members/", "/members/x"}, []string{"/", "/members", "/x"}},
		"a tab between":            {"User-agent: *\nContent-Usage:\t/a\tai-input=n", []string{"/a"}, []string{"/"}},
		"a longer yes":             {"User-agent: *\nContent-Signal: ai-input=no\nContent-Signal: /docs/ ai-input=yes", []string{"/", "/blog"}, []string{"/docs/a"}},
		"a longer no":              {"User-agent: *\nContent-Signal: /docs/old/ ai-input=no\nContent-Signal: /docs/ ai-input=yes", []string{"/docs/old/a"}, []string{"/docs/a", "/"}},
		"a longer one of others":   {"User-agent: *\nContent-Signal: ai-input=no\nContent-Signal: /docs/ ai-train=no", []string{"/", "/docs/a"}, nil},
		"no and yes of one path":   {"User-agent: *\nContent-Signal: /a ai-input=yes\nContent-Signal: /a ai-input=no\nContent-Signal: /a ai-input=yes", []string{"/a"}, []string{"/"}},
		"with wildcards":           {"User-agent: *\nContent-Signal: /*.md$ ai-input=no\nContent-Signal: /*.md$ ai-input=yes", []string{"/a/b.md"}, []string{"/a.md?x", "/a"}},
		"escaped":                  {"User-agent: *\nContent-Signal: /caf%c3%A9 ai-input=no", []string{"/café", "/caf%C3%A9/x"}, []string{"/cafe"}},
		"of a path for another":    {"User-agent: Other\nContent-Signal: /a ai-input=no\nUser-agent: *\nAllow: /", nil, []string{"/a"}},
		"of a path for us":         {"User-agent: farwire\nContent-Signal: /a ai-input=no\nUser-agent: *\nAllow: /", []string{"/a"}, []string{"/"}},
		"with a path and no words": {"User-agent: *\nContent-Signal: /a\nContent-Signal: /ai-input=no", nil, []string{"/a", "/"}},
		"behind many others":       {"User-agent: *\n" + strings.Repeat("Content-Signal: /b search=yes\n", 30) + "Content-Signal: /a ai-input=no", []string{"/a"}, []string{"/b"}},
	} {
		r := robots.Parse([]byte(tt.file), "farwire")
		for want, paths := range map[bool][]string{true: tt.refused, false: tt.read} {
			for _, p := range paths {
				u, err := url.Parse("http://foo.test" + p)
				if err != nil {
					t.Fatal(err)
				}
				if got := r.RefusesInput(u); got != want || !r.Allowed(u) {
					t.Errorf("%s: %s is refused: %t, want %t; allowed: %t", name, p, got, want, r.Allowed(u))
				}
			}
		}
		if len(r.Signals) > 20 {
			t.Errorf("%s: %d signals are kept", name, len(r.Signals))
		}
	}
	if (&robots.Rules{}).RefusesInput(&url.URL{Path: "/"}) {
		t.Error("a file that is missing refuses")
	}
}
