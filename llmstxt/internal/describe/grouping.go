package describe

import (
	"cmp"
	"math"
	"net/url"
	"path"
	"strings"

	"github.com/farwire/farwire/llmstxt/internal/htmlpage"
	"github.com/farwire/farwire/llmstxt/internal/plain"
)

// Ways to sort a site's pages into groups; see setSections.

func byCrumbs(pages []Page, _ map[string]int, _ string) []string {
	keys := make([]string, len(pages))
	base := map[string]bool{strings.ToLower(pages[0].Title): true, "": true}
	// What stands first everywhere is the site.
	first := map[string]int{}
	with := 0
	for i := range pages {
		if c := pages[i].Evidence.Crumbs; len(c) > 0 {
			first[c[0]]++
			with++
		}
	}
	for t, n := range first {
		if n*10 > with*8 {
			base[strings.ToLower(t)] = true
		}
	}
	for i := range pages {
		crumbs := pages[i].Evidence.Crumbs
		for len(crumbs) > 0 && (base[strings.ToLower(crumbs[0])] || vague(crumbs[0]) && !opening[plain.Key(crumbs[0])]) {
			crumbs = crumbs[1:]
		}
		if len(crumbs) > 0 {
			keys[i] = crumbs[0]
		}
	}
	joinHeads(pages, keys)
	return keys
}

// byUp follows the links to the page above up to one below the base page.
func byUp(pages []Page, index map[string]int, _ string) []string {
	keys := make([]string, len(pages))
	for i := 1; i < len(pages); i++ {
		top, up := i, pages[i].Evidence.Up
		for range 20 {
			j, ok := index[up]
			if !ok || j == 0 || j == top {
				break
			}
			top, up = j, pages[j].Evidence.Up
		}
		if up != "" || top != i {
			keys[i] = pages[top].Title
		}
	}
	return keys
}

// opening are names of parts of a site that a base page may have for its title as well.
var opening = plain.Set(`gettingstarted introduction documentation docs quickstart firststeps overview basics
	erste schritte ersteschritte einführung einleitung überblick grundlagen premierspas démarrage introducción primerospasos introduzione
	introdução primeirospassos inleiding wprowadzenie введение обзор вступ はじめに 概要 入门 快速入门 快速开始 介绍 简介 概述 소개 개요 시작하기`)

// byFolder groups by whole folders, as a reference has one for each package, which the
// page that stands for a folder names.
func byFolder(pages []Page, _ map[string]int, prefix string) []string {
	keys, names, used := make([]string, len(pages)), map[string]string{}, map[string]string{}
	var firsts []string
	dir := prefix[:strings.LastIndexByte(prefix, '/')+1]
	for i := 1; i < len(pages); i++ {
		u, err := url.Parse(pages[i].URL)
		if err != nil {
			continue
		}
		folder, file := path.Split(u.Path)
		first, _, _ := strings.Cut(strings.TrimPrefix(folder, dir), "/")
		firsts = append(firsts, first)
		if folder == dir || !strings.HasPrefix(folder, dir) {
			continue
		}
		keys[i] = folder
		if stem := strings.TrimSuffix(file, path.Ext(file)); stem == "" || stem == "index" || stem == "package-summary" {
			names[folder] = pages[i].Title
		}
	}
	if hashed(firsts) {
		return make([]string, len(pages))
	}
	for i, folder := range keys {
		if folder == "" {
			continue
		}
		name := cmp.Or(welcomed(names[folder]), names[folder])
		if name == "" || vague(name) || len(name) > 60 {
			name = segmentTitle(path.Base(folder))
		}
		if other, taken := used[name]; taken && other != folder {
			name = folderTitle(strings.Trim(strings.TrimPrefix(folder, dir), "/"))
		}
		used[name] = folder
		keys[i] = name
	}
	return keys
}

// isIndex reports the file that stands for its folder: "index.html", "index.en.html" where the page's language
// is English or unknown. TypeDoc's "index.Kettle.html" and "index.map.html" are a class and a function of the
// module index.
func isIndex(file, language string) bool {
	rest, ok := strings.CutPrefix(file, "index.")
	lang, _, more := strings.Cut(rest, ".")
	if !ok || !more {
		return ok
	}
	base := lang[:min(2, len(lang))]
	return (len(lang) == 2 || len(lang) > 2 && strings.ContainsRune("-_", rune(lang[2]))) && htmlpage.Tag(lang) != "" &&
		(language == "" || len(language) >= 2 && strings.EqualFold(base, language[:2]))
}

