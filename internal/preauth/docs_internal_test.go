package preauth

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"
)

// The numbers that docs/security.md prints for connections without a key are those of the
// code.
func TestBounds_Numbers_AreThoseOfTheDocs(t *testing.T) {
	b, err := os.ReadFile("../../docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	seconds := func(d time.Duration) string { return fmt.Sprint(int(d / time.Second)) }
	rows := map[string][]string{
		"a connection without a key that is idle between two requests": {seconds(IdleTimeout) + " seconds"},
		"the body of a request without a key,":                         {seconds(BodyTimeout) + " seconds"},
		"an answer to a request without a key of which the client takes no byte": {seconds(StallTimeout) + " seconds, on Linux; a trusted proxy's " + seconds(4*StallTimeout),
			"; " + seconds(drainStall) + " while the server shuts down", fmt.Sprintf("a piece of %d KiB that a stream does not take %s", streamPiece>>10, seconds(4*StallTimeout))},
		"requests without a key of one HTTP/2 connection at a time": {fmt.Sprintf("%d MiB in sum", maxHeld>>20), fmt.Sprintf("and %d KiB;", streamCost>>10)},
		"the head of a request, with a key as well": {fmt.Sprintf("%d KiB of memory (431)", maxHead>>10), fmt.Sprintf("each of its lines counts with %d bytes", lineCost),
			fmt.Sprintf("%d bytes for its name and %d for each value", nameCost, valueCost)},
	}
	for row, numbers := range rows {
		_, text, found := strings.Cut(string(b), "\n| "+row)
		text, _, _ = strings.Cut(text, "\n")
		for _, number := range numbers {
			if !found || !strings.Contains(text, number) {
				t.Errorf("%s: the page says%s, want %q", row, text, number)
			}
		}
	}
}
