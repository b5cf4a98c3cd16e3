package llmstxt

import (
	"fmt"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/farwire/farwire/llmstxt/internal/htmlpage"
	"github.com/farwire/farwire/llmstxt/internal/httphead"
	"github.com/farwire/farwire/llmstxt/internal/robots"
	"github.com/farwire/farwire/llmstxt/internal/share"
	"github.com/farwire/farwire/llmstxt/internal/sitemap"
	"github.com/farwire/farwire/llmstxt/internal/weburl"
)

// docs/security.md says what a site may cost in the numbers that the code has.
func TestBounds_Docs_PrintThem(t *testing.T) {
	text, err := os.ReadFile("../docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]string{}
	for line := range strings.Lines(string(text)) {
		if cells := strings.SplitN(line, "|", 3); len(cells) == 3 {
			rows[strings.TrimSpace(cells[1])] = strings.TrimSpace(cells[2])
		}
	}
	usual, err := Options{}.withDefaults()
	if err != nil {
		t.Fatal(err)
	}
	const kib, mib = 1 << 10, 1 << 20
	small := share.SmallBody / kib
	for row, want := range map[string][]string{
		"a page, as sent and unpacked": {fmt.Sprintf("%d MiB |", usual.MaxPageBytes/mib)},
		"the head of an answer": {fmt.Sprintf("of an `ETag`, a `Last-Modified` and a `Content-Type` %d KiB, of an address %d bytes (of one on the way to a page %d, until it has led on)",
			httphead.MaxField/kib, weburl.MaxLength, weburl.MaxHopLength)},
		"all site maps of a crawl": {
			fmt.Sprintf("%d files, each %d MiB as sent and %d MiB unpacked, one of more than %d KiB held at once", sitemap.MaxFiles, sitemap.MaxSent/mib, sitemap.MaxBytes/mib, small),
			fmt.Sprintf("one large file, five small ones and %d MiB of what they list", maxListed/mib),
		},
		"site maps and robots.txt in sum of all crawls of a process": {fmt.Sprintf("4 larger than %d KiB at a time | %d MiB as sent", small, 4*sitemap.MaxSent/mib)},
		"a robots.txt": {fmt.Sprintf("%d KiB |", robots.MaxBytes/kib)},
		"pages in sum of all crawls of a process": {
			fmt.Sprintf("256 of at most %d KiB,", small), fmt.Sprintf("128 pieces of %d KiB of packed whole texts", share.TextPiece/kib)},
		"what was read of pages, and what site maps list (at most 32 MiB a crawl), until the crawl has written its files, in sum of all crawls of a process": {
			fmt.Sprintf("512 pieces of %d KiB", share.ResultPiece/kib), fmt.Sprintf("with none for %d seconds", resultWait/time.Second)},
		"crawls of a process that read their site maps": {fmt.Sprintf("each holds five of at most %d KiB at once", small)},
		"a page's links": {
			fmt.Sprintf("%d, of ", htmlpage.MaxLinks), fmt.Sprintf(" and %d KiB together |", maxLinkBytes/kib), fmt.Sprintf("| %d MiB to resolve them", weburl.ResolverMemory/mib)},
	} {
		for _, phrase := range want {
			if !strings.Contains(rows[row], phrase) {
				t.Errorf("the row %q does not say %q", row, phrase)
			}
		}
	}
	page := strings.Join(strings.Fields(string(text)), " ")
	if want := fmt.Sprintf("A page that arrives slowly is read for at most %d seconds.", dripTime/time.Second); !strings.Contains(page, want) {
		t.Errorf("the page does not say %q", want)
	}
}
