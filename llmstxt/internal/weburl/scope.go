package weburl

import (
	"net/url"
	"path"
	"strings"

	"github.com/farwire/farwire/llmstxt/internal/plain"
)

// Which addresses a crawl visits at all: those in its scope, less files and
// traps.

// Scope is what a crawl may visit: one host, and the paths below a prefix.
type Scope struct {
	Scheme, Host string
	Prefix       string // "/docs/", or "/docs" for that page and what is below it
}

// ScopeOf is the scope that a base URL has.
func ScopeOf(base *url.URL) Scope {
	s := Scope{Scheme: base.Scheme, Host: base.Host, Prefix: base.EscapedPath()}
	dir, last := path.Split(s.Prefix)
	if strings.Contains(last, ".") || base.RawQuery != "" {
		s.Prefix = dir
	}
	return s
}

// Has reports whether u is in scope. The other scheme of the same host on its
// usual port is the same site: u is then rewritten to the base's scheme.
func (s Scope) Has(u *url.URL) bool {
	if u.Host != s.Host {
		return false
	}
	p := u.EscapedPath()
	if !strings.HasPrefix(p, s.Prefix) ||
		!strings.HasSuffix(s.Prefix, "/") && len(p) > len(s.Prefix) && p[len(s.Prefix)] != '/' {
		return false
	}
	if u.Scheme != s.Scheme {
		if u.Port() != "" {
			return false
		}
		u.Scheme = s.Scheme
	}
	return true
}

// Dir is the scope's directory: where a sitemap of its own would be.
func (s Scope) Dir() string { return s.Prefix[:strings.LastIndexByte(s.Prefix, '/')+1] }

// ShapeOf is an address with its numbers and values taken out: what all days of
// a calendar and all combinations of a facet have in common; and its path part.
// Only addresses with a number or a query are counted.
func ShapeOf(u *url.URL) (path, shape string, counted bool) {
	p := u.EscapedPath()
	var b strings.Builder
	digits := false
	for i := 0; i < len(p); i++ {
		if '0' <= p[i] && p[i] <= '9' {
			if !digits {
				b.WriteByte('0')
			}
			digits, counted = true, true
			continue
		}
		digits = false
		b.WriteByte(p[i])
	}
	path = b.String()
	if u.RawQuery != "" {
		counted = true
		b.WriteByte('?')
		// One parameter may be what tells pages apart; several are a facet.
		if name, _, _ := strings.Cut(u.RawQuery, "="); !strings.Contains(u.RawQuery, "&") {
			b.WriteString(name)
		} else {
			b.WriteByte('*')
		}
	}
	return path, b.String(), counted
}

// Repeats reports a path that bites its own tail, as a relative link on a
// server that answers every path makes it: /a/b/a/b/a/b, or is absurdly deep.
func Repeats(p string) bool {
	seg := strings.Split(strings.Trim(p, "/"), "/")
	if len(seg) > maxSegments {
		return true
	}
	seen := map[string]int{}
	for _, s := range seg {
		if seen[s]++; seen[s] > 2 && s != "" {
			return true
		}
	}
	return false
}

// notPages are endings of what is never HTML, so that it is not even asked for.
var notPages = map[string]bool{}

func init() {
	for e := range strings.FieldsSeq(`7z aac apk avi avif bmp bz2 css deb dmg doc docx dvi eot eps epub exe flac gif gz ico inv
		iso jar jpeg jpg json jsonl m4a m4v mkv mobi mov mp3 mp4 mpeg mpg msi odp ods odt ogg ogv otf
		pdf pkg png ppt pptx rar rpm rss rtf svg swf tar tgz tif tiff ttf wasm wav webm
		webmanifest webp whl woff woff2 wsdl xls xlsx xml xsd xz yaml yml zip zst`) {
		notPages["."+e] = true
	}
}

// pageEndings are those of pages whose names may have no other dot.
var pageEndings = map[string]bool{}

func init() {
	for e := range strings.FieldsSeq(`html htm xhtml shtml mhtml php phtml asp aspx ashx jsp jspx jsf cfm cgi pl do action md markdown mdx txt text rst adoc org`) {
		pageEndings["."+e] = true
	}
}

// FileEnding is the ending of an address that is not a page, as far as it tells; "" if it
// tells nothing.
func FileEnding(u *url.URL) string {
	if ext := strings.ToLower(path.Ext(u.Path)); notPages[ext] {
		return ext
	}
	return ""
}

// HasDottedName reports an address whose last segment has a dot as names of programs have
// it: /api/system.linq.
func HasDottedName(u *url.URL) bool {
	ext := strings.ToLower(path.Ext(u.Path))
	return len(ext) > 1 && !notPages[ext] && !pageEndings[ext] && plain.IsLetter(ext[1]) && path.Base(u.Path) != ext
}

// forPrograms are text files that say nothing to a reader.
var forPrograms = map[string]bool{"llms.txt": true, "llms-full.txt": true, "robots.txt": true, "sitemap.txt": true, "humans.txt": true, "ads.txt": true,
	"app-ads.txt": true, "security.txt": true, "requirements.txt": true, "CMakeLists.txt": true}

// IsFile reports an address whose ending says that it is not a page. Sources
// that a generator of documents puts beside its pages are files too.
func IsFile(u *url.URL) bool {
	ext := strings.ToLower(path.Ext(u.Path))
	return notPages[ext] || ext == ".txt" && (forPrograms[path.Base(u.Path)] || strings.Contains(u.Path, "/_sources/"))
}
