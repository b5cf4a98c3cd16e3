package pathform_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/farwire/farwire/internal/pathform"
)

func TestIncoming_ThousandsOfCookies_KeepsTheNewest(t *testing.T) {
	const n = 15_000
	r := parse(t, "/to/-/https/api.test/x")
	h := http.Header{}
	for i := range n {
		h.Add("Set-Cookie", fmt.Sprintf("c%d=x", i))
	}
	r.Incoming(h, pathform.Answer{Caller: "alice", Request: http.Header{}})
	lines := h["Set-Cookie"]
	if want := 2*n - 50; len(lines) != want {
		t.Fatalf("%d cookies are set or deleted, want %d", len(lines), want)
	}
	for i, line := range lines[n:] {
		if name := fmt.Sprintf(".c%d=; Max-Age=0", i); !strings.Contains(line, name) {
			t.Fatalf("%q is deleted in place of %q", line, name)
		}
	}
}

// Whatever cookies a target sets, the browser gets them under this target's names, for
// the path form alone, and no more than it may keep.
func FuzzSetCookie(f *testing.F) {
	for _, s := range []string{"sid=1; Domain=t.test; Path=/a\nb=2; Max-Age=0", "a=b; expires=Thu, 01 Jan 1970 00:00:00 GMT", "=x\n;\n a = b ;;MAX-AGE= -1", strings.Repeat("a=b\n", 200)} {
		f.Add(s, "fw.x.a=1; b=2; =; fw.")
	}
	f.Fuzz(func(t *testing.T, lines, had string) {
		r, err := pathform.Parse("/to/-/https/api.test/x")
		if err != nil {
			t.Fatal(err)
		}
		lines, had = strings.ReplaceAll(lines, "\r", ""), strings.NewReplacer("\r", "", "\n", "").Replace(had)
		h := http.Header{"Set-Cookie": strings.Split(lines, "\n")}
		scope := r.CookieScope("alice")
		r.Incoming(h, pathform.Answer{Caller: "alice", Request: http.Header{"Cookie": {had}}, HTTPS: true})
		kept := map[string]bool{}
		for _, line := range h["Set-Cookie"] {
			name, _, ok := strings.Cut(line, "=")
			gone := strings.Contains(line, "=; Max-Age=0; Path=/to/;")
			if !ok || !gone && !strings.HasPrefix(name, scope) || !strings.HasPrefix(name, "fw.") || !strings.HasSuffix(line, "; Path=/to/; HttpOnly; Secure; SameSite=None; Partitioned") {
				t.Fatalf("%q is sent", line)
			}
			if kept[name] = true; gone {
				delete(kept, name)
			}
		}
		if len(kept) > 50 && !strings.Contains(strings.ToLower(lines), "max-age") && !strings.Contains(strings.ToLower(lines), "expires") {
			t.Fatalf("%d cookies are kept", len(kept))
		}
	})
}
