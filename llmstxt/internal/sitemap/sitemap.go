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

// xml reads elements by the tokenizer for HTML, which keeps no more than it is
// told to: a decoder of XML makes a struct of each of a million attributes
// before anybody can object.
func (p *parser) xml(r io.Reader, f *File) error {
	z := html.NewTokenizer(r)
	z.SetMaxBuf(maxTag)
	z.AllowCDATA(true)
	var open []string // elements, without the root's prefix
	var prefix, field string
	var text strings.Builder
	var e Entry
	for {
		switch kind := z.Next(); kind {
		case html.ErrorToken:
			err := z.Err()
			switch {
			case p.ctx.Err() != nil:
				return p.ctx.Err()
			case err == html.ErrBufferExceeded:
				return fmt.Errorf("more than %d bytes without the end of a tag", maxTag)
			case err != io.EOF:
				return err
			case len(open) > 0:
				return fmt.Errorf("it ends inside the element %.40q", open[len(open)-1])
			}
			return nil
		case html.TextToken:
			if field != "" && text.Len() < 2*weburl.MaxLength {
				text.Write(z.Text())
			}
		case html.StartTagToken, html.SelfClosingTagToken:
			tag, attributes := z.TagName()
			name := string(tag[:min(len(tag), 100)])
			if len(open) == 0 {
				if prefix = ""; strings.Contains(name, ":") {
					prefix, name, _ = strings.Cut(name, ":")
					prefix += ":"
				}
				switch name {
				case "urlset", "sitemapindex", "rss", "feed", "rdf":
				default:
					return fmt.Errorf("it begins with the element %.40q", name)
				}
			} else {
				name = strings.TrimPrefix(name, prefix)
			}
			if len(open) > maxNested {
				return errors.New("nested too deep")
			}
			switch name {
			case "url", "sitemap", "item", "entry":
				e = Entry{}
			case "loc", "lastmod":
				if at(open, "url") || at(open, "sitemap") {
					field = name
					text.Reset()
				}
			case "pubdate", "updated":
				if at(open, "item") || at(open, "entry") {
					field = "lastmod"
					text.Reset()
				}
			case "link", "xhtml:link":
				rel, href, lang := linkOf(z, attributes)
				switch {
				case at(open, "item"):
					field = "loc"
					text.Reset()
				case at(open, "entry") && (rel == "" || rel == "alternate") && e.Loc == "":
					e.Loc = href
				case at(open, "url") && rel == "alternate" && lang != "" && len(e.Alternates) < 200 && len(href) < weburl.MaxLength:
					e.Alternates = append(e.Alternates, lang, href)
				}
			}
			if kind == html.StartTagToken {
				open = append(open, name)
			}
		case html.EndTagToken:
			tag, _ := z.TagName()
			name := strings.TrimPrefix(string(tag[:min(len(tag), 100)]), prefix)
			if len(open) == 0 || open[len(open)-1] != name {
				return fmt.Errorf("the element %.40q ends and was not open", name)
			}
			open = open[:len(open)-1]
			if field != "" && (name == field || name == "link" || name == "pubdate" || name == "updated") {
				s := strings.TrimSpace(text.String())
				if field == "loc" {
					e.Loc = s
				} else {
					e.Lastmod = parseW3CDate(s)
					e.Settled = settledAt(s, e.Lastmod)
				}
				field = ""
			}
			switch {
			case e.Loc == "":
			case name == "sitemap":
				if len(f.Children) < maxChildren {
					f.Children = append(f.Children, e.Loc)
				}
				e = Entry{}
			case name == "url", name == "item", name == "entry":
				more, err := p.page(e, f)
				if e = (Entry{}); !more || err != nil {
					return err
				}
			}
		}
	}
}

// at reports whether the innermost open element is called so.
func at(open []string, name string) bool { return len(open) > 0 && open[len(open)-1] == name }

// linkOf reads the attributes of a link element.
func linkOf(z *html.Tokenizer, more bool) (rel, href, lang string) {
	for more {
		var k, v []byte
		k, v, more = z.TagAttr()
		switch string(k) {
		case "rel":
			rel = string(v)
		case "href":
			href = string(v)
		case "hreflang":
			lang = string(v)
		}
	}
	return rel, href, lang
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
