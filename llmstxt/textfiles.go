package llmstxt

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"iter"
	"math"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/klauspost/compress/s2"

	"github.com/farwire/farwire/internal/safetext"
	"github.com/farwire/farwire/llmstxt/internal/plain"
)

// A TextFile is a file beside llms.txt with whole texts.
type TextFile struct {
	Name string // slash-separated and relative, of [A-Za-z0-9._-]: FullName, or "docs/start.md"
	URL  string // of the page; "": it is of all pages
	Body []byte
}

// FullName is the name of the file with the whole texts of all pages.
const FullName = "llms-full.txt"

// TextFiles makes the files with the whole texts of the pages, if the crawl had
// Options.Text: with full llms-full.txt, with markdown a file for each page. They
// follow the order of file, an llms.txt of this site in either layout. In
// llms-full.txt a page is
//
//	# Title
//	Source: https://docs.example.com/start
//
//	Its text as Markdown …
//
// and no text holds a heading with the address of a source right below it.
//
// The name of a page's file is its path, "start.md" for "/start", "/start.html"
// and "/start.php" alike, and "docs/index.md" for "/docs/"; a hash is added where
// two would have the same. Files are made one at a time, when they are asked for.
func (s *CrawledSite) TextFiles(file string, full, markdown bool) iter.Seq2[TextFile, error] {
	return func(yield func(TextFile, error) bool) {
		pages := s.inOrderOf(file)
		repeated, err := s.repeats()
		if err != nil {
			yield(TextFile{}, err)
			return
		}
		if full && len(s.whole.of) > 0 {
			body, err := s.fullText(pages, repeated)
			if !yield(TextFile{Name: FullName, Body: body}, err) {
				return
			}
		}
		if !markdown {
			return
		}
		names := textNames(s.Pages)
		for _, p := range pages {
			w := s.whole.of[p.URL]
			if w == nil {
				continue
			}
			title, text, err := w.parts(p.Title, repeated)
			if !yield(TextFile{Name: names[p.URL], URL: p.URL, Body: []byte(title + "\n\n" + text)}, err) {
				return
			}
		}
	}
}

// TextSum is a hash of the whole texts of the pages and their addresses; "" without
// any.
func (s *CrawledSite) TextSum() string {
	if len(s.whole.of) == 0 {
		return ""
	}
	h := sha256.New()
	for i := range s.Pages {
		if w := s.whole.of[s.Pages[i].URL]; w != nil {
			io.WriteString(h, s.Pages[i].URL+"\n")
			h.Write(w.sum[:])
		}
	}
	return hex.EncodeToString(h.Sum(nil))
}

// inOrderOf are the pages in a file's order. The base page, which an index does
// not list, comes first, and what the file does not have comes last.
func (s *CrawledSite) inOrderOf(file string) []*Page {
	_, links, _ := Check(file)
	at := make(map[string]int, len(links))
	for i, l := range links {
		at[l.URL] = i + 1
	}
	place := func(p *Page) int {
		for _, u := range []string{p.URL, linkURL(p.URL)} {
			if n := at[u]; n > 0 {
				return n
			}
		}
		if p == &s.Pages[0] {
			return 0
		}
		return math.MaxInt
	}
	pages := make([]*Page, len(s.Pages))
	for i := range s.Pages {
		pages[i] = &s.Pages[i]
	}
	slices.SortStableFunc(pages, func(a, b *Page) int {
		switch m, n := place(a), place(b); {
		case m < n:
			return -1
		case m > n:
			return 1
		}
		return 0
	})
	return pages
}

func (s *CrawledSite) fullText(pages []*Page, r *repeated) ([]byte, error) {
	out := make([]byte, 0, s.whole.size+len(pages)*150)
	for _, p := range pages {
		w := s.whole.of[p.URL]
		if w == nil {
			continue
		}
		title, text, err := w.parts(p.Title, r)
		if err != nil {
			return nil, err
		}
		if len(out) > 0 {
			out = append(out, '\n')
		}
		out = fmt.Appendf(out, "%s\nSource: %s\n\n%s", title, p.URL, ownEntry(withoutPosts(text, r.posts[p.URL])))
	}
	return out, nil
}

// ownEntry keeps a text from being read as further entries, of other pages or sites: an empty
// line parts a heading from a line of a source below it, in code too. In a page of HTML they
// are two paragraphs anyway; Markdown and plain text stay as they were written.
func ownEntry(text string) string {
	var b strings.Builder
	heading := false
	for line := range strings.Lines(text) {
		words := strings.TrimLeft(line, " \t")
		if heading && isSource(words) {
			b.WriteByte('\n')
		}
		heading = strings.HasPrefix(words, "#")
		b.WriteString(line)
	}
	return b.String()
}

