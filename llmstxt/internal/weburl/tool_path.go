package weburl

import (
	"net/url"
	"path"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/farwire/farwire/llmstxt/internal/plain"
)

// Software that has its tools in the path: forges of code, with a page for each change of each
// file, and wikis and site builders with a folder for each thing that one may do.

// ofSoftware reports a tool of Gitea, Forgejo, GitLab, GitHub, cgit, gitweb, TWiki, XWiki,
// DokuWiki, Drupal or Joomla by its path.
func ofSoftware(u *url.URL) bool {
	segments := strings.Split(strings.TrimPrefix(u.Path, "/"), "/")
	for i := range segments[:len(segments)-1] {
		if isDone(segments[:i], segments[i], segments[i+1:]) {
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

// isDone reports a folder with what it is done to behind it. A page of a manual may be named
// like each of them, so what stands around it has to be the software's as well: a forge has
// its folders below those of an owner and a repository, and wikis name a page to work on.
func isDone(above []string, folder string, below []string) bool {
	before, next, behind := "", below[0], ""
	if len(above) > 0 {
		before = above[len(above)-1]
	}
	if len(below) > 1 {
		behind = below[1]
	}
	switch folder {
	case "commit":
		return isHash(next)
	case "-":
		return len(above) >= 2 && gitlab[next]
	case "bin":
		return wikiDoes[next] && isWeb(behind)
	case "export":
		return next == "html" && isNumber(behind) && before == "book"
	case "reply":
		return (isNumber(next) || isNumber(behind)) && before == "comment"
	case "mailto":
		return next == "" && listsComponents(above)
	case "users":
		return joomlaUsers[strings.TrimSuffix(next, ".html")] && listsComponents(above)
	case "exe":
		return strings.HasSuffix(next, ".php") && before == "lib"
	}
	return forge[folder] && len(above) >= 2 && behind != "" && (next == "branch" || next == "tag" || next == "commit")
}

// listsComponents reports the folder of Joomla's components, at the top, in that of a language or
// behind its script. A manual has one, too, further down: /docs/component/users/profile.
func listsComponents(folders []string) bool {
	n := len(folders) - 1
	if n < 0 || folders[n] != "component" {
		return false
	}
	if n > 0 && len(folders[n-1]) == 2 {
		n--
	}
	return n == 0 || folders[n-1] == "index.php"
}

// isWeb reports the name of a part of a wiki: no lower-case word.
func isWeb(s string) bool {
	r, _ := utf8.DecodeRuneInString(s)
	return unicode.IsLetter(r) && !unicode.IsLower(r)
}

func isNumber(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// isHash reports the name that git gives a change: of seven hexadecimal digits or more, which
// are no word.
func isHash(s string) bool {
	return len(s) >= 7 && len(s) <= 64 && strings.Trim(s, "0123456789abcdef") == "" && strings.ContainsAny(s, "0123456789")
}

var (
	// joomlaUsers are what Joomla has for those who log in, beside a list of its components.
	joomlaUsers = plain.Set(`reset remind registration login logout profile`)
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
