package describe

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/farwire/farwire/llmstxt/internal/htmlpage"
	"github.com/farwire/farwire/llmstxt/internal/plain"
)

// A base page that only leads to other pages. It has no words on the site, and what
// stands beside its links is about the pages behind them. So another page tells what
// the site is: the one that introduces it, or one that says "Kettle is …". Where
// no page does, the site's name and its sections are the note.

// leastQuoted is how many links with words about them show that a base page quotes
// the pages that it leads to.
const leastQuoted = 2

// leastRows is how many terms and cells that are links make a list of pages, however few have words beside them.
const leastRows = 4

// quoted reports for each block of a base page whether it is about a page to which a
// link before it, or at its beginning, leads; nil if the page has no such list.
func quoted(p *Page) []bool {
	blocks := p.Evidence.Blocks
	out := make([]bool, len(blocks))
	heads, rows, cells, under := 0, 0, false, false
	last, before := -1, -1 // the last two blocks with text
	link := func(i int) bool { return i >= 0 && blocks[i].Links >= 90 }
	titles := 0 // that are links: one may be the site's name, several are those of posts
	for i, b := range blocks {
		if b.Kind == htmlpage.Title && link(i) {
			titles++
		}
	}
	for i, b := range blocks {
		if b.Kind == htmlpage.Omitted {
			continue
		}
		own := false // it has the link in it
		cells = cells && b.Kind == htmlpage.Cell
		switch b.Kind {
		case htmlpage.Title, htmlpage.Heading, htmlpage.Term:
			if b.Kind == htmlpage.Title && titles < leastQuoted {
				under = false
				break
			}
			if under = link(i) && plain.Key(b.Text) != plain.Key(p.Title); under && b.Kind == htmlpage.Term {
				rows++
			}
		case htmlpage.Cell:
			own = !link(i) && b.Links > 0 && begins(b.Text, p)
			out[i] = own || (cells || under) && !link(i)
			cells = cells || link(i)
			if link(i) {
				rows++
			}
		default:
			// Of a menu the last link is before the text, and another one before that.
			after := link(last) && !link(before) && (blocks[last].Kind == htmlpage.Item || blocks[last].Kind == htmlpage.Paragraph)
			own = !link(i) && b.Links > 0 && begins(b.Text, p)
			out[i] = own || !link(i) && (under || after)
		}
		if own || out[i] && (last < 0 || !out[last]) {
			heads++
		}
		before, last = last, i
	}
	if heads < leastQuoted && (heads == 0 || rows < leastRows) {
		return nil
	}
	return out
}

// begins reports a text that begins with the words of one of its page's links, which are
// not the site's name.
func begins(text string, p *Page) bool {
	return slices.ContainsFunc(p.Evidence.Anchors, func(a string) bool {
		if !plain.StartsWith(text, a) {
			return false
		}
		for w := range strings.FieldsFuncSeq(strings.ToLower(a), notWord) {
			if !hasWord(strings.ToLower(p.Title), w) {
				return true
			}
		}
		return false
	})
}

// introduce gives a base page without words of its own a note that describes the site.
// Its excerpt stays what stands on it, if that is more than its title.
func (d *describer) introduce(pages []Page, title string, sections []string, alias map[string]string) {
	base := &pages[0]
	if len(pages) < 2 || !base.outlined && plain.Key(base.Note) != plain.Key(title) {
		return
	}
	empty := plain.Key(base.Excerpt) == plain.Key(base.Title) || plain.Key(base.Excerpt) == plain.Key(title)
	text := introduction(pages, title, alias)
	describe := func(limit int) string {
		if text == "" {
			return d.contents(pages, title, sections, limit)
		}
		return plain.Cut(text, limit)
	}
	base.Note = describe(min(NoteLength, d.limit))
	if empty {
		base.Excerpt = plain.GuardLines(describe(d.limit), d.limit)
	}
}