// isSource reports a line such as "Source: https://docs.example.com/start".
func isSource(line string) bool {
	const name, scheme = "source:", "http"
	if len(line) < len(name) || !strings.EqualFold(line[:len(name)], name) {
		return false
	}
	at := strings.TrimLeft(line[len(name):], " \t<[")
	return len(at) >= len(scheme) && strings.EqualFold(at[:len(scheme)], scheme)
}

// repeats reads what the whole texts repeat.
func (s *CrawledSite) repeats() (*repeated, error) {
	r := &repeated{}
	if len(s.whole.of) < leastNotices {
		return r, nil
	}
	for i := range s.Pages {
		if w := s.whole.of[s.Pages[i].URL]; w != nil {
			_, text, err := w.unpack(s.Pages[i].Title)
			if err != nil {
				return nil, err
			}
			r.whole.page(s.Pages[i].URL)
			r.add(text)
		}
	}
	if r.pages >= leastRepeats {
		r.posts = r.whole.lists()
	}
	return r, nil
}

// parts are a text's heading and the rest, without what the site repeats.
func (w *wholeText) parts(title string, r *repeated) (heading, text string, err error) {
	heading, text, err = w.unpack(title)
	if err != nil {
		return "", "", err
	}
	return heading, r.without(heading, text), nil
}

// unpack returns a text's first heading, or one of the page's title, and the rest.
func (w *wholeText) unpack(title string) (heading, text string, err error) {
	body, err := s2.Decode(nil, w.packed)
	if err != nil {
		return "", "", fmt.Errorf("llmstxt: unpacking a text: %w", err)
	}
	text = string(body)
	first, rest, _ := strings.Cut(text, "\n")
	if name, ok := strings.CutPrefix(first, "# "); ok {
		if m := linkedTitle.FindStringSubmatch(name); m != nil {
			name = m[1]
		}
		if plain.Key(name) == plain.Key(title) || !hasChapters(rest) {
			return "# " + name, strings.TrimLeft(rest, "\n"), nil
		}
	}
	return "# " + plain.EscapeTitle(title), text, nil
}

// linkedTitle is a heading that is one link, to the page itself as a rule.
var linkedTitle = regexp.MustCompile(`^\[([^\[\]]+)\]\([^()\s]+\)$`)

// hasChapters reports a text with two more headings of the first level, as one has whose first
// heading is that of a chapter and not the page's name.
func hasChapters(text string) bool {
	n := 0
	for _, b := range textBlocks(text) {
		if strings.HasPrefix(b, "# ") {
			if n++; n == 2 {
				return true
			}
		}
	}
	return false
}

// TextNames are the names that the pages' files have, in the pages' order.
func TextNames(pages []Page) []string {
	names := textNames(pages)
	out := make([]string, len(pages))
	for i := range pages {
		out[i] = names[pages[i].URL]
	}
	return out
}

// textNames gives each page a name of its own, also where file systems do not
// tell capitals from small letters.
func textNames(pages []Page) map[string]string {
	names, taken := map[string]string{}, map[string]bool{}
	for i := range pages {
		u := pages[i].URL
		name := textName(u)
		if taken[strings.ToLower(name)] {
			sum := sha256.Sum256([]byte(u))
			name = strings.TrimSuffix(name, ".md") + "-" + hex.EncodeToString(sum[:6]) + ".md"
		}
		taken[strings.ToLower(name)] = true
		names[u] = name
	}
	return names
}

const (
	maxNamePart = 80  // bytes of one part of a name
	maxName     = 300 // bytes of all
)

// textName is a page's path as the name of a file.
func textName(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		u = &url.URL{Path: "page"}
	}
	p := u.Path
	if p == "" || strings.HasSuffix(p, "/") {
		p += "index"
	}
	switch ext := strings.ToLower(path.Ext(p)); ext {
	case ".html", ".htm", ".xhtml", ".php", ".asp", ".aspx", ".jsp", ".md", ".markdown", ".mdx", ".txt":
		p = p[:len(p)-len(ext)]
	}
	changed := u.RawQuery != ""
	var parts []string
	for part := range strings.SplitSeq(strings.Trim(p, "/"), "/") {
		safe := strings.Map(func(r rune) rune {
			if safetext.InName(r) {
				return r
			}
			return '-'
		}, part)
		safe = strings.TrimLeft(safe, ".")
		if strings.HasSuffix(strings.ToLower(safe), ".md") { // else a folder and a file could have one name
			safe = safe[:len(safe)-3] + "-md"
		}
		safe = safe[:min(len(safe), maxNamePart)]
		if changed = changed || safe != part; safe == "" {
			safe = "-"
		}
		parts = append(parts, safe)
	}
	name := strings.Join(parts, "/")
	if len(name) > maxName {
		name, changed = strings.TrimRight(name[:maxName], "/"), true
	}
	if changed {
		sum := sha256.Sum256([]byte(raw))
		name += "-" + hex.EncodeToString(sum[:6])
	}
	return name + ".md"
}
