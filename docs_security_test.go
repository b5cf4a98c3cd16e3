package farwire_test

import (
	"fmt"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/internal/attempts"
	"github.com/farwire/farwire/internal/http1"
	"github.com/farwire/farwire/internal/keysfile"
	"github.com/farwire/farwire/internal/token"
)

// docs/security.md says of heads, keys, tokens and wrong credentials the numbers that the
// code has.
func TestDocs_Security_PrintsTheBounds(t *testing.T) {
	text, err := os.ReadFile("docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	count := map[int]string{5: "five", 10: "ten", 24: "a day"}
	page := strings.Join(strings.Fields(string(text)), " ")
	for _, want := range []string{
		fmt.Sprintf("| the head of an answer | %d KiB;", http1.MaxHead>>10),
		fmt.Sprintf("Keys shorter than %d bytes, and empty ones, are refused", farwire.MinKeyLength),
		fmt.Sprintf("It works for %s minutes, or as long as `expires_in` in the body says, up to %s.", count[int(token.Life/time.Minute)], count[int(token.MaxLife/time.Hour)]),
		fmt.Sprintf("a request for more than %s minutes is refused", count[int(token.Life/time.Minute)]),
		fmt.Sprintf("after %s in a minute the address gets 429", count[attempts.PerMinute]),
	} {
		if !strings.Contains(page, want) {
			t.Errorf("docs/security.md does not say %q", want)
		}
	}
}

// The keys file that docs/security.md shows is one, and the names of limits that it lists are
// those that there are.
func TestDocs_Security_KeysFileIsRead(t *testing.T) {
	text, err := os.ReadFile("docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	_, rest, _ := strings.Cut(string(text), "```json\n")
	shown, rest, _ := strings.Cut(rest, "```")
	hash := strings.Repeat("0123456789abcdef", 4)
	records, err := farwire.ParseKeysFile([]byte(strings.Replace(shown, "…64 hex digits…", hash, 1)))
	if err != nil || len(records) != 1 {
		t.Fatalf("%d records, %v", len(records), err)
	}
	if p := records[0].Principal; p.Subject != "alice" || p.Limits.Rate != 5 || p.Limits.Sessions != 20 || p.Limits.PagesPerDay != -1 || len(p.Allow) != 2 || len(p.Deny) != 1 || len(p.Kinds) != 2 {
		t.Errorf("it is read as %+v", p)
	}
	_, list, _ := strings.Cut(rest, "`limits` may hold ")
	list, _, _ = strings.Cut(list, "; -1 means no limit")
	names := 0
	for name := range strings.FieldsFuncSeq(list, func(r rune) bool { return strings.ContainsRune("` ,\n", r) }) {
		if name == "and" {
			continue
		}
		names++
		for value, want := range map[string]bool{"-1": true, "1": true, "0": false, "-2": false, "null": false} {
			file := fmt.Sprintf(`[{"name":"a","key_sha256":%q,"limits":{%q:%s}}]`, hash, name, value)
			if _, err := farwire.ParseKeysFile([]byte(file)); (err == nil) != want {
				t.Errorf("%s of %s: %v", name, value, err)
			}
		}
	}
	if all := reflect.TypeFor[keysfile.Limits]().NumField(); names != all {
		t.Errorf("%d names of limits are listed; a record has %d", names, all)
	}
}
