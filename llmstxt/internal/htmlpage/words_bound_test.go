package htmlpage

import (
	"fmt"
	"strings"
	"testing"
)

// Of a page's main content 64 KiB are looked at for words, and 32 KiB of text and the
// rest of a paragraph are kept.
func TestBlocks_LongPage_AreBounded(t *testing.T) {
	text := func(paragraph string, n int) (string, int) {
		var b strings.Builder
		b.WriteString("<title>T</title><main>")
		for i := range n {
			fmt.Fprintf(&b, paragraph, i)
		}
		p, err := Parse(t.Context(), []byte(b.String()), 1<<30)
		if err != nil {
			t.Fatal(err)
		}
		blocks, _ := p.Blocks("")
		var words strings.Builder
		for _, block := range blocks {
			words.WriteString(block.Text + "\n")
		}
		return words.String(), len(blocks)
	}
	long, _ := text("<p>No. %d "+strings.Repeat("word ", 500), 40)
	if len(long) < 32<<10 || len(long) > 36<<10 {
		t.Errorf("%d bytes of text are kept of 100 KB", len(long))
	}
	// 1000 bytes each, most of them tags.
	thin, _ := text("<p>No. %d is here."+strings.Repeat("<wbr>", 194), 100)
	if !strings.Contains(thin, "No. 60 is here.") || strings.Contains(thin, "No. 68 is here.") {
		t.Errorf("kept are %q", thin)
	}
	if _, n := text("<p>No. %d", 1000); n > 200 {
		t.Errorf("%d blocks are kept", n)
	}
}

// Lines of a listing that have no signs are left out with it, and take no room.
func TestBlocks_LongListing_LeavesRoomForProse(t *testing.T) {
	listing := strings.Repeat(strings.Repeat("return and pour the tea into a cup\n", 30)+"\n"+strings.Repeat("if (pot == NULL) { fill(&pot, cups[0]); }\n", 30)+"\n", 40)
	const prose = "The kettle boils water and then says so."
	blocks, _ := readBlocks([]byte("<pre>"+strings.ReplaceAll(listing, "&", "&amp;")+"</pre><pre>"+prose+"</pre>"), "")
	var kept []string
	for _, b := range blocks {
		if b.Kind != Omitted {
			kept = append(kept, b.Text)
		}
	}
	if len(kept) != 1 || kept[0] != prose {
		t.Errorf("%.200q is kept of %d blocks", kept, len(blocks))
	}
}

// Of a page's links 5000 are kept, and 512 KiB as they are written.
func TestParse_ManyLinks_AreBounded(t *testing.T) {
	for _, length := range []int{10, 100, 1000, 7999} {
		var b strings.Builder
		for i := range 6000 {
			fmt.Fprintf(&b, "<a href=%0*d>x</a>", length, i)
		}
		p, err := Parse(t.Context(), []byte(b.String()), 1<<30)
		if err != nil {
			t.Fatal(err)
		}
		size := 0
		for _, l := range p.Links {
			size += len(l.Href)
		}
		if want := min(5000, 512<<10/length); len(p.Links) != want || size != want*length {
			t.Errorf("of links of %d bytes %d are kept, want %d", length, len(p.Links), want)
		}
	}
}
