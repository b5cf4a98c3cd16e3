package describe

import (
	"slices"

	"github.com/farwire/farwire/llmstxt/internal/htmlpage"
	"github.com/farwire/farwire/llmstxt/internal/plain"
)

// navOrder is the names of the sections in the order in which the base page's
// navigation, or else the page, first leads to one of their pages.
//
// Sections that were split off from one follow it.
func navOrder(pages []Page, index map[string]int, parts map[string][]string) []string {
	var names []string
	seen := map[string]bool{}
	whole := map[string]string{}
	for name, of := range parts {
		for _, part := range of {
			whole[part] = name
		}
	}
	add := func(name string) {
		if w := whole[name]; w != "" {
			name = w
		}
		for _, n := range append([]string{name}, parts[name]...) {
			if n != "" && !seen[n] {
				seen[n] = true
				names = append(names, n)
			}
		}
	}
	page := func(url string) {
		if i, ok := index[url]; ok && i > 0 && (!pages[i].Secondary || plain.Key(pages[i].Title) == plain.Key(pages[i].Section) || listsFiles(&pages[i])) {
			add(pages[i].Section)
		}
	}
	count := map[string]int{}
	for i := range pages {
		count[pages[i].Section]++
	}
	nav, named := sideBar(pages, count)
	first, last := 0, 0
	lists := func() {
		first = len(names)
		for _, g := range nav {
			if count[g.Name] > 0 {
				add(g.Name)
			}
		}
		last = len(names)
	}
	// Lists that name most sections have their order, whatever a bar above them leads to.
	if named*2 > len(count)-1 {
		lists()
	}
	for _, m := range pages[0].Evidence.Menu {
		page(m.URL)
	}
	if last == 0 {
		lists()
	}
	for _, l := range pages[0].Links {
		page(l)
	}
	names = among(names, first, last, whole, middles(pages, index, whole))
	// What belongs nowhere comes first if the base page leads to it before all else.
	names = slices.DeleteFunc(names, func(n string) bool { return n == General })
	if count[General] > 0 {
		for _, l := range pages[0].Links {
			if i, ok := index[l]; ok && i > 0 && !pages[i].Secondary {
				if pages[i].Section == General {
					return append([]string{General}, names...)
				}
				break
			}
		}
		names = append(names, General)
	}
	return names
}

// sideBar is the lists of the base page, and how many sections they name. Where they name none, it is
// those of the first page whose lists name most sections: a start page that greets may have no bar
// beside it, as all others have.
func sideBar(pages []Page, count map[string]int) (nav []htmlpage.Group, named int) {
	for hubs, i := 0, 0; i < len(pages) && hubs < maxHubs; i++ {
		lists := pages[i].Evidence.Nav
		if lists == nil || i > 0 && (pages[i].Secondary || pages[i].Depth > 1) {
			continue
		}
		hubs++
		n := 0
		for _, g := range lists {
			if count[g.Name] > 0 {
				n++
			}
		}
		if i == 0 && n > 0 || n > 1 && n*2 > len(count)-1 {
			return lists, n
		}
	}
	return pages[0].Evidence.Nav, 0
}

// maxHubs is how many pages with lists are looked at.
const maxHubs = 20

// among moves the sections that stand behind those of the lists, names[first:last], to
// where the base page has their links: a book's contents may have lists in some of its
// parts and none in others.
func among(names []string, first, last int, whole map[string]string, middle map[string]int) []string {
	ordered, listed := slices.Clone(names[:last]), names[first:last]
	for _, name := range names[last:] {
		of := name
		if w := whole[name]; w != "" {
			of = w
		}
		at := len(ordered)
		if m, ok := middle[of]; ok {
			behind := func(n string) bool { return whole[n] == "" && middle[n] > m && slices.Contains(listed, n) }
			if i := slices.IndexFunc(ordered, behind); i >= 0 {
				at = i
			}
		}
		ordered = slices.Insert(ordered, at, name)
	}
	return ordered
}

// middles is where in the base page's links those to a section stand, of the sections to
// which two or more lead: the place of the middle one, which a link in a bar above does not
// change.
func middles(pages []Page, index map[string]int, whole map[string]string) map[string]int {
	at, seen := map[string][]int{}, map[int]bool{}
	for n, l := range pages[0].Links {
		i, ok := index[l]
		if !ok || i == 0 || seen[i] || pages[i].Secondary {
			continue
		}
		seen[i] = true
		name := pages[i].Section
		if w := whole[name]; w != "" {
			name = w
		}
		at[name] = append(at[name], n)
	}
	middle := map[string]int{}
	for name, places := range at {
		if len(places) > 1 {
			middle[name] = places[len(places)/2]
		}
	}
	return middle
}
