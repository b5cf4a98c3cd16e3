package htmlpage

import (
	"bytes"
	"context"
	"math"
	"path"
	"slices"
	"strings"
)

// Menus in a file of their own. The pages of some generators have no navigation: a script or
// a frame shows the same list of links beside each of them.
//
//	<meta property="docfx:tocrel" content="toc.html">                    DocFX
//	<nav><noscript><iframe src="toc.html"></iframe></noscript></nav>     mdBook
//	<script src="js/menu-wc.js"></script>                                Compodoc, HTML in a script

// noteMenu takes the menu that a meta element names. Its file counts as a frame of the page.
func (s *scanner) noteMenu(href string, own bool) {
	href = strings.ReplaceAll(href, `\`, "/")
	if s.MenuPage == "" || own {
		s.MenuPage = href // the menu of a part of the site says more than the whole site's
	}
	s.addLink(Link{Href: href, Free: true})
}

// IsMenuOfScript reports the address of a script whose links are relative to the pages that
// show them.
func IsMenuOfScript(src string) bool {
	src, _, _ = strings.Cut(src, "?")
	return path.Base(src) == "menu-wc.js"
}

// isMenu reports a piece of HTML with nothing but links, which scripts insert into pages.
func (s *scanner) isMenu() bool {
	const each = 16 // bytes of text beside a link
	return !s.document && !s.Code && s.headings == 0 && s.words <= each*len(s.Links)
}

// isDoctype reports the declaration with which a document begins, if it has no other sign of one.
func isDoctype(token []byte) bool {
	const begin = "<!doctype"
	return len(token) > len(begin) && equalFold(token[:len(begin)], begin)
}

// ReadMenuPage returns the links of such a menu with the lists that they stand in, as if they
// stood in the navigation of a page.
func ReadMenuPage(ctx context.Context, text []byte, script bool) ([]Link, error) {
	text = text[:min(len(text), MaxMenuScript)]
	if script {
		from, to := bytes.Index(text, []byte("<nav")), bytes.LastIndex(text, []byte("</nav"))
		if from < 0 || to < from {
			return nil, nil
		}
		text = text[from:to]
	}
	p, err := Parse(ctx, slices.Concat([]byte("<nav>"), text, []byte("</nav>")), 0)
	if err != nil {
		return nil, err
	}
	return p.Links, nil
}

// PutMenu puts links before those of the page. A page in no list of the menu stays in those of
// this page. same returns the address by which links are compared.
func (p *Page) PutMenu(links []Link, same func(href string) string) {
	in := map[string]int{}
	for i := range p.Links {
		if l := &p.Links[i]; l.Lists != [Levels]string{} {
			in[same(l.Href)] = i
		}
	}
	for i := range links {
		l := &links[i]
		if at, ok := in[same(l.Href)]; ok && l.Lists == [Levels]string{} {
			l.Lists = p.Links[at].Lists
		}
		if l.Place != math.MaxInt {
			l.Place -= len(links)
		}
	}
	p.Links = slices.Concat(links, p.Links)
}
