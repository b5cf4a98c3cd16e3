package describe

import (
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/farwire/farwire/llmstxt/internal/htmlpage"
	"github.com/farwire/farwire/llmstxt/internal/plain"
	"github.com/farwire/farwire/llmstxt/internal/weburl"
)

// Pages that are of use to few, which an index has last.

var betweenWords = strings.NewReplacer("-", "", "_", "", " ", "")

// secondary pages are of use to few: licences, indexes, histories.
func secondary(p *Page) bool {
	u, err := url.Parse(p.URL)
	if err != nil {
		return false
	}
	if isSource(p, u.Path) {
		return true
	}
	slug := strings.ToLower(strings.TrimSuffix(path.Base(u.Path), path.Ext(u.Path)))
	if strings.HasSuffix(slug, "_source") || strings.HasPrefix(p.Title, "Source: ") {
		return true // a file, as Doxygen and JSDoc list it
	}
	for _, list := range doxygenLists {
		if strings.Contains(p.Evidence.Title, list) {
			return true
		}
	}
	if strings.Contains(p.Evidence.Title, ": Globals") && (p.outlined && strings.HasPrefix(slug, "globals") || ofGlobals.MatchString(slug)) {
		return true // of the files of a program in C, likewise
	}
	if slug == "index" {
		slug = strings.ToLower(path.Base(path.Dir(u.Path)))
	}
	if _, name, ok := strings.Cut(slug, ":"); ok {
		slug = name // of a wiki's namespace for itself
	}
	if i := strings.LastIndex(slug, "index"); i >= 0 && (i == 0 || strings.ContainsRune("-_.", rune(slug[i-1]))) && partOfIndex(slug[i:]) {
		return true
	}
	_, file, _ := strings.Cut(slug, ".") // of a page that shows one: "file.LICENSE"
	slug = betweenWords.Replace(slug)
	title := plain.Key(strings.TrimLeft(p.Title, "0123456789. "))
	if p.outlined && (strings.HasSuffix(title, "index") || strings.HasPrefix(title, "indexof")) {
		return true // of all names of a kind
	}
	if p.Evidence.Code && (subjects[title] || subjects[slug] && !minor[title]) && !ofVersions(p.Evidence.Blocks) {
		return false
	}
	if minor[slug] || minor[betweenWords.Replace(file)] || strings.Contains(u.Path, "/class-use/") || strings.HasPrefix(slug, "genindex") {
		return true
	}
	return minor[title] || strings.HasSuffix(p.Title, " Member List") || strings.HasPrefix(p.Title, "List of All Members for ") // of a class, as Doxygen and qdoc head it
}

// listsNames reports a list of all names of a kind by its address, as Javadoc and Sphinx have it, whose entries
// say what other pages are about. A page with such an address that begins with prose is one that somebody wrote.
func listsNames(p *Page) bool {
	u, err := url.Parse(p.URL)
	if err != nil {
		return false
	}
	blocks := p.Evidence.Blocks
	if i := slices.IndexFunc(blocks, func(b htmlpage.Block) bool { return b.Kind != htmlpage.Title && b.Kind != htmlpage.Omitted }); i > 0 && blocks[i].Kind == htmlpage.Paragraph && blocks[i].Links == 0 && isProse(blocks[i]) {
		return false
	}
	slug := strings.TrimSuffix(path.Base(u.Path), path.Ext(u.Path))
	switch slug {
	case "index-all", "allclasses-index", "allpackages-index", "allclasses", "allclasses-noframe", "deprecated-list", "overview-tree", "package-tree", "genindex", "py-modindex":
		return true
	}
	return false
}

// isSource reports the source of a program, as generators of documentation show it: Sphinx's,
// Javadoc's, Haddock's and those of JSDoc's themes.
func isSource(p *Page, path string) bool {
	switch {
	case isListing(p, path):
		return true
	case strings.Contains(path, "/_modules/"), strings.Contains(path, "/src-html/"):
		return true
	case strings.Contains(path, "/src/"), strings.Contains(path, "/source/"):
		h := heading(p.Evidence)
		return p.Evidence.Title == "" && (h == "" || isComment(h))
	}
	return false
}

// isCodeAlone reports the page of a program's source, or of a module's signature, in which no sentence ends.
func isCodeAlone(p *Page) bool {
	u, err := url.Parse(p.URL)
	return err == nil && (isSource(p, u.Path) || strings.HasPrefix(path.Base(u.Path), "type_") && weburl.IsListing(u))
}

