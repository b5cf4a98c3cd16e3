package weburl

import (
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/farwire/farwire/llmstxt/internal/plain"
)

// Switchers: lists by which a site leads from one version of its pages to another. Their words
// are versions, and their addresses differ in one segment, which need not look like one:
// "15" and "16 (current)" at /docs/15/ and /docs/16/.

// Choice is a link of a switcher.
type Choice struct {
	Text   string
	URL    *url.URL
	Select bool // an option of a select element
}

// remarks are what switchers say of a version behind its number, but for "current".
const remarks = `latest|stable|old|older|oldest|new|newest|eol|end[ -]of[ -]life|lts|esm|long[ -]term support|supported|unsupported|not supported|no longer supported|maintained|unmaintained|maintenance|` +
	`dev|devel|development|in development|under development|alpha|beta|rc|release candidate|pre-?release|preview|next|upcoming|unreleased|not released|nightly|snapshot|edge|canary|master|main|trunk|head|` +
	`unstable|experimental|testing|deprecated|obsolete|outdated|legacy|archived?|default|recommended|released?|` +
	`aktuell|neueste|stabil|alt|veraltet|nicht unterstützt|nicht mehr unterstützt|entwicklung|in entwicklung|dernière|ancienne?|obsolète|non supportée?|en développement|développement|` +
	`última|estable|antigua|obsoleta|sin soporte|en desarrollo|estável|antiga|sem suporte|em desenvolvimento|ultima|stabile|vecchia|non supportata|in sviluppo|nieuwste|stabiel|oud|verouderd|in ontwikkeling|` +
	`najnowsza|stabilna|stara|nieaktualna|rozwojowa|последняя|стабильная|старая|устарела|устаревшая|не поддерживается|в разработке|остання|стабільна|застаріла|` +
	`最新|最新版|稳定|稳定版|穩定版|旧版|舊版|开发版|開發版|已弃用|不再支持|长期支持|安定版|開発版|サポート終了|非推奨|최신|안정|개발|이전|지원 종료`

var (
	choice = regexp.MustCompile(`(?i)^(?:(?:v|version |release |rel )?(\d+(?:\.(?:\d+|x))*(?:[-. ]?(?:alpha|beta|rc|pre|dev|lts|snapshot|final|release|m)\.?\d*)?)(?: *[(\[–—-] ?(?:(` + remarks + `)|(` + currents + `))(?: (?:version|release))?[)\]]?)?` +
		`|(latest|stable|current|next|dev|devel|main|master|nightly|edge|canary|lts|beta|preview|snapshot)(?: *[(\[–—-] ?(?:v?\d[\w.-]{0,20}|` + remarks + `|` + currents + `)(?: (?:version|release))?[)\]]?)?)$`)
	plainNumber = regexp.MustCompile(`^\d+$`)
	plainYear   = regexp.MustCompile(`^(?:19|20)\d\d$`)
)

// currents say of a version that it is the current one, and, to those who hear it read, of a
// page of a list that it is the one at hand.
const currents = `current|aktuelle?|actuelle?|courante|actual|atual|attuale|corrente|huidige?|aktualna|bieżąca|текущая|поточна|当前|當前|現在|현재`

// firstWords are those with which the name of a version may begin, beside a number.
var firstWords = plain.Set(`v version release rel latest stable current next dev devel main master nightly edge canary lts beta preview snapshot`)

// stages are the words that may stand behind the number of a version as a part of it.
var stages = plain.Set(`alpha beta rc pre dev lts snapshot final release m`)

// IsVersion reports the words of a link that name a version. It looks at the first two before
// all of them: there are many links.
func IsVersion(text string) bool {
	if text == "" || len(text) > maxVersion {
		return false
	}
	word, rest := cutLetters(text)
	switch {
	case BeginsNumber(text):
		rest = strings.TrimLeft(text, "0123456789.xX")
	case !BeginsVersion(word):
		return false
	}
	return mayFollow(strings.TrimLeft(rest, " ")) && choice.MatchString(text)
}

// mayFollow reports what may stand behind the first word, or the number, of a version's name.
func mayFollow(rest string) bool {
	word, _ := cutLetters(rest)
	return rest == "" || '0' <= rest[0] && rest[0] <= '9' || strings.IndexAny(rest, "([–—-") == 0 || stages[strings.ToLower(word)]
}

// cutLetters cuts a text behind the letters of ASCII with which it begins.
func cutLetters(text string) (letters, rest string) {
	n := 0
	for n < len(text) && plain.IsLetter(text[n]) {
		n++
	}
	return text[:n], text[n:]
}

// BeginsNumber reports a text that begins with a number which may be that of a version, and is
// not that of a section, behind which its title stands: "2.1. Pots".
func BeginsNumber[T string | []byte](text T) bool {
	n := 0
	for n < len(text) && ('0' <= text[n] && text[n] <= '9' || n > 0 && (text[n] == '.' || text[n]|0x20 == 'x')) {
		n++
	}
	return n > 0 && (text[n-1] != '.' || n < len(text) && text[n] != ' ')
}

// BeginsVersion reports a word, in any case, with which the name of a version may begin.
func BeginsVersion[T string | []byte](word T) bool {
	var low [8]byte // as long as the longest of them
	if len(word) == 0 || len(word) > len(low) || !firstLetters[word[0]|0x20] {
		return false
	}
	for i := range len(word) {
		low[i] = word[i]
		if 'A' <= low[i] && low[i] <= 'Z' {
			low[i] |= 0x20
		}
	}
	return firstWords[string(low[:len(word)])]
}

