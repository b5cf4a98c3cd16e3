//go:build unix

package crawlbench_test

import (
	"encoding/json"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	whatwg "github.com/nlnwa/whatwg-url/url"

	"github.com/farwire/farwire/llmstxt"
)

// A crawl spells addresses in its own way (see llmstxt.ResolveURL), but it must
// never lead elsewhere than a browser. So its spelling of an address has to be
// its spelling of what the WHATWG standard makes of that address. Two kinds of
// addresses it refuses though a browser takes them: numbers as hosts that are
// not four decimal ones, and credentials with signs that need an escape.
func refusedOnPurpose(got, ref, want string) bool {
	if got != "" {
		return false
	}
	if strings.Contains(ref, "@") {
		return true
	}
	u, err := url.Parse(want)
	if err != nil {
		return false
	}
	a, err := netip.ParseAddr(u.Hostname())
	return err == nil && a.Is4() && !strings.Contains(ref, a.String())
}

func TestAddresses_WHATWGTable_ResolveAsInABrowser(t *testing.T) {
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", "github.com/nlnwa/whatwg-url").Output()
	if err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(filepath.Join(strings.TrimSpace(string(out)), "testdata", "urltestdata.json"))
	if err != nil {
		t.Fatal(err)
	}
	var cases []json.RawMessage
	if err := json.Unmarshal(data, &cases); err != nil {
		t.Fatal(err)
	}
	compared := 0
	for _, raw := range cases {
		var c struct {
			Input    string
			Base     string
			Href     string
			Failure  bool
			Protocol string
		}
		if json.Unmarshal(raw, &c) != nil {
			continue // a comment
		}
		if c.Base != "" && !strings.HasPrefix(c.Base, "http") {
			continue // a page that a crawl is never on
		}
		compared++
		got, _ := llmstxt.ResolveURL(c.Base, c.Input)
		want := ""
		if !c.Failure && (c.Protocol == "http:" || c.Protocol == "https:") {
			want, _ = llmstxt.ResolveURL("", c.Href)
		}
		if got != want && !refusedOnPurpose(got, c.Input, want) {
			t.Errorf("%q at %q: %q, want %q (%s)", c.Input, c.Base, got, want, c.Href)
		}
	}
	if compared < 600 {
		t.Errorf("only %d addresses in the standard's test data", compared)
	}
}

// FuzzAddress compares with the standard's algorithm itself.
func FuzzAddress(f *testing.F) {
	for _, s := range []string{"a/../b", "//x.test/%2e%2e/y", "http:/x", "?q='\"", "\\\\x.test\\y", "http://user@x.test:80/", "%zz", ":x", "HTTPS://X.test:443"} {
		f.Add(s)
	}
	const base = "http://docs.test/a/b?c"
	f.Fuzz(func(t *testing.T, ref string) {
		for i := range len(ref) {
			if ref[i] >= 0x80 {
				return // names in other scripts: another table
			}
		}
		u, err := whatwg.ParseRef(base, ref)
		got, ok := llmstxt.ResolveURL(base, ref)
		if !ok {
			return // refusing is always safe
		}
		if err != nil {
			t.Fatalf("%q: %q, and a browser refuses it: %v", ref, got, err)
		}
		if want, _ := llmstxt.ResolveURL("", u.Href(true)); got != want {
			t.Fatalf("%q: %q, want %q (%s)", ref, got, want, u.Href(true))
		}
	})
}
