package htmlpage

import (
	"bytes"
	"regexp"
	"strings"

	"github.com/farwire/farwire/llmstxt/internal/plain"
	"github.com/farwire/farwire/llmstxt/internal/weburl"
)

// Select elements that are menus. One says in onchange that it leads to what is chosen in it. Of
// another a script elsewhere does so, or the server to which its form is sent: its options are
// addresses, all of them.

// selection is a select element that is being read.
type selection struct {
	jumps     bool             // it leads to what is chosen in it
	words     bool             // an option is no address
	options   int              // so far
	targets   []string         // addresses of the options of one that may lead to them
	languages []optionLanguage // of those that are links
}

// optionLanguage is what the address of an option that is a link names as its language.
type optionLanguage struct {
	link int
	lang string
}

const maxTargets = 500

// jumps is what a select element does that leads to the page that is chosen in it.
var jumps = regexp.MustCompile(`(?i)\blocation\b|jump_?menu|window\.open|\bgo_?to`)

// openSelect begins a select element. What is chosen in a form that is posted is not asked for.
func (s *scanner) openSelect() {
	s.closeSelect()
	onchange := s.attrs("onchange")[0]
	s.selection.jumps = jumps.MatchString(onchange)
	s.selection.words = s.posted || strings.Contains(onchange, "submit")
}

// option looks at one of a select element, whose text follows.
func (s *scanner) option(value string) {
	sel := &s.selection
	sel.options++
	version := weburl.IsVersion(plain.OneLine(string(s.optionText())))
	switch {
	case sel.jumps:
		if strings.ContainsAny(value, "/.?") && !weburl.Arranges(value) && !version {
			s.addOption(value, false)
		}
	case sel.words || value == "" || value[0] == '#' || isScript(value):
	case !isAddress(value) || len(sel.targets) == maxTargets:
		sel.words = true
	case !version && !weburl.Arranges(value):
		sel.targets = append(sel.targets, value)
	}
	if !strings.Contains(value, "/") {
		return
	}
	if text := s.optionText(); len(text) > 0 {
		s.choose(value, text, true)
	}
}

// isAddress reports the value of an option that can hardly be anything but the address of a page.
func isAddress(value string) bool {
	if strings.ContainsAny(value, " \t\r\n") || len(value) < 2 {
		return false
	}
	for _, begins := range []string{"/", "./", "../", "http://", "https://"} {
		if strings.HasPrefix(value, begins) {
			return true
		}
	}
	path, _, _ := strings.Cut(value, "?")
	return strings.HasSuffix(path, ".html") || strings.HasSuffix(path, ".htm") || strings.HasSuffix(path, ".php")
}

// addOption takes an option that leads to a page.
func (s *scanner) addOption(value string, button bool) {
	s.addLink(Link{Href: value, Option: true, Button: button})
	if lang := weburl.LanguageCode(value); lang != "" && s.lastHref >= 0 {
		s.selection.languages = append(s.selection.languages, optionLanguage{s.lastHref, lang})
	}
	s.lastHref = -1
}

// closeSelect ends a select element. One that has languages, or countries, leads to the same
// pages in these; a menu may have one folder that is called like them.
func (s *scanner) closeSelect() {
	sel := &s.selection
	if !sel.words && len(sel.targets) > 1 {
		for _, to := range sel.targets {
			s.addOption(to, true) // it may be a list of what can be done
		}
	}
	if n := len(sel.languages); n >= 2 && 2*n >= sel.options {
		for _, o := range sel.languages {
			if l := &s.Links[o.link]; l.Option {
				l.Lang = o.lang
			}
		}
	}
	*sel = selection{words: true, targets: sel.targets[:0], languages: sel.languages[:0]} // of a <datalist> the options are words
}

// optionText is the text of an option; nothing if it is long.
func (s *scanner) optionText() []byte {
	if i := bytes.IndexByte(s.page[s.pos:], '<'); i >= 0 && i <= maxNavName {
		return s.page[s.pos : s.pos+i]
	}
	return nil
}
