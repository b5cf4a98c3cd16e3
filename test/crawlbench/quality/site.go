package main

import (
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/PuerkitoBio/goquery"
	"github.com/farwire/farwire/test/crawlbench/docs"
)

// What is asked of a file as a whole: its head, and what of the site is in it.

// names are what the H1 must say of each site.
var names = map[string]*regexp.Regexp{
	"python3.11-doc":      regexp.MustCompile(`(?i)python`),
	"postgresql-doc-15":   regexp.MustCompile(`(?i)postgresql`),
	"python-django-doc":   regexp.MustCompile(`(?i)django`),
	"nodejs-doc":          regexp.MustCompile(`(?i)node\.js`),
	"sqlite3-doc":         regexp.MustCompile(`(?i)sqlite`),
	"apache2-doc":         regexp.MustCompile(`(?i)apache`),
	"maxima-doc":          regexp.MustCompile(`(?i)maxima`),
	"gnuplot-doc":         regexp.MustCompile(`(?i)gnuplot`),
	"libeigen3-doc":       regexp.MustCompile(`(?i)eigen`),
	"mkdocs-doc":          regexp.MustCompile(`(?i)mkdocs`),
	"postfix-doc":         regexp.MustCompile(`(?i)postfix`),
	"debian-reference-en": regexp.MustCompile(`(?i)debian reference`),

	"exim4-doc-html":            regexp.MustCompile(`(?i)exim`),
	"aptitude-doc-en":           regexp.MustCompile(`(?i)aptitude`),
	"swi-prolog-doc":            regexp.MustCompile(`(?i)swi-prolog`),
	"libcommons-lang3-java-doc": regexp.MustCompile(`(?i)commons lang`),
}

var menuWords = regexp.MustCompile(`(?i)^(next|previous|prev|up|home|contents|index|skip to|toggle navigation|search)\b.{0,40}(next|previous|prev|up|contents|index)\b`)

// judgeSite looks at the head of a file, its titles and its notes.
func (v *verdict) judgeSite(site, asIndex string, got []described, seen []seenPage) {
	title, rest, _ := strings.Cut(strings.TrimPrefix(asIndex, "# "), "\n")
	summary, _, _ := strings.Cut(strings.TrimPrefix(strings.TrimSpace(rest), "> "), "\n")
	v.head = title + " > " + summary
	v.named = names[site].MatchString(title) && !regexp.MustCompile(`(?i)^(top|home|index|main page|redirecting)\b`).MatchString(title)
	v.summary = describes(summary, title, seen)
	// A title that two pages have is a fault when their headings differ.
	own := map[string]map[string]bool{}
	for i, d := range got {
		if own[d.title] == nil {
			own[d.title] = map[string]bool{}
		}
		own[d.title][seen[i].name] = true
	}
	for _, d := range got {
		if len(own[d.title]) > 1 {
			v.twice++
			v.misses = append(v.misses, "a title twice: "+d.url+" "+d.title)
		}
	}
	for _, line := range strings.Split(asIndex, "\n") {
		m := indexLink.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		note := squeeze(m[3])
		for i, d := range got {
			if d.url != m[2] {
				continue
			}
			if menuWords.MatchString(m[3]) || len(note) >= 20 && strings.Contains(seen[i].aside, note) && !strings.Contains(seen[i].main, note) {
				v.menus++
				v.misses = append(v.misses, "navigation: "+line)
			}
		}
	}
}

// describes reports words on a site that stand on its home page, or in another page's main
// text. A home page that is only links has the site's name before these: "Kettle: Use; Care."
func describes(words, title string, seen []seenPage) bool {
	words = strings.TrimPrefix(words, title+": ")
	first, _, isNote := strings.Cut(words, ";") // of a note its first item
	begin := squeeze(first)
	begin = begin[:min(len(begin), 60)]
	for i, p := range seen {
		if begin != "" && (i == 0 || !isNote) && (strings.Contains(p.main, begin) || strings.Contains(p.about, begin)) {
			return true
		}
	}
	return false
}

// reach counts the pages of a tree that links lead to from its home page, up to
// some more than a file has, and how many of the home page's links are in the file.
func (v *verdict) reach(s docs.Site, dir string, got []described) error {
	in := map[string]bool{}
	for _, d := range got {
		u, err := url.Parse(d.url)
		if err != nil {
			return err
		}
		in[strings.TrimSuffix(u.Path, "index.html")] = true
	}
	scope := s.Base[:strings.LastIndexByte(s.Base, '/')+1]
	queue, known, texts := []string{strings.TrimSuffix(s.Base, "index.html")}, map[string]bool{}, map[string]bool{}
	known[queue[0]] = true
	var home []string
	for at := 0; at < len(queue) && len(texts) <= pages; at++ {
		file := filepath.Join(dir, filepath.FromSlash(queue[at]))
		if strings.HasSuffix(queue[at], "/") {
			file = filepath.Join(file, "index.html")
		}
		f, err := os.Open(file)
		if err != nil {
			continue // a link to nothing
		}
		doc, err := goquery.NewDocumentFromReader(f)
		f.Close()
		if err != nil {
			return err
		}
		if doc.Find(`meta[http-equiv=refresh]`).Length() == 0 {
			texts[squeeze(doc.Find("title").Text()+doc.Find("body").Text())] = true
			if at > 0 && at <= len(home) && !in[queue[at]] {
				v.misses = append(v.misses, "not in the file: "+queue[at])
			}
		} else if at > 0 && at <= len(home) {
			in[queue[at]] = true
		}
		base := &url.URL{Path: queue[at]}
		doc.Find("a[href], area[href], frame[src]").Each(func(_ int, a *goquery.Selection) {
			u, err := base.Parse(a.AttrOr("href", a.AttrOr("src", "")))
			if err != nil || u.Host != "" || u.Scheme != "" || !strings.HasPrefix(u.Path, scope) || u.RawQuery != "" {
				return
			}
			p := strings.TrimSuffix(u.Path, "index.html")
			if ext := path.Ext(p); known[p] || ext != "" && ext != ".html" && ext != ".htm" {
				return
			}
			name := filepath.Join(dir, filepath.FromSlash(p))
			if strings.HasSuffix(p, "/") {
				name = filepath.Join(name, "index.html")
			}
			if info, err := os.Stat(name); err != nil || info.IsDir() {
				return
			}
			known[p] = true
			queue = append(queue, p)
			if at == 0 {
				home = append(home, p)
			}
		})
	}
	v.coverage = min(1, float64(len(got))/float64(min(len(texts), pages)))
	found := 0
	for _, p := range home {
		if in[p] {
			found++
		}
	}
	if v.nav = 1; len(home) > 0 {
		v.nav = min(1, float64(found)/float64(min(len(home), pages-1)))
	}
	return nil
}
