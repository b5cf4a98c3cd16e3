package notpage

import (
	"net/url"
	"testing"

	"github.com/farwire/farwire/llmstxt/internal/htmlpage"
)

func TestIsLogin_Path_NamesTheSegment(t *testing.T) {
	for p, want := range map[string]bool{
		"/login": true, "/users/sign_in": true, "/sign-in.html": true, "/accounts/": true, "/oauth2/authorize": true, "/SSO": false,
		"/docs/": false, "/login-guide": false, "/authentication": false, "/": false, "": false,
	} {
		if got := IsLogin(p); got != want {
			t.Errorf("%q: %v", p, got)
		}
	}
}

func TestSaysNotFound_TitleOrHeading_TellsErrorFromPage(t *testing.T) {
	at := &url.URL{Scheme: "https", Host: "docs.test", Path: "/guide/x"}
	for _, c := range []struct {
		title, heading, short string
		want                  bool
	}{
		{"Page not found | Docs", "", "Nothing here.", true},
		{"404", "404", "Nothing here.", true},
		{"Seite nicht gefunden – Handbuch", "", "Leider.", true},
		{"ページが見つかりません", "", "。", true},
		{"Docs", "Page not found", "There is nothing at /guide/x.", true},
		{"Docs", "Page not found", "What to answer when there is nothing.", false},
		{"Docs", "Guide", "The guide at /guide/x.", false},
		{"Handling not found errors", "Handling errors", "How to.", false},
	} {
		p := &htmlpage.Page{Title: c.title, Short: c.short}
		var blocks []htmlpage.Block
		if c.heading != "" {
			blocks = append(blocks, htmlpage.Block{Kind: htmlpage.Heading, Text: c.heading})
		}
		if got := SaysNotFound(p, blocks, at); got != c.want {
			t.Errorf("%q, %q, %q: %v", c.title, c.heading, c.short, got)
		}
	}
}

func TestWithoutPath_TextNamesItsAddress_IsTheSameForEach(t *testing.T) {
	a := WithoutPath("Nothing at /a/b.", &url.URL{Scheme: "https", Host: "docs.test", Path: "/a/b"})
	b := WithoutPath("Nothing at /c.", &url.URL{Scheme: "https", Host: "docs.test", Path: "/c"})
	if a == "" || a != b {
		t.Errorf("%q and %q", a, b)
	}
	if got := WithoutPath("A page.", &url.URL{Scheme: "https", Host: "docs.test", Path: "/c"}); got != "" {
		t.Errorf("of a page that does not name its address: %q", got)
	}
}
