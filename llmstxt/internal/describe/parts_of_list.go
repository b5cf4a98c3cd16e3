package describe

import (
	"net/url"
	"path"
	"strings"
)

// Parts of a list that a generator titles all alike. What their addresses add to that of the
// first one tells them apart:
//
//	members.html          Members
//	members_func.html     Members (func)
//	members_func_b.html   Members (func, b)

const (
	maxPartName  = 24     // bytes of what an address adds
	betweenParts = "-_. " // what stands before a part of a name
)

// tellApart adds to the titles that several pages of a folder have what tells their addresses apart, where one
// of these begins all others.
func tellApart(pages []Page) {
	titled, count := map[string][]int{}, map[string]int{}
	for i := 1; i < len(pages); i++ {
		titled[pages[i].Title] = append(titled[pages[i].Title], i)
		count[pages[i].Title]++
	}
	for i := 1; i < len(pages); i++ {
		same := titled[pages[i].Title]
		if len(same) < 2 || same[0] != i {
			continue
		}
		stem := addressStem(pages[i].URL)
		for _, j := range same {
			if s := addressStem(pages[j].URL); len(s) < len(stem) {
				stem = s
			}
		}
		for _, j := range same {
			rest, ok := strings.CutPrefix(addressStem(pages[j].URL), stem)
			parts := strings.FieldsFunc(rest, func(r rune) bool { return strings.ContainsRune("-_ ", r) })
			if stem == "" || !ok || len(parts) == 0 || len(rest) > maxPartName || strings.IndexByte(betweenParts, rest[0]) < 0 || strings.Contains(rest, "/") {
				continue
			}
			title := pages[j].Title + " (" + strings.Join(parts, ", ") + ")"
			if count[title] == 0 {
				count[title]++
				pages[j].Title = title
			}
		}
	}
}

// addressStem is the path of a page without the ending of its file; "" of one with a query.
func addressStem(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.RawQuery != "" || strings.HasSuffix(u.Path, "/") {
		return ""
	}
	return strings.TrimSuffix(u.Path, path.Ext(u.Path))
}
