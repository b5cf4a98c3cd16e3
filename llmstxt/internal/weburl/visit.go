package weburl

import (
	"regexp"
	"strings"
)

// Visits. A site whose visitors take no cookies may write the number of each visit into its
// addresses: a page has as many of them as there are visits.

// cookieless is the segment in which ASP.NET keeps what else it would in cookies, by the
// letters A, F, S and X, or the number of a visit alone.
var cookieless = regexp.MustCompile(`/\((?:(?:[AFSX]\([0-9A-Za-z_-]+\))+|[0-5a-z]{24})\)(/|$)`)

// pathWithoutVisit takes the number of a visit out of an escaped path.
func pathWithoutVisit(p string) string {
	for {
		i := indexFold(p, ";jsessionid=")
		if i < 0 {
			break
		}
		rest := p[i+1:]
		if j := strings.IndexAny(rest, ";/"); j >= 0 {
			p = p[:i] + rest[j:]
		} else {
			p = p[:i]
		}
	}
	for strings.Contains(p, "/(") {
		without := cookieless.ReplaceAllString(p, "$1")
		if without == p {
			break
		}
		p = without // of two in a row the second is found now
	}
	return p
}

// indexFold is the index of a word of small ASCII letters in any case.
func indexFold(s, word string) int {
	for i := 0; i+len(word) <= len(s); i++ {
		j := strings.IndexByte(s[i:], word[0])
		if j < 0 {
			break
		}
		if i += j; i+len(word) <= len(s) && strings.EqualFold(s[i:i+len(word)], word) {
			return i
		}
	}
	return -1
}

// visitFields are those that hold the number of a visit, whatever that looks like.
var visitFields = map[string]bool{"phpsessid": true, "jsessionid": true, "oscsid": true, "zenid": true, "xtcsid": true, "cftoken": true, "aspxautodetectcookiesupport": true}

// visits are query parameters that have the number of a visit where their value looks so.
var visits = map[string]bool{"sid": true, "s": true, "sessid": true, "session": true, "sessionid": true, "session_id": true}

// visit reports a parameter that names a visit and not a page: one of those names with more
// than 24 letters and digits, of both, such as a hash. A record of MongoDB has an identifier of
// 24, which names a page. Confluence's src says which link was followed.
func visit(name, value string) bool {
	if name == "src" {
		return strings.HasPrefix(value, "contextnav") || strings.HasPrefix(value, "breadcrumbs")
	}
	if !visits[name] || len(value) <= 24 {
		return false
	}
	digits := 0
	for i := range len(value) {
		switch c := value[i]; {
		case '0' <= c && c <= '9':
			digits++
		case c|0x20 < 'a' || c|0x20 > 'z':
			return false
		}
	}
	return digits > 2
}
