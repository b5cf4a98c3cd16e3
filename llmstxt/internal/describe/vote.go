package describe

import (
	"hash/maphash"
	"strings"

	"github.com/farwire/farwire/llmstxt/internal/htmlpage"
	"github.com/farwire/farwire/llmstxt/internal/plain"
)

// The vote. A run of words that stands on a fifth of a site's pages is
// boilerplate: a banner, a licence, a line about the last change. Each page has
// one vote for each run, wherever on it that stands.

// voters counts on how many pages a run of words stands.
type voters struct {
	seed  maphash.Seed
	count voteTable
	need  int32    // votes that make boilerplate
	half  int32    // of the pages
	left  int      // votes that the page being counted has left
	sums  []uint64 // of the sentence being looked at: of all words before each, as hashes
}

const (
	runLength = 5       // words
	maxRuns   = 3000    // votes of a page
	maxCount  = 1 << 20 // different runs of a site
)

// Votes are those of the pages of a site. They take at most some 50 MB, however
// many words the pages have.
type Votes struct {
	count voters
	pages int32
}

// NewVotes returns none.
func NewVotes() *Votes {
	return &Votes{count: voters{seed: maphash.MakeSeed(), count: newVoteTable()}}
}

// Add lets a page vote.
func (v *Votes) Add(e *htmlpage.Evidence, said []Said) {
	v.pages++
	v.count.left = maxRuns
	for _, block := range said {
		for _, s := range block.Sentences {
			v.count.cast(s, v.pages)
		}
	}
	for _, t := range e.Edges {
		for _, s := range plain.Sentences(t) {
			v.count.cast(s, v.pages)
		}
	}
}

// cast gives a page's vote to every run of words in a sentence, and to the whole.
func (v *voters) cast(sentence string, page int32) {
	v.runs(sentence, func(h uint64, _, _ int) { v.once(h, page) })
	v.once(v.whole(sentence), page)
}

func (v *voters) once(run uint64, page int32) {
	if v.left > 0 && v.count.vote(run, page) {
		v.left--
	}
}

// whole is the hash of a sentence.
func (v *voters) whole(sentence string) uint64 {
	return maphash.String(v.seed, strings.TrimSpace(sentence)) ^ 1
}

// repeated reports whether the site repeats a sentence to the letter.
func (v *voters) repeated(sentence string) bool {
	return v.count.pages(v.whole(sentence)) >= v.need || v.repeatedBeforeLink(sentence, v.need)
}

// repeatedBeforeLink reports whether a sentence is repeated up to a colon, behind which
// a link follows: "Please answer our survey: https://…".
func (v *voters) repeatedBeforeLink(sentence string, pages int32) bool {
	i := strings.LastIndex(sentence, ": ")
	return i > 0 && strings.Count(sentence[:i], " ") >= runLength && v.count.pages(v.whole(sentence[:i+1])) >= pages
}

// common reports whether half of the site's pages have a sentence. Pages that say
// the same in other words, or with other ornaments, are copies: what only they
// share is what they are about.
func (v *voters) common(sentence string) bool {
	return v.count.pages(v.whole(sentence)) >= max(v.need, v.half) || v.repeatedBeforeLink(sentence, max(v.need, v.half))
}

// runs yields the hash of every run of words, and of a shorter sentence as a
// whole, and returns how many words there are.
func (v *voters) runs(sentence string, yield func(h uint64, from, to int)) int {
	v.sums = append(v.sums[:0], 0)
	sum := uint64(0)
	for w := range strings.FieldsSeq(sentence) {
		if ofDate(w) {
			w = "0" // lines about the last change have another date on each page
		}
		sum = sum*runFactor + maphash.String(v.seed, w)
		v.sums = append(v.sums, sum)
	}
	words := len(v.sums) - 1
	n := min(runLength, words)
	factor := uint64(1)
	for range n {
		factor *= runFactor
	}
	for i := 0; i+n <= words && n > 0; i++ {
		// The words of a run weigh the same wherever it stands. A whole sentence is no part of another.
		h := v.sums[i+n] - v.sums[i]*factor + uint64(n)
		h = (h ^ h>>32) * runFactor
		yield(h^h>>29, i, i+n)
	}
	return words
}

const runFactor = 0x9e3779b97f4a7c15 // odd, as good as any

// ofDate reports a word of a date: a number, days and times among them, or a month.
func ofDate(word string) bool {
	if '0' <= word[0] && word[0] <= '9' {
		return strings.Trim(strings.TrimRight(word, "stndrhTZ年月日"), "0123456789-/.:,+") == ""
	}
	if isMark(word[0]) || isMark(word[len(word)-1]) {
		word = strings.Trim(word, ".,")
	}
	return word != "" && monthBegins[word[0]]&monthEnds[word[len(word)-1]]>>len(word)&1 != 0 && months[strings.ToLower(word)]
}

func isMark(c byte) bool { return c == '.' || c == ',' }

// monthBegins and monthEnds have a bit for each length of the months' names by their first and their
// last byte, in small and in large letters: every word of a site comes here.
var monthBegins, monthEnds = func() (begins, ends [256]uint32) {
	for month := range months {
		for _, name := range []string{month, strings.ToUpper(month)} {
			begins[name[0]] |= 1 << len(month)
			ends[name[len(name)-1]] |= 1 << len(month)
		}
	}
	return begins, ends
}()

// boilerplate reports whether most words of a sentence stand in runs that the
// site repeats.
func (v *voters) boilerplate(sentence string) bool {
	covered, upto := 0, 0
	n := v.runs(sentence, func(h uint64, from, to int) {
		if v.count.pages(h) >= v.need {
			covered += to - max(from, upto)
			upto = to
		}
	})
	return n > 0 && covered*2 >= n
}
