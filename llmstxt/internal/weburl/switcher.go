package weburl

import (
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// Switchers: lists by which a site leads from one version of its pages to another. Their words
// are versions, and their addresses differ in one segment, which need not look like one:
// "15" and "16 (current)" at /docs/15/ and /docs/16/.

// Choice is a link of a switcher.
type Choice struct {
	Text string
	URL  *url.URL
}

var (
	choice      = regexp.MustCompile(`(?i)^(?:v|version |release |rel )?(\d+(?:\.(?:\d+|x))*(?:[-. ]?(?:alpha|beta|rc|pre|dev|lts|snapshot|final|release|m)\.?\d*)?|latest|stable|current|next|dev|devel|main|master|nightly|edge|canary|lts|beta|preview|snapshot)(?: *[(\[–-] ?[^()]{1,40}[)\]]?)?$`)
	plainNumber = regexp.MustCompile(`^\d+$`)
)

// IsVersion reports the words of a link that name a version.
func IsVersion(text string) bool { return len(text) <= 60 && choice.MatchString(text) }

// Switched are the paths of folders that hold versions, as the links of a page show
// them: "/docs/15". The words of numbers alone may be those of pages or chapters.
func Switched(choices []Choice) []string {
	type group struct {
		folders []string
		telling bool // one of its words is more than a number
	}
	groups := map[string]*group{}
	var names []string
	for _, c := range choices {
		m := choice.FindStringSubmatch(c.Text)
		if m == nil {
			continue
		}
		segments := strings.Split(c.URL.EscapedPath(), "/")
		for i := 1; i < len(segments); i++ {
			s := strings.ToLower(segments[i])
			if s == "" || !SameVersion(s, m[1]) && named[s] == 0 && !numbered.MatchString(s) {
				continue
			}
			if i == len(segments)-1 && strings.Contains(s, ".htm") {
				continue
			}
			name := c.URL.Host + strings.Join(segments[:i], "/") + "/*"
			if groups[name] == nil {
				groups[name] = &group{}
				names = append(names, name)
			}
			g := groups[name]
			if folder := strings.Join(segments[:i+1], "/"); !slices.Contains(g.folders, folder) {
				g.folders = append(g.folders, folder)
			}
			g.telling = g.telling || !plainNumber.MatchString(c.Text)
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

// VersionIn is Version where some folders are known to hold versions.
func VersionIn(u *url.URL, folders map[string]bool) (version, path string, root bool) {
	p := u.EscapedPath()
	for i := 1; len(folders) > 0 && i < len(p); i++ {
		if p[i] == '/' && folders[p[:i]] {
			at := strings.LastIndexByte(p[:i], '/')
			return strings.ToLower(p[at+1 : i]), p[:at] + p[i:], i == len(p)-1
		}
	}
	return Version(u)
}
