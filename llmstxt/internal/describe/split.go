package describe

import (
	"cmp"
	"slices"
	"strings"

	"github.com/farwire/farwire/llmstxt/internal/htmlpage"
	"github.com/farwire/farwire/llmstxt/internal/plain"
)

// A site of two parts, documentation and a blog, is sorted into these two; then its
// documentation has sections of its own, in the list beside its pages.

// leastSplit is how many pages a section has at least that is split.
const leastSplit = 6

// split gives new keys to the pages of a key that most have, where their breadcrumbs or
// the lists in their navigation sort them well, and returns the new keys by the old one,
// in the order of that navigation.
func split(pages []Page, keys []string, index map[string]int, prefix string) map[string][]string {
	if keys == nil {
		return nil
	}
	members := map[string][]int{}
	for i := 1; i < len(pages); i++ {
		if keys[i] != "" {
			members[keys[i]] = append(members[keys[i]], i)
		}
	}
	names := map[string]bool{}
	for name := range members {
		names[name] = true
	}
	parts := map[string][]string{}
	for name, in := range members {
		if len(in) < leastSplit || len(in)*5 < len(pages)*2 || len(members) < 2 {
			continue
		}
		some, at := []Page{pages[0]}, map[string]int{}
		for _, i := range in {
			some = append(some, pages[i])
		}
		for url, i := range index {
			if j := slices.Index(in, i); j >= 0 {
				at[url] = j + 1
			} else if i == 0 {
				at[url] = 0
			}
		}
		for _, by := range []func([]Page, map[string]int, string) []string{byNav, byCrumbs} {
			finer := by(some, at, prefix)
			joinHeads(some, finer)
			if grouping(finer) < 0.6 {
				continue
			}
			if order := apply(keys, in, finer, names); order != nil {
				parts[name] = asListed(pages, order)
			}
			break
		}
	}
	return parts
}

// joinHeads puts a page into the group that it gives its title.
func joinHeads(pages []Page, keys []string) {
	names := map[string]string{}
	for _, k := range keys {
		if k != "" {
			names[plain.Key(k)] = k
		}
	}
	for i := 1; i < len(pages); i++ {
		if name := names[plain.Key(pages[i].Title)]; keys[i] == "" && name != "" {
			keys[i] = name
		}
	}
}

// apply takes over the groups of two pages or more, under names that are not taken.
func apply(keys []string, in []int, finer []string, taken map[string]bool) (order []string) {
	count := map[string]int{}
	for _, k := range finer[1:] {
		count[k]++
	}
	for j, i := range in {
		if k := finer[j+1]; k != "" && count[k] > 1 && !taken[k] {
			keys[i] = k
			if !slices.Contains(order, k) {
				order = append(order, k)
			}
		}
	}
	return order
}

// asListed sorts names as the first navigation that has most of them.
func asListed(pages []Page, names []string) []string {
	for i := range pages {
		at := map[string]int{}
		for n, g := range pages[i].Evidence.Nav {
			if slices.Contains(names, g.Name) {
				at[g.Name] = n + 1
			}
		}
		if len(at)*2 > len(names) {
			last := len(pages[i].Evidence.Nav) + 1
			slices.SortStableFunc(names, func(a, b string) int { return cmp.Or(at[a], last) - cmp.Or(at[b], last) })
			break
		}
	}
	return names
}

// sameName reports a name that is the site's, as its base page has it.
func sameName(name string, base *Page) bool {
	k := plain.Key(name)
	return k != "" && (k == plain.Key(base.Title) || k == plain.Key(base.Evidence.SiteName) || k == plain.Key(heading(base.Evidence)) && !strings.Contains(name, " "))
}

