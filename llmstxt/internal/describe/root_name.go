package describe

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/farwire/farwire/llmstxt/internal/plain"
)

// Names of a site without a title, as the names of its classes and packages have them.

// root is the name in which most of a site's pages stand, as their titles have it: "Kettle" of
// "class Kettle::Lid"; "" without one.
func root(pages []Page) string {
	count := map[string]int{}
	for i := range pages[1:] {
		seen := map[string]bool{}
		for w := range strings.FieldsSeq(pages[i+1].Title) {
			if n := strings.IndexFunc(w, func(r rune) bool { return notWord(r) && r != '_' }); n >= 0 {
				w = w[:n]
			}
			if r, _ := utf8.DecodeRuneInString(w); len(w) > 2 && unicode.IsUpper(r) && !seen[w] && !kindWords[w] {
				seen[w] = true
				count[w]++
			}
		}
	}
	name := ""
	for w, n := range count {
		if n > count[name] || n == count[name] && w < name {
			name = w
		}
	}
	if n := count[name]; n < 3 || n*2 < len(pages) || unnamed(name) {
		return ""
	}
	return name
}

// kindWords say in the titles of a reference what something is.
var kindWords = plain.Set("Class Struct Structure Union Interface Protocol Namespace Module Package File Directory Template Enum Concept Reference List Member Members Page Pages")

// packages is the package in which all packages of a reference are, by the titles of its pages; "" for
// others.
func packages(pages []Page) string {
	var titles []string
	for i := range pages[1:] {
		if title := pages[i+1].Title; packageName.MatchString(title) {
			titles = append(titles, title)
		}
	}
	if len(titles) < 2 {
		return ""
	}
	return commonPackage(titles)
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
