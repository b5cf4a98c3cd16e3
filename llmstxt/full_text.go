package llmstxt

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"
	"unicode"

	"github.com/klauspost/compress/s2"

	"github.com/farwire/farwire/llmstxt/internal/decode"
	"github.com/farwire/farwire/llmstxt/internal/htmlpage"
	"github.com/farwire/farwire/llmstxt/internal/mdpage"
	"github.com/farwire/farwire/llmstxt/internal/share"
	"github.com/farwire/farwire/llmstxt/internal/weburl"
)

// The whole texts of pages (Options.Text). They are kept packed, and what they
// take is taken from the process's share, piece by piece, as pages are committed.
// A piece that is not to be had in a while ends the texts of this crawl: to wait
// longer could be to wait for a crawl that waits for this one.

const (
	maxTexts   = 10_000_000 // bytes of a crawl's texts
	textWait   = 10 * time.Second
	maxWaiting = 8 << 20 // bytes of packed texts that wait for their page's turn
)

// wholeText is one page's, packed.
type wholeText struct {
	packed []byte
	size   int // unpacked
	cut    bool
	sum    [sha256.Size]byte
}

func pack(text []byte, cut bool) *wholeText {
	return &wholeText{packed: s2.EncodeBetter(nil, text), size: len(text), cut: cut, sum: sha256.Sum256(text)}
}

// wholeHTML takes the whole text of a page.
func (c *crawler) wholeHTML(ctx context.Context, r *result, p *htmlpage.Page, in decode.Charset) error {
	if !c.Text || c.textsFull.Load() {
		return nil
	}
	address := absolute(baseOf(r.final, p), r.final)
	text, cut, err := p.Markdown(ctx, maxTexts, func(href string) string { return address(in.Query(href)) })
	r.whole = pack(text, cut)
	return err
}

// wholeMarkdown takes that of a page of Markdown or plain text.
func (c *crawler) wholeMarkdown(ctx context.Context, r *result, body []byte, markdown bool) error {
	if !c.Text || c.textsFull.Load() {
		return nil
	}
	text, cut, err := mdpage.Whole(ctx, body, markdown, maxTexts, absolute(r.final, nil))
	r.whole = pack(text, cut)
	return err
}

// absolute resolves the links of a text, with the places in pages that they lead to, and leaves
// alone what does not lead to a web page, to another place of the page own, and those beyond the
// resolver's memory.
func absolute(base, own *url.URL) func(href string) string {
	resolver := weburl.Resolver{Base: base, Left: weburl.ResolverMemory}
	self := ""
	if u := own; u != nil {
		if u = weburl.Parse(own.String()); u != nil {
			self = u.String()
		}
	}
	return func(href string) string {
		u := resolver.Resolve(href)
		if u == nil {
			return ""
		}
		to := u.String()
		if _, place, _ := strings.Cut(href, "#"); place != "" {
			if to == self {
				return ""
			}
			if !strings.ContainsFunc(place, func(r rune) bool { return r <= ' ' || strings.ContainsRune("<>\"`\\^{|}", r) || unicode.IsSpace(r) }) {
				to += "#" + place
			}
		}
		return to
	}
}

// waiting is what the texts of a result take that waits for its turn.
func (r *result) waiting() (n int) {
	if r.whole != nil {
		n = len(r.whole.packed)
	}
	if r.twin != nil {
		n += r.twin.waiting()
	}
	return n
}

// wholeTexts are those of a crawl, by their pages' URLs.
type wholeTexts struct {
	of     map[string]*wholeText
	size   int // unpacked
	packed int
	pieces []func() // that give back what was taken of the process's share
	closed bool     // there is no room for more
}

// keepText keeps the text of a page that is in the result now, in place of the
// one that it had.
func (c *crawler) keepText(ctx context.Context, url string, w *wholeText) {
	t := &c.whole
	if w == nil || !c.Text || t.closed {
		return
	}
	if t.of == nil {
		t.of = map[string]*wholeText{}
	}
	size, packed := t.size+w.size, t.packed+len(w.packed)
	if old := t.of[url]; old != nil {
		size, packed = size-old.size, packed-len(old.packed)
	}
	full := func(why string) {
		t.closed = true
		c.textsFull.Store(true)
		c.note(url, fmt.Sprintf("%s: the whole texts of this page and those behind it are left out", why))
	}
	if size > maxTexts || w.cut {
		full(fmt.Sprintf("The whole texts are longer than %d bytes", maxTexts))
		return
	}
	for packed > len(t.pieces)*share.TextPiece {
		var err error
		c.withoutCore(ctx, func() { err = c.anotherPiece(ctx) })
		if err != nil {
			if ctx.Err() == nil {
				full("There is no more room for whole texts at the moment")
			}
			return
		}
	}
	t.of[url], t.size, t.packed = w, size, packed
}

var errNoPiece = errors.New("no room for whole texts")

func (c *crawler) anotherPiece(ctx context.Context) error {
	if share.Texts.Held(c.owner) >= share.TextsOfOne {
		return errNoPiece
	}
	ctx, cancel := context.WithTimeoutCause(ctx, textWait, errNoPiece)
	defer cancel()
	release, err := share.Texts.Take(ctx, c.owner)
	if err == nil {
		c.whole.pieces = append(c.whole.pieces, release)
	}
	return err
}

// Close frees the whole texts of the pages (Options.Text) and the site's share
// of memory (Options.KeepRoom). There are no TextFiles afterwards. Sites
// without these options need no Close. It may be called more than once.
func (s *CrawledSite) Close() error {
	s.whole.release()
	for _, give := range s.room {
		give()
	}
	s.room = nil
	return nil
}

func (t *wholeTexts) release() {
	for _, give := range t.pieces {
		give()
	}
	*t = wholeTexts{}
}
