package htmlpage

import (
	"bytes"
	"path"
	"regexp"
	"strings"

	"github.com/farwire/farwire/llmstxt/internal/plain"
)

// Applications that show Markdown. Docsify's page is empty and says in a script where its
// texts are: they are files beside it, and its menu is one more.
//
//	window.$docsify = { name: "Kettle", loadSidebar: true, homepage: "start.md" }
//
// What it calls #/use/lid is the file use/lid.md, and #/use/ is use/README.md.

// MarkdownApp is what such an application says of itself; nil: the page is not one.
type MarkdownApp struct {
	Name     string // of the site
	Home     string // file of the first page
	Sidebar  string // file of the menu, "" without one
	Folder   string // of the files, as written; "" for the page's own
	Relative bool   // links count from their page's folder
	History  bool   // its pages have addresses of their own: /use/lid in place of #/use/lid
}

const maxAppScript = 64 << 10

var (
	scriptComment = regexp.MustCompile(`(?m)^\s*//.*$`)
	appField      = regexp.MustCompile(`\b(name|homepage|loadSidebar|basePath|relativePath|routerMode)["']?\s*:\s*(?:(true)|"([^"\n]*)"|'([^'\n]*)')`)
)

// markdownApp reads the script of such an application; nil for another one.
func markdownApp(script []byte) *MarkdownApp {
	at := bytes.Index(script[:min(len(script), maxAppScript)], []byte("$docsify"))
	if at < 0 {
		return nil
	}
	app := &MarkdownApp{Home: "README.md"}
	seen := map[string]bool{}
	for _, m := range appField.FindAllSubmatch(scriptComment.ReplaceAll(script[at:min(len(script), maxAppScript)], nil), 100) {
		field, on, value := string(m[1]), len(m[2]) > 0, string(m[3])+string(m[4])
		if seen[field] || len(value) > maxHref {
			continue // that of a plugin
		}
		seen[field] = true
		switch field {
		case "name":
			app.Name = plain.OneLine(value)
		case "homepage":
			app.Home = value
		case "loadSidebar":
			if app.Sidebar = value; on {
				app.Sidebar = "_sidebar.md"
			}
		case "basePath":
			app.Folder = value
		case "relativePath":
			app.Relative = on
		case "routerMode":
			app.History = value == "history"
		}
	}
	return app
}

// NeedsBrowser reports that only a browser can read the pages of an application: they have
// addresses of their own, or their texts are on another host.
func (a *MarkdownApp) NeedsBrowser() bool {
	return a.History || strings.Contains(a.Folder, "//")
}

// File is the file behind an address that the application's texts or its menu have, and
// whether it counts from the folder of its own page. It reports false for what is not a page
// of the application.
func (a *MarkdownApp) File(href string) (file string, relative, ok bool) {
	href, _, _ = strings.Cut(href, "?")
	rest, route := strings.CutPrefix(href, "#/")
	if !route && (href == "" || href[0] == '#' || strings.HasPrefix(href, "//") || strings.Contains(href, ":")) {
		return "", false, false
	}
	rest, _, _ = strings.Cut(rest, "#")
	root := route || strings.HasPrefix(rest, "/")
	if rest = strings.TrimLeft(rest, "/"); rest == "" {
		return a.Home, false, true
	}
	switch ext := path.Ext(rest); {
	case strings.HasSuffix(rest, "/"):
		rest += "README.md"
	case len(ext) < 2 || strings.Trim(ext[1:], "0123456789") == "":
		rest += ".md"
	}
	return rest, !root && (a.Relative || strings.HasPrefix(rest, ".")), true
}

var menuItem = regexp.MustCompile(`^([ \t]*)(?:[-*+]|[0-9]{1,3}[.)])[ \t]+(.*)$`)
var menuLink = regexp.MustCompile(`\[((?:[^\[\]\\]|\\.)*)\]\(\s*<?([^\s)>]+)[^)]*\)`)

// ReadMarkdownMenu returns the links of a menu in Markdown: nested items, or lists below
// headings. The lists that a link stands in are named by the items around it.
func ReadMarkdownMenu(text []byte) []Link {
	type level struct {
		indent int
		lists  [Levels]string // that the links in it stand in
	}
	under := func(lists [Levels]string, name string) [Levels]string {
		name = navName(name)
		for i := range 2 {
			if lists[i] == "" {
				lists[i] = name
				break
			}
		}
		return lists
	}
	var open []level
	var links []Link
	seen := map[string]bool{}
	var heading [Levels]string
	for line := range strings.Lines(string(text[:min(len(text), MaxMenuScript)])) {
		line = strings.TrimRight(line, " \t\r\n")
		if title := strings.TrimLeft(line, "#"); title != line && strings.HasPrefix(title, " ") {
			heading, open = under([Levels]string{}, plain.OneLine(title)), open[:0]
			continue
		}
		indent, words := 0, line
		if m := menuItem.FindStringSubmatch(line); m != nil {
			indent, words = len(strings.ReplaceAll(m[1], "\t", "    "))+1, m[2]
			for len(open) > 0 && open[len(open)-1].indent >= indent {
				open = open[:len(open)-1]
			}
		}
		around := heading
		if n := len(open); n > 0 {
			around = open[n-1].lists
		}
		for _, m := range menuLink.FindAllStringSubmatch(words, MaxLinks) {
			if len(m[2]) > maxHref || seen[m[2]] || len(links) == MaxLinks {
				continue
			}
			seen[m[2]] = true
			l := Link{Href: m[2], Name: navName(plain.OneLine(m[1])), Lists: around}
			if around[0] == "" && indent > 0 {
				l.Lists[0] = l.Name // the page that the items below it belong to
			}
			links = append(links, l)
		}
		if indent > 0 {
			name := plain.OneLine(strings.Trim(menuLink.ReplaceAllString(words, "$1"), "*_ "))
			open = append(open, level{indent, under(around, name)})
		}
	}
	return links
}
