package weburl

import (
	"net/url"
	"path"
	"regexp"
	"strings"

	"github.com/farwire/farwire/llmstxt/internal/plain"
)

// Listings: what a generator of documentation makes of a program by itself, beside the pages
// that somebody wrote: its sources, where each name is used, and all names once more in
// another order. There are as many of them as there are pages.

// IsListing reports the address of a listing of Javadoc, Doxygen, Sphinx, rustdoc, Haddock,
// JSDoc, Epydoc, gtk-doc, ocamldoc or YARD, or that of a post of a forum, which is on the page of its thread.
func IsListing(u *url.URL) bool {
	p := u.EscapedPath()
	if isPost(u.RawQuery, p) {
		return true
	}
	dir, file := path.Split(p)
	if !strings.HasSuffix(file, ".html") {
		return strings.Contains(dir, "/_modules/") || strings.Contains(dir, "/class-use/") // a server may leave the ending out
	}
	if listings[file] || strings.ContainsAny(file, "_-") && listingName.MatchString(file) {
		return true
	}
	ofSources := false
	for folder := range strings.SplitSeq(dir, "/") {
		switch folder {
		case "class-use", "src-html", "_modules", "index-files":
			return true
		case "src", "source":
			ofSources = true
		}
	}
	return ofSources && (sourceName.MatchString(file) || strings.HasSuffix(dir, "/src/") && moduleName.MatchString(file))
}

// ListsMembers reports whether a page's link leads to the list of the members of what the page is about, as qdoc has
// it: "kettle-members.html" of "kettle.html".
func ListsMembers(u, page *url.URL) bool {
	name, ok := strings.CutSuffix(u.EscapedPath(), "-members.html")
	return ok && name+".html" == page.EscapedPath()
}

// isPost reports the address of one post as phpBB, vBulletin, MyBB, SMF, XenForo and Discourse
// have it: each post of a thread has one, and gets the page of the thread.
func isPost(query, p string) bool {
	file := path.Base(p)
	switch file {
	case "viewtopic.php", "showthread.php", "index.php":
		for field := range fields(query) {
			name, value, _ := strings.Cut(field, "=")
			if file == "index.php" && name == "topic" && smfPost.MatchString(value) || file != "index.php" && (name == "p" || name == "pid") && isNumber(value) {
				return true
			}
		}
	case "showpost.php":
		return true
	}
	return query == "" && postPath.MatchString(p)
}

var (
	smfPost  = regexp.MustCompile(`^\d+\.msg\d+$`)
	postPath = regexp.MustCompile(`/threads/[^/]+/post-\d+/?$|/t/[^/]+/\d+/\d+$`)
)

// listings are names of files, of no other page.
var listings = plain.Set(`package-use.html package-tree.html package-frame.html overview-tree.html index-all.html allclasses-index.html allclasses.html
	allclasses-noframe.html allpackages-index.html deprecated-list.html constant-values.html serialized-form.html genindex.html py-modindex.html
	functions_func.html functions_vars.html globals_func.html globals_defs.html class_list.html method_list.html file_list.html _index.html class-tree.html module-tree.html doc-index.html doc-index-all.html`)

var (
	// listingName is one of a part of an index, of the members of a class, or of a source. Doxygen
	// writes "_8" for the point in the name of a source, or numbers all of its files. Ocamldoc's
	// "type_Kettle.html" is the signature of a module, in code alone.
	listingName = regexp.MustCompile(`^(?:(?:[\w.-]+_8\w+|a\d{5})_source\.html|(?:(?:class|struct|union|interface|protocol|category|exception|service|singleton)[\w-]+|a\d{5})-members\.html|(?:functions|globals|namespacemembers)_(?:(?:func|vars|type|enum|eval|defs|prop|rela|evnt)_)?(?:[a-z]|~|0x7e)\.html|dir_[0-9a-f]{32}\.html|` +
		`(?:genindex|doc-index|api-index|identifier-index)-[\w%.-]+\.html|[\w.-]+-pysrc\.html|type_[A-Z][\w.']*\.html|index_(?:types|extensions|exceptions|values|attributes|methods|classes|class_types|modules|module_types)\.html|\w+_[\w.-]*\.[cm]?[jt]sx?\.html)$`)
	// sourceName is one of a source below a folder of sources, moduleName that of a module of Haskell.
	sourceName = regexp.MustCompile(`\.(?:rs|hs|py|java|kt|scala|go|c|h|cc|cpp|hpp|rb|js|ts)\.html$`)
	moduleName = regexp.MustCompile(`^[A-Z]\w*(?:[.-][A-Z]\w*)+\.html$`)
)
