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
	actionHost = regexp.MustCompile(`[\s"'/]action\s*=\s*["']?https?://([a-z0-9.-]+)`)
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
	label, _, _ := strings.Cut(hostOfForm(low), ".")
	return loginHosts[label]
}

// hostOfForm is the host to which the first form of a page, in lower case, is sent that names one.
func hostOfForm(low []byte) string {
	for {
		i := bytes.Index(low, []byte("<form"))
		if i < 0 {
			return ""
		}
		low = low[i+len("<form"):]
		tag := low[:min(len(low), longTag)]
		if end := bytes.IndexByte(tag, '>'); end >= 0 {
			tag = tag[:end]
		}
		if m := actionHost.FindSubmatch(tag); m != nil {
			return string(m[1])
		}
		low = low[len(tag):]
	}
}

const longTag = 2000 // bytes of a form's start tag
