package plain

import "unicode"

// IsVisible reports a sign that can be read.
func IsVisible(r rune) bool {
	return (unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.IsSymbol(r)) && !IsHidden(r)
}

// IsHidden reports what is not seen: controls, formats, and some letters and
// marks that are blank.
func IsHidden(r rune) bool {
	switch r {
	case '\n', '\t':
		return false
	case 0x034f, 0x115f, 0x1160, 0x17b4, 0x17b5, 0x2028, 0x2029, 0x2800, 0x3164, 0xffa0:
		return true
	}
	return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Variation_Selector, r)
}

// IsEmojiPart reports what says how an emoji is shown.
func IsEmojiPart(r rune) bool { return r == 0xfe0e || r == 0xfe0f }

// BreaksLine reports controls and what some readers take for a line's end.
func BreaksLine(r rune) bool { return unicode.IsControl(r) || r == 0x2028 || r == 0x2029 }
