package weburl

import (
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/farwire/farwire/llmstxt/internal/plain"
)

// Software that has its tools in the path: forges of code, with a page for each change of each
// file, and wikis and site builders with a folder for each thing that one may do.

// ofSoftware reports a tool of Gitea, Forgejo, GitLab, GitHub, cgit, gitweb, TWiki, XWiki,
// DokuWiki or Drupal by its path.
func ofSoftware(u *url.URL) bool {
	at := func(folder string) (behind string, ok bool) { // what stands behind one
		_, behind, ok = strings.Cut(u.Path, folder)
		return behind, ok
	}
	if rest, ok := at("/-/"); ok && gitlab[first(rest)] {
		return true
	}
	if rest, ok := at("/bin/"); ok && strings.Contains(rest, "/") && wikiDoes[first(rest)] {
		return true
	}
	if strings.Contains(u.Path, "/book/export/html/") || strings.Contains(u.Path, "/comment/reply/") || strings.Contains(u.Path, "/lib/exe/") {
		return true
	}
	segments := strings.Split(u.Path, "/")
	for i, s := range segments[:len(segments)-1] {
		next := segments[i+1]
		if s == "commit" && isHash(next) || forge[s] && (next == "branch" || next == "tag" || next == "commit") && i+2 < len(segments) {
			return true
		}
	}
	if u.RawQuery == "" {
		return false
	}
	if path.Base(u.Path) == "doku.php" && strings.HasPrefix(u.RawQuery, "idx=") {
		return true
	}
	repository, action := false, false
	for f := range fields(u.RawQuery) {
		name, value, _ := strings.Cut(f, "=")
		switch name {
		case "p":
			repository = strings.HasSuffix(value, ".git")
		case "a":
			action = gitweb[value]
		case "id", "h":
			if isHash(value) && len(value) >= 40 && slices.ContainsFunc(segments, func(s string) bool { return cgit[s] }) {
				return true
			}
		}
	}
	return repository && action
}

// first is the first segment of a path.
func first(p string) string {
	p, _, _ = strings.Cut(p, "/")
	return p
}

// isHash reports the name that git gives a change: of seven hexadecimal digits or more, which
// are no word.
func isHash(s string) bool {
	return len(s) >= 7 && len(s) <= 64 && strings.Trim(s, "0123456789abcdef") == "" && strings.ContainsAny(s, "0123456789")
}

var (
	// forge are folders of Gitea and Forgejo, in front of a branch.
	forge = plain.Set(`raw blame commits media rss _edit _new _delete _upload _cherrypick compare`)
	// gitlab are folders of GitLab behind its "-".
	gitlab = plain.Set(`raw blame commit commits compare edit new blob_edit find_file network graphs branches forks starrers jobs pipelines merge_requests refs`)
	// gitweb are values of gitweb's a.
	gitweb = plain.Set(`commit commitdiff commitdiff_plain blobdiff blobdiff_plain blob_plain snapshot history shortlog log patch patches search blame blame_incremental blame_data rss atom`)
	// cgit are folders of cgit for what changes did.
	cgit = plain.Set(`commit diff patch rawdiff blame plain`)
	// wikiDoes are what TWiki, Foswiki and XWiki have scripts for, but to view.
	wikiDoes = plain.Set(`edit inline attach rdiff rdiffauth oops rename save login logon logout export viewattach viewrev register lock cancel delete objectremove
	propadd upload admin manage preview get ssx jsx`)
)
