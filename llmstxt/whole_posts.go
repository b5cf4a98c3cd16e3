package llmstxt

import "strings"

// Lists that have whole pages in them: the start page of a blog has its last posts, and so do those of
// each month, category and author. In llms-full.txt the words of a post stand once, on its own page, to
// which the list leads:
//
//	home    ── [A] A1 A2 [B] B1 B2 C1 ─▶ [A] [B] C1
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
	sizes []int    // bytes of each
	small []uint64 // headings, and what is too short to tell a post
	all   int      // bytes of all its blocks, tables and menus too
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
	if len(w.pages) == 0 || w.total >= maxPostBlock {
		return
	}
	if key == 0 {
		if s.exact != 0 {
			w.total++
			p := &w.pages[len(w.pages)-1]
			p.small = append(p.small, s.exact)
		}
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
// Who quotes a post says it again.
func paragraph(block string, s *blockWords) (key uint64, size int) {
	switch {
	case s.exact == 0 && strings.Contains(block, "```"):
		return hash(block) | 1, len(block)
	case s.exact == 0 || s.heading || s.menu() || s.size < leastParagraphWords:
		return 0, 0
	case block[0] == '>':
		return hash(">", block) | 1, s.size
	}
	return s.words, s.size
}

const leastParagraphWords = 40 // bytes of them

// post is one that a list may have in it: what it says, to be left out of the list.
type post struct {
	url          string
	words, small []uint64
}

// lists are the pages that have others in them, with these, by address. What many pages have tells
// none of them from another.
func (w *wholePosts) lists() map[string][]post {
	common := max(12, len(w.pages)/4)
	found := map[string][]post{}
	count := map[int32]int{}
	for _, p := range w.pages {
		clear(count)
		own := post{url: postAddress(p.url), small: p.small}
		size := 0
		for i, key := range p.words {
			if len(w.of[key]) <= common {
				own.words, size = append(own.words, key), size+p.sizes[i]
			}
		}
		if size < leastPost || 2*size < p.all {
			continue // or it has more than what a list would have: the tables of a class
		}
		for _, key := range own.words {
			for _, other := range w.of[key] {
				count[other]++
			}
		}
		for other, n := range count {
			if list := &w.pages[other]; n == len(own.words) && len(list.words) > len(p.words) {
				found[list.url] = append(found[list.url], own)
			}
		}
	}
	return found
}

// postAddress is that of a page, however it is linked to.
func postAddress(href string) string {
	href, _, _ = strings.Cut(href, "#")
	_, href, _ = strings.Cut(href, "://")
	return strings.TrimRight(href, "/")
}

// addTargets adds the addresses to which a block leads that says nothing else, as a post's heading, its
// date or "Read more" does.
func addTargets(block string, s *blockWords, at map[string]bool) {
	if len(s.links) == 0 || !s.heading && !s.menu() {
		return
	}
	for rest := block; ; {
		_, after, ok := strings.Cut(rest, "](")
		if !ok {
			return
		}
		href, behind, ok := strings.Cut(after, ")")
		if !ok {
			return
		}
		at[postAddress(href)] = true
		rest = behind
	}
}

// withoutPosts is a text without the words of the posts to which it leads, if it is a list of such.
func withoutPosts(text string, posts []post) string {
	if len(posts) < leastPosts {
		return text
	}
	blocks := textBlocks(text)
	read, linked := make([]blockWords, len(blocks)), map[string]bool{}
	for i, block := range blocks {
		read[i] = readBlock(block)
		addTargets(block, &read[i], linked)
	}
	words, small, n := map[uint64]bool{}, map[uint64]bool{}, 0
	for _, p := range posts {
		if !linked[p.url] {
			continue // nobody would find it
		}
		n++
		for _, key := range p.words {
			words[key] = true
		}
		for _, key := range p.small {
			small[key] = true
		}
	}
	if n < leastPosts {
		return text
	}
	var b strings.Builder
	write := func(block string) {
		if block != "" && b.Len() > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(block)
	}
	heading, repeats, said := "", false, true // one without a link; whether a post has it, and whether nothing below it has been left out
	within := false                           // a post, of which something has just been left out
	for i, block := range blocks {
		s := &read[i]
		key, _ := paragraph(block, s)
		ofPost := key != 0 && words[key] || within && s.exact != 0 && small[s.exact]
		switch named := s.heading && len(s.links) == 0; {
		case ofPost && !s.heading:
			said, within = false, true
		case s.heading:
			if said && !repeats {
				write(heading)
			}
			if heading, repeats, said = block, ofPost, true; !named {
				write(block)
				heading, within = "", false
			}
		default:
			if said || !repeats {
				write(heading)
			}
			write(block)
			heading, within = "", false
		}
	}
	if said {
		write(heading)
	}
	return b.String()
}
