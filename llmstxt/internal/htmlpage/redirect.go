package htmlpage

import (
	"bytes"
	"regexp"
	"strings"

	"golang.org/x/net/html/atom"

	"github.com/farwire/farwire/internal/refresh"
)

// Pages that only lead elsewhere: by a meta element, inside noscript too, or by
// a script that has nothing else around it.

// RefreshTarget reads "0; url='next.html'"; "" if the page only reloads itself
// or leaves time to be read.
func RefreshTarget(v string) string {
	wait, target, _ := refresh.Parse(v)
	whole, _, _ := strings.Cut(wait, ".")
	if len(whole) > 2 || len(whole) == 2 && whole > "10" {
		return ""
	}
	return target
}

// noscript reads what a page shows to those without scripts.
func (s *scanner) noscript(raw []byte) {
	s.noscriptPlea = s.noscriptPlea || bytes.Contains(bytes.ToLower(raw[:min(len(raw), maxText)]), []byte("javascript"))
	if len(raw) > 64<<10 {
		raw = raw[:64<<10]
	}
	in := lexer{page: raw}
	for kind := in.next(); kind != endOfPage; kind = in.next() {
		if kind != startTag {
			continue
		}
		switch in.tag {
		case atom.Meta:
			if a := in.attrs("http-equiv", "content"); strings.EqualFold(a[0], "refresh") && s.pending == "" {
				s.pending = RefreshTarget(a[1])
			}
		case atom.Iframe, atom.Frame:
			s.addLink(Link{Href: in.attrs("src")[0], Free: true})
		case atom.A:
			s.addLink(Link{Href: in.attrs("href")[0]})
		}
	}
}

var location = regexp.MustCompile(`(?:^|[^.\w]|\b(?:window|document|self|top|parent)\.)location(?:\.href)?\s*(?:=\s*|\.(?:replace|assign)\(\s*)(?:"([^"\s]+)"|'([^'\s]+)')`)

// leads remembers where a script leads to.
func (s *scanner) leads(script []byte) {
	if s.location != "" || len(script) > 4<<10 {
		return
	}
	if m := location.FindSubmatch(script); m != nil {
		s.location = string(m[1]) + string(m[2])
	}
}

// redirect decides whether the page is one that only leads elsewhere.
func (s *scanner) redirect() {
	if s.Refresh != "" || s.headings > 0 || s.words > 2*bareText || len(s.Links) > 2 {
		return
	}
	if s.Refresh = s.pending; s.Refresh == "" {
		s.Refresh = s.location
	}
}
