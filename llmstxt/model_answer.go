package llmstxt

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/farwire/farwire/llmstxt/internal/describe"
	"github.com/farwire/farwire/llmstxt/internal/mention"
	"github.com/farwire/farwire/llmstxt/internal/plain"
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
func (p *part) check(f *Document) error {
	if p.Layout == Pages && f.BaseURL != p.file.BaseURL || f.Info != p.file.Info {
		return errors.New("changes the base URL")
	}
	given := mention.Find(p.common())
	if err := checkText(f.Title, p.file.Title, describe.MaxTitle, given); err != nil {
		return fmt.Errorf("%w in its title", err)
	}
	if p.file.Summary == "" && f.Summary != "" {
		return errors.New("has a summary that it was not given")
	}
	if err := checkText(f.Summary, p.file.Summary, describe.NoteLength, given); err != nil {
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
			own := mention.Find(was.Title + "\n" + was.Text + "\n" + p.own[e.URL])
			if err := checkText(e.Title, was.Title, describe.MaxTitle, given, own); err != nil {
				return fmt.Errorf("%w in the title of %s", err, e.URL)
			}
			if err := checkText(plain.EscapeLines(e.Text), plain.EscapeLines(was.Text), p.TextLimit, given, own); err != nil {
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
func (p *part) checkSection(s Section, given mention.Set, taken map[int]bool) error {
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
	if s.Name != own && (own == describe.Optional || strings.EqualFold(s.Name, describe.Optional)) {
		return errors.New("changes what is optional")
	}
	if err := checkText(s.Name, own, describe.MaxSection, given); err != nil {
		return fmt.Errorf("%w in the name of a section", err)
	}
	return nil
}

// checkText holds a text to a length and to the addresses that it may have. One
// that is as it was needs no check.
func checkText(text, was string, limit int, given ...mention.Set) error {
	if text == was {
		return nil
	}
	if utf8.RuneCountInString(text) > limit {
		return errors.New("has too long a text")
	}
	if !strings.ContainsFunc(text, plain.IsVisible) {
		return errors.New("has no words")
	}
	found := mention.Find(text)
	for r := range found.Hidden {
		known := plain.IsEmojiPart(r) || slices.ContainsFunc(given, func(s mention.Set) bool { return s.Hidden[r] })
		if plain.BreaksLine(r) || !known {
			return errors.New("has invisible characters")
		}
	}
	if !found.Within(given) {
		return errors.New("has an address that it was not given")
	}
	return nil
}
