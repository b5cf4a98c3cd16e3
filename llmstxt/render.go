package llmstxt

import "fmt"

// bareText is less than a sentence, in bytes: "Loading, please wait…" is no
// text of a page's. A page with no more, no link and no heading is an empty
// root, whatever the element is called.
const bareText = 60

// needsBrowser says why a page has no words without its scripts, or "". Each
// sign alone is innocent: many pages have scripts, some have few words. So they
// are added up.
func (s *scan) needsBrowser() string {
	score := 0
	bare := s.words < bareText && len(s.hrefs) == 0 && s.headings == 0
	if s.rootEmpty || bare {
		score += 60
	}
	if s.plea {
		score += 25
	}
	switch {
	case s.scripts == 0:
		return ""
	case s.words < 100:
		score += 40
	case s.words < 400:
		score += 15
	case s.words > 1500:
		score -= 40
	}
	if s.scriptBytes > 20*s.words {
		score += 15
	}
	if len(s.hrefs) > 5 {
		score -= 20
	}
	if s.headings > 0 {
		score -= 10
	}
	if score < 60 {
		return ""
	}
	return fmt.Sprintf("score %d: %d bytes of text, %d scripts, empty root %t, asks for JavaScript %t",
		score, s.words, s.scripts, s.rootEmpty || bare, s.plea)
}
