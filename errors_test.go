package farwire_test

import (
	"fmt"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"

	"github.com/farwire/farwire"
)

// errorTable is the table of docs/errors.md.
func errorTable() string {
	var b strings.Builder
	b.WriteString("| code | status | close | after `connected` | event | when |\n| --- | --- | --- | --- | --- | --- |\n")
	number := func(n int) string {
		if n == 0 {
			return "-"
		}
		return strconv.Itoa(n)
	}
	for _, c := range farwire.ErrorClasses() {
		fmt.Fprintf(&b, "| `%s` | %d | %s | %s | %s | %s |\n", c.Code, c.Status, number(c.Close), number(c.Later), number(c.Event), c.Meaning)
	}
	return b.String()
}

func TestErrorClasses_Docs_PrintTheTable(t *testing.T) {
	text, err := os.ReadFile("docs/errors.md")
	if err != nil {
		t.Fatal(err)
	}
	if *update {
		before, _, ok := strings.Cut(string(text), "| code |")
		if !ok {
			t.Fatal("docs/errors.md has no table")
		}
		if err := os.WriteFile("docs/errors.md", []byte(before+errorTable()), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if !strings.Contains(string(text), errorTable()) {
		t.Errorf("docs/errors.md does not print the table; run this test with -update. It is\n%s", errorTable())
	}
}

func TestErrorClasses_EachRow_IsWhole(t *testing.T) {
	allowed := " key_missing key_invalid rate_limited limit_reached bad_request origin_refused target_forbidden target_unreachable" +
		" target_refused target_timeout tls_failed proxy_failed agent_unavailable agent_lost target_lost stalled ended draining internal "
	seen := make(map[string]bool)
	for _, c := range farwire.ErrorClasses() {
		if !strings.Contains(allowed, " "+c.Code+" ") {
			t.Errorf("code %q is not one of the stable ones", c.Code)
		}
		if c.Status < 400 || c.Status > 599 || c.Meaning == "" {
			t.Errorf("the row of %s is not whole: %+v", c.Code, c)
		}
		for _, code := range []int{c.Close, c.Later, c.Event} {
			if code != 0 && (code < 1000 || code > 1014) {
				t.Errorf("%s closes with %d", c.Code, code)
			}
		}
		seen[c.Code] = true
	}
	for code := range strings.FieldsSeq(allowed) {
		if !seen[code] {
			t.Errorf("code %q stands in no row", code)
		}
	}
}

// TestErrorAnswers_EachEndpoint_CarryXFarwireFrom tells our own refusals from a target's.
func TestErrorAnswers_EachEndpoint_CarryXFarwireFrom(t *testing.T) {
	w := newWorld(t)
	for _, path := range []string{"/ws", "/amqp", "/ws/crawl", "/network", "/usage", "/auth/token"} {
		resp, err := http.Get("http://" + w.ln.Addr().String() + path)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
		if resp.StatusCode == http.StatusMethodNotAllowed && resp.Header.Get("X-Farwire-From") == "" && resp.Header.Get("Content-Type") != "application/json" {
			continue // net/http's own, for a pattern with another method
		}
		if resp.StatusCode < 400 || resp.Header.Get("X-Farwire-From") != "gateway" {
			t.Errorf("%s: %s, X-Farwire-From %q", path, resp.Status, resp.Header.Get("X-Farwire-From"))
		}
	}
	for _, path := range []string{"/healthz", "/usage"} {
		if resp := w.do("GET", path, "X-API-Key: "+testKey); resp.StatusCode != http.StatusOK || resp.Header.Get("X-Farwire-From") != "gateway" {
			t.Errorf("%s: %s, X-Farwire-From %q", path, resp.Status, resp.Header.Get("X-Farwire-From"))
		}
	}
}
