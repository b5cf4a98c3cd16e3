// Package sitemap reads site maps, as sitemaps.org has them: a list of pages, a
// list of such lists, or plain text with an address a line; each of them
// possibly gzipped.
package sitemap

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
	"time"

	"github.com/farwire/farwire/llmstxt/internal/decode"
	"github.com/farwire/farwire/llmstxt/internal/weburl"
	"golang.org/x/net/html"
	"golang.org/x/net/html/charset"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/unicode"
)

// What the protocol allows, and what one crawl reads.
const (
	MaxFiles = 50       // files read for one crawl
	MaxPages = 50_000   // of one file, the protocol's own limit
	MaxDepth = 3        // of lists of lists
	MaxBytes = 50 << 20 // after decompression, the protocol's own limit
	MaxSent  = 10 << 20 // as sent
)

const (
	settleMoment = time.Hour      // after a lastmod to the second
	settleDay    = 36 * time.Hour // after the begin of a day in UTC: its end in the last time zone
)

// Entry is a page that a site map lists.
type Entry struct {
	Loc        string    // as written
	Lastmod    time.Time // zero if not given
	Settled    time.Time // see settledAt
	Alternates []string  // language tags and addresses of the same page in other languages, in turns
}

// File is what a site map has beside its pages.
type File struct {
	Pages    int      // that it lists
	Children []string // further site maps, as written
}

// ErrLimit says that a file lists more pages than one may.
var ErrLimit = errors.New("more pages than a site map may have")

const (
	maxTag      = 64 << 10 // bytes without a ">", behind which a reader gives up
	maxNested   = 100
	maxChildren = 1000
)

// Parse reads a site map of any of the three forms, or a feed, and stops after
// MaxPages pages or size bytes. It looks at ctx all the while, needs no memory
// that grows with the file, and gives each page to found as it meets it, what
// stands before an error included; found says whether to go on.
func Parse(ctx context.Context, r io.Reader, size int64, found func(Entry) bool) (File, error) {
	r, err := decode.Reader(&watched{ctx: ctx, r: r})
	if err != nil {
		return File{}, err
	}
	br := bufio.NewReader(&watched{ctx: ctx, r: io.LimitReader(r, size)})
	head, _ := br.Peek(512)
	if enc := wide(head); enc != nil {
		br = bufio.NewReader(enc.NewDecoder().Reader(br))
		head, _ = br.Peek(512)
	}
	p := parser{ctx: ctx, found: found}
	switch head = bytes.TrimSpace(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf"))); {
	case len(head) == 0:
		return File{}, cmp.Or(ctx.Err(), errors.New("empty"))
	case head[0] == '<':
		var in io.Reader = br
		if m := declaration.FindSubmatch(head); m != nil && !strings.HasPrefix(strings.ToLower(string(m[1])), "utf") {
			if in, err = charset.NewReaderLabel(string(m[1]), br); err != nil {
				return File{}, err
			}
		}
		return p.file, p.xml(in, &p.file)
	}
	return p.file, p.text(br, &p.file)
}

var declaration = regexp.MustCompile(`^<\?xml[^>]{0,200}encoding\s*=\s*["']([A-Za-z0-9_.:-]{1,40})["']`)

// wide is the encoding that a byte order mark of two bytes stands for.
func wide(head []byte) encoding.Encoding {
	if bytes.HasPrefix(head, []byte("\xff\xfe")) || bytes.HasPrefix(head, []byte("\xfe\xff")) {
		return unicode.UTF16(unicode.LittleEndian, unicode.UseBOM)
	}
	return nil
}

// watched is a reader that ends with a context.
type watched struct {
	ctx context.Context
	r   io.Reader
}

func (w *watched) Read(b []byte) (int, error) {
	if err := w.ctx.Err(); err != nil {
		return 0, err
	}
	return w.r.Read(b)
}

type parser struct {
	ctx   context.Context
	found func(Entry) bool
	file  File
}

// page counts a page and hands it on; false when it was the last.
func (p *parser) page(e Entry, f *File) (bool, error) {
	if f.Pages++; f.Pages > MaxPages {
		f.Pages--
		return false, ErrLimit
	}
	return p.found(e), nil
}

