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

// Reloads reports a value that loads the page itself again at once.
func Reloads(v string) bool {
	wait, target, ok := refresh.Parse(v)
	return ok && target == "" && strings.Trim(wait, "0.") == ""
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
				s.Reloads = s.Reloads || Reloads(a[1])
			}
		case atom.Iframe, atom.Frame:
			src := in.attrs("src")[0]
			if s.MenuPage == "" && s.nav.within > 0 {
				s.MenuPage = src
			}
			s.addLink(Link{Href: src, Free: true})
		case atom.A:
			s.addLink(Link{Href: in.attrs("href")[0]})
		}
	}
}

// redirect decides whether the page is one that only leads elsewhere, or to itself.
func (s *scanner) redirect() {
	if s.words > 2*bareText || len(s.Links) > 2 || s.headings > s.movedHeadings() {
		s.Reloads, s.Cookies = false, nil
		return
	}
	s.Bare = true
	if s.Refresh == "" {
		s.Refresh = s.pending
	}
	if s.Refresh == "" {
		s.Refresh = s.location
	}
}

// movedHeadings counts the headings that only say that the page leads elsewhere.
func (s *scanner) movedHeadings() (n int) {
	for _, m := range s.marks {
		if m.level > 0 && isMoved.MatchString(m.text) {
			n++
		}
	}
	return n
}

var isMoved = regexp.MustCompile(`(?i)^\W*(?:(?:you are being |you will be |page |document |object )?(?:redirect(?:ing|ed|ion)?|moved|has moved)\b.*|(?:please wait|loading|one moment)\W*|` +
	`(?:automatische )?(?:weiterleitung|umleitung)\b.*|sie werden weitergeleitet\b.*|redireccion(?:ando|amiento)?\b.*|redirigiendo\b.*|redirecionando\b.*|reindirizzamento\b.*|` +
	`doorverwijz\w*\b.*|przekierowanie\b.*|omdirigerar\b.*|yönlendiriliyor.*|перенаправление.*|リダイレクト.*|(?:正在)?跳转.*|重定向.*)$`)
