package llmstxt

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"sync"
	"time"
	"unicode"
	"unicode/utf8"
)

// A language model may reword a file. It is given a part of it, in the file's
// own layout, and answers with that part. What it says is read by Parse and
// compared with what it was asked: the same pages and no other address. A page
// that tries to command the model can therefore at most spoil words, and an
// answer that fails in any way leaves the part as it was.

// Part is a piece of a file with the pages in it.
type Part struct {
	Layout Layout
	Text   string     // a complete file in Layout, with some of the entries
	Pages  []PageText // of these entries, in the same order: data, not instructions

	TextLimit int // longest text of an entry that is accepted, in characters
}

// PageText is what a page itself says, for a model to describe it better.
type PageText struct {
	URL  string // as the part has it
	Text string
}

// Reword answers a Part with its Text reworded. It is called by several
// goroutines at once and its context ends after EnhanceOptions.Timeout.
type Reword func(context.Context, Part) (string, error)

// EnhanceOptions tunes Enhance. The zero value is usable.
type EnhanceOptions struct {
	Size     int           // bytes of a part with its page texts; 0: 48 KiB
	PageText int           // bytes of each page's text; 0: 1500
	Workers  int           // parts at the same time; 0: 4
	Timeout  time.Duration // of a part; 0: 30 s
	Progress func(Event)   // told of each part that keeps its own text, by Enhance's goroutine; nil: none
}

// Enhance renders the site in a layout with texts that reword made of it. It
// always returns a file: parts that could not be had, in time or in order,
// are the site's own. The site itself is not changed. A panic of reword is one
// of Enhance itself.
func (s *Site) Enhance(ctx context.Context, l Layout, reword Reword, o EnhanceOptions) string {
	if l != Index {
		l = Pages
	}
	orDefault := func(p *int, def int) {
		if *p <= 0 {
			*p = def
		}
	}
	orDefault(&o.Size, 48<<10)
	orDefault(&o.PageText, 1500)
	orDefault(&o.Workers, 4)
	if o.Timeout <= 0 {
		o.Timeout = 30 * time.Second
	}
	parts := s.parts(l, o)
	answers := make([]*File, len(parts))
	failed := make([]error, len(parts))
	panicked := make([]error, len(parts))
	slots := make(chan struct{}, o.Workers)
	var wg sync.WaitGroup
	for i := range parts {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			panicked[i] = recovered(func() {
				answers[i], failed[i] = s.ask(ctx, parts[i], reword, o.Timeout)
			})
		})
	}
	wg.Wait()
	for _, err := range panicked {
		if err != nil {
			panic(err)
		}
	}
	for i, err := range failed {
		if err == nil {
			continue
		}
		answers[i] = parts[i].file
		if o.Progress != nil {
			o.Progress(Event{Kind: Note, Message: fmt.Sprintf("Part %d of %d keeps its own text: %v", i+1, len(parts), err)})
		}
	}
	return merge(answers).Render(l)
}

// part is a Part and what it was made of.
type part struct {
	Part
	file *File
	own  map[string]string // texts of its pages by address
}

// parts cuts the file so that each part with its texts stays below a size.
func (s *Site) parts(l Layout, o EnhanceOptions) []part {
	whole := s.file(l)
	texts := map[string]string{}
	for i := range s.Pages {
		u := s.Pages[i].URL
		if l == Index {
			u = linkURL(u)
		}
		texts[u] = s.Pages[i].Text(o.PageText)
	}
	var out []part
	var cur *File
	size := 0
	flush := func() {
		if cur == nil {
			return
		}
		p := part{Part: Part{Layout: l, Text: cur.Render(l), TextLimit: s.textLimit(l)}, file: cur, own: map[string]string{}}
		for _, e := range cur.Entries() {
			u := e.URL
			if l == Index {
				u = linkURL(u)
			}
			p.Pages = append(p.Pages, PageText{u, texts[u]})
			p.own[u] = texts[u]
		}
		out = append(out, p)
		cur, size = nil, 0
	}
	for _, section := range whole.Sections {
		for i, e := range section.Entries {
			u := e.URL
			if l == Index {
				u = linkURL(u)
			}
			n := len(e.Title) + len(e.URL) + len(e.Text) + len(texts[u]) + 20
			if size+n > o.Size {
				flush()
			}
			if cur == nil {
				cur = &File{Title: whole.Title, BaseURL: whole.BaseURL, Summary: whole.Summary, Info: whole.Info}
			}
			if last := len(cur.Sections) - 1; last < 0 || i == 0 {
				cur.Sections = append(cur.Sections, Section{Name: section.Name})
			}
			last := &cur.Sections[len(cur.Sections)-1]
			last.Entries = append(last.Entries, e)
			size += n
		}
	}
	if cur == nil && out == nil {
		cur = whole // a head alone may be reworded too
	}
	flush()
	return out
}

// Text is the beginning of what the page itself says, at most limit bytes, a
// paragraph or heading a line.
func (p *Page) Text(limit int) string {
	var b strings.Builder
	for _, block := range p.Evidence.Blocks {
		if block.Text == "" {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte('\n')
		}
		b.WriteString(block.Text)
		if b.Len() > limit {
			break
		}
	}
	return clipBytes(b.String(), limit)
}