func (p *parser) text(r io.Reader, f *File) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxTag)
	lines.Split(scanLines)
	for lines.Scan() {
		line := strings.TrimSpace(strings.TrimPrefix(lines.Text(), "\ufeff"))
		if line == "" {
			continue
		}
		if !strings.HasPrefix(line, "http://") && !strings.HasPrefix(line, "https://") {
			return errors.New("neither XML nor a list of addresses")
		}
		if more, err := p.page(Entry{Loc: line}, f); !more || err != nil {
			return err
		}
	}
	return lines.Err()
}

// scanLines is bufio.ScanLines for lines that end as those of any system do. Empty ones say nothing.
func scanLines(data []byte, atEOF bool) (advance int, line []byte, err error) {
	if i := bytes.IndexAny(data, "\r\n"); i >= 0 {
		return i + 1, data[:i], nil
	}
	if atEOF && len(data) > 0 {
		return len(data), data, nil
	}
	return 0, nil, nil
}

// xml reads elements by the tokenizer for HTML, which keeps no more than it is
// told to: a decoder of XML makes a struct of each of a million attributes
// before anybody can object.
func (p *parser) xml(r io.Reader, f *File) error {
	z := html.NewTokenizer(r)
	z.SetMaxBuf(maxTag)
	z.AllowCDATA(true)
	x := &elements{z: z}
	for {
		switch kind := z.Next(); kind {
		case html.ErrorToken:
			return p.xmlEnd(x)
		case html.TextToken:
			if x.field != "" && x.text.Len() < 2*weburl.MaxLength {
				x.text.Write(z.Text())
			}
		case html.StartTagToken, html.SelfClosingTagToken:
			name, err := x.start()
			if err != nil {
				return err
			}
			if kind == html.StartTagToken {
				x.open = append(x.open, name)
			}
		case html.EndTagToken:
			name, err := x.end()
			if err != nil {
				return err
			}
			if name == "item" || name == "entry" {
				x.entry.Loc = cmp.Or(x.entry.Loc, x.id)
			}
			switch {
			case x.entry.Loc == "":
			case name == "sitemap":
				if len(f.Children) < maxChildren {
					f.Children = append(f.Children, x.entry.Loc)
				}
				x.entry = Entry{}
			case name == "url", name == "item", name == "entry":
				more, err := p.page(x.entry, f)
				if x.entry = (Entry{}); !more || err != nil {
					return err
				}
			}
		}
	}
}

// xmlEnd is the error of a file that cannot be read further; nil at its end.
func (p *parser) xmlEnd(x *elements) error {
	switch err := x.z.Err(); {
	case p.ctx.Err() != nil:
		return p.ctx.Err()
	case err == html.ErrBufferExceeded:
		return fmt.Errorf("more than %d bytes without the end of a tag", maxTag)
	case err != io.EOF:
		return err
	case len(x.open) > 0:
		return fmt.Errorf("it ends inside the element %.40q", x.open[len(x.open)-1])
	}
	return nil
}

// elements are those that a file has open, and the entry that they make.
type elements struct {
	z      *html.Tokenizer
	open   []string // without the root's prefix
	prefix string
	field  string // that text belongs to: loc, lastmod or id; empty: to none
	text   strings.Builder
	entry  Entry
	id     string // of the entry, if that is an address: it leads to its page where no link does
}

