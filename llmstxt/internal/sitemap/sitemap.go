// Package sitemap reads site maps, as sitemaps.org has them: a list of pages, a
// list of such lists, or plain text with an address a line; each of them
// possibly gzipped.
package sitemap

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/farwire/farwire/llmstxt/internal/weburl"
	"golang.org/x/net/html/charset"
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

// File is one file's content.
type File struct {
	Pages    []Entry
	Children []string // further site maps, as written
}

// Entry is a page that a site map lists.
type Entry struct {
	Loc     string    // as written
	Lastmod time.Time // zero if not given
	Settled time.Time // see settledAt
}

// Parse reads a sitemap of any of the three forms and stops after limit
// pages or size bytes. What was read before an error is returned with it.
func Parse(r io.Reader, limit int, size int64) (File, error) {
	br := bufio.NewReader(r)
	if magic, _ := br.Peek(2); len(magic) == 2 && magic[0] == 0x1f && magic[1] == 0x8b {
		z, err := gzip.NewReader(br)
		if err != nil {
			return File{}, err
		}
		br = bufio.NewReader(z)
	}
	br = bufio.NewReader(io.LimitReader(br, size))
	head, _ := br.Peek(512)
	head = bytes.TrimSpace(bytes.TrimPrefix(head, []byte("\xef\xbb\xbf")))
	switch {
	case len(head) == 0:
		return File{}, errors.New("empty")
	case head[0] == '<':
		return parseSitemapXML(br, limit)
	}
	return parseSitemapText(br, limit)
}

func parseSitemapText(r io.Reader, limit int) (File, error) {
	var m File
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, 64<<10)
	for lines.Scan() && len(m.Pages) < limit {
		line := strings.TrimSpace(strings.TrimPrefix(lines.Text(), "\ufeff"))
		if line == "" {
			continue
		}
		if !strings.HasPrefix(line, "http://") && !strings.HasPrefix(line, "https://") {
			return m, errors.New("neither XML nor a list of addresses")
		}
		m.Pages = append(m.Pages, Entry{Loc: line})
	}
	return m, lines.Err()
}

func parseSitemapXML(r io.Reader, limit int) (File, error) {
	var m File
	d := xml.NewDecoder(r)
	d.Strict = false
	d.CharsetReader = charset.NewReaderLabel
	var entry Entry
	var text strings.Builder
	depth, field := 0, "" // of the element being read, below urlset or sitemapindex
	for {
		t, err := d.Token()
		if err == io.EOF {
			return m, nil
		}
		if err != nil {
			return m, err
		}
		switch t := t.(type) {
		case xml.StartElement:
			depth++
			switch {
			case depth == 1 && t.Name.Local != "urlset" && t.Name.Local != "sitemapindex":
				return m, fmt.Errorf("not a sitemap: <%.40s>", t.Name.Local)
			case depth == 2:
				entry = Entry{}
			case depth == 3 && (t.Name.Local == "loc" || t.Name.Local == "lastmod"):
				field = t.Name.Local
				text.Reset()
			case depth > 100:
				return m, errors.New("nested too deep")
			}
		case xml.CharData:
			if field != "" && text.Len() < weburl.MaxLength {
				text.Write(t)
			}
		case xml.EndElement:
			switch depth {
			case 3:
				switch s := strings.TrimSpace(text.String()); field {
				case "loc":
					entry.Loc = s
				case "lastmod":
					entry.Lastmod = parseW3CDate(s)
					entry.Settled = settledAt(s, entry.Lastmod)
				}
				field = ""
			case 2:
				if entry.Loc == "" {
					break
				}
				if t.Name.Local == "sitemap" {
					if len(m.Children) < 1000 {
						m.Children = append(m.Children, entry.Loc)
					}
				} else if t.Name.Local == "url" {
					if m.Pages = append(m.Pages, entry); len(m.Pages) >= limit {
						return m, nil
					}
				}
			}
			depth--
		}
	}
}

// parseW3CDate reads the profile of ISO 8601 that sitemaps use; zero if it is
// none.
func parseW3CDate(s string) time.Time {
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04Z07:00", "2006-01-02T15:04:05", "2006-01-02", "2006-01", "2006"} {
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
