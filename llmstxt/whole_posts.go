package llmstxt

import "strings"

// Lists that have whole pages in them: the start page of a blog has its last posts, and so do those of
// each month, category and author. In llms-full.txt the words of a post stand once, on its own page:
//
//	home    ── A1 A2 B1 B2 C1 ─▶ its headings and links, C1
//	post A  ── A1 A2
//	post B  ── B1 B2

const (
	leastPost    = 120     // bytes of the paragraphs of a page that a list may have
	leastPosts   = 2       // of a list
	maxPostBlock = 1 << 16 // paragraphs of all pages that are looked at
)

// wholePosts knows the paragraphs of pages.
type wholePosts struct {
	pages []postWords
	of    map[uint64][]int32 // the pages that have a paragraph
	total int
}

// postWords is one page's.
type postWords struct {
	url   string
	words []uint64
	sizes []int // bytes of each
	all   int   // bytes of all its blocks, tables and menus too
}

// page begins one more page, whose blocks follow.
func (w *wholePosts) page(url string) {
	w.pages = append(w.pages, postWords{url: url})
}

// add takes a block of the last page, and what it says.
func (w *wholePosts) add(block string, s *blockWords) {
	if n := len(w.pages); n > 0 {
		w.pages[n-1].all += s.size
	}
	key, size := paragraph(block, s)
	if s.exact == 0 && len(w.pages) > 0 {
		w.pages[len(w.pages)-1].all += size // code
	}
	if key == 0 || len(w.pages) == 0 || w.total >= maxPostBlock {
		return
	}
	if w.of == nil {
		w.of = map[uint64][]int32{}
	}
	at := int32(len(w.pages) - 1)
	if in := w.of[key]; len(in) > 0 && in[len(in)-1] == at {
		return // it says so twice
	}
	w.total++
	w.of[key] = append(w.of[key], at)
	p := &w.pages[at]
	p.words, p.sizes = append(p.words, key), append(p.sizes, size)
}

// paragraph is the hash of a block's words and their length, if it is prose or code; 0 if it is not.
func paragraph(block string, s *blockWords) (key uint64, size int) {
	switch {
	case s.exact == 0 && strings.Contains(block, "```"):
		return hash(block) | 1, len(block)
	case s.exact == 0 || s.heading || s.menu() || s.size < leastParagraphWords:
		return 0, 0
	}
	return s.words, s.size
}

const leastParagraphWords = 40 // bytes of them

// lists are the pages that have others in them, with the paragraphs of these, by address. What many
// pages have tells none of them from another.
func (w *wholePosts) lists() map[string]map[uint64]bool {
	common := max(12, len(w.pages)/4)
	within := make([][]int32, len(w.pages)) // the pages that a page has in it
	count := map[int32]int{}
	for at, p := range w.pages {
		clear(count)
		var own []uint64
		size := 0
		for i, key := range p.words {
			if len(w.of[key]) <= common {
				own, size = append(own, key), size+p.sizes[i]
			}
		}
		if size < leastPost || 2*size < p.all {
			continue // or it has more than what a list would have: the tables of a class
		}
		for _, key := range own {
			for _, other := range w.of[key] {
				count[other]++
			}
		}
		for other, n := range count {
			if n == len(own) && len(w.pages[other].words) > len(p.words) {
				within[other] = append(within[other], int32(at))
			}
		}
	}
	found := map[string]map[uint64]bool{}
	for at, posts := range within {
		if len(posts) < leastPosts {
			continue
		}
		words := map[uint64]bool{}
		for _, i := range posts {
			for _, key := range w.pages[i].words {
				words[key] = len(w.of[key]) <= common
			}
		}
		found[w.pages[at].url] = words
	}
	return found
}

// withoutPosts is a text without the paragraphs that have pages of their own.
func withoutPosts(text string, posts map[uint64]bool) string {
	if len(posts) == 0 {
		return text
	}
	var b strings.Builder
	write := func(block string) {
		if block != "" && b.Len() > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(block)
	}
	heading := "" // one without a link, which goes with what stands below it
	for _, block := range textBlocks(text) {
		s := readBlock(block)
		if key, _ := paragraph(block, &s); key != 0 && posts[key] {
			heading = ""
			continue
		}
		write(heading)
		if heading = ""; block[0] == '#' && !strings.Contains(block, "](") {
			heading = block
			continue
		}
		write(block)
	}
	write(heading)
	return b.String()
}