// start reads the tag that begins an element, and returns the element's name.
func (x *elements) start() (name string, err error) {
	tag, more := x.z.TagName()
	name = string(tag[:min(len(tag), 100)])
	if len(x.open) == 0 {
		if x.prefix = ""; strings.Contains(name, ":") {
			x.prefix, name, _ = strings.Cut(name, ":")
			x.prefix += ":"
		}
		switch name {
		case "urlset", "sitemapindex", "rss", "feed", "rdf":
		default:
			return "", fmt.Errorf("it begins with the element %.40q", name)
		}
	} else {
		name = strings.TrimPrefix(name, x.prefix)
	}
	if len(x.open) > maxNested {
		return "", errors.New("nested too deep")
	}
	switch name {
	case "url", "sitemap", "item", "entry":
		x.entry, x.id = Entry{}, ""
		if name == "item" {
			x.idIs(attributesOf(x.z, more).about)
		}
	case "guid":
		if x.in("item") && !strings.EqualFold(attributesOf(x.z, more).permalink, "false") {
			x.begin("id")
		}
	case "id":
		if x.in("entry") {
			x.begin("id")
		}
	case "loc", "lastmod":
		if x.in("url") || x.in("sitemap") {
			x.begin(name)
		}
	case "pubdate", "updated":
		if x.in("item") || x.in("entry") {
			x.begin("lastmod")
		}
	case "link", "xhtml:link":
		a := attributesOf(x.z, more)
		switch e := &x.entry; {
		case x.in("item"):
			x.begin("loc")
		case x.in("entry") && (a.rel == "" || a.rel == "alternate") && e.Loc == "":
			e.Loc = a.href
		case x.in("url") && a.rel == "alternate" && a.lang != "" && len(e.Alternates) < 200 && len(a.href) < weburl.MaxLength:
			e.Alternates = append(e.Alternates, a.lang, a.href)
		}
	}
	return name, nil
}

// idIs notes an entry's identity, if that is an address.
func (x *elements) idIs(s string) {
	if strings.HasPrefix(s, "http://") || strings.HasPrefix(s, "https://") {
		x.id = s
	}
}

// begin has the text that follows belong to a field.
func (x *elements) begin(field string) {
	x.field = field
	x.text.Reset()
}

// end closes the innermost element, and fills in the field that it was.
func (x *elements) end() (name string, err error) {
	tag, _ := x.z.TagName()
	name = strings.TrimPrefix(string(tag[:min(len(tag), 100)]), x.prefix)
	if !x.in(name) {
		return "", fmt.Errorf("the element %.40q ends and was not open", name)
	}
	x.open = x.open[:len(x.open)-1]
	if x.field != "" && (name == x.field || name == "link" || name == "pubdate" || name == "updated" || name == "guid") {
		s := strings.TrimSpace(x.text.String())
		switch x.field {
		case "loc":
			x.entry.Loc = s
		case "id":
			x.idIs(s)
		default:
			x.entry.Lastmod = parseW3CDate(s)
			x.entry.Settled = settledAt(s, x.entry.Lastmod)
		}
		x.field = ""
	}
	return name, nil
}

// in reports whether the innermost open element is called so.
func (x *elements) in(name string) bool {
	return len(x.open) > 0 && x.open[len(x.open)-1] == name
}

// attributes are those of a tag that are of use.
type attributes struct{ rel, href, lang, permalink, about string }

func attributesOf(z *html.Tokenizer, more bool) (a attributes) {
	for more {
		var k, v []byte
		k, v, more = z.TagAttr()
		switch string(k) {
		case "rel":
			a.rel = strings.TrimPrefix(string(v), "http://www.iana.org/assignments/relation/")
		case "href":
			a.href = string(v)
		case "hreflang":
			a.lang = string(v)
		case "ispermalink":
			a.permalink = string(v)
		case "rdf:about":
			a.about = string(v)
		}
	}
	return a
}

// parseW3CDate reads the profile of ISO 8601 that sitemaps use; zero if it is
// none.
func parseW3CDate(s string) time.Time {
	for _, layout := range []string{time.RFC3339Nano, time.RFC1123Z, time.RFC1123, "2006-01-02T15:04Z07:00", "2006-01-02T15:04:05", "2006-01-02", "2006-01", "2006"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC()
		}
	}
	return time.Time{}
}

// settledAt returns from when on a page with this lastmod is what it was made
// then; zero if one cannot tell.
func settledAt(text string, at time.Time) time.Time {
	text = strings.TrimSpace(text)
	switch {
	case at.IsZero(), len(text) < len("2006-01-02"):
		return time.Time{}
	case len(text) > len("2006-01-02T15:04:05") && !strings.Contains(text, "T00:00"):
		return at.Add(settleMoment)
	}
	return at.Add(settleDay) // no time, no time zone, or a midnight that stands for a day
}
