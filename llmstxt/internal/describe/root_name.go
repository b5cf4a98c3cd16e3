package describe

import (
	"cmp"
	"maps"
	"regexp"
	"slices"
	"sort"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/farwire/farwire/llmstxt/internal/plain"
)

// Names of a site without a title, as the names of its classes and packages have them.

// root is the name in which most of a site's pages stand, as their titles have it: "Kettle" of
// "class Kettle::Lid", "Kettle_lid" and "kettle/lid.h"; "" without one.
func root(pages []Page) string {
	count, written := map[string]int{}, map[string]string{} // by the name in lower case
	for i := range pages[1:] {
		seen := map[string]bool{}
		for w := range strings.FieldsSeq(pages[i+1].Title) {
			inFolder := false
			if n := strings.IndexFunc(w, func(r rune) bool { return notWord(r) && r != '_' }); n >= 0 {
				w, inFolder = w[:n], w[n] == '/'
			}
			low := strings.ToLower(w)
			if r, _ := utf8.DecodeRuneInString(w); len(w) > 2 && (unicode.IsUpper(r) || inFolder) && !seen[low] && !kindWords[w] {
				seen[low] = true
				count[low]++
				written[low] = min(cmp.Or(written[low], w), w) // capital letters come first
			}
		}
	}
	names := slices.Sorted(maps.Keys(count))
	before := make([]int, len(names)+1) // pages of all names before one
	for i, w := range names {
		before[i+1] = before[i] + count[w]
	}
	name, most := "", 0 // and how many have it or one that begins with it: "Kettle_lid"
	for i, w := range names {
		end := i + sort.Search(len(names)-i, func(j int) bool { return !strings.HasPrefix(names[i+j], w) })
		if all := before[end] - before[i]; count[w] > 1 && (all > most || all == most && len(w) > len(name)) {
			name, most = w, all
		}
	}
	if most*2 < len(pages)-1 || unnamed(written[name]) {
		return ""
	}
	return written[name]
}

// kindWords say in the titles of a reference what something is.
var kindWords = plain.Set("Class Struct Structure Union Interface Protocol Namespace Module Package File Directory Template Enum Concept Reference List Member Members Page Pages Type Types Index")

// packages is the package in which next to all packages of a reference are, by the titles of its pages; "" for
// others.
func packages(pages []Page) string {
	of, n := map[string]int{}, 0 // how many are in each, or are it
	for i := range pages[1:] {
		title := pages[i+1].Title
		if !packageName.MatchString(title) {
			continue
		}
		n++
		for end := len(title); end > 0; end = strings.LastIndexByte(title[:end], '.') {
			of[title[:end]]++
		}
	}
	if n < 2 {
		return ""
	}
	most := ""
	for name, in := range of { // those that have so many are in one another
		if in*10 >= n*9 && len(name) > len(most) {
			most = name
		}
	}
	if topLevel.MatchString(most) {
		return ""
	}
	return most
}

// commonPackage is the package in which some are: "org.example.tea" of "org.example.tea.pots" and
// "org.example.tea.lids"; "" for that of a domain of the first level.
func commonPackage(names []string) string {
	if len(names) == 0 {
		return ""
	}
	common := strings.Split(names[0], ".")
	for _, name := range names[1:] {
		parts, n := strings.Split(name, "."), 0
		for n < min(len(common), len(parts)) && common[n] == parts[n] {
			n++
		}
		common = common[:n]
	}
	if len(common) == 1 && topLevel.MatchString(common[0]) {
		return ""
	}
	return strings.Join(common, ".")
}

// ofPackage reports the page of a package, whose folder has the package's name: "org.example.tea" in
// "/api/org/example/tea/".
func ofPackage(title, path string) bool {
	return packageName.MatchString(title) && strings.HasSuffix(path[:strings.LastIndexByte(path, '/')+1], "/"+strings.ReplaceAll(title, ".", "/")+"/")
}

// packageName matches what has a dot in it and no capital letter: "org.example.tea".
var packageName = regexp.MustCompile(`^[a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)+$`)

// topLevel matches the domains with which names of packages begin.
var topLevel = regexp.MustCompile(`^(?:com|org|net|edu|gov|info|dev|app|java|javax|jakarta|[a-z]{2})$`)
