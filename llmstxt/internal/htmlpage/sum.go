package htmlpage

import (
	"strconv"

	"github.com/farwire/farwire/llmstxt/internal/plain"
)

// What a page says, in a number: two pages are the same when their titles and
// their texts are, whatever else their bytes carry. The text is that of the
// main content where there is some, since banners and footers count visitors.

const (
	maxShort  = 2000 // bytes of text
	leastText = 40   // bytes; less tells no page from another
)

// sum adds a text.
func (s *scanner) sum(text []byte) {
	s.add(1, text)
	if s.skipDepth == 0 {
		s.add(0, text)
	}
	if len(s.begin) <= maxShort {
		s.begin = append(append(s.begin, text[:min(len(text), maxShort)]...), ' ')
	}
}

// add continues an FNV-1a hash.
func (s *scanner) add(at int, text []byte) {
	h := s.sums[at]
	for _, c := range text {
		if c <= ' ' {
			continue
		}
		h = (h ^ uint64(c)) * 1099511628211
	}
	s.sums[at], s.sizes[at] = (h^' ')*1099511628211, s.sizes[at]+len(text)
}

// finish sets what the sums say.
func (s *scanner) finish() {
	if s.sizes[1] <= maxShort {
		s.Short = plain.OneLine(string(s.begin))
	}
	at := 0
	if s.sizes[0] < leastText {
		at = 1
	}
	if s.sizes[at] < leastText {
		return
	}
	s.add(at, []byte(s.Title))
	s.Sum = strconv.FormatUint(s.sums[at], 36) + "." + strconv.Itoa(s.sizes[at])
}
