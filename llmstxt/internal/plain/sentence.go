package plain

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/clipperhouse/uax29/v2/sentences"
)

// Sentences cuts a line into sentences by Unicode's rules (UAX #29), and
// joins again what an abbreviation, an initial or a number cut in two. The
// pieces together are the line.
func Sentences(line string) []string {
	if isOneSentence(line) {
		return []string{line}
	}
	var out []string
	it := sentences.FromString(line)
	for it.Next() {
		v := it.Value()
		if n := len(out); n > 0 && !endsSentence(out[n-1], v) {
			out[n-1] += v
		} else {
			out = append(out, v)
		}
	}
	return out
}

// isOneSentence reports ASCII in which nothing ends a sentence before its end, as in headings and
// most items.
func isOneSentence(line string) bool {
	for i := range len(line) {
		switch c := line[i]; {
		case c >= utf8.RuneSelf, c == '\n', c == '\r', (c == '.' || c == '!' || c == '?') && i < len(line)-1:
			return false
		}
	}
	return line != ""
}

// endsSentence reports whether a sentence may end after piece, with next
// behind it.
func endsSentence(piece, next string) bool {
	p := strings.TrimRightFunc(piece, unicode.IsSpace)
	if len(p) == len(piece) && len(next) > 0 {
		r, _ := utf8.DecodeLastRuneInString(p)
		return strings.ContainsRune("。！？｡", r) || wideCloser(r)
	}
	p = strings.TrimRight(p, `)]"'”’»`)
	// A name such as "Yahoo!", or what somebody says, goes on in lower case.
	if r, _ := utf8.DecodeRuneInString(strings.TrimLeft(next, `([{"'“‘«`)); unicode.IsLower(r) && p != "" && strings.IndexByte(".!?", p[len(p)-1]) >= 0 {
		return false
	}
	if !strings.HasSuffix(p, ".") {
		return true
	}
	word := p[:len(p)-1]
	if i := strings.LastIndexFunc(word, func(r rune) bool { return unicode.IsSpace(r) || strings.ContainsRune(`([{"'“‘«/`, r) }); i >= 0 {
		_, size := utf8.DecodeRuneInString(word[i:])
		word = word[i+size:]
	}
	low := strings.ToLower(word)
	if abbreviations[low] {
		return false
	}
	if numbered[low] {
		r, _ := utf8.DecodeRuneInString(next)
		return !unicode.IsDigit(r)
	}
	// An initial, as in "D. E. Knuth"; "I." and a list's "1." too.
	if r, n := utf8.DecodeRuneInString(word); n == len(word) && unicode.IsUpper(r) {
		return false
	}
	if word != "" && strings.Trim(word, "0123456789") == "" && strings.TrimSpace(p) == word+"." {
		return false
	}
	return true
}

func wideCloser(r rune) bool { return strings.ContainsRune("」』）】》", r) }

// abbreviations end with a full stop that ends no sentence.
var abbreviations = Set(`e.g i.e eg ie cf vs viz approx resp incl excl esp ca al mr mrs ms dr prof st jr sr rev gen
	col capt lt messrs ph.d b.a m.a u.s u.k e.u u.n d.c a.k.a aka w.r.t wrt i.a o.a z.b d.h bzw ggf usw vgl inkl evtl
	u.a s.o p.ex ex env jan feb mar apr jun jul aug sep sept oct nov dec mon tue tues wed thu thur thurs fri sat sun`)

// numbered are abbreviations before a number, and words elsewhere.
var numbered = Set(`no nos fig figs eq eqs sec sect ch chap vol vols pp p pt art ed eds ver v nr abb bd s`)

// IsComplete reports whether text ends as a sentence does.
func IsComplete(text string) bool {
	if text != "" && isWordByte(text[len(text)-1]) {
		return false
	}
	t := strings.TrimRight(text, "\"')]}”’»*_` ")
	r, _ := utf8.DecodeLastRuneInString(t)
	return r == '…' || r == '｡' || unicode.Is(unicode.STerm, r) || wideCloser(r)
}

func isWordByte(c byte) bool { return IsLetter(c) || '0' <= c && c <= '9' }

// Cut shortens text to at most limit characters: after its last whole
// sentence, else after a word with an ellipsis, never inside a character and
// its marks. Line breaks in text are kept.
func Cut(text string, limit int) string {
	text = strings.TrimSpace(text)
	if utf8.RuneCountInString(text) <= limit {
		return text
	}
	end, at := 0, 0 // end of the last whole sentence that fits, in bytes
	runes := 0
	for line := range strings.SplitAfterSeq(text, "\n") {
		for _, s := range Sentences(line) {
			t := strings.TrimRightFunc(s, unicode.IsSpace)
			if runes+utf8.RuneCountInString(t) > limit {
				if end > 0 {
					return text[:end]
				}
				return CutWord(text, limit)
			}
			if IsComplete(t) {
				end = at + len(t)
			}
			at += len(s)
			runes += utf8.RuneCountInString(s)
		}
	}
	return text
}

// CutWord shortens to at most limit characters, an ellipsis among them.
func CutWord(text string, limit int) string {
	if utf8.RuneCountInString(text) <= limit {
		return text
	}
	n, space, at := 0, -1, len(text)
	for i, r := range text {
		if n == limit-1 {
			at = i
			if IsSpace(r) {
				space = i
			}
			break
		}
		if IsSpace(r) {
			space = i
		}
		n++
	}
	if space > at/2 {
		at = space
	} else {
		// A script without spaces, or one endless word: not between a letter and
		// its marks.
		for at > 0 && at < len(text) {
			r, _ := utf8.DecodeRuneInString(text[at:])
			if !unicode.In(r, unicode.M) && r != 0x200d && r != 0xfe0f {
				break
			}
			_, size := utf8.DecodeLastRuneInString(text[:at])
			at -= size
		}
	}
	return strings.TrimRight(strings.TrimRightFunc(text[:at], unicode.IsSpace), ",;:-–—(") + "…"
}
