package htmlpage

import (
	"bytes"

	"golang.org/x/net/html/atom"
)

// A list that is longer than a region and stands before the first text of a page: contents or a menu,
// or what the page has to say, as the index of all names that Sphinx writes.

// speaksBetween reports a part of a page of which most text stands in no link.
func speaksBetween(part []byte) bool {
	l, linked, said, link := lexer{page: part}, 0, 0, false
	for kind := l.next(); kind != endOfPage; kind = l.next() {
		switch {
		case kind == textToken && link:
			linked += len(bytes.TrimSpace(l.bytes()))
		case kind == textToken:
			said += len(bytes.TrimSpace(l.bytes()))
		case l.tag == atom.A:
			link = kind == startTag
		}
	}
	return said > linked
}

// isIndex reports a part of a page of which most links lead to places in other pages: entries of an index.
// In what is named the main content they may lead to the pages themselves, but not to places on the page,
// which contents of it do.
func isIndex(part []byte, main bool) bool {
	l, links, entries := lexer{page: part}, 0, 0
	for kind := l.next(); kind != endOfPage; kind = l.next() {
		if kind != startTag || l.tag != atom.A {
			continue
		}
		href := l.attrs("href")[0]
		if href == "" {
			continue
		}
		at := bytes.IndexByte([]byte(href), '#')
		if links++; at > 0 || at < 0 && main {
			entries++
		}
	}
	return 2*entries > links
}
