package weburl

import (
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Versions and translations. A site that keeps several of a page has them at
// addresses that differ in one segment of the path: /docs/2.0/install and
// /docs/install, /fr/install and /install.

var (
	numbered = regexp.MustCompile(`^(?:v\d+|pre-?v?\d+(?:\.(?:\d+|x))+|(?:v|version-|release-|rel-|latest-v)?\d+(?:\.(?:\d+|x))+(?:[-.]?(?:alpha|beta|rc|pre|preview|dev|lts|m|snapshot|final|ga|release|sp)[-.]?\d*)?|v?\d+\.x|latest-v?\d+)$`)
	named    = map[string]int{"latest": 3, "stable": 3, "current": 3, "release": 3, "lts": 2, "next": -1, "dev": -1, "devel": -1, "develop": -1, "beta": -1, "preview": -1, "snapshot": -1,
		"main": -1, "master": -1, "trunk": -1, "nightly": -1, "edge": -1, "canary": -1, "unstable": -1, "unreleased": -1, "head": -1}
	language = regexp.MustCompile(`^[A-Za-z]{2,3}(?:[-_](?:[A-Za-z]{2}|[A-Za-z]{4}|\d{3}))?$`)
)

// Version is the segment of an address that names a version, in lower case, and
// the path without it, with the query, which may name the page or its language; "" when no
// segment does. Root reports that nothing stands behind it, so that it may as well name a page.
func Version(u *url.URL) (version, path string, root bool) {
	segments := strings.Split(u.EscapedPath(), "/")
	query := queryOf(u)
	for i, s := range segments {
		s = strings.ToLower(s)
		if named[s] == 0 && !isNumbered(s) {
			continue
		}
		rest := segments[i+1:]
		if len(rest) == 0 {
			return "", u.EscapedPath() + query, false // "/changes/1.2" is a page
		}
		root = len(rest) == 1 && rest[0] == ""
		if i > 0 && isAbout(segments[i-1], s, root) {
			continue
		}
		path = strings.Join(append(append([]string{}, segments[:i]...), rest...), "/")
		return s, path + query, root
	}
	return "", u.EscapedPath() + query, false
}

// queryOf is the query of an address, with its mark; "" if it has none.
func queryOf(u *url.URL) string {
	if u.RawQuery == "" {
		return ""
	}
	return "?" + u.RawQuery
}

// versionFields are parameters of a query by which a switcher leads to versions.
var versionFields = map[string]bool{"v": true, "ver": true, "version": true, "view": true, "docversion": true, "docsversion": true, "doc_version": true, "docs_version": true, "doc-version": true, "rel": true, "release": true, "moniker": true}

// maxVersion is how many bytes the name of a version has: versions are compared, number by
// number.
const maxVersion = 60

// isNumbered reports a segment, in lower case, that names a version by its number.
func isNumbered(segment string) bool {
	return len(segment) <= maxVersion && numbered.MatchString(segment)
}

// NamesVersion reports a word for a version that has no number, such as "stable".
func NamesVersion(word string) bool { return named[strings.ToLower(word)] != 0 }

// Newer reports whether a version comes before another: one that is marked as
// the latest or stable, else the higher number.
func Newer(a, b string) bool {
	if x, y := rank(a), rank(b); x != y {
		return x > y
	}
	x, y := numbers(a), numbers(b)
	for i := 0; i < len(x) && i < len(y); i++ {
		if x[i] != y[i] {
			return x[i] > y[i]
		}
	}
	if len(x) != len(y) {
		return len(x) > len(y)
	}
	return a < b
}

func rank(v string) int {
	if r := named[v]; r != 0 {
		return r
	}
	for _, end := range []string{"final", "ga", "release", "lts"} {
		v = strings.TrimRight(strings.TrimSuffix(v, end), ".-")
	}
	if strings.HasPrefix(v, "latest-") {
		return 1
	}
	if strings.ContainsAny(strings.TrimLeft(v, "v"), "abcdefghijklmnopqrstuvwyz") && !strings.HasPrefix(v, "version-") && !strings.HasPrefix(v, "rel") {
		return 0 // "2.0-rc1"
	}
	return 1
}

func numbers(v string) []int {
	var out []int
	for s := range strings.FieldsFuncSeq(v, func(r rune) bool { return r < '0' || r > '9' }) {
		n, err := strconv.Atoi(s)
		if err != nil {
			n = 1 << 30
		}
		out = append(out, n)
	}
	return out
}

// SameVersion compares as a person would write them: "2.0" is "v2.0".
func SameVersion(a, b string) bool {
	trim := func(s string) string {
		s = strings.ToLower(strings.TrimSpace(s))
		if strings.HasPrefix(s, "v") && len(s) > 1 && '0' <= s[1] && s[1] <= '9' {
			s = s[1:]
		}
		return s
	}
	return trim(a) == trim(b)
}

// WithoutLanguage are the paths that an address has without its segment of a
// language, and with another one in its place, or the same of the name of its file; none if
// there is neither.
func WithoutLanguage(u *url.URL, lang, instead string) []string {
	segments := strings.Split(u.EscapedPath(), "/")
	for i, s := range segments {
		if i == 0 || !language.MatchString(s) || !samePrimary(s, lang) {
			continue
		}
		path := func(middle ...string) string {
			all := append(append(append([]string{}, segments[:i]...), middle...), segments[i+1:]...)
			if len(all) == 1 {
				all = append(all, "")
			}
			return strings.Join(all, "/")
		}
		out := []string{path()}
		if instead != "" {
			out = append(out, path(instead))
			if primary, _, ok := strings.Cut(strings.ReplaceAll(instead, "_", "-"), "-"); ok {
				out = append(out, path(primary))
			}
			out = append(out, path(strings.ToLower(instead)))
		}
		return out
	}
	return withoutLanguageName(u, lang, instead)
}

// languageName is a language in the name of a file: "tea_de.html", "tea.de.html", "tea.html.de".
var languageName = regexp.MustCompile(`^([^/]+?)([._-])([A-Za-z]{2,3}(?:[-_][A-Za-z]{2})?)(\.[a-z]{3,5})?$`)

// withoutLanguageName are the paths that an address has without the language in the name of
// its file, and with another one in its place; nil if the name has no language.
func withoutLanguageName(u *url.URL, lang, instead string) []string {
	p := u.EscapedPath()
	at := strings.LastIndexByte(p, '/') + 1
	m := languageName.FindStringSubmatch(p[at:])
	if m == nil || !samePrimary(m[3], lang) || m[4] == "" && !strings.Contains(m[1], ".") {
		return nil
	}
	out := []string{p[:at] + m[1] + m[4]}
	if instead != "" {
		primary, _, _ := strings.Cut(strings.ReplaceAll(instead, "_", "-"), "-")
		for _, l := range []string{instead, primary, strings.ToLower(instead)} {
			out = append(out, p[:at]+m[1]+m[2]+l+m[4])
		}
	}
	return out
}

// LanguageIn is the segment of an address's path, or the value of its query, that names
// the language; "" if nothing does.
func LanguageIn(u *url.URL, lang string) string {
	for _, s := range strings.Split(u.EscapedPath(), "/") {
		if language.MatchString(s) && samePrimary(s, lang) {
			return s
		}
	}
	for _, f := range strings.Split(u.RawQuery, "&") {
		if name, value, _ := strings.Cut(f, "="); languageFields[strings.ToLower(name)] && language.MatchString(value) && samePrimary(value, lang) {
			return value
		}
	}
	return ""
}

// languageFields are parameters of a query that name a language.
var languageFields = map[string]bool{"lang": true, "language": true, "locale": true, "hl": true, "lng": true, "uselang": true, "setlang": true, "culture": true}

// LanguageCode is what looks like the code of a language or a country in an address as a page
// has it, "" without one: "fr" of "/docs/fr/start", "?lang=fr" and "/ca/fr/".
func LanguageCode(ref string) (code string) {
	ref, _, _ = strings.Cut(ref, "#")
	ref, query, _ := strings.Cut(ref, "?")
	if _, rest, ok := strings.Cut(ref, "//"); ok {
		_, ref, _ = strings.Cut(rest, "/")
	}
	isCode := func(s string) bool {
		return len(s) >= 2 && (len(s) == 2 || s[2] == '-' || s[2] == '_') && language.MatchString(s)
	}
	for s := range strings.SplitSeq(ref, "/") {
		if isCode(s) {
			code = s // a country stands before its language
		} else if code != "" {
			return code
		}
	}
	for f := range strings.SplitSeq(query, "&") {
		if name, value, _ := strings.Cut(f, "="); languageFields[strings.ToLower(name)] && isCode(value) {
			return value
		}
	}
	return code
}

// WithoutLanguageField are the addresses that one has without the parameter of its
// query that names a language, and with another language in it; none if there is no
// such parameter.
func WithoutLanguageField(u *url.URL, lang, instead string) []string {
	if u.RawQuery == "" {
		return nil
	}
	fields := strings.Split(u.RawQuery, "&")
	for i, f := range fields {
		name, value, _ := strings.Cut(f, "=")
		if !languageFields[strings.ToLower(name)] || !language.MatchString(value) || !samePrimary(value, lang) {
			continue
		}
		address := func(middle ...string) string {
			to := *u
			to.RawQuery = strings.Join(append(append(append([]string{}, fields[:i]...), middle...), fields[i+1:]...), "&")
			return to.String()
		}
		primary, _, _ := strings.Cut(strings.ReplaceAll(instead, "_", "-"), "-")
		return []string{address(), address(name + "=" + instead), address(name + "=" + primary)}
	}
	return nil
}

func samePrimary(a, b string) bool {
	a, _, _ = strings.Cut(strings.ToLower(strings.ReplaceAll(a, "_", "-")), "-")
	b, _, _ = strings.Cut(strings.ToLower(strings.ReplaceAll(b, "_", "-")), "-")
	return a == b && a != ""
}

// Segment is the first segment of an address's path below a directory.
func (s Scope) Segment(u *url.URL) string {
	rest, _ := strings.CutPrefix(u.EscapedPath(), s.Dir())
	seg, _, dir := strings.Cut(rest, "/")
	if !dir {
		return "" // a page beside the base page
	}
	return seg
}

// forms are segments of a path that ask for a page in another form.
var forms = map[string]bool{"print": true, "printable": true, "printer-friendly": true, "printview": true, "print-view": true, "amp": true}

// WithoutForm are the paths at which the page of an address may stand in another form:
// without its first or its last segment, if that asks for one ("/print/news/a",
// "/news/a/amp"), and with or without the slash at its end or the name of an index
// ("/news/a", "/news/a/", "/news/a/index.html").
func WithoutForm(u *url.URL) []string {
	own := u.EscapedPath()
	p, _ := strings.CutSuffix(own, "/")
	segments := strings.Split(p, "/")
	n := len(segments)
	switch last := strings.ToLower(segments[n-1]); {
	case n >= 3 && forms[strings.ToLower(segments[1])]:
		p = "/" + strings.Join(segments[2:], "/")
		return []string{p, p + "/"}
	case n >= 3 && forms[last]:
		p = strings.Join(segments[:n-1], "/")
		return []string{p, p + "/"}
	case u.RawQuery != "":
		return nil
	case n >= 2 && slices.Contains(indexes, last):
		p = strings.Join(segments[:n-1], "/")
	}
	out := []string{p, p + "/"}
	for _, name := range indexes {
		out = append(out, p+"/"+name)
	}
	return slices.DeleteFunc(out, func(s string) bool { return s == own || s == "" })
}

// indexes are names of the page that stands for its folder.
var indexes = []string{"index.html", "index.htm", "index.php"}
