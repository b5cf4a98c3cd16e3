package htmlpage

import "fmt"

// bareText is less than a sentence, in bytes: "Loading, please wait…" is no
// text of a page's. A page with no more, no link and no heading is an empty
// root, whatever the element is called.
const bareText = 60

// NeedsBrowser says why a page has no words without its scripts, or "". Each
// sign alone is innocent: many pages have scripts, some have few words. So they
// are added up.
func (p *Page) NeedsBrowser() string {
	score := 0
	bare := p.words < bareText && len(p.Links) == 0 && p.headings == 0
	if p.rootEmpty || bare {
		score += 60
	}
	if p.noscriptPlea {
		score += 25
	}
	switch {
	case p.scripts == 0:
		return ""
	case p.words < 100:
		score += 40
	case p.words < 400:
		score += 15
	case p.words > 1500:
		score -= 40
	}
	if p.scriptBytes > 20*p.words {
		score += 15
	}
	if len(p.Links) > 5 {
		score -= 20
	}
	if p.headings > 0 {
		score -= 10
	}
	if score < 60 {
		return ""
	}
	return fmt.Sprintf("score %d: %d bytes of text, %d scripts, empty root %t, asks for JavaScript %t",
		score, p.words, p.scripts, p.rootEmpty || bare, p.noscriptPlea)
}

// Words is how many bytes of text the page has outside of links and scripts.
func (p *Page) Words() int { return p.words }
