package describe

import (
	"net/url"
	"path"
	"slices"
	"strings"

	"github.com/farwire/farwire/llmstxt/internal/htmlpage"
	"github.com/farwire/farwire/llmstxt/internal/plain"
)

// IsTool reports whether a page is one that its address calls a cart, a search, a log-in, a list of
// tags or of what was written on a day, the second page of a list or another such, and that has no paragraph of its own. One that says something,
// such as a guide to the search, is a page like others, and so are files of a tree
// that a generator wrote, whose links are all it takes to come there, and pages of a
// reference to commands: one that shows code, or see ofReference, which explains siblings.
// inRoot says that it stands in the folder of its site.
func IsTool(u *url.URL, e *htmlpage.Evidence, inRoot bool, siblings int) bool {
	dir, slug := path.Split(strings.ToLower(strings.TrimSuffix(u.Path, "/")))
	ext := path.Ext(slug)
	if strings.HasPrefix(ext, ".htm") || ext == ".xhtml" {
		return false
	}
	word := betweenWords.Replace(strings.TrimSuffix(slug, ext))
	space, _, ok := strings.Cut(word, ":")
	list := ok && listSpaces[space] || path.Base(dir) == "page" && number(slug) || !e.Code && (isFurther(u) || isArchive(u)) || isDate(u.Path) || isCalendar(u)
	if !list && (!toolNames[word] && !listed[path.Base(dir)] || e.Code || !inRoot && ofReference(word, e, siblings)) {
		return false
	}
	for _, b := range e.Blocks {
		if b.Kind != htmlpage.Heading && b.Kind != htmlpage.Title && b.Kind != htmlpage.Omitted && b.Links < 50 && len(b.Text) >= 80 && plain.IsComplete(b.Text) && !cutOff(b.Text) {
			return false
		}
	}
	return true
}

// ofReference reports a page about a command or a call that has the name of a tool,
// "git checkout", "POST /users/create": it has two headings beside its own, or
// is one of many in its folder, of which siblings counts the others, and says what its
// command is for. A cart has headings, too.
func ofReference(word string, e *htmlpage.Evidence, siblings int) bool {
	if toolNames[word] && !commands[word] {
		return false
	}
	headings, says := 0, false
	for _, b := range e.Blocks {
		switch {
		case b.Links >= 50:
		case b.Kind == htmlpage.Heading || b.Kind == htmlpage.Title:
			headings++
		case b.Kind != htmlpage.Omitted && len(b.Text) >= 15 && plain.IsComplete(b.Text) && !cutOff(b.Text):
			says = true
		}
	}
	return headings >= 3 || commands[word] && says && siblings >= leastCommands
}

// leastCommands is how many others a folder of commands has at least.
const leastCommands = 5

// commands are names of tools that programs have for commands, too.
var commands = plain.Set(`checkout login signin signup register registration logout signout account compare tag label`)

// isDate reports an address that ends with a month or a day: /2025/03/, /news/2025/03/01.
func isDate(p string) bool {
	parts := strings.Split(strings.Trim(p, "/"), "/")
	for i, year := range parts {
		if rest := parts[i+1:]; number(year) && len(year) == 4 && (year[0] == '1' || year[0] == '2') && (len(rest) == 1 || len(rest) == 2) {
			return !slices.ContainsFunc(rest, func(s string) bool { return !number(s) || len(s) > 2 })
		}
	}
	return false
}

// isCalendar reports an address of a calendar's month, week or day: /events/2025-03/,
// /calendar?month=2025-03, ?year=2025&month=3.
func isCalendar(u *url.URL) bool {
	parts := strings.Split(strings.ToLower(strings.Trim(u.Path, "/")), "/")
	if last := len(parts) - 1; last > 0 && monthOrDay(parts[last]) && slices.ContainsFunc(parts[:last], func(s string) bool { return calendars[s] }) {
		return true
	}
	months := 0
	for part := range strings.SplitSeq(strings.ToLower(u.RawQuery), "&") {
		name, value, _ := strings.Cut(part, "=")
		if i := strings.LastIndexAny(name, "-_"); i >= 0 {
			name = name[i+1:] // "tribe-bar-date"
		}
		switch name {
		case "date", "month", "week", "day", "year":
			if monthOrDay(value) {
				return true
			}
			if number(value) && len(value) <= 4 {
				months++
			}
		}
	}
	return months > 1 || months == 1 && calendars[parts[len(parts)-1]]
}

// monthOrDay reports a month or a day: "2025-03", "2025-03-07".
func monthOrDay(s string) bool {
	year, rest, ok := strings.Cut(s, "-")
	month, day, full := strings.Cut(rest, "-")
	return ok && len(year) == 4 && number(year) && len(month) <= 2 && number(month) && (!full || len(day) <= 2 && number(day))
}

// calendars are segments of the paths of calendars.
var calendars = plain.Set(`calendar events event agenda schedule month week day kalender veranstaltungen termine calendrier événements evenements
	calendario eventos eventi evenementen kalendarz wydarzenia календарь события カレンダー イベント 日历 活动`)