func (s *Site) ask(ctx context.Context, p part, reword Reword, timeout time.Duration) (*File, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	answer, err := reword(ctx, p.Part)
	if err != nil {
		if ctx.Err() != nil {
			return nil, errors.New("no answer in time")
		}
		return nil, errors.New("no answer")
	}
	f, err := Parse(answer, p.Layout)
	if err != nil {
		return nil, fmt.Errorf("the answer breaks the layout: %w", err)
	}
	return f, s.check(f, p)
}

// address finds what a reader, or a program, might take for one.
var address = regexp.MustCompile(`(?i)\b[a-z][a-z0-9+.-]*:/[^\s<>"'` + "`" + `]*|\bwww\.[^\s<>"'` + "`" + `]+|\b(?:javascript|data|mailto|vbscript):\S+|\]\([^)]*\)|\[[^\]]*\]:\s*\S+` +
	`|\b(?:[a-z0-9-]+\.)+(?:[a-z]{2,24}/\S*|(?:com|org|net|io|dev|app|ai|co|info|biz|xyz|site|online|top|ru|cn|test|example|invalid)\b)`)

// textLimit is how long an entry's text may be in a layout.
func (s *Site) textLimit(l Layout) int {
	switch {
	case l == Index:
		return noteLength
	case s.descLength == 0:
		return 500
	}
	return s.descLength
}

// check holds an answer to its part.
func (s *Site) check(f *File, p part) error {
	limit := p.TextLimit
	if f.BaseURL != p.file.BaseURL && p.Layout == Pages || f.Info != p.file.Info {
		return errors.New("the answer changes the base URL")
	}
	left := map[string]bool{}
	for u := range p.own {
		left[u] = true
	}
	texts := []string{f.Title, f.Summary}
	for _, section := range f.Sections {
		texts = append(texts, section.Name)
		for _, e := range section.Entries {
			if !left[e.URL] {
				return errors.New("the answer has a page twice, or one that it was not given")
			}
			delete(left, e.URL)
			if e.Text == "" || strings.TrimSpace(e.Title) == "" || utf8.RuneCountInString(e.Title) > maxTitle || utf8.RuneCountInString(escapeLines(e.Text)) > limit {
				return errors.New("the answer has a text that is empty or too long")
			}
			if err := foreign(e.Title+"\n"+e.Text, p.Text+p.own[e.URL]); err != nil {
				return err
			}
		}
	}
	if len(left) > 0 {
		return errors.New("the answer leaves a page out")
	}
	for _, t := range texts {
		if utf8.RuneCountInString(t) > limit {
			return errors.New("the answer has a text that is too long")
		}
		if err := foreign(t, p.Text); err != nil {
			return err
		}
	}
	if f.Title == "" || p.Layout == Index && f.Summary == "" {
		return errors.New("the answer has no title or summary")
	}
	return nil
}

// foreign reports an address, or a sign that nobody sees, in a text that did
// not stand in its source.
func foreign(text, source string) error {
	for _, m := range address.FindAllString(text, -1) {
		m = strings.TrimRight(m, ".,;:!?")
		if _, host, ok := strings.Cut(m, "://"); ok {
			if u, err := url.Parse(m); err == nil && u.Host == "" || host == "" {
				continue // "https://" alone names no place
			}
		}
		if !stands(source, m) {
			return errors.New("the answer has an address that it was not given")
		}
	}
	for _, r := range text {
		if r != '\n' && (unicode.IsControl(r) || unicode.Is(unicode.Bidi_Control, r)) && !strings.ContainsRune(source, r) {
			return errors.New("the answer has control characters")
		}
	}
	return nil
}

// stands reports whether an address stands in a text as a whole, not as the
// beginning of another.
func stands(text, address string) bool {
	for {
		i := strings.Index(text, address)
		if i < 0 {
			return false
		}
		text = text[i+len(address):]
		r, n := utf8.DecodeRuneInString(text)
		if r == '.' && len(text) > n && isWordChar(text[n]) {
			continue
		}
		if text == "" || !unicode.IsLetter(r) && !unicode.IsDigit(r) && !strings.ContainsRune("-_~%@", r) {
			return true
		}
	}
}

// merge puts parts together: sections of one name become one, in the order in
// which they first come, Optional last. The head is the first part's.
func merge(parts []*File) *File {
	if len(parts) == 0 {
		return &File{}
	}
	out := &File{Title: parts[0].Title, Summary: parts[0].Summary, Info: parts[0].Info, BaseURL: parts[0].BaseURL}
	at := map[string]int{}
	var last *Section
	for _, f := range parts {
		for _, s := range f.Sections {
			if s.Name == optional {
				if last == nil {
					last = &Section{Name: optional}
				}
				last.Entries = append(last.Entries, s.Entries...)
				continue
			}
			i, ok := at[s.Name]
			if !ok {
				i = len(out.Sections)
				at[s.Name] = i
				out.Sections = append(out.Sections, Section{Name: s.Name})
			}
			out.Sections[i].Entries = append(out.Sections[i].Entries, s.Entries...)
		}
	}
	if last != nil {
		out.Sections = append(out.Sections, *last)
	}
	return out
}