// contents is a site's name and what it has: its sections where the base page names them,
// else what stands on the base page, else the titles of its pages.
func (d *describer) contents(pages []Page, title string, sections []string, limit int) string {
	base := &pages[0]
	begin := strings.TrimRight(title, " .:;,") + ": "
	room := limit - utf8.RuneCountInString(begin)
	if room < 20 {
		return d.outline(base, limit)
	}
	said := map[string]bool{}
	for _, b := range base.Evidence.Blocks {
		said[plain.Key(b.Text)] = true
	}
	for _, g := range base.Evidence.Nav {
		said[plain.Key(g.Name)] = true
	}
	for _, m := range base.Evidence.Menu {
		said[plain.Key(m.Name)] = true
	}
	var parts []string
	for _, s := range sections {
		if s != All && s != General && s != Rest && s != Optional && said[plain.Key(s)] {
			parts = append(parts, s)
		}
	}
	if len(parts) < 2 || len(parts) < len(sections)/2 {
		list := d.outline(base, room)
		if rest, ok := strings.CutPrefix(list, strings.TrimRight(title, " .:;,")+"; "); ok {
			list = rest
		}
		if plain.Key(list) != plain.Key(base.Title) {
			return begin + list
		}
		parts = nil
		for i := range pages[1:] {
			if p := &pages[i+1]; !p.Secondary && !slices.Contains(parts, p.Title) {
				parts = append(parts, strings.TrimRight(p.Title, ".:;,"))
			}
		}
	}
	if len(parts) == 0 {
		return d.outline(base, limit)
	}
	return begin + inALine(parts, room)
}

// inALine is as many of some words as have room, as a sentence.
func inALine(parts []string, limit int) string {
	text, runes := "", 0
	for i, t := range parts {
		n := utf8.RuneCountInString(t) + 2
		if i > 0 && runes+n > limit {
			break
		}
		if i > 0 {
			text += "; "
		}
		text += t
		runes += n
	}
	if plain.IsComplete(text) {
		return plain.Cut(text, limit)
	}
	return plain.Cut(asSentence(text), limit)
}

// introduction is what one of the pages to which the base page leads says of the site, ""
// if none does.
func introduction(pages []Page, title string, alias map[string]string) string {
	base := &pages[0]
	linked := map[string]bool{}
	for _, l := range base.Links {
		linked[l] = true
		linked[alias[l]] = true
	}
	name := bareName(title)
	best, rank, introductory := "", 0, 0
	for i := range pages[1:] {
		p := &pages[i+1]
		if p.Secondary || p.outlined || len(linked) > 0 && !linked[p.URL] {
			continue
		}
		intro := introduces(p.Title, name)
		if intro {
			introductory++
		}
		for n, s := range firstSentences(p.Excerpt) {
			r := 0
			switch {
			case defines(s, name, copulas, articles):
				r = 4
				if intro {
					r = 5
				}
			case intro && (defines(s, name, copulas, nil) || defines(s, name, offers, nil)):
				r = 4
			case !intro || n > 0 || leads(s) || !plain.IsComplete(s) || utf8.RuneCountInString(s) < 25 && !spaceless(s):
			case !topic(s, name):
				r = 3
			default:
				r = 1
			}
			if r > rank {
				best, rank = s, r
			}
		}
	}
	// Of several products each has an introduction of its own.
	if rank == 1 && introductory > 1 {
		return ""
	}
	return best
}

// firstSentences are those that an excerpt begins with.
func firstSentences(excerpt string) []string {
	var out []string
	for line := range strings.Lines(plain.UnescapeLines(excerpt)) {
		for _, s := range plain.Sentences(line) {
			if s = strings.TrimSpace(s); s != "" && !thanks(s) && len(out) < 6 {
				out = append(out, s)
			}
		}
	}
	return out
}

// bareName is a site's name without its version and without the kind of its book.
func bareName(title string) string {
	if n := strings.Index(title, " ("); n > 0 {
		title = title[:n]
	}
	var words []string
	for w := range strings.FieldsSeq(title) {
		k := plain.Key(w)
		digits := strings.TrimLeft(k, "v") != "" && strings.Trim(strings.TrimLeft(k, "v"), "0123456789") == ""
		if k != "" && !digits && !bookWords[k] {
			words = append(words, strings.Trim(w, ",;:"))
		}
	}
	return strings.Join(words, " ")
}

