package notpage

import (
	"bytes"
	"regexp"
	"strings"

	"github.com/farwire/farwire/llmstxt/internal/htmlpage"
)

// Single sign-on: instead of a redirect a site may send a form that a script posts to where
// people say who they are, at the page's own address.

var (
	actionHost = regexp.MustCompile(`<form[^>]{0,1000}?action\s*=\s*["']?https?://([a-z0-9.-]+)`)
	signOn     = regexp.MustCompile(`name\s*=\s*["']?(?:samlrequest|samlresponse|wresult|wctx|id_token|code_challenge|relaystate)\b`)
)

// SendsToLogin reports a page that is nothing but such a form.
func SendsToLogin(p *htmlpage.Page, page []byte) bool {
	if p.Sum != "" && (p.Short == "" || len(p.Short) > longestWall) || len(p.Links) > wayIn || len(page) > beginning {
		return false
	}
	low := bytes.ToLower(page)
	if !bytes.Contains(low, []byte(".submit()")) || !bytes.Contains(low, []byte("<form")) {
		return false
	}
	if signOn.Match(low) {
		return true
	}
	m := actionHost.FindSubmatch(low)
	if m == nil {
		return false
	}
	label, _, _ := strings.Cut(string(m[1]), ".")
	return loginHosts[label]
}
