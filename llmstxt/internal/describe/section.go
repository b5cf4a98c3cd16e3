package describe

import (
	"cmp"
	"net/url"
	"path"
	"regexp"
	"strings"

	"github.com/farwire/farwire/llmstxt/internal/htmlpage"
	"github.com/farwire/farwire/llmstxt/internal/plain"
	"github.com/farwire/farwire/llmstxt/internal/weburl"
)

// Sections of an index. A site says in several ways what belongs together:
// breadcrumbs, links to the page above, and paths. Each way is tried on all
// pages, and the first that sorts most of them into a few groups is taken.
// What is left alone goes to the section of its neighbours or to a last one.

// Names of sections that are ours.
const (
	Optional = "Optional"   // secondary pages, last
	Rest     = "More pages" // a few that belong nowhere, last
	General  = "General"    // many such, first or last
	All      = "Pages"      // where the site has no structure

	// MaxSection is how many characters a section's name has at most.
	MaxSection = 80
)

// setSections gives every page but the first its Section, says which are
// secondary, and returns the sections' names in the order of the navigation.
func setSections(pages []Page, alias map[string]string, prefix string) []string {
	for i := range pages {
		pages[i].Secondary = i > 0 && secondary(&pages[i])
	}
	if len(pages) < 2 {
		return nil
	}
	index := positions(pages, alias)
	best, bestScore := []string(nil), 0.0
	for _, by := range []func([]Page, map[string]int, string) []string{byCrumbs, byUp, byNav, byPath, byFolder, byHub} {
		keys := by(pages, index, prefix)
		if s := grouping(keys); s > bestScore+0.1 {
			best, bestScore = keys, s
		}
	}
	if best == nil {
		best = byPart(pages, index)
	}
	joinNamed(pages, best)
	for i := 1; i < len(pages) && best != nil; i++ {
		pages[i].whole = best[i]
	}
	parts := split(pages, best, index, prefix)
	count := map[string]int{}
	for i := 1; i < len(pages); i++ {
		if best != nil && best[i] != "" && !pages[i].Secondary {
			count[best[i]]++
		}
	}
	rest := 0
	for i := 1; i < len(pages); i++ {
		p := &pages[i]
		if best != nil && (count[best[i]] >= 2 || parts[best[i]] != nil) {
			p.Section = heading2(best[i])
		} else if !p.Secondary {
			rest++
		}
	}
	name := Rest
	if best == nil {
		name = All
	} else if rest*8 >= len(pages) {
		name = General
	}
	for i := 1; i < len(pages); i++ {
		if pages[i].Section == "" {
			pages[i].Section = name
		}
	}
	place(pages, index)
	return navOrder(pages, index, parts)
}

// joinNamed puts a page that no section has, and that is titled as one whose pages stand in the page's
// own folder, at the head of that section: the section's name may be the link to it.
func joinNamed(pages []Page, keys []string) {
	named, home := map[string]int{}, folderOf(pages[0].URL)
	for i := len(keys) - 1; i > 0; i-- {
		if keys[i] != "" {
			own := folderOf(pages[i].URL)
			named[plain.Key(keys[i])+"\n"+folderOf(strings.TrimSuffix(own, "/"))] = i
			named[plain.Key(keys[i])+"\n"+own] = i
		}
	}
	for i := 1; i < len(keys); i++ {
		own := folderOf(pages[i].URL)
		if j, ok := named[plain.Key(pages[i].Title)+"\n"+own]; ok && keys[i] == "" && own != home {
			keys[i] = keys[j]
		}
	}
}

// heading2 returns a section name that does not collide with our own.
func heading2(s string) string {
	s = strings.TrimLeft(plain.OneLine(s), "# ")
	if s == "" || strings.EqualFold(s, Optional) {
		return Rest
	}
	return plain.CutWord(s, MaxSection)
}

// grouping rates keys: how many pages are in groups of two or more, less what
// too many groups, or a single one, cost.
func grouping(keys []string) float64 {
	count := map[string]int{}
	for _, k := range keys[1:] {
		if k != "" {
			count[k]++
		}
	}
	in, groups, largest := 0, 0, 0
	for _, n := range count {
		if n >= 2 {
			in += n
			groups++
			largest = max(largest, n)
		}
	}
	n := len(keys) - 1
	if groups == 0 || groups == 1 && n-in < 3 {
		return 0
	}
	score := float64(in) / float64(n)
	if groups == 1 {
		return score / 4 // a folder, and what stands beside it
	}
	if groups > 30 || float64(in)/float64(groups) < 2.5 && n > 20 {
		score /= 2
	}
	if largest*10 > n*9 {
		score /= 2
	}
	return score
}

