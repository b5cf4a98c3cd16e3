package console

import (
	"net/url"
	"os"
	"strings"
	"testing"

	"github.com/farwire/farwire/internal/harness"
)

// The foot of the page says which version it is, and where more is written.
func TestFooter_Links_LeadToDocsOpenAPIAndVersion(t *testing.T) {
	t.Parallel()
	g := harness.Serve(t)
	p := open(t, desktop, g.HTTP("/"))
	if said := eval[string](p, `document.querySelector('footer').innerText`); !strings.HasPrefix(said, "Farwire") {
		t.Errorf("the foot of the page says %q", said)
	}
	links := eval[map[string]string](p, `Object.fromEntries([...document.querySelectorAll('footer a')].map((a) => [a.innerText, a.href]))`)
	for _, name := range []string{"Documentation", "This console", "HTTP (OpenAPI)", "WebSockets (AsyncAPI)", "Changes"} {
		u, err := url.Parse(links[name])
		if err != nil || u.Host != "github.com" {
			t.Errorf("%s leads to %q", name, links[name])
			continue
		}
		_, file, _ := strings.Cut(u.Path, "/blob/")
		_, file, _ = strings.Cut(file, "/") // behind the version
		text, err := os.ReadFile("../../../" + file)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if at := strings.ReplaceAll(u.Fragment, "-", " "); !strings.Contains(strings.ToLower(string(text)), at) {
			t.Errorf("%s: %s has no part %q", name, file, at)
		}
	}
	if len(links) != 5 {
		t.Errorf("%d links: %v", len(links), links)
	}
}
