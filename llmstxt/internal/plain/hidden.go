package plain

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Visible takes out of a text what a reader cannot see: format and control
// characters, tags, fillers, signs of a font of the site's own, and joiners and variation
// selectors where no script and no emoji needs them. Line breaks and tabs stay.
func Visible(s string) string {
	at := 0
	for at < len(s) && s[at] < 0x7f && !isSuspect(rune(s[at])) {
		at++ // mostly all of it
	}
	suspect := strings.IndexFunc(s[at:], func(r rune) bool { return isSuspect(r) || r == blackFlag })
	if suspect < 0 {
		return s
	}
	at += suspect
	var b strings.Builder
	b.Grow(len(s))
	prev := rune(-1) // the last character that stays
	if at > 0 {
		b.WriteString(s[:at])
		prev, _ = utf8.DecodeLastRuneInString(s[:at])
	}
	for i := at; i < len(s); {
		r, n := utf8.DecodeRuneInString(s[i:])
		if r == blackFlag { // the tags of three countries may follow
			if end := flagTags(s[i+n:]); end > 0 {
				n += end
			}
		} else if isSuspect(r) && !needed(prev, r) {
			i += n
			continue
		}
		b.WriteString(s[i : i+n])
		i += n
		prev = r
	}
	return b.String()
}

const blackFlag = 0x1f3f4

// isSuspect reports what is not seen wherever it stands, or mostly not.
func isSuspect(r rune) bool {
	switch {
	case r < 0x7f:
		return r < 0x20 && r != '\n' && r != '\t'
	case r < 0xa0:
		return true
	}
	return IsHidden(r)
}

// needed reports whether a character that is not seen changes how the one
// before it is shown.
func needed(prev, r rune) bool {
	switch r {
	case 0x200c, 0x200d:
		return unicode.In(prev, joining...) || r == 0x200d && isPictograph(prev)
	case 0xfe0e, 0xfe0f:
		return isPictograph(prev) && prev != r || strings.ContainsRune("0123456789#*", prev) && prev > 0
	case 0x180b, 0x180c, 0x180d, 0x180f:
		return unicode.Is(unicode.Mongolian, prev) && !unicode.Is(unicode.Variation_Selector, prev)
	}
	if unicode.Is(unicode.Variation_Selector, r) {
		return unicode.Is(unicode.Han, prev)
	}
	return unicode.Is(unicode.Prepended_Concatenation_Mark, r)
}

// joining are scripts in which a joiner changes a letter's form.
var joining = []*unicode.RangeTable{unicode.Arabic, unicode.Syriac, unicode.Nko, unicode.Mandaic, unicode.Mongolian, unicode.Phags_Pa,
	unicode.Devanagari, unicode.Bengali, unicode.Gurmukhi, unicode.Gujarati, unicode.Oriya, unicode.Tamil, unicode.Telugu, unicode.Kannada,
	unicode.Malayalam, unicode.Sinhala, unicode.Khmer, unicode.Myanmar, unicode.Tibetan, unicode.Balinese, unicode.Javanese, unicode.Tifinagh}

// isPictograph reports what emoji are made of.
func isPictograph(r rune) bool {
	return unicode.Is(unicode.So, r) || unicode.Is(unicode.Sm, r) || 0x1f3fb <= r && r <= 0x1f3ff || r == 0xfe0f || r == 0x203c || r == 0x2049
}

// flagTags is the length of the tags that make a country's flag of a black one.
func flagTags(s string) int {
	var name []byte
	for i, r := range s {
		if r < 0xe0000 || r > 0xe007f || len(name) > 6 {
			return 0
		}
		name = append(name, byte(r-0xe0000))
		if r == 0xe007f {
			if slices.Contains([]string{"gbeng\x7f", "gbsct\x7f", "gbwls\x7f"}, string(name)) {
				return i + utf8.RuneLen(r)
			}
			return 0
		}
	}
	return 0
}

// IsVisible reports a sign that can be read.
func IsVisible(r rune) bool {
	return (unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.IsSymbol(r)) && !IsHidden(r)
}

// IsHidden reports what is not seen: controls, formats, some letters and marks that are
// blank, and characters that are pictures in the site's own font and nothing elsewhere.
func IsHidden(r rune) bool {
	switch r {
	case '\n', '\t':
		return false
	case 0x034f, 0x115f, 0x1160, 0x17b4, 0x17b5, 0x2028, 0x2029, 0x2800, 0x3164, 0xffa0:
		return true
	}
	return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Co, r) || isNoncharacter(r) || unicode.In(r, unicode.Variation_Selector, unicode.Other_Default_Ignorable_Code_Point)
}

// isNoncharacter reports a code point that Unicode keeps from being a character.
func isNoncharacter(r rune) bool { return r&0xfffe == 0xfffe || 0xfdd0 <= r && r <= 0xfdef }

// IsEmojiPart reports what says how an emoji is shown.
func IsEmojiPart(r rune) bool { return r == 0xfe0e || r == 0xfe0f }

// BreaksLine reports controls and what some readers take for a line's end.
func BreaksLine(r rune) bool { return unicode.IsControl(r) || r == 0x2028 || r == 0x2029 }