// positions are the pages' numbers by all the addresses that lead to them.
func positions(pages []Page, alias map[string]string) map[string]int {
	index := make(map[string]int, len(pages)+len(alias))
	for i := range pages {
		index[pages[i].URL] = i
	}
	for from, to := range alias {
		if i, ok := index[to]; ok && pages[i].URL == to {
			index[from] = i
		}
	}
	return index
}

// maxAliases is how many addresses lead one to the next, at most: two may lead to each other.
const maxAliases = 8

// lastAliases are the addresses that lead to a page, with the one at which they end: one that
// redirects may lead to one that is not canonical.
func lastAliases(alias map[string]string) map[string]string {
	last := make(map[string]string, len(alias))
	for from, to := range alias {
		for range maxAliases {
			next, ok := alias[to]
			if !ok {
				break
			}
			to = next
		}
		last[from] = to
	}
	return last
}

// byNav takes the page whose lists sort the site's pages best.
func byNav(pages []Page, index map[string]int, _ string) []string {
	var best []string
	score := 0.0
	for hubs, i := 0, 0; i < len(pages) && hubs < 20; i++ {
		nav := pages[i].Evidence.Nav
		// A contents page is a click from the base page at most.
		if nav == nil || pages[i].Secondary || pages[i].Depth > 1 {
			continue
		}
		hubs++
		keys := make([]string, len(pages))
		for _, g := range nav {
			if sameName(g.Name, &pages[0]) {
				continue // the site's name before its menu
			}
			for _, l := range g.Links {
				if j, ok := index[l]; ok && j != i && keys[j] == "" {
					keys[j] = g.Name
				}
			}
		}
		// Another page's lists are of what it is about, an index's say, unless they
		// hold a good part of the site.
		if s := grouping(keys); s > score && (i == 0 || s >= 0.4) {
			best, score = keys, s
		}
	}
	if best == nil {
		return make([]string, len(pages))
	}
	// A page has no link to itself; the others have one, in the same list.
	names := map[string]bool{}
	for _, k := range best {
		names[k] = k != ""
	}
	for i, hubs := 0, 0; i < len(pages) && hubs < 20; i++ {
		if pages[i].Evidence.Nav == nil {
			continue
		}
		hubs++
		for _, g := range pages[i].Evidence.Nav {
			for _, l := range g.Links {
				if j, ok := index[l]; ok && j > 0 && j != i && best[j] == "" && names[g.Name] {
					best[j] = g.Name
				}
			}
		}
	}
	return best
}

// byPath groups by the first directory below the scope, named by the page that
// stands for it.
func byPath(pages []Page, index map[string]int, prefix string) []string {
	keys := make([]string, len(pages))
	names, inside := map[string]string{}, map[string][]string{}
	dir, single := branching(pages, prefix[:strings.LastIndexByte(prefix, '/')+1])
	if single {
		return keys
	}
	for i := range pages {
		u, err := url.Parse(pages[i].URL)
		if err != nil {
			continue
		}
		rest, ok := strings.CutPrefix(u.Path, dir)
		if !ok {
			continue
		}
		seg, below, ok := strings.Cut(rest, "/")
		if !ok {
			if i > 0 && !strings.Contains(seg, ".") {
				// "/guide" stands above "/guide/install".
				if _, taken := names[seg]; !taken {
					names[seg] = pages[i].Title
				}
				keys[i] = seg
			}
			continue
		}
		if seg == "page" && number(strings.TrimRight(below, "/")) {
			continue // a further part of a list
		}
		if below == "" || isIndex(below, pages[i].Evidence.Lang) || below == "package-summary.html" {
			names[seg] = pages[i].Title
		} else if ofPackage(pages[i].Title, u.Path) {
			inside[seg] = append(inside[seg], pages[i].Title)
		}
		keys[i] = seg
	}
	if hashed(keys) {
		return make([]string, len(pages))
	}
	menu, lists := menuNames(pages[0].Evidence.Menu, dir), listNames(pages, keys, index)
	used := map[string]string{}
	for i := range keys {
		seg := keys[i]
		if seg == "" {
			continue
		}
		name := cmp.Or(welcomed(names[seg]), names[seg], commonPackage(inside[seg]))
		if m := cmp.Or(menu[seg], lists[seg]); m != "" {
			name = m
		}
		if name == "" || vague(name) || len(name) > 60 {
			name = segmentTitle(seg)
		}
		if other, ok := used[name]; ok && other != seg {
			name = segmentTitle(seg)
		}
		used[name] = seg
		keys[i] = name
	}
	count := map[string]int{}
	for _, name := range keys {
		if count[name]++; count[name] > 1 && len(name) > 1 {
			return keys
		}
	}
	return make([]string, len(pages)) // "/t/tea", "/c/tea": single letters say nothing
}