// number reports a decimal one, of the second and further pages of a list.
func number(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// isFurther reports the query of such a page.
func isFurther(u *url.URL) bool {
	for part := range strings.SplitSeq(u.RawQuery, "&") {
		if numbersPages(u, part) {
			return true
		}
	}
	return false
}

// numbersPages reports a field that says which part of a list an address shows. At a site's
// start page and at a script p is the number of a post.
func numbersPages(u *url.URL, field string) bool {
	name, value, _ := strings.Cut(field, "=")
	if number(value) && (furtherPages[fieldName(name)] || isPageOfBlock(name)) {
		return true
	}
	switch name {
	case "after", "before", "cursor", "page_token", "pageToken":
		return value != "" && !(strings.Contains(u.RawQuery, "before=") && strings.Contains(u.RawQuery, "after=")) // both compare two things
	case "p":
		return number(value) && path.Ext(u.Path) == "" && u.Path != "/" && onlyArranges(u.RawQuery, name)
	}
	return false
}

// isPageOfBlock reports the field of one of several lists of a page, as WordPress and Webflow
// number them: query-12-page, 3f2a91c0_page.
func isPageOfBlock(name string) bool {
	block, ok := strings.CutSuffix(strings.ReplaceAll(name, "_", "-"), "-page")
	return ok && strings.ContainsAny(block, "0123456789")
}

// GoesOn reports the address of a further part of a list, of which the other one is the beginning:
// nothing but the number of the part tells them apart. shown says that it is an address of the
// list at least, which may be shown in another way.
func GoesOn(u, list *url.URL) (goesOn, shown bool) {
	if rest, longer := strings.CutPrefix(u.Path, strings.TrimSuffix(list.Path, "/")+"/page/"); longer {
		shown = number(strings.TrimSuffix(rest, "/"))
		return shown && u.RawQuery == list.RawQuery, shown
	}
	shown = u.Path == list.Path
	return shown && isFurther(u) && slices.Equal(withoutPart(u), withoutPart(list)), shown
}

// withoutPart are the fields of a query less those that say which part of a list is shown, and
// the hash that TYPO3 has of them.
func withoutPart(u *url.URL) (fields []string) {
	for field := range strings.SplitSeq(u.RawQuery, "&") {
		if name, _, _ := strings.Cut(field, "="); field != "" && name != "cHash" && !numbersPages(u, field) {
			fields = append(fields, field)
		}
	}
	return fields
}

// furtherPages are fields that number the pages of a list, or say where one begins.
var furtherPages = plain.Set(`page paged pg pageno pagenum pagenumber pageindex currentpage curpage cpage pagen start startindex bstart limitstart offset skip seite pagina strona`)

// onlyArranges reports a query whose fields, beside one, say how a list is shown.
func onlyArranges(query, beside string) bool {
	for part := range strings.SplitSeq(query, "&") {
		if name, _, _ := strings.Cut(part, "="); name != beside && !arranges[fieldName(name)] {
			return false
		}
	}
	return true
}

var arranges = plain.Set(`sort sortby order orderby dir direction limit perpage pagesize size count rows num view display layout lang`)

// fieldName is what a field is called in lower case, without dashes, the name of a plug-in, a
// type and a number: "page" of "tx_news[page]", "bstart" of Plone's "b_start:int", "pagen" of
// Bitrix's "PAGEN_1".
func fieldName(name string) string {
	if s, err := url.QueryUnescape(name); err == nil {
		name = s
	}
	name, _, _ = strings.Cut(strings.ToLower(name), ":")
	if outer, inner, ok := strings.Cut(name, "["); ok && outer != "page" {
		name = strings.TrimSuffix(inner, "]")
	} else {
		name = outer // "page[number]"
	}
	return strings.NewReplacer("-", "", "_", "").Replace(strings.TrimRight(name, "0123456789"))
}

// isArchive reports the query of WordPress for what a person wrote, or was written in a month
// or on a day.
func isArchive(u *url.URL) bool {
	if u.Path != "" && !strings.HasSuffix(u.Path, "/") && path.Base(u.Path) != "index.php" {
		return false // "/release?tag=v1.0" is a page
	}
	name, value, _ := strings.Cut(u.RawQuery, "=")
	switch name {
	case "author", "author_name", "tag":
		return value != ""
	case "m":
		return number(value) && (len(value) == 6 || len(value) == 8) && (value[0] == '1' || value[0] == '2')
	}
	return false
}

// listed are folders of lists: of the pages with a tag, or of a person.
var listed = plain.Set(`tag tags tagged label labels etiqueta etiquetas schlagwort etichetta author authors user users u members member profile profiles`)

// listSpaces are a wiki's namespaces for lists of pages.
var listSpaces = plain.Set(`category kategorie catégorie categoría categoria kategoria категория категорія カテゴリ 分类 分類 분류 kategori categorie luokka kategória تصنيف קטגוריה`)

var toolNames = plain.Set(`cart basket warenkorb panier carrito carrello winkelwagen checkout kasse wishlist merkliste favorites compare
	login signin signup register registration logout signout lostpassword forgotpassword resetpassword passwordreset account myaccount
	search suche recherche buscar ricerca zoeken tags tag labels`)