var firstLetters = func() (of [256]bool) {
	for w := range firstWords {
		of[w[0]] = true
	}
	return of
}()

// Switched are the paths of folders that hold versions, as the links of a page show
// them: "/docs/15", or fields of a query: "?v=15". The words of numbers alone may be those of pages or chapters, and those of
// years: they count beside one that says more, or in a select element. Where a "1" is among
// them, "2 (current)" says no more.
func Switched(choices []Choice) []string {
	type group struct {
		folders []string
		telling bool // one of its words is more than a number
	}
	pages := slices.ContainsFunc(choices, func(c Choice) bool { return c.Text == "1" || strings.HasPrefix(c.Text, "1 ") })
	groups := map[string]*group{}
	var names []string
	show := func(name, folder, value, version string, c Choice, m []string) {
		if groups[name] == nil {
			groups[name] = &group{}
			names = append(names, name)
		}
		g := groups[name]
		if !slices.Contains(g.folders, folder) {
			g.folders = append(g.folders, folder)
		}
		switch number := plainNumber.MatchString(version) && !strings.HasPrefix(strings.ToLower(c.Text), "v") && !strings.HasPrefix(strings.ToLower(c.Text), "r"); {
		case !number, m[2] != "", named[value] != 0:
			g.telling = true
		case m[3] != "", c.Select:
			g.telling = g.telling || !pages && !plainYear.MatchString(version)
		}
	}
	for _, c := range choices {
		m := choice.FindStringSubmatch(c.Text)
		if m == nil {
			continue
		}
		version := m[1] + m[4]
		if field := versionField(c.URL, version); field != "" {
			name, value, _ := strings.Cut(field, "=")
			show(name, field, value, version, c, m)
			continue
		}
		segments := strings.Split(c.URL.EscapedPath(), "/")
		for i := 1; i < len(segments); i++ {
			s := strings.ToLower(segments[i])
			if s == "" || !SameVersion(s, version) && named[s] == 0 && !isNumbered(s) {
				continue
			}
			if i == len(segments)-1 && strings.Contains(s, ".htm") {
				continue
			}
			show(c.URL.Host+strings.Join(segments[:i], "/")+"/*", strings.Join(segments[:i+1], "/"), s, version, c, m)
			break
		}
	}
	var out []string
	for _, name := range names {
		if g := groups[name]; len(g.folders) > 1 && g.telling {
			out = append(out, g.folders...)
		}
	}
	return out
}

// versionField is the field of an address's query that has a version as its value, with its
// mark, as one of a list of folders: "?view=net-8.0" beside the word "8.0". "" if none has.
func versionField(u *url.URL, version string) string {
	if u.RawQuery == "" || aboutVersions(u) {
		return ""
	}
	for f := range strings.SplitSeq(u.RawQuery, "&") {
		name, value, _ := strings.Cut(strings.ToLower(f), "=")
		if versionFields[name] && (SameVersion(value, version) || named[value] != 0 || isNumbered(value) || strings.HasSuffix(value, "-"+version)) {
			return "?" + name + "=" + value
		}
	}
	return ""
}

// aboutVersions reports an address that has a page for each version, as /changes/1.2 is one:
// /changelog?version=1.2.
func aboutVersions(u *url.URL) bool {
	slug := path.Base(strings.ToLower(u.Path))
	slug = strings.TrimSuffix(slug, path.Ext(slug))
	return releasePages[withoutMarks.Replace(slug)]
}

var withoutMarks = strings.NewReplacer("-", "", "_", "", ".", "")

var (
	releasePages = plain.Set(`changelog changelogs changes history release releases releasenote releasenotes relnotes news whatsnew download downloads
		upgrade upgrading upgradenotes upgradeguide upgradeguides migration migrating migrationguide migrationguides announcement announcements updates breakingchanges`)

	// alsoTrees are those of which a folder may as well have all pages of a version.
	alsoTrees = plain.Set(`release releases download downloads`)
)

// isAbout reports a folder that is named for a version, in lower case, because it is about it, as
// the one that it is in says: /changes/1.2/. root says that the address is the folder's.
func isAbout(in, version string, root bool) bool {
	slug := withoutMarks.Replace(strings.ToLower(in))
	return releasePages[slug] && (root || !alsoTrees[slug]) && named[version] == 0
}

// VersionIn is Version where some folders are known to hold versions.
func VersionIn(u *url.URL, folders map[string]bool) (version, path string, root bool) {
	p := u.EscapedPath()
	if u.RawQuery != "" && len(folders) > 0 && !aboutVersions(u) {
		fields := strings.Split(u.RawQuery, "&")
		for i, f := range fields {
			f = strings.ToLower(f)
			name, value, _ := strings.Cut(f, "=")
			if !versionFields[name] || !folders["?"+f] {
				continue
			}
			if len(fields) > 1 { // the others may name the page, or its language
				p += "?" + strings.Join(slices.Delete(fields, i, i+1), "&")
			}
			return value, p, false
		}
	}
	for i := 1; len(folders) > 0 && i < len(p); i++ {
		if p[i] != '/' || !folders[p[:i]] {
			continue
		}
		at := strings.LastIndexByte(p[:i], '/')
		in := p[:max(at, 0)]
		if !isAbout(in[strings.LastIndexByte(in, '/')+1:], strings.ToLower(p[at+1:i]), i == len(p)-1) {
			return strings.ToLower(p[at+1 : i]), p[:at] + p[i:] + queryOf(u), i == len(p)-1
		}
	}
	return Version(u)
}