// byPart takes a contents that names one part, as its appendices, and has those before it under the site's
// name; nil if the base page has none.
func byPart(pages []Page, index map[string]int) []string {
	keys, part, in := make([]string, len(pages)), "", map[string]int{}
	for _, own := range []bool{false, true} {
		for _, g := range pages[0].Evidence.Nav {
			name := g.Name
			if sameName(name, &pages[0]) != own {
				continue
			}
			if own {
				name = General
			} else if part != "" && part != name || selects.MatchString(name) {
				return nil
			} else {
				part = name
			}
			for _, l := range g.Links {
				if j, ok := index[l]; ok && j > 0 && keys[j] == "" {
					keys[j] = name
					in[name]++
				}
			}
		}
	}
	if in[part] < 2 || in[General] < 2 || 5*(in[part]+in[General]) < 4*(len(pages)-1) {
		return nil
	}
	return keys
}

// branching is the folder in which the folders of a site's pages lie: below dir that is the one in which all
// others are, as "org/apache" is of "org/apache/pot" and "org/apache/lid". single says that there is one folder
// in it at most.
func branching(pages []Page, dir string) (folder string, single bool) {
	for range maxSingle {
		seg, in, direct, several := "", 0, false, false
		for i := 1; i < len(pages); i++ {
			u, err := url.Parse(pages[i].URL)
			if err != nil {
				continue
			}
			rest, ok := strings.CutPrefix(u.Path, dir)
			s, below, nested := strings.Cut(rest, "/")
			if !ok || !nested {
				continue
			}
			several = several || in > 0 && s != seg
			direct = direct || !strings.Contains(below, "/")
			seg, in = s, in+1
		}
		if several || direct || in == 0 || in*2 < len(pages) || number(seg) {
			return dir, folder != "" && !several
		}
		dir += seg + "/"
		folder = dir
	}
	return dir, true
}

const maxSingle = 16 // folders in each other

// hashed reports folders that spread files and name nothing, as Doxygen's do: "d6", "da".
func hashed(folders []string) bool {
	short, all := map[string]bool{}, map[string]bool{}
	for _, f := range folders {
		if f == "" {
			continue
		}
		if all[f] = true; len(f) <= 2 && strings.Trim(f, "0123456789abcdef") == "" {
			short[f] = true
		}
	}
	return len(short) >= 4 && len(short)*3 > len(all)*2
}

// byHub groups the pages of a site without folders by the page of its menu that leads to
// them: a list of classes, a list of guides. Of several it is the one that leads to most.
// What the base page links to itself belongs to no such page, and a list of
// all pages, or of all names, does not count.
func byHub(pages []Page, index map[string]int, _ string) []string {
	keys := make([]string, len(pages))
	own := map[int]bool{0: true}
	for _, l := range pages[0].Links {
		if i, ok := index[l]; ok {
			own[i] = true
		}
	}
	size := make([]int, len(pages)) // of the list that a page has its key from
	for _, m := range pages[0].Evidence.Menu {
		hub, ok := index[m.URL]
		if !ok || hub == 0 || pages[hub].Secondary && !listsFiles(&pages[hub]) || vague(m.Name) && !opening[plain.Key(m.Name)] || isStep(m.Name) {
			continue
		}
		var to []int
		for _, l := range pages[hub].Links {
			if i, ok := index[l]; ok && !own[i] {
				to = append(to, i)
			}
		}
		if len(to) < 2 || len(to)*10 > len(pages)*7 {
			continue
		}
		for _, i := range to {
			if all := len(pages[hub].Links); size[i] < all {
				keys[i], size[i] = m.Name, all
			}
		}
		keys[hub], size[hub] = m.Name, math.MaxInt
	}
	return keys
}

// folderTitle names a folder by its own name and those of the folders around it, where others have the
// same one: "Contrib: Lids" of "contrib/lids".
func folderTitle(folder string) string {
	var names []string
	for seg := range strings.SplitSeq(folder, "/") {
		names = append(names, segmentTitle(seg))
	}
	return strings.Join(names, ": ")
}