// isListing reports a page whose address and title are the name of a program's file, such as
// "lib_kettle.js.html" or "file/lib/kettle.js.html" of "lib/kettle.js", and that shows it and says nothing.
func isListing(p *Page, address string) bool {
	address, ok := strings.CutSuffix(address, ".html")
	name, title := path.Base(address), strings.ReplaceAll(p.Title, "\\", "/")
	if !ok || !programs[strings.TrimPrefix(path.Ext(name), ".")] || !p.Evidence.Code ||
		!strings.EqualFold(name, strings.ReplaceAll(title, "/", "_")) && !strings.HasSuffix(strings.ToLower(address), "/"+strings.ToLower(title)) {
		return false
	}
	return !slices.ContainsFunc(p.Evidence.Blocks, isProse)
}

// ofVersions reports a page most of whose headings, of two or more, have the number or the date of a version: what
// has changed, with code or without.
func ofVersions(blocks []htmlpage.Block) bool {
	headings, versions := 0, 0
	for _, b := range blocks {
		if b.Kind == htmlpage.Heading {
			headings++
			if ofVersion.MatchString(b.Text) {
				versions++
			}
		}
	}
	return versions > 1 && 2*versions > headings
}

var ofVersion = regexp.MustCompile(`(?i)\b[vr]?\d+\.\d+(?:\.|\b|[a-z])|\b(?:19|20)\d\d[-./]\d\d?\b|^unreleased\b`)

// programs are endings of their files.
var programs = plain.Set(`js mjs cjs jsx ts mts cts tsx vue coffee py rb php java kt go rs c h cc cpp hpp cs swift lua pl`)

// isComment reports a text that begins as a comment or another line of a program does.
func isComment(s string) bool {
	for _, sign := range []string{"{-", "/*", "//", "#!", "<!--", "<?", "-- ", "(*"} {
		if strings.HasPrefix(s, sign) {
			return true
		}
	}
	return false
}

// partOfIndex reports the address of a part of an index of all names: "index-a", "index_12".
func partOfIndex(slug string) bool {
	part, ok := strings.CutPrefix(slug, "index")
	if !ok || len(part) < 2 || part[0] != '-' && part[0] != '_' {
		return false
	}
	part = part[1:]
	if r, n := utf8.DecodeRuneInString(part); n == len(part) && unicode.IsLetter(r) {
		return true
	}
	return strings.Trim(part, "0123456789") == ""
}

// listsFiles reports Doxygen's list of a program's files. It is of use to few, but it names the pages of these.
func listsFiles(p *Page) bool { return strings.HasSuffix(p.Evidence.Title, ": File List") }

// ofGlobals matches the addresses of Doxygen's lists of globals of a kind: "globals_func", "globals_defs_b".
var ofGlobals = regexp.MustCompile(`^globals_(?:func|vars|type|enum|eval|defs|prop)(?:_\w+)?$`)

// doxygenLists are the titles of Doxygen's lists of all names, behind the project's.
var doxygenLists = []string{": Class Members", ": File Members", ": Namespace Members", ": Data Fields", ": Class Index", ": Data Structure Index"}

var minor = plain.Set(`genindex generalindex indexpage modindex pymodindex search searchpage searchresults license licence licenses licences
	legal legalnotice legalnotices copyright copyrights copying imprint impressum privacy privacypolicy terms termsofservice
	termsofuse tos cookies cookiepolicy disclaimer generaldisclaimer generaldisclaimers changelog changes history releasenotes credits acknowledgements
	acknowledgments contributors authors colophon sitemap tags categories archive archives login signup contact contactus
	bibliography errata trademarks gplv2 gplv3 gpl mitlicense codeofconduct bookindex
	conceptindex optionindex variableindex functionindex commandindex
	keywordindex symbolindex subjectindex termindex macroindex wordindex nameindex indexofterms indices memberlist graphlegend packageuse packagetree packagelist indexall allclasses allclassesindex allpackagesindex overviewtree helpdoc apihelp classlist methodlist filelist docindex docindexall classeshierarchy`)

// subjects are names of such pages that a page of code is about as well: the cookies of a client, the
// tags of an image, the licences that a server lists.
var subjects = plain.Set(`cookies cookie history tags categories archive archives authors contributors contact contacts credits changes
	licenses terms indices login signup search`)
