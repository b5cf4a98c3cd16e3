package sqlstore

import (
	"bytes"
	"compress/flate"
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/farwire/farwire/llmstxt"
)

// Pages returns the pages that the last Commit left, in their order. A
// site that it does not know has no pages.
func (s *Store) Pages(ctx context.Context, siteID int64) ([]llmstxt.Page, error) {
	var pages []llmstxt.Page
	err := s.read(ctx, "reading pages", func(ctx context.Context, c conn) error {
		pages = nil
		var d inflater
		return c.each(ctx, func(scan func(...any) error) error {
			var p llmstxt.Page
			var columns llmstxt.Page
			var links, rest []byte
			if err := scan(text{&columns.URL}, text{&columns.Title}, text{&columns.Excerpt},
				text{&columns.ETag}, text{&columns.LastModified}, &links, &rest); err != nil {
				return err
			}
			if err := d.inflate(rest, &p); err != nil {
				return fmt.Errorf("page %d: %w", len(pages), err)
			}
			p.URL, p.Title, p.Excerpt, p.ETag, p.LastModified = columns.URL, columns.Title, columns.Excerpt, columns.ETag, columns.LastModified
			if err := json.Unmarshal(links, &p.Links); err != nil {
				return fmt.Errorf("page %d: links: %w", len(pages), err)
			}
			for i, link := range p.Links {
				p.Links[i] = unescape(link)
			}
			if len(p.Links) == 0 {
				p.Links = nil
			}
			pages = append(pages, p)
			return nil
		}, `SELECT url, title, excerpt, etag, last_modified, links, rest FROM farwire_pages WHERE site_id = $1 ORDER BY pos`, siteID)
	})
	return pages, err
}

// A row is a page as its columns have it.
type row struct {
	pos                                              int64
	url, title, excerpt, etag, lastModified, linkSet string
	plain                                            []byte // what the columns lack, as JSON
	rest                                             []byte // the same, deflated
	digest                                           []byte
}

// texts are the columns from url to links, in the table's order.
func (r row) texts() [6]string {
	return [...]string{r.url, r.title, r.excerpt, r.etag, r.lastModified, r.linkSet}
}

// pageRows makes rows that are not deflated yet.
func pageRows(pages []llmstxt.Page) ([]row, error) {
	rows := make([]row, len(pages))
	for i, p := range pages {
		links := make([]string, len(p.Links))
		for i, link := range p.Links {
			links[i] = escape(link)
		}
		linkSet, err := marshal(links)
		if err != nil {
			return nil, err
		}
		r := row{
			pos: int64(i), url: escape(p.URL), title: escape(p.Title), excerpt: escape(p.Excerpt),
			etag: escape(p.ETag), lastModified: escape(p.LastModified), linkSet: string(linkSet),
		}
		p.URL, p.Title, p.Excerpt, p.ETag, p.LastModified, p.Links = "", "", "", "", "", nil
		if r.plain, err = marshal(p); err != nil {
			return nil, err
		}
		hash := sha256.New()
		for _, text := range r.texts() {
			hash.Write(binary.AppendUvarint(nil, uint64(len(text))))
			io.WriteString(hash, text)
		}
		hash.Write(r.plain)
		r.digest = hash.Sum(nil)[:16]
		rows[i] = r
	}
	return rows, nil
}

// marshal is json.Marshal without what HTML needs: people read this.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// replacePages writes the rows that differ from those that are there. The lock
// of the site is held.
func replacePages(ctx context.Context, c conn, siteID int64, rows []row) error {
	have := make(map[int64][]byte)
	err := c.each(ctx, func(scan func(...any) error) error {
		var pos int64
		var digest []byte
		err := scan(&pos, &digest)
		have[pos] = digest
		return err
	}, `SELECT pos, digest FROM farwire_pages WHERE site_id = $1`, siteID)
	if err != nil {
		return err
	}
	var changed []row
	for _, r := range rows {
		if !bytes.Equal(have[r.pos], r.digest) {
			changed = append(changed, r)
		}
	}
	if len(have) > len(rows) {
		if _, err := c.exec(ctx, `DELETE FROM farwire_pages WHERE site_id = $1 AND pos >= $2`, siteID, len(rows)); err != nil {
			return err
		}
	}
	d := newDeflater()
	for len(changed) > 0 {
		// Whatever the pages weigh, a statement is not much larger than this.
		const batch = 4 << 20
		n := 0
		for size := 0; n < len(changed) && size < batch; n++ {
			r := &changed[n]
			if r.rest, err = d.deflate(r.plain); err != nil {
				return err
			}
			size += len(r.rest)
			for _, text := range r.texts() {
				size += len(text)
			}
		}
		if err := c.flavor.putPages(ctx, c, siteID, changed[:n]); err != nil {
			return err
		}
		changed = changed[n:]
	}
	return nil
}

// A deflater is costly to make and cheap to use again.
type deflater struct{ w *flate.Writer }

func newDeflater() deflater {
	w, err := flate.NewWriter(io.Discard, flate.DefaultCompression)
	if err != nil {
		panic(err) // there is no such level
	}
	return deflater{w}
}

func (d deflater) deflate(plain []byte) ([]byte, error) {
	var b bytes.Buffer
	d.w.Reset(&b)
	_, err := d.w.Write(plain)
	err = errors.Join(err, d.w.Close())
	return b.Bytes(), err
}

// An inflater is the same for the way back.
type inflater struct {
	r   io.ReadCloser
	out bytes.Buffer
}

func (d *inflater) inflate(deflated []byte, v any) error {
	in := bytes.NewReader(deflated)
	if d.r == nil {
		d.r = flate.NewReader(in)
	} else if err := d.r.(flate.Resetter).Reset(in, nil); err != nil {
		return err
	}
	d.out.Reset()
	if _, err := d.out.ReadFrom(d.r); err != nil {
		return err
	}
	return json.Unmarshal(d.out.Bytes(), v)
}