// bookWords are in the titles of documentation and in no name.
var bookWords = plain.Set(`the of and a an for manual manuals guide guides reference references handbook tutorial tutorials help api docs doc documentation user users
	developer developers book home homepage welcome to official version release der die das und von zu handbuch dokumentation anleitung referenz benutzerhandbuch le la les des de du et
	manuel documentación manuale documentazione documentação руководство документация справочник`)

// defines reports a sentence that says what something of a name is: "Kettle is a tool …": with
// one of some verbs behind the name, and one of some words behind that, if there are any.
func defines(s, name string, verbs, then map[string]bool) bool {
	if name == "" {
		return false
	}
	for _, article := range []string{"", "The "} {
		rest, ok := strings.CutPrefix(s, article)
		if !ok || len(rest) <= len(name) || !strings.EqualFold(rest[:len(name)], name) {
			continue
		}
		rest = rest[len(name):]
		// A short form or other names may stand between: "Kettle (KTL) is …".
		if strings.HasPrefix(rest, " (") {
			if i := strings.IndexByte(rest, ')'); i > 0 && i < 60 {
				rest = rest[i+1:]
			}
		}
		if word, after, more := strings.Cut(strings.TrimLeft(rest, " ,"), " "); more && strings.HasPrefix(rest, " ") && verbs[word] {
			next, _, _ := strings.Cut(after, " ")
			return plain.IsComplete(s) && (then == nil || then[next])
		}
		for _, c := range []string{"是", "は", "란", "은", "는"} {
			if strings.HasPrefix(strings.TrimLeft(rest, " "), c) {
				return plain.IsComplete(s)
			}
		}
	}
	return false
}

// copulas are the words between a name and what it is, offers those before what it does.
var (
	copulas = plain.Set("is are ist sind est sont es son è sono é são zijn är er on jest to — – -")
	// articles come behind a copula in a definition: "is a tool", not "is easy to use".
	articles = plain.Set("a an the one ein eine der die das un une le la les uno una el il lo um uma o een to это")
	offers   = plain.Set("provides offers allows lets helps makes bietet ermöglicht permet offre permite ofrece consente oferece biedt")
)

// introduces reports the title of a page that tells what its site is about.
func introduces(title, name string) bool {
	k := plain.Key(title)
	if introductions[k] {
		return true
	}
	words := strings.Fields(strings.ToLower(strings.TrimRight(title, "?!. ")))
	for _, begin := range introBegins {
		rest := words
		for w := range strings.FieldsSeq(begin) {
			if len(rest) == 0 || rest[0] != w {
				rest = nil
				break
			}
			rest = rest[1:]
		}
		if len(rest) > 0 && (ownWords[rest[0]] || name != "" && !topic(strings.Join(rest, " "), name)) {
			return true
		}
	}
	return false
}

// introBegins begin the titles of introductions, before the site's name.
var introBegins = []string{"about", "introduction to", "introducing", "overview of", "an overview of", "welcome to", "what is", "what are", "why", "was ist", "über", "einführung in",
	"qu'est-ce que", "à propos de", "présentation de", "qué es", "acerca de", "introducción a", "che cos'è", "cos'è", "introduzione a", "o que é", "sobre o", "sobre a", "wat is", "co to jest", "что такое", "о"}

// ownWords begin what a site calls itself.
var ownWords = plain.Set("this these the us our we dieses diese diesen uns ce cette este esta questo questa deze dit")

// introductions are the titles of pages that tell what their site is about.
var introductions = plain.Set(`about aboutus introduction intro overview preface foreword readme whatisthis
	einführung einleitung übersicht überblick vorwort überuns introducción presentación acercade prefacio prólogo àpropos présentation avantpropos préface
	introduzione panoramica prefazione chisiamo introdução apresentação sobre prefácio visãogeral inleiding overzicht voorwoord over
	wprowadzenie wstęp przedmowa введение обзор предисловие опроекте онас вступ огляд úvod předmluva bevezetés introducere giriş önsöz hakkında johdanto introduktion indledning innledning
	はじめに 概要 序文 介绍 简介 概述 序言 前言 关于 關於 簡介 소개 개요 머리말 مقدمة`)
