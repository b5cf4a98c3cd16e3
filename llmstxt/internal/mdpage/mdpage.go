package mdpage

import (
	"context"
	"strconv"
	"strings"

	"github.com/farwire/farwire/internal/safetext"
	"github.com/farwire/farwire/llmstxt/internal/htmlpage"
	"github.com/farwire/farwire/llmstxt/internal/plain"
)

const (
	maxBlocks  = 200
	maxBlock   = 4000     // bytes of one
	maxWords   = 32 << 10 // bytes of all of them
	maxAnchors = 40
	maxShort   = 2000     // bytes of the text that is kept whole
	leastText  = 40       // bytes; less tells no page from another
	maxJoined  = 80 << 10 // bytes of a paragraph's lines that are looked into
	maxLine    = 16 << 10 // bytes of one
)

// Page is what is read of a page.
type Page struct {
	Title       string // of the front matter, else its first heading; of plain text its first line if that is short
	Description string // of the front matter
	Links       []htmlpage.Link
	Blocks      []htmlpage.Block
	Anchors     []string // words of its links
	Short       string   // its text, if there is little of it
	Sum         string   // of its text, "" if there is next to none
}

// reader gathers a page from its lines.
type reader struct {
	Page
	source *source
	kind   htmlpage.BlockKind
	para   []byte // the lines of the paragraph that has begun
	size   int    // bytes of the blocks' texts
	seen   map[string]bool
	list   string // the heading above
	blank  bool   // the line before was empty
	all    strings.Builder
	long   bool // there is more text than Short holds
	first  string
	sum    uint64
	summed int
	span   span
}

// Parse reads a page that is UTF-8 already. It looks at ctx every few kilobytes
// and returns its error; it takes time in proportion to the page's length and
// memory that does not grow with it, beside the links.
func Parse(ctx context.Context, text []byte, markdown bool) (*Page, error) {
	r := &reader{source: open(text, markdown), kind: htmlpage.Paragraph, seen: map[string]bool{}, sum: 14695981039346656037, blank: true}
	r.Title, r.Description = r.source.title, r.source.summary
	looked := len(text)
	for {
		line, code, ok := r.source.next()
		if !ok {
			break
		}
		if looked-len(r.source.rest) >= 16<<10 {
			if looked = len(r.source.rest); ctx.Err() != nil {
				return nil, ctx.Err()
			}
		}
		line = line[:min(len(line), maxLine)]
		switch {
		case code:
			r.flush()
			r.omit()
			r.count(line)
		case markdown:
			r.markdown(string(line))
		default:
			r.plain(string(line))
		}
	}
	r.flush()
	if r.Title == "" {
		r.Title = r.first
	}
	if !r.long {
		r.Short = plain.OneLine(r.all.String())
	}
	if r.summed >= leastText {
		r.Sum = "t" + strconv.FormatUint(r.sum, 36) + "." + strconv.Itoa(r.summed)
	}
	return &r.Page, nil
}

// count adds a line to what tells the page from others.
func (r *reader) count(line []byte) {
	for _, c := range line { // FNV-1a
		if c > ' ' {
			r.sum = (r.sum ^ uint64(c)) * 1099511628211
			r.summed++
		}
	}
	if r.long = r.long || r.all.Len()+len(line) > maxShort; !r.long {
		r.all.Write(line)
		r.all.WriteByte(' ')
	}
}

// plain reads a line of plain text.
func (r *reader) plain(line string) {
	r.count([]byte(line))
	text := plain.OneLine(line)
	if text == "" {
		r.flush()
		return
	}
	if r.first == "" && r.Blocks == nil && len(r.para) == 0 && len(text) <= 100 && !plain.IsComplete(text) {
		r.first = strings.TrimLeft(text, "#=* ")
		if r.first != "" {
			r.add(htmlpage.Title, r.first)
			return
		}
	}
	if strings.Trim(text, "=-*#_~+ ") == "" {
		return // an underline
	}
	r.append(line)
}

// markdown reads a line of Markdown.
func (r *reader) markdown(line string) {
	r.count([]byte(line))
	text := strings.TrimSpace(line)
	indent := len(line) - len(strings.TrimLeft(line, " "))
	if strings.HasPrefix(line, "\t") {
		indent = 4
	}
	wasBlank := r.blank
	r.blank = text == ""
	for strings.HasPrefix(text, ">") { // a quotation's text is text
		text = strings.TrimSpace(text[1:])
	}
	level, title := atx(text)
	switch {
	case text == "":
		r.flush()
	case wasBlank && indent >= 4 && r.kind != htmlpage.Item:
		r.omit() // code
	case level > 0:
		r.flush()
		r.heading(level, title)
	case isUnderline(text) && len(r.para) > 0 && r.kind == htmlpage.Paragraph:
		title := withoutAttributes(string(r.para))
		r.para = r.para[:0]
		r.heading(map[byte]int{'=': 1, '-': 2}[text[0]], title)
	case isRule(text):
		r.flush()
	case isNote(text):
		r.flush()
	case isDefinition(text):
		r.flush()
		if _, target, ok := strings.Cut(text, "]:"); ok {
			target, _, _ = strings.Cut(strings.TrimSpace(target), " ")
			r.link(strings.Trim(target, "<>"), nil)
		}
	case strings.HasPrefix(text, "|") && strings.Count(text, "|") > 1:
		r.row(text)
	default:
		if rest, ok := item(text); ok {
			r.flush()
			r.kind = htmlpage.Item
			text = rest
		}
		r.append(text)
	}
}

