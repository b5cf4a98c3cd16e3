package llmstxt

import (
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"

	"github.com/farwire/farwire/llmstxt/internal/plain"
)

// Reading a file back. Parse accepts exactly what Render writes and what any
// careful hand would write in the same layout; everything else is an error that
// names the line. It is what a model's answer has to pass.

// Document is a file in either layout, read.
type Document struct {
	Title    string
	Summary  string // Index only
	Info     string // Index only: what stands between summary and sections
	BaseURL  string // Pages only
	Sections []Section
}

// Section is a heading of an Index with its entries; a file in the Pages
// layout has one without a name.
type Section struct {
	Name    string
	Entries []Entry
}

// Entry is a page in a file.
type Entry struct {
	Title string
	URL   string // as the file has it
	Text  string // the note or the excerpt, without escapes at line starts
}

// Entries are those of all sections in the file's order.
func (f *Document) Entries() []Entry {
	var all []Entry
	for _, s := range f.Sections {
		all = append(all, s.Entries...)
	}
	return all
}

// Parse reads a file in a layout, strictly.
func Parse(text string, l Layout) (*Document, error) {
	if strings.Contains(text, "\r") {
		text = strings.ReplaceAll(text, "\r\n", "\n")
	}
	if l == Index {
		return parseIndex(text)
	}
	return parsePages(text)
}

type lineReader struct {
	lines []string
	n     int
}

func (r *lineReader) more() bool { return r.n < len(r.lines) }

// blank takes the empty lines and reports whether there was one.
func (r *lineReader) blank() bool {
	from := r.n
	for r.more() && strings.TrimSpace(r.lines[r.n]) == "" {
		r.n++
	}
	return r.n > from
}

func (r *lineReader) errorf(format string, args ...any) error {
	return fmt.Errorf("llmstxt: line %d: %s", r.n+1, fmt.Sprintf(format, args...))
}

// marked takes a line that begins with a sign, a space and something more.
func (r *lineReader) marked(sign string) (string, error) {
	if !r.more() {
		return "", r.errorf("the file ends where a line with %q should be", sign)
	}
	v, ok := strings.CutPrefix(r.lines[r.n], sign+" ")
	if v = strings.TrimSpace(v); !ok || v == "" {
		return "", r.errorf("want a line that begins with %q", sign+" ")
	}
	r.n++
	return v, nil
}

func parsePages(text string) (*Document, error) {
	r := &lineReader{lines: strings.Split(text, "\n")}
	f := &Document{Sections: make([]Section, 1)}
	r.blank()
	v, err := r.marked("#")
	if err != nil {
		return nil, err
	}
	f.Title = plain.UnescapeTitle(v)
	r.blank()
	if f.BaseURL, err = r.address(); err != nil {
		return nil, err
	}
	r.blank()
	for r.more() {
		var e Entry
		if v, err = r.marked("##"); err != nil {
			return nil, err
		}
		e.Title = plain.UnescapeTitle(v)
		r.blank()
		if e.URL, err = r.address(); err != nil {
			return nil, err
		}
		r.blank()
		var excerpt []string
		for r.more() && !strings.HasPrefix(r.lines[r.n], "## ") {
			if l := r.lines[r.n]; strings.HasPrefix(l, "#") || strings.HasPrefix(l, ">") {
				return nil, r.errorf("an excerpt's line begins with %q", l[:1])
			}
			excerpt = append(excerpt, r.lines[r.n])
			r.n++
		}
		if e.Text = plain.UnescapeLines(strings.TrimSpace(strings.Join(excerpt, "\n"))); e.Text == "" {
			return nil, r.errorf("a page without an excerpt")
		}
		f.Sections[0].Entries = append(f.Sections[0].Entries, e)
	}
	return f, nil
}

func (r *lineReader) address() (string, error) {
	v, err := r.marked(">")
	if err != nil {
		return "", err
	}
	if err := checkURL(v); err != nil {
		r.n--
		return "", r.errorf("%v", err)
	}
	return v, nil
}

func checkURL(v string) error {
	u, err := url.Parse(v)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || strings.ContainsAny(v, " \t<>") {
		return errors.New("not an http or https address")
	}
	return nil
}

// link is the reference grammar's entry, anchored at both ends.
var link = regexp.MustCompile(`^-\s*\[([^\]]+)\]\(([^\)]+)\)(?::\s*(.*))?$`)

func parseIndex(text string) (*Document, error) {
	r := &lineReader{lines: strings.Split(text, "\n")}
	f := &Document{}
	r.blank()
	v, err := r.marked("#")
	if err != nil {
		return nil, err
	}
	f.Title = plain.UnescapeTitle(v)
	r.blank()
	if r.more() && strings.HasPrefix(r.lines[r.n], ">") {
		if f.Summary, err = r.marked(">"); err != nil {
			return nil, err
		}
		r.blank()
	}
	var info []string
	for r.more() && !strings.HasPrefix(r.lines[r.n], "#") {
		info = append(info, r.lines[r.n])
		r.n++
	}
	f.Info = strings.TrimSpace(strings.Join(info, "\n"))
	names := map[string]bool{}
	for r.more() {
		if v, err = r.marked("##"); err != nil {
			return nil, err
		}
		s := Section{Name: plain.UnescapeTitle(v)}
		if names[s.Name] {
			r.n--
			return nil, r.errorf("the name of a section twice")
		}
		names[s.Name] = true
		for r.blank(); r.more() && !strings.HasPrefix(r.lines[r.n], "#"); r.blank() {
			m := link.FindStringSubmatch(r.lines[r.n])
			if m == nil {
				return nil, r.errorf("want - [title](url): note")
			}
			if err := checkURL(m[2]); err != nil {
				return nil, r.errorf("%v", err)
			}
			s.Entries = append(s.Entries, Entry{Title: plain.UnescapeTitle(m[1]), URL: m[2], Text: strings.TrimSpace(m[3])})
			r.n++
		}
		f.Sections = append(f.Sections, s)
	}
	return f, nil
}
