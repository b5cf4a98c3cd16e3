package llmstxt

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/farwire/farwire/internal/safetext"
	"github.com/farwire/farwire/llmstxt/internal/describe"
)

// How a file is cut into parts. What a model said of a part may be remembered,
// so a page that changes should change its own part and leave the others as
// they were, to the byte. Cutting whenever a part is full would not do: a page
// that grows would push those behind it from part to part. Instead each page
// has a weight, a hash of its address, and what is too large is cut in two
// before the lightest page in it but the first, as often as needed. Where the
// cuts are is then a matter of addresses, and of sizes only where a piece is
// about as large as may be.

// part is a Part and what it was made of.
type part struct {
	Part
	file    *Document
	whole   *Document
	section map[string]int    // which of the whole file's each page is in, by address
	entries map[string]Entry  // by address
	own     map[string]string // the pages' texts by address
}

// cuttable is an entry of the file that is cut.
type cuttable struct {
	Entry
	section int
	text    string // of the page
	size    int
	weight  uint64
}

// parts cuts the file so that each part with its texts stays below a size, if
// it has more than one page.
func (s *CrawledSite) parts(whole *Document, l Layout, o EnhanceOptions) []part {
	texts := map[string]string{}
	for i := range s.Pages {
		texts[address(s.Pages[i].URL, l)] = s.Pages[i].Text(o.PageText)
	}
	var all []cuttable
	for i, section := range whole.Sections {
		for _, e := range section.Entries {
			e.URL = address(e.URL, l)
			sum := sha256.Sum256([]byte(e.URL))
			text := texts[e.URL]
			all = append(all, cuttable{e, i, text, len(e.Title) + len(e.URL) + len(e.Text) + len(text) + 20, binary.BigEndian.Uint64(sum[:])})
		}
	}
	var out []part
	for _, piece := range cutUp(all, o.Size) {
		f := &Document{Title: whole.Title, BaseURL: whole.BaseURL, Info: whole.Info}
		if len(out) == 0 {
			f.Summary = whole.Summary
		}
		p := part{file: f, whole: whole, section: map[string]int{}, entries: map[string]Entry{}, own: map[string]string{}}
		p.Layout, p.TextLimit = l, s.textLimit(l)
		for i, e := range piece {
			if i == 0 || e.section != piece[i-1].section {
				f.Sections = append(f.Sections, Section{Name: whole.Sections[e.section].Name})
			}
			last := &f.Sections[len(f.Sections)-1]
			last.Entries = append(last.Entries, e.Entry)
			p.Pages = append(p.Pages, PageText{e.URL, e.text})
			p.section[e.URL], p.entries[e.URL], p.own[e.URL] = e.section, e.Entry, e.text
		}
		p.Text = f.Render(l)
		out = append(out, p)
	}
	return out
}

// cutUp cuts entries into pieces; of none it makes one, for a head alone may be
// reworded too.
func cutUp(all []cuttable, size int) [][]cuttable {
	sum := 0
	for _, e := range all {
		sum += e.size
	}
	if sum <= size || len(all) < 2 {
		return [][]cuttable{all}
	}
	at := 1
	for i := range all {
		if i > at && all[i].weight < all[at].weight {
			at = i
		}
	}
	return append(cutUp(all[:at:at], size), cutUp(all[at:], size)...)
}

// address is a page's in a layout.
func address(url string, l Layout) string {
	if l == Index {
		return linkURL(url)
	}
	return url
}

// textLimit is how long an entry's text may be in a layout.
func (s *CrawledSite) textLimit(l Layout) int {
	switch {
	case l == Index:
		return describe.NoteLength
	case s.descLength == 0:
		return 500
	}
	return s.descLength
}

// Text is the beginning of what the page itself says, at most limit bytes, a
// paragraph or heading a line.
func (p *Page) Text(limit int) string {
	var b []byte
	for _, block := range p.Evidence.Blocks {
		if block.Text == "" {
			continue
		}
		if len(b) > 0 {
			b = append(b, '\n')
		}
		b = append(b, block.Text...)
		if len(b) > limit {
			break
		}
	}
	return safetext.Cut(string(b), limit)
}
