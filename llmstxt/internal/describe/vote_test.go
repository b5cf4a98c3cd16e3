package describe

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/farwire/farwire/llmstxt/internal/htmlpage"
)

// said is a page of n words that no other page has, in sentences.
func said(page, n int) []Said {
	var sentences []string
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "w%dx%d ", page, i)
		if i%500 == 499 {
			sentences = append(sentences, b.String())
			b.Reset()
		}
	}
	return []Said{{Sentences: append(sentences, b.String())}}
}

// Of a page 3000 runs of words count and of a site about a million, in the memory that
// docs/security.md says, however many words there are.
func TestVotes_ManyWords_AreBounded(t *testing.T) {
	const page, site, memory = 3000, 1 << 20, 50 << 20
	var before, after runtime.MemStats
	runtime.GC()
	runtime.ReadMemStats(&before)
	v := NewVotes()
	v.Add(&htmlpage.Evidence{}, said(0, 10_000))
	if n := v.count.count.used; n != page {
		t.Errorf("%d runs of a page count, want %d", n, page)
	}
	for i := 1; i <= site/page+1; i++ {
		v.Add(&htmlpage.Evidence{}, said(i, page+500))
	}
	if n := v.count.count.used; n != site {
		t.Errorf("%d runs of a site count, want %d", n, site)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	if got := int64(after.HeapAlloc) - int64(before.HeapAlloc); got > memory {
		t.Errorf("they take %d MiB, want at most %d", got>>20, memory>>20)
	}
	// What is known still counts.
	v.Add(&htmlpage.Evidence{}, said(0, 10_000))
	v.count.need = 2
	if !v.count.boilerplate(said(0, 400)[0].Sentences[0]) || v.count.boilerplate("other words that stand on no page at all") {
		t.Error("a sentence of two pages is not known to be repeated, or another is")
	}
	runtime.KeepAlive(v)
}

func TestOfDate_EachMonth_InAnyCase(t *testing.T) {
	for month := range months {
		_, size := utf8.DecodeRuneInString(month)
		title := strings.ToUpper(month[:size]) + month[size:]
		for _, word := range []string{month, strings.ToUpper(month), title, month + ",", "." + month + "."} {
			if !ofDate(word) {
				t.Errorf("%q is not a month", word)
			}
		}
		if word := month + "x"; ofDate(word) && !months[word] {
			t.Errorf("%q is a month", word)
		}
	}
	for _, word := range []string{".", ",.", "word", "x", strings.Repeat("may", 30)} {
		if ofDate(word) {
			t.Errorf("%q is of a date", word)
		}
	}
}

// The table counts as a map would, however alike the hashes are.
func TestVoteTable_ManyRuns_AreCountedApart(t *testing.T) {
	table, want := newVoteTable(), map[uint64]int32{}
	last := map[uint64]int32{}
	for page := int32(1); page <= 20; page++ {
		for i := range 9000 {
			run := uint64(i%(500*int(page))) << (20 * max(0, i%10-7)) // zero among them, and a fifth without low bits
			if got := table.vote(run, page); got != (last[run] != page) {
				t.Fatalf("page %d votes for %x: %v", page, run, got)
			}
			if last[run] != page {
				want[run]++
			}
			last[run] = page
		}
	}
	for run, n := range want {
		if got := table.pages(run); got != n {
			t.Errorf("%x has %d votes, want %d", run, got, n)
		}
	}
	if table.used != len(want) || table.pages(1<<63) != 0 {
		t.Errorf("%d runs, want %d; one that nobody voted for has %d", table.used, len(want), table.pages(1<<63))
	}
}