// place numbers the pages in the order of the list that has most of their section: the
// navigation of one of the first pages.
func place(pages []Page, index map[string]int) {
	members := map[string]int{}
	for i := 1; i < len(pages); i++ {
		members[pages[i].Section]++
	}
	type list struct{ page, of int }
	best := map[string]list{}
	for hubs, i := 0, 0; i < len(pages) && hubs < 20; i++ {
		lists := listsOf(pages, i)
		if lists == nil || pages[i].Secondary {
			continue
		}
		hubs++
		of := map[string]int{}
		for _, g := range lists {
			for _, l := range g.Links {
				if j, ok := index[l]; ok && j > 0 {
					of[pages[j].Section]++
				}
			}
		}
		for name, n := range of {
			if n > best[name].of+1 {
				best[name] = list{i, n}
			}
		}
	}
	for i := 1; i < len(pages); i++ {
		pages[i].Place = 2 * (len(pages) + i)
	}
	for name, l := range best {
		if l.of*2 < members[name] {
			continue
		}
		order := inSection(pages, l.page, name, index)
		for n, j := range order {
			pages[j].Place = 2 * (n + 1)
		}
		// The page itself, to which it may have no link, stands where others have it, else first.
		if p := &pages[l.page]; l.page > 0 && p.Section == name && !slices.Contains(order, l.page) {
			p.Place = placeOf(pages, l.page, index)
		}
	}
}

// placeOf is the place behind that of the page which stands in front of this one among the links of
// most others in its section; 0 if none does. The one in front has no link to itself. Links to the next
// page and the one before, above that to the section, are no list: all that stand in front are to be there.
func placeOf(pages []Page, page int, index map[string]int) int {
	type list struct{ behind, members int }
	var lists []list
	name, most := pages[page].Section, 0
	for i := range pages {
		if i == page || i > 0 && pages[i].Section != name {
			continue
		}
		members, front, last, behind := map[int]bool{}, 0, 0, -1
		for _, url := range pages[i].Links {
			j, ok := index[url]
			if !ok || j == 0 || pages[j].Section != name {
				continue
			}
			if j == page && behind < 0 {
				behind = front
				inFront := front / 2 // places are two apart
				if i > 0 && pages[i].Place < front {
					inFront-- // but for the page itself
				}
				if delete(members, i); len(members) != inFront || last > front {
					behind = 0
				}
			}
			members[j], front = true, pages[j].Place+1
			if j != i {
				last = max(last, front)
			}
		}
		if behind >= 0 {
			lists, most = append(lists, list{behind, len(members)}), max(most, len(members))
		}
	}
	place, voters, votes := 0, 0, map[int]int{}
	for _, l := range lists {
		if 2*l.members < most {
			continue
		}
		voters++
		if votes[l.behind]++; votes[l.behind] > votes[place] {
			place = l.behind
		}
	}
	if 2*votes[place] <= voters {
		return 0
	}
	return place
}

// inSection is the order in which a page's lists have a section's pages. A list may hold
// other lists: what stands between these keeps its place, and so does what gives the section
// its name.
func inSection(pages []Page, hub int, name string, index map[string]int) []int {
	var order []int
	seen := map[int]bool{}
	for _, g := range listsOf(pages, hub) {
		for _, url := range g.Links {
			if j, ok := index[url]; ok && j > 0 && pages[j].Section == name && !seen[j] {
				seen[j] = true
				order = append(order, j)
			}
		}
	}
	at := 0
	for _, url := range pages[hub].Links {
		j, ok := index[url]
		if !ok || j == 0 || pages[j].Section != name {
			continue
		}
		if i := slices.Index(order, j); i >= 0 {
			at = max(at, i+1)
		} else if at > 0 || plain.Key(pages[j].Title) == plain.Key(name) {
			order = slices.Insert(order, at, j)
			at++
		}
	}
	return order
}

// listsOf are the lists in a page's navigation. The links of a base page without some,
// and of a page that gives its section the name, are a list as they stand: a book's
// contents are one.
func listsOf(pages []Page, i int) []htmlpage.Group {
	p := &pages[i]
	if p.Evidence.Nav == nil && (i == 0 || plain.Key(p.Title) == plain.Key(p.Section)) && len(p.Links) > 1 {
		return []htmlpage.Group{{Links: p.Links}}
	}
	return p.Evidence.Nav
}
