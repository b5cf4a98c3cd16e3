package describe

import (
	"context"
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/farwire/farwire/llmstxt/internal/htmlpage"
)

// site is a site of n pages, most of them below /cedar/, whose titles are made by title.
func site(n int, title func(i int) string, text string) ([]Page, *Votes) {
	votes := NewVotes()
	pages := make([]Page, n)
	for i := range pages {
		e := &htmlpage.Evidence{Title: title(i), Blocks: []htmlpage.Block{{Kind: htmlpage.Paragraph, Text: fmt.Sprintf("Page %d. ", i) + text}}}
		address := fmt.Sprintf("http://a.test/cedar/%d", i)
		if i%10 > 6 {
			address = fmt.Sprintf("http://a.test/birch/%d", i)
		}
		if i == 0 {
			address = "http://a.test/"
		}
		said := Split(e)
		votes.Add(e, said)
		pages[i] = Page{URL: address, Depth: min(i, 1), Evidence: e, Said: said}
	}
	return pages, votes
}

// allocated is how many bytes f allocates.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

// However many words a base page's title has, the text of the pages is looked through
// once for all of them: looking makes a copy of it in lower case.
func TestChoose_TitleOfManyWords_ReadsThePagesOnce(t *testing.T) {
	const n = 20
	text := strings.Repeat("Слова Страницы И Ещё Слова. ", 400)
	cost := func(words int) uint64 {
		pages, votes := site(n, func(i int) string {
			if i > 0 {
				return fmt.Sprintf("Chapter %d", i)
			}
			var b strings.Builder
			for w := range words {
				fmt.Fprintf(&b, "q%d ", w)
			}
			return b.String()
		}, text)
		return allocated(func() { Site{Limit: 300, Prefix: "/", Votes: votes}.Choose(t.Context(), pages) })
	}
	few, many := cost(2), cost(500)
	if limit := few + uint64(n/2*len(text)); many > limit {
		t.Errorf("a title of 500 words takes %d KB, one of two %d", many>>10, few>>10)
	}
}

// Titles that are made of separators have as many parts in common as they have
// separators; what is kept of them is bounded.
func TestChoose_TitlesOfSeparators_AreBounded(t *testing.T) {
	pages, votes := site(400, func(i int) string { return fmt.Sprint(i) + strings.Repeat(" - x", 500) + fmt.Sprint(i) }, "Some words of it.")
	if got := allocated(func() { Site{Limit: 300, Prefix: "/", Votes: votes}.Choose(t.Context(), pages) }); got > 26<<20 {
		t.Errorf("%d MB for 400 titles of 2 KB", got>>20)
	}
	for _, p := range pages {
		if len([]rune(p.Title)) > MaxTitle {
			t.Errorf("a title of %d characters", len([]rune(p.Title)))
		}
	}
}

// When ctx has ended, no page is without texts.
func TestChoose_ContextEnded_PagesHaveTheirTitles(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	pages, votes := site(20, func(i int) string { return fmt.Sprintf("Chapter %d", i) }, "Words that are not read any more.")
	title, _ := Site{Limit: 300, Prefix: "/", Votes: votes}.Choose(ctx, pages)
	if title == "" {
		t.Error("no title")
	}
	for _, p := range pages {
		if p.Title == "" || p.Excerpt != p.Title || p.Note != p.Title {
			t.Errorf("%s: %q, %q, %q", p.URL, p.Title, p.Excerpt, p.Note)
		}
	}
}

// However many parts a title has, the titles of other pages are lowered once, and no part
// is looked for when nobody waits any more.
func TestPartOfMost_TitleOfManyParts_LowersTitlesOnce(t *testing.T) {
	pages := make([]Page, 5000) // beside which the patterns that look at a part take little, with the race detector too
	for i := range pages {
		pages[i].Title = fmt.Sprintf("%s%d", strings.Repeat("Слово ", 30), i)
	}
	cost := func(parts int) uint64 {
		title := strings.Repeat("Часть | ", parts) + "Конец"
		return allocated(func() {
			if partOfMost(t.Context(), pages, title) {
				t.Error("a title whose parts stand nowhere is part of most")
			}
		})
	}
	if few, many := cost(1), cost(24); many > 2*few {
		t.Errorf("%d bytes for a title of 2 parts, %d for one of 25", few, many)
	}
	ctx, cancel := context.WithCancel(t.Context())
	const title = "Слово | Конец"
	if !partOfMost(ctx, pages, title) {
		t.Error("a title one of whose parts stands everywhere is not part of most")
	}
	cancel()
	if partOfMost(ctx, pages, title) {
		t.Error("its parts are looked for at the end")
	}
}
