package plain_test

import (
	"testing"

	"github.com/farwire/farwire/llmstxt/internal/plain"
)

// TestEscapeTitle_OnlyMarkup_GetsABackslash leaves alone what Markdown shows as it stands.
func TestEscapeTitle_OnlyMarkup_GetsABackslash(t *testing.T) {
	for title, want := range map[string]string{
		"AT&T and Q&A":              "AT&T and Q&A",
		"a &copy b":                 "a &copy b",
		"&copy; and &#169; &#xA9;":  `\&copy; and \&#169; \&#xA9;`,
		"the *args parameter":       "the *args parameter",
		"*args, **kwargs":           `\*args, \*\*kwargs`,
		"_private":                  "_private",
		"_a_ and snake_case":        `\_a\_ and snake_case`,
		"~/.config":                 "~/.config",
		"~~gone~~":                  `\~\~gone\~\~`,
		"it`s":                      "it\\`s",
		"The ` sign":                "The \\` sign",
		"a <b and a < b":            `a \<b and a < b`,
		"`code` and 2 * 3":          "\\`code\\` and 2 * 3",
		"std::vector<T>::push_back": `std::vector\<T>::push_back`,
		"C# & F#":                   `C# & F\#`,
	} {
		got := plain.EscapeTitle(title)
		if got != want || plain.UnescapeTitle(got) != title {
			t.Errorf("%q is written as %q and read as %q, want %q", title, got, plain.UnescapeTitle(got), want)
		}
	}
}