// listNames is what the base page calls the list of a directory's pages, if it has one with most
// of them and none of others. keys are the pages' directories.
func listNames(pages []Page, keys []string, index map[string]int) map[string]string {
	size := map[string]int{}
	for _, seg := range keys {
		size[seg]++
	}
	names := map[string]string{}
	for _, g := range pages[0].Evidence.Nav {
		seg, n := "", 0
		for _, l := range g.Links {
			j, ok := index[l]
			if !ok || j == 0 {
				continue
			}
			if n++; n > 1 && keys[j] != seg {
				seg = ""
				break
			}
			seg = keys[j]
		}
		if seg != "" && n > 1 && 2*n > size[seg] && !sameName(g.Name, &pages[0]) && !selects.MatchString(g.Name) {
			names[seg] = g.Name
		}
	}
	return names
}

// selects matches the name of a list of some pages of any kind: "Popular posts", "What’s new".
var selects = regexp.MustCompile(`(?i)^(?:(?:popular|recent|recently|latest|newest|new|featured|most|top|trending|related|similar|selected|recommended|more|other|also|read|learn|quick|` +
	`beliebte?|neue|neueste|aktuelle|derniers|dernières|últim[ao]s|ultimi|ultime|lo más)\b|you |what.s |editor|популярн|последн|最新|人気|热门)|(?:récents|récentes|populaires|recientes|populares|destacad[ao]s|recenti)$`)

// menuNames is what the navigation calls directories, of those to which one link of
// it leads.
func menuNames(menu []htmlpage.Entry, dir string) map[string]string {
	names, count := map[string]string{}, map[string]int{}
	for _, m := range menu {
		u, err := url.Parse(m.URL)
		if err != nil {
			continue
		}
		if rest, ok := strings.CutPrefix(u.Path, dir); ok && !isStep(m.Name) && !isStepTo(m) && !vague(m.Name) && !weburl.IsVersion(m.Name) {
			seg, _, _ := strings.Cut(rest, "/")
			if count[seg]++; !isPathOf(m, u.Path) {
				names[seg] = m.Name
			}
		}
	}
	for seg := range names {
		if count[seg] > 1 {
			delete(names, seg)
		}
	}
	return names
}

// isPathOf reports a link that is named by where it leads to: "plugins/contrib/graph" of
// "/plugins/contrib/graph.html".
func isPathOf(m htmlpage.Entry, address string) bool {
	name := strings.Trim(strings.ToLower(m.Name), "/")
	address = strings.TrimRight(strings.ToLower(address), "/")
	return strings.Contains(name, "/") && strings.HasSuffix(strings.TrimSuffix(address, path.Ext(address)), "/"+name)
}

// isStepTo reports a link to the next page that is named by the word for that and the page's name.
func isStepTo(m htmlpage.Entry) bool {
	word, name, ok := strings.Cut(m.Name, " ")
	return ok && isStep(word) && plain.Key(name) == plain.Key(urlTitle(m.URL))
}

// isStep reports a word for the page that comes next, with its arrow or without: "Next »".
func isStep(name string) bool {
	return step[plain.Key(strings.Trim(name, "«»‹›←→⟵⟶⇐⇒❮❯◀▶◂▸◄►❬❭〈〉 \u00a0"))]
}

// step are words for the page that comes next and others like it, which name no
// directory.
var step = plain.Set(`next nextpage nextchapter previous prev previouspage up back forward more readmore learnmore continue
	weiter nächste nächsteseite zurück vorherige suivant suivante précédent précédente siguiente anterior próximo seguinte successivo precedente
	volgende vorige nästa föregående næste forrige neste następny następna poprzedni poprzednia další předchozí следующая следующий далее предыдущая
	предыдущий назад 次へ 次 次のページ 前へ 前 下一页 下一頁 下一步 上一页 上一頁 다음 이전 sonraki önceki`)
