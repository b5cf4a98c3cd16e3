package htmlpage

import (
	"strconv"

	"github.com/farwire/farwire/llmstxt/internal/plain"
)

// What a page says, in a number: two pages are the same when their titles and
// their texts are, whatever else their bytes carry. The text is that of the
// main content where there is some, since banners and footers count visitors. Another
// number is the same in any order of the texts: a list that is sorted otherwise is the same.

const (
	maxShort  = 2000 // bytes of text
	leastText = 40   // bytes; less tells no page from another
)

// sum adds a text.
func (s *scanner) sum(text []byte) {
	h := hash(text)
	s.add(1, h, len(text))
	if s.skipDepth == 0 {
		s.add(0, h, len(text))
	}
	if len(s.begin) <= maxShort {
		s.begin = append(append(s.begin, text[:min(len(text), maxShort)]...), ' ')
	}
}

const prime = 1099511628211

// hash is the FNV-1a hash of a text's bytes without its spaces.
func hash(text []byte) uint64 {
	h := uint64(14695981039346656037)
	for _, c := range text {
		if c > ' ' {
			h = (h ^ uint64(c)) * prime
		}
	}
	return h
}

// add continues a sum with the hash of a text.
func (s *scanner) add(at int, hash uint64, size int) {
	h := (s.sums[at] ^ hash) * prime
	s.sums[at], s.sizes[at] = h^h>>32, s.sizes[at]+size
	u := (hash ^ hash>>29) * prime
	s.unsorted[at] += u ^ u>>32
	s.texts[at]++
}

// leastUnsorted is how many texts a page has at least, its title included, that may be
// another page in another order.
const leastUnsorted = 6

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
	s.add(at, hash([]byte(s.Title)), len(s.Title))
	if s.texts[at] >= leastUnsorted {
		s.Unsorted = strconv.FormatUint(s.unsorted[at], 36) + "." + strconv.Itoa(s.texts[at])
	}
	s.Sum = strconv.FormatUint(s.sums[at], 36) + "." + strconv.Itoa(s.sizes[at])
}
