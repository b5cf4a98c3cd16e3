package farwire_test

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/internal/attempts"
	"github.com/farwire/farwire/internal/http1"
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
