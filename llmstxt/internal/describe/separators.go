package describe

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Separators stand between a page's title and a site's. Those that are known stand without
// spaces, too, or are parts of sentences; any other one or two signs with a space on each
// side part titles as well: "Install ★ Acme".
var separators = []string{" | ", " — ", " – ", " - ", " -- ", " · ", " • ", " » ", " « ", " › ", " :: ", " ‹ ", " ~ ", " / ", ": ", " < ", " > ", "｜", "|", "：", "＞", "—"}

// maxSigns is how many separators are looked for that are not known.
const maxSigns = 16

// separatorsIn are the known ones and the others that stand in some titles, in their order.
func separatorsIn(titles ...string) []string {
	all := separators
	for _, t := range titles {
		for at := 0; len(all) < len(separators)+maxSigns; {
			i := strings.IndexByte(t[at:], ' ')
			if i < 0 {
				break
			}
			at += i
			if sep := signAt(t[at:]); sep != "" && !slices.Contains(all, sep) {
				all = append(slices.Clip(all), sep)
			}
			at++
		}
	}
	return all
}

// signAt is a separator at the beginning of a text, which begins with a space; "" if there
// is another thing.
func signAt(s string) string {
	n := 1
	for range 2 {
		r, size := utf8.DecodeRuneInString(s[n:])
		if !parts(r) {
			break
		}
		n += size
	}
	if n == 1 || n >= len(s)-1 || s[n] != ' ' {
		return ""
	}
	return s[:n+1]
}

// parts reports a sign that parts titles: no quotation mark, no bracket, and none that stands
// between words.
func parts(r rune) bool {
	switch r {
	case '"', '\'', '&', '+', '＆', '＋', '%', '#', '$', ',', ';', '=', '!', '?', '×', utf8.RuneError:
		return false
	}
	if '❮' <= r && r <= '❱' {
		return true // ornaments, though Unicode counts them as brackets
	}
	return (unicode.IsPunct(r) || unicode.IsSymbol(r)) && !unicode.In(r, unicode.Ps, unicode.Pe, unicode.Pi, unicode.Pf)
}

// trimSeparator takes off the white space around a part of a title, and the signs that part it
// from others.
func trimSeparator(s string) string {
	trim := func(s string) string {
		return strings.TrimFunc(s, func(r rune) bool {
			return unicode.IsSpace(r) || strings.ContainsRune("|—–-·•»«›:‹~/<>()[]【】｜：＞_", r)
		})
	}
	sign := func(s string) bool {
		return s != "" && len(s) <= 8 && strings.IndexFunc(s, func(r rune) bool { return !parts(r) }) < 0
	}
	s = strings.TrimSpace(s)
	if first, rest, ok := strings.Cut(s, " "); ok && sign(first) {
		s = rest
	}
	if i := strings.LastIndexByte(s, ' '); i > 0 && sign(s[i+1:]) {
		s = s[:i]
	}
	return trim(s)
}