func (r *reader) append(text string) {
	if len(r.para)+len(text) > maxJoined {
		r.flush()
	}
	if len(r.para) > 0 {
		r.para = append(r.para, ' ')
	}
	r.para = append(r.para, text...)
}

// flush ends the paragraph.
func (r *reader) flush() {
	if len(r.para) > 0 {
		r.add(r.kind, string(r.para))
	}
	r.para, r.kind = r.para[:0], htmlpage.Paragraph
}

func (r *reader) heading(level int, raw string) {
	kind := htmlpage.Heading
	if level == 1 {
		kind = htmlpage.Title
	}
	text := r.add(kind, raw)
	if level == 1 {
		r.list = ""
		if r.first == "" {
			r.first = text
		}
	} else if len(text) <= 60 {
		r.list = text
	}
}

// row reads a table's.
func (r *reader) row(text string) {
	r.flush()
	if strings.Trim(text, "|-: ") == "" {
		return
	}
	for cell := range strings.SplitSeq(strings.Trim(text, "|"), "|") {
		r.add(htmlpage.Cell, strings.TrimSpace(cell))
	}
}

// add makes a block of a paragraph and returns its text.
func (r *reader) add(kind htmlpage.BlockKind, raw string) string {
	var text string
	var linked int
	full := len(r.Blocks) == maxBlocks || r.size >= maxWords
	switch {
	case full && !strings.ContainsAny(raw, "[<") && !strings.Contains(raw, "http"):
		return "" // neither words nor links are wanted of it
	case r.source.markdown:
		text, linked = r.span.read(raw, r.link, !full)
	default:
		text = plain.OneLine(raw)
		for i := strings.Index(raw, "http"); i >= 0; {
			n := bare(raw[i:])
			if n > 0 {
				r.link(raw[i:i+n], nil)
				linked += n
			}
			next := strings.Index(raw[i+max(n, 4):], "http")
			if next < 0 {
				break
			}
			i += max(n, 4) + next
		}
	}
	if kind == htmlpage.Heading || kind == htmlpage.Title {
		text = plain.Heading(text)
	}
	if text != "" && !full {
		r.size += len(text)
		r.Blocks = append(r.Blocks, htmlpage.Block{Kind: kind, Text: safetext.Cut(text, maxBlock), Links: min(100, linked*100/max(1, len(text)))})
	}
	return text
}

func (r *reader) omit() {
	if n := len(r.Blocks); n > 0 && r.Blocks[n-1].Kind != htmlpage.Omitted && n < maxBlocks {
		r.Blocks = append(r.Blocks, htmlpage.Block{Kind: htmlpage.Omitted})
	}
}

func (r *reader) link(target string, words []byte) {
	if !strings.HasPrefix(target, "#/") { // a page of an application that shows Markdown
		target, _, _ = strings.Cut(target, "#")
	}
	if len(words) > 1 && len(words) < 200 && len(r.Anchors) < maxAnchors && target != "" {
		if text := plain.OneLine(string(words)); text != "" {
			r.Anchors = append(r.Anchors, text)
		}
	}
	if target == "" || len(target) > maxTarget || r.seen[target] || len(r.Links) >= htmlpage.MaxLinks {
		return
	}
	r.seen[target] = true
	r.Links = append(r.Links, htmlpage.Link{Href: target, Lists: [htmlpage.Levels]string{r.list}})
}

// atx is a heading behind its signs; level 0: none.
func atx(text string) (level int, title string) {
	for level < len(text) && text[level] == '#' {
		level++
	}
	if level == 0 || level > 6 || level < len(text) && text[level] != ' ' && text[level] != '\t' {
		return 0, ""
	}
	title = strings.TrimSpace(text[level:])
	if end := strings.TrimRight(title, "#"); end == "" || strings.HasSuffix(end, " ") {
		title = strings.TrimSpace(end)
	}
	return level, withoutAttributes(title)
}

func isUnderline(text string) bool {
	return strings.Trim(text, "=") == "" || strings.Trim(text, "-") == ""
}

func isRule(text string) bool {
	bare := strings.ReplaceAll(text, " ", "")
	return len(bare) >= 3 && (strings.Trim(bare, "-") == "" || strings.Trim(bare, "*") == "" || strings.Trim(bare, "_") == "")
}

// isDefinition reports "[name]: address".
func isDefinition(text string) bool {
	if text[0] != '[' || isNote(text) {
		return false
	}
	i := strings.Index(text[:min(len(text), 200)], "]:")
	return i > 0 && strings.IndexByte(text[1:i], '[') < 0
}

// isNote reports a note at a page's foot: "[^1]: See below".
func isNote(text string) bool {
	i := strings.Index(text[:min(len(text), 200)], "]:")
	return strings.HasPrefix(text, "[^") && i > 2 && strings.IndexByte(text[1:i], '[') < 0
}

// item is a list's item without its sign.
func item(text string) (rest string, ok bool) {
	n := 0
	for n < len(text) && n < 9 && '0' <= text[n] && text[n] <= '9' {
		n++
	}
	switch {
	case n == 0 && strings.IndexByte("-*+", text[0]) >= 0:
		n = 1
	case n > 0 && n < len(text) && (text[n] == '.' || text[n] == ')'):
		n++
	default:
		return "", false
	}
	if n >= len(text) || text[n] != ' ' && text[n] != '\t' {
		return "", false
	}
	rest = strings.TrimSpace(text[n:])
	for _, box := range []string{"[ ] ", "[x] ", "[X] "} {
		rest = strings.TrimPrefix(rest, box)
	}
	return rest, rest != ""
}
