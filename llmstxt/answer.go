package llmstxt

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// What an answer must be to be taken: the part's pages, each once and in the
// section it was in, texts no longer than the site's own may be, nothing that
// nobody sees, and no address that was not there: of a page's texts in its
// entry or its own text, elsewhere in the head. Addresses of pages may stand
// anywhere; what one page says does not count for another, or a page that
// commands the model could have it lead there from all of them. Titles may turn
// out wrong; places to go may not.

// check holds an answer to its part. Its errors continue "the answer …" and
// hold none of the answer's words.
func (p *part) check(f *File) error {
	if p.Layout == Pages && f.BaseURL != p.file.BaseURL || f.Info != p.file.Info {
		return errors.New("changes the base URL")
	}
	given := findSigns(p.common())
	if err := checkText(f.Title, p.file.Title, maxTitle, given); err != nil {
		return fmt.Errorf("%w in its title", err)
	}
	if p.file.Summary == "" && f.Summary != "" {
		return errors.New("has a summary that it was not given")
	}
	if err := checkText(f.Summary, p.file.Summary, noteLength, given); err != nil {
		return fmt.Errorf("%w in its summary", err)
	}
	seen, taken := map[string]bool{}, map[int]bool{}
	for _, s := range f.Sections {
		if err := p.checkSection(s, given, taken); err != nil {
			return err
		}
		for _, e := range s.Entries {
			if seen[e.URL] {
				return errors.New("has a page twice")
			}
			seen[e.URL] = true
			was := p.entries[e.URL]
			own := findSigns(was.Title + "\n" + was.Text + "\n" + p.own[e.URL])
			if err := checkText(e.Title, was.Title, maxTitle, given, own); err != nil {
				return fmt.Errorf("%w in the title of %s", err, e.URL)
			}
			if err := checkText(escapeLines(e.Text), escapeLines(was.Text), p.TextLimit, given, own); err != nil {
				return fmt.Errorf("%w in the text of %s", err, e.URL)
			}
		}
	}
	if len(seen) < len(p.section) {
		return errors.New("leaves a page out")
	}
	return nil
}

// common is what any text of an answer may have addresses from.
func (p *part) common() string {
	var b strings.Builder
	for _, s := range []string{p.file.Title, p.file.Summary, p.file.Info, p.file.BaseURL} {
		b.WriteString(s + "\n")
	}
	for _, page := range p.Pages {
		b.WriteString(page.URL + "\n")
	}
	return b.String()
}

// checkSection holds a section to the one that its pages were in, which no
// other section of the answer may be.
func (p *part) checkSection(s Section, given signs, taken map[int]bool) error {
	for _, e := range s.Entries {
		if _, ok := p.section[e.URL]; !ok {
			return errors.New("has a page that it was not given")
		}
		if p.section[e.URL] != p.section[s.Entries[0].URL] {
			return errors.New("has a page in another section")
		}
	}
	if p.Layout == Pages {
		return nil
	}
	if len(s.Entries) == 0 {
		return errors.New("has a section without pages")
	}
	at := p.section[s.Entries[0].URL]
	if taken[at] {
		return errors.New("cuts a section in two")
	}
	taken[at] = true
	own := p.whole.Sections[at].Name
	if s.Name != own && (own == optional || strings.EqualFold(s.Name, optional)) {
		return errors.New("changes what is optional")
	}
	if err := checkText(s.Name, own, maxSection, given); err != nil {
		return fmt.Errorf("%w in the name of a section", err)
	}
	return nil
}

// checkText holds a text to a length and to the addresses that it may have. One
// that is as it was needs no check.
func checkText(text, was string, limit int, given ...signs) error {
	if text == was {
		return nil
	}
	if utf8.RuneCountInString(text) > limit {
		return errors.New("has too long a text")
	}
	if !strings.ContainsFunc(text, isWord) {
		return errors.New("has no words")
	}
	found := findSigns(text)
	for r := range found.hidden {
		known := isEmojiPart(r) || slices.ContainsFunc(given, func(s signs) bool { return s.hidden[r] })
		if breaksLine(r) || !known {
			return errors.New("has signs that nobody sees")
		}
	}
	if !found.within(given) {
		return errors.New("has an address that it was not given")
	}
	return nil
}

// isWord reports a sign that can be read.
func isWord(r rune) bool {
	return (unicode.IsLetter(r) || unicode.IsNumber(r) || unicode.IsSymbol(r)) && !isHidden(r)
}

// isHidden reports what is not seen: controls, formats, and some letters and
// marks that are blank.
func isHidden(r rune) bool {
	switch r {
	case '\n', '\t':
		return false
	case 0x034f, 0x115f, 0x1160, 0x17b4, 0x17b5, 0x2028, 0x2029, 0x2800, 0x3164, 0xffa0:
		return true
	}
	return unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || unicode.Is(unicode.Variation_Selector, r)
}

// isEmojiPart reports what says how an emoji is shown.
func isEmojiPart(r rune) bool { return r == 0xfe0e || r == 0xfe0f }

// breaksLine reports controls and what some readers take for a line's end.
func breaksLine(r rune) bool { return unicode.IsControl(r) || r == 0x2028 || r == 0x2029 }
