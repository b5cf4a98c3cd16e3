package llmstxt

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/farwire/farwire/llmstxt/internal/describe"
	"github.com/farwire/farwire/llmstxt/internal/plain"
)

// A language model may reword a file. It is given a part of it, in the file's
// own layout, and answers with that part. What it says is read by Parse and
// compared with what it was asked (model_answer.go): the same pages in the same
// sections, and no other address (address.go). A page that tries to command
// the model can therefore at most spoil words, and an answer that fails in any
// way leaves the part as it was.

// Part is a piece of a file with the pages in it.
type Part struct {
	Layout Layout
	Text   string     // a complete file in Layout, with some of the entries; only the first has the summary
	Pages  []PageText // of these entries, in the same order: data, not instructions

	TextLimit int // longest text of an entry that is accepted, in characters
}

// PageText is what a page itself says, for a model to describe it better.
type PageText struct {
	URL  string // as the part has it
	Text string
}

// Reword answers a Part with its Text reworded. It is called by several
// goroutines at once and must return when its context ends, which it does
// after EnhanceOptions.Timeout.
type Reword func(context.Context, Part) (string, error)

// EnhanceOptions tunes Enhance. The zero value is usable. A negative number counts as
// zero.
type EnhanceOptions struct {
	Size     int           // bytes of a part with its page texts; 0: 48 KiB
	PageText int           // bytes of each page's text; 0: 1500
	Workers  int           // parts at the same time; 0: 8
	Timeout  time.Duration // of a part; 0: 30 s
	Total    time.Duration // of all of them; 0: 5 minutes
	Progress func(Event)   // told how it goes, and of each part that keeps its own text, by Enhance's goroutine; nil: none
}

// Enhance renders the site in a layout with texts that reword made of it. It
// always returns a file: parts whose answer is late or invalid keep the site's
// own text. The site itself is not changed. Enhance passes on a panic of
// reword.
func (s *CrawledSite) Enhance(ctx context.Context, l Layout, reword Reword, o EnhanceOptions) string {
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
	orDefault(&o.Workers, 8)
	if o.Timeout <= 0 {
		o.Timeout = 30 * time.Second
	}
	if o.Total <= 0 {
		o.Total = 5 * time.Minute
	}
	if o.Progress == nil {
		o.Progress = func(Event) {}
	}
	ctx, cancel := context.WithTimeout(ctx, o.Total)
	defer cancel()
	whole := s.file(l)
	parts := s.parts(whole, l, o)
	o.Progress(Event{Kind: Note, Message: fmt.Sprintf("Asking the language model, parts: %d", len(parts))})
	answers := make([]*Document, len(parts))
	failed := make([]error, len(parts))
	panicked := make([]error, len(parts))
	slots := make(chan struct{}, o.Workers)
	var wg sync.WaitGroup
	for i := range parts {
		slots <- struct{}{}
		wg.Go(func() {
			defer func() { <-slots }()
			panicked[i] = recovered(func() {
				answers[i], failed[i] = parts[i].ask(ctx, reword, o.Timeout)
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
		o.Progress(Event{Kind: Note, Message: fmt.Sprintf("Part %d of %d keeps its own text: %v", i+1, len(parts), err)})
	}
	return merge(whole, parts, answers).Render(l)
}

// ask has a part reworded. Whose fault a missing answer was is for Reword to
// tell: its error may know more than those who are told of Enhance's progress.
func (p *part) ask(ctx context.Context, reword Reword, timeout time.Duration) (*Document, error) {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	if ctx.Err() != nil {
		return nil, errors.New("no time is left")
	}
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
	if err := p.check(f); err != nil {
		return nil, fmt.Errorf("the answer %w", err)
	}
	return f, nil
}

// merge puts answers, checked, together. A section is where an answer first
// has it, Optional last, and has the name that all of its parts agree on, else
// its own. The head is the first part's.
func merge(whole *Document, parts []part, answers []*Document) *Document {
	head := answers[0]
	out := &Document{Title: head.Title, Summary: head.Summary, Info: whole.Info, BaseURL: whole.BaseURL}
	sections := make([]Section, len(whole.Sections))
	var order []int
	for i, f := range answers {
		for _, s := range f.Sections {
			if len(s.Entries) == 0 {
				continue // the one of a file without pages
			}
			at := parts[i].section[s.Entries[0].URL]
			switch merged := &sections[at]; {
			case merged.Entries == nil:
				order = append(order, at)
				merged.Name = s.Name
			case merged.Name != s.Name:
				merged.Name = whole.Sections[at].Name
			}
			sections[at].Entries = append(sections[at].Entries, s.Entries...)
		}
	}
	// Two may have got one name.
	for again := true; again; {
		again = false
		holders := map[string]int{}
		for _, at := range order {
			holders[plain.Key(sections[at].Name)]++
		}
		for _, at := range order {
			if own := whole.Sections[at].Name; sections[at].Name != own && holders[plain.Key(sections[at].Name)] > 1 {
				sections[at].Name, again = own, true
			}
		}
	}
	slices.SortStableFunc(order, func(a, b int) int { return rankOptional(whole, a) - rankOptional(whole, b) })
	for _, at := range order {
		out.Sections = append(out.Sections, sections[at])
	}
	return out
}

func rankOptional(f *Document, section int) int {
	if f.Sections[section].Name == describe.Optional {
		return 1
	}
	return 0
}
