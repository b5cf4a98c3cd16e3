//go:build linux

package llmstxt_test

import (
	"testing"

	"github.com/farwire/farwire/llmstxt/internal/weburl"
)

// What a crawl asks of every link costs in proportion to the length of its address.
func TestCost_LongAddresses_IsLinear(t *testing.T) {
	ask := func(t testing.TB, address []byte) {
		u := weburl.Parse(string(address))
		if u == nil {
			t.Fatal("not an address")
		}
		weburl.Version(u)
		weburl.IsListing(u)
		weburl.IsTool(u)
		weburl.EndsSession(u)
		weburl.Deletes(u)
		weburl.ShapeOf(u)
	}
	for name, build := range map[string]func(int) []byte{
		"versions of changes": fill("http://a.test/", "changes/1.2/", "x"),
		"folders of sources":  func(n int) []byte { return fill("http://a.test/"+string(fill("", "src/", "")(n/2)), "a_", ".html")(n) },
		"records to delete":   fill("http://a.test/", "1/delete/", ""),
		"fields of a query":   fill("http://a.test/?", "do=x/delet&", ""),
	} {
		t.Run(name, func(t *testing.T) {
			if raceDetector {
				ask(t, build(4<<10))
				return
			}
			linear(t, 24<<10, build, ask)
		})
	}
}
