package describe

import (
	"net/url"
	"path"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/farwire/farwire/llmstxt/internal/plain"
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
				count[pages[j].Title]--
				count[title]++
				pages[j].Title = title
			}
		}
		for _, j := range same {
			nameFolder(&pages[j], count)
		}
		title := pages[i].Title
		if count[title] < 2 {
			continue
		}
		for _, j := range same {
			if pages[j].Title == title {
				nameInFull(&pages[j], pages[0].Title, count)
			}
		}
	}
}

// nameInFull takes the name in full that the page's own title has behind the site's name, in place of the end of it:
// "scala.Array" of "Array - Scala Library - scala.Array".
func nameInFull(p *Page, site string, count map[string]int) {
	before := strings.Index(p.Evidence.Title, site)
	if len(site) < leastSite || before < 0 {
		return
	}
	full := strings.TrimLeftFunc(p.Evidence.Title[before+len(site):], notWord)
	if rest, ok := strings.CutSuffix(full, p.Title); ok && rest != "" && !strings.ContainsAny(full, " ") && count[full] == 0 && utf8.RuneCountInString(full) <= MaxTitle {
		count[p.Title]--
		count[full]++
		p.Title = full
	}
}

// nameFolder adds the folder to a title that only the address gave a page, such as the source of a module, while
// count has it for another page too: "Kettle.Lid (src)".
func nameFolder(p *Page, count map[string]int) {
	if count[p.Title] < 2 || p.Title != urlTitle(p.URL) {
		return
	}
	if k := plain.Key(p.Title); strings.Contains(plain.Key(p.Evidence.Title), k) || strings.Contains(plain.Key(heading(p.Evidence)), k) {
		return // it is the page's own
	}
	u, err := url.Parse(p.URL)
	if err != nil {
		return
	}
	folder := path.Base(path.Dir(strings.TrimSuffix(u.Path, "/")))
	title := p.Title + " (" + folder + ")"
	if folder == "/" || folder == "." || len(folder) > maxPartName || !utf8.ValidString(folder) || strings.ContainsFunc(folder, unprintable) || count[title] > 0 || utf8.RuneCountInString(title) > MaxTitle {
		return
	}
	count[p.Title]--
	count[title]++
	p.Title, p.shared = title, p.Title
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
