package htmlpage

import (
	"bytes"
	"cmp"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/net/html/atom"

	"github.com/farwire/farwire/llmstxt/internal/weburl"
)

// Elements that lead to another page when somebody clicks on them, and are no links: rows and
// buttons with a script, and forms that are a button. The navigation of old sites is made of
// them, and of some that are not old.

// isClick reports onclick or data-href. It is asked of each attribute of a page.
func isClick(name []byte) bool {
	switch len(name) {
	case len("onclick"):
		return name[0]|0x20 == 'o' && name[6]|0x20 == 'k' && equalFold(name, "onclick")
	case len("data-href"):
		return name[0]|0x20 == 'd' && name[8]|0x20 == 'f' && equalFold(name, "data-href")
	}
	return false
}

// isMethod reports data-method, or data-turbo-method, of which Rails, Yii and others have their
// scripts make another request than that of a link. It is asked of each attribute of a page.
func isMethod(name []byte) bool {
	switch len(name) {
	case len("data-method"), len("data-turbo-method"):
		return name[4] == '-' && (equalFold(name, "data-method") || equalFold(name, "data-turbo-method"))
	}
	return false
}

// sends reports an element that is no link although it has an address: what it does there, such
// as to vote, is not done by asking for a page.
func (s *scanner) sends() bool {
	if !s.lexer.method {
		return false
	}
	a := s.attrs("data-method", "data-turbo-method")
	switch strings.ToLower(cmp.Or(a[1], a[0])) {
	case "post", "put", "patch", "delete":
		return true
	case "get":
		s.labels = true
	}
	return false // what a script of the site's own calls so
}

// asks reports an element before which a person is asked, or a script is.
func (s *scanner) asks() bool {
	return s.attrs("data-confirm", "data-turbo-confirm", "data-remote") != [8]string{}
}

// dropDeeds takes out the links that send another request. Where others say that theirs is GET, it
// is that of the call which their pages are about, and not of a record.
func (s *scanner) dropDeeds() {
	s.Links = slices.DeleteFunc(s.Links, func(l Link) bool { return l.sends && (!s.labels || weburl.IsOfRecord(l.Href)) })
}

// clicked takes an element that leads to another page.
func (s *scanner) clicked() {
	switch s.tag {
	case atom.A, atom.Area, atom.Body, atom.Html, atom.Link, atom.Script, atom.Form, atom.Select, atom.Option:
		return
	}
	if tag := s.page[s.lexer.name:s.pos]; !bytes.Contains(tag, []byte("location")) && !bytes.Contains(tag, []byte("open")) && !bytes.Contains(tag, []byte("-href")) {
		return // most scripts do something else
	}
	if s.sends() {
		return
	}
	a := s.attrs("onclick", "data-href")
	to := clickTarget(a[0])
	if to == "" && a[1] != "" && !strings.HasPrefix(a[1], "#") && s.tag != 0 && s.tag != atom.Style {
		to = a[1] // as rows of a table have it
	}
	if to != "" {
		s.addLink(Link{Href: to, Button: s.isButton()})
		s.lastHref = -1 // the words behind it are not its name alone
	}
}

// isButton reports an element that looks like what has something done.
func (s *scanner) isButton() bool {
	if s.tag == atom.Button || s.tag == atom.Input {
		return true
	}
	a := s.attrs("role", "class")
	return strings.EqualFold(a[0], "button") || hasWord(a[1], "btn", "button")
}

// led is a script that does nothing but to lead to a page.
var led = regexp.MustCompile(`(?i)^\s*(?:javascript:\s*)?(?:void\s*\(\s*)?(?:` + windows + `\.)?(?:location(?:\.href)?\s*=\s*|location\.(?:assign|replace)\(\s*|open\(\s*)` +
	literal + `\s*(?:,[^;]*)?\)*\s*;?\s*(?:return\s+(?:false|true)\s*;?\s*)?(?:void\s*\(?0\)?\s*;?\s*)?$`)

const maxClick = 1000 // bytes of a script

// clickTarget is where a script leads to that does nothing else; "" if it does.
func clickTarget(script string) string {
	if len(script) > maxClick || !strings.Contains(script, "location") && !strings.Contains(script, "open") {
		return ""
	}
	m := led.FindStringSubmatch(script)
	if m == nil {
		return ""
	}
	to := jsString(m[1])
	if strings.ContainsAny(to, " \t\r\n") || weburl.Arranges(to) {
		return ""
	}
	return to
}

// leadsNowhere reports an address of an anchor that leaves it to a script what the anchor does.
func leadsNowhere(href string) bool {
	return href == "" || href == "#" || href == "#!" || isScript(href)
}

const maxButtonForm = 2 << 10 // bytes

// buttonForm follows a form that is nothing but a button.
func (s *scanner) buttonForm() {
	a := s.attrs("action", "method", "onsubmit")
	if a[0] == "" || a[1] != "" && !strings.EqualFold(a[1], "get") || a[2] != "" {
		return
	}
	form := lexer{page: s.page[:min(len(s.page), s.pos+maxButtonForm)], pos: s.pos}
	buttons := 0
	for kind := form.next(); kind != endOfPage; kind = form.next() {
		switch {
		case kind == endTag && form.tag == atom.Form:
			if buttons == 1 {
				s.addLink(Link{Href: a[0], Button: true})
				s.lastHref = -1
			}
			return
		case kind != startTag:
		case form.tag == atom.Select, form.tag == atom.Textarea, form.tag == atom.Form, form.tag == atom.Script:
			return
		case form.tag == atom.Input, form.tag == atom.Button:
			b := form.attrs("type", "name", "formaction", "onclick")
			submits := strings.EqualFold(b[0], "submit") || strings.EqualFold(b[0], "image") || b[0] == "" && form.tag == atom.Button
			if buttons++; !submits || b[1] != "" || b[2] != "" || b[3] != "" {
				return
			}
		}
	}
}
