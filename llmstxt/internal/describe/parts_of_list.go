package describe

import (
	"net/url"
	"path"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
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
			if stem == "" || !ok {
				continue
			}
			title := pages[j].Title + partName(rest)
			if title == pages[j].Title || utf8.RuneCountInString(title) > MaxTitle {
				continue
			}
			if count[title] == 0 {
				count[title]++
				pages[j].Title = title
			}
		}
	}
}

// partName is what tells a page from the first one, as its title has it: " (func, b)" of "_func_b", " (on linux)"
// of "-on-linux"; "" of what is no part of a name, or says nothing to people.
func partName(rest string) string {
	if rest == "" || len(rest) > maxPartName || strings.IndexByte(betweenParts, rest[0]) < 0 || strings.Contains(rest, "/") || !utf8.ValidString(rest) || strings.ContainsFunc(rest, unprintable) {
		return ""
	}
	var parts []string
	for part := range strings.SplitSeq(rest, "_") {
		words := strings.FieldsFunc(part, func(r rune) bool { return r == '-' || r == ' ' })
		if slices.ContainsFunc(words, isHash) {
			return ""
		}
		if part = strings.Trim(strings.Join(words, " "), ". "); part != "" {
			parts = append(parts, part)
		}
	}
	if parts == nil {
		return ""
	}
	return " (" + strings.Join(parts, ", ") + ")"
}

func unprintable(r rune) bool { return !unicode.IsPrint(r) }

// isHash reports digits with letters among them that a program chose: "a1b2c3d4".
func isHash(s string) bool {
	return len(s) >= 8 && strings.Trim(strings.ToLower(s), "0123456789abcdef") == "" && strings.ContainsAny(s, "0123456789") && strings.Trim(s, "0123456789") != ""
}

// addressStem is the path of a page without the ending of its file; "" of one with a query.
func addressStem(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.RawQuery != "" || strings.HasSuffix(u.Path, "/") {
		return ""
	}
	return strings.TrimSuffix(u.Path, path.Ext(u.Path))
}
