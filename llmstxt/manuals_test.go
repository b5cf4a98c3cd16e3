package llmstxt_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/farwire/farwire/llmstxt"
)

// What generators of manuals write that is not about a page.

func TestExcerpt_GeneratedData_IsNotTaken(t *testing.T) {
	for _, said := range []string{
		"declaration: package: org.example.tea", "tree: package: org.example", "use: package: org.example, class: Pot",
		"declaration: package: a.b, annotation type: Pot", "declaration: module: tea, package: a.b, enum class: Pot", "use: package: a.b, record class: Pot",
		"module: tea, version: 1.2", "use: package: a.b, class: Pots, interface: Lid.",
	} {
		p := one(t, "<title>Pot</title><meta name=description content='"+said+"'><main><h1>Pot</h1><p>"+gadget+"</p></main>", llmstxt.Options{})
		if p.Excerpt != gadget || p.Note != gadget {
			t.Errorf("%s: %q, note %q", said, p.Excerpt, p.Note)
		}
	}
	for _, said := range []string{"Tea: how it is made", "Tea pots: clay, their lids: cork", "Guide: pots, lids and cups", "Everything about tea, class by class"} {
		if p := one(t, "<title>Pot</title><meta name=description content='"+said+"'><main><h1>Pot</h1><p>"+gadget+"</p></main>", llmstxt.Options{}); p.Note != said+"." {
			t.Errorf("%q, want %q", p.Note, said)
		}
	}
}

func TestExcerpt_Licence_IsLeftOut(t *testing.T) {
	for _, said := range []string{
		"Copyright © 2020 Jane Doe and the others who wrote this.", "Copyright (c) 2001, 2002 by nobody in particular.",
		"This manual is free software; you may redistribute it and/or modify it as you like.", "Permission is granted to copy this document as it is.",
		"Use, modification and distribution is subject to the Boost Software License, Version 1.0.", "This work is licensed under a Creative Commons licence.",
	} {
		if p := one(t, "<title>Tea</title><main><h1>Tea</h1><p>"+said+"</p><p>"+gadget+"</p></main>", llmstxt.Options{}); p.Excerpt != gadget {
			t.Errorf("%q", p.Excerpt)
		}
		// A page that says nothing else is about it.
		if p := one(t, "<title>Licence</title><main><h1>Licence</h1><p>"+said+"</p></main>", llmstxt.Options{}); p.Excerpt != said {
			t.Errorf("%q, want %q", p.Excerpt, said)
		}
	}
	for _, class := range []string{"legalnotice", "releaseinfo", "authorgroup", "revhistory"} {
		if p := one(t, "<title>Tea</title><div class=titlepage><h1>Tea</h1><div class="+class+"><p>Jane Doe wrote this in a long winter of that year.</p></div></div><p>"+gadget+"</p>", llmstxt.Options{}); p.Excerpt != gadget {
			t.Errorf("%s: %q", class, p.Excerpt)
		}
	}
}

func TestExcerpt_TextWithoutParagraphs_IsRead(t *testing.T) {
	const first = "The gadget is a comprehensive and portable machine which turns water into tea, and into coffee for those who like that more. It is robust, and it scales up to a whole office on a cold day."
	for _, page := range []string{
		"<div class=title>Tea</div><div class=abstract><div>Abstract</div> " + first + "\n<p>" + gadget + "\n<p>It has one spout, at its side.</div>",
		"<table><tr><td>" + first + "</td></tr></table><p>" + gadget + "</p>",
		"<b>Tea</b><br>" + first + "<p>" + gadget,
	} {
		if p := one(t, "<title>The manual</title><body>"+page, llmstxt.Options{}); !strings.HasPrefix(strings.TrimPrefix(p.Excerpt, "Tea "), "The gadget is a comp") {
			t.Errorf("%q from %s", p.Excerpt, page)
		}
	}
}

func TestExcerpt_NoSentence_EndsLikeOne(t *testing.T) {
	for _, text := range []string{
		"This module describes the structures found in a pot, as well as what may be done with them in a kitchen",
		"interface for all pots which are made of iron, and of those of clay that are fired twice in an oven,",
	} {
		if p := one(t, "<title>Pot</title><main><h1>Pot</h1><p>"+text+"</p></main>", llmstxt.Options{}); p.Excerpt != strings.TrimRight(text, ",")+"." {
			t.Errorf("%q", p.Excerpt)
		}
	}
}

// A base page without prose has the description that all pages share.
func TestExcerpt_BasePageWithoutProse_HasTheSitesDescription(t *testing.T) {
	const said = "Tea is a machine for kitchens of any size"
	w := &web{pages: map[string]answer{"http://docs.test/": html("<title>Tea</title><meta name=description content='" + said + "'><div>Expand/Collapse all Chapters</div><ul><li><a href=/a>a</a><li><a href=/b>b</a></ul>")}}
	for _, l := range []string{"a", "b"} {
		w.pages["http://docs.test/"+l] = inHead(doc("Part "+l), "<meta name=description content='"+said+"'>")
	}
	s := everyWay(t, w, "http://docs.test/", llmstxt.Options{})
	if s.Summary != said+"." {
		t.Errorf("summary %q", s.Summary)
	}
	for _, p := range s.Pages[1:] {
		if strings.Contains(p.Excerpt, said) {
			t.Errorf("%s: %q", p.URL, p.Excerpt)
		}
	}
}

func TestTitles_NumberAlone_HeadingIsTaken(t *testing.T) {
	for _, kind := range []string{"Section 1.%d", "Chapter %d", "Kapitel %d", "§ Page %d"} {
		w := &web{pages: map[string]answer{"http://docs.test/": doc("Tea manual", "/1", "/2", "/3")}}
		for i := 1; i < 4; i++ {
			w.pages[fmt.Sprintf("http://docs.test/%d", i)] = html(fmt.Sprintf("<title>Tea manual: "+kind+"</title><h2>1.%d How %s is made</h2><p>%s It was made %d times.</p>", i, i, word(i), gadget, i))
		}
		for i, p := range everyWay(t, w, "http://docs.test/", llmstxt.Options{}).Pages[1:] {
			if want := fmt.Sprintf("1.%d How %s is made", i+1, word(i+1)); p.Title != want {
				t.Errorf("%s: %q, want %q", kind, p.Title, want)
			}
		}
	}
}

// What stands before a form, in it, or leads past the navigation names no list.
func TestSections_FormsAndSkipLinks_NameNothing(t *testing.T) {
	for _, before := range []string{
		"<div>9.18.49-1~deb12u3</div><div role=search><form><input></form></div>",
		"<form><label>Search:</label><input></form>", "<a href='#nav-top'>Skip navigation links</a>", "<a href='#c'>Zum Inhalt springen</a>",
		"<a href='#content'>Aller au contenu</a>", "<a href='#m'>跳到主要内容</a>", "<a href='#m'>Jump to content</a>",
	} {
		w := &web{pages: map[string]answer{}}
		list := func(from, to int) (out string) {
			for i := from; i < to; i++ {
				l := "/" + word(i) + ".html"
				w.pages["http://docs.test"+l] = doc("Page " + word(i))
				out += "<li><a href=" + l + ">" + word(i) + "</a>"
			}
			return "<ul>" + out + "</ul>"
		}
		w.pages["http://docs.test/"] = html("<title>Tea</title><nav>" + before + list(0, 3) + "<p>Cups</p>" + list(3, 6) + "<p>Pots</p>" + list(6, 9) + "</nav><main><h1>Tea</h1><p>" + gadget + "</p></main>")
		if got, want := contents(t, w, "http://docs.test/"), "General 3, Cups 3, Pots 3"; got != want {
			t.Errorf("%s: %s, want %s", before, got, want)
		}
	}
}

func TestSections_Sources_AreOptional(t *testing.T) {
	for _, dir := range []string{"/_modules/tea/%s.html", "/files/%s_8h_source.html"} {
		w := &web{pages: map[string]answer{}}
		links := []string{"/start", "/cups"}
		for i := range 3 {
			l := fmt.Sprintf(dir, word(i))
			links = append(links, l)
			w.pages["http://docs.test"+l] = doc("Source of " + word(i))
		}
		w.pages["http://docs.test/start"], w.pages["http://docs.test/cups"] = doc("Start here now"), doc("Cups")
		w.pages["http://docs.test/"] = doc("Tea", links...)
		if got, want := contents(t, w, "http://docs.test/"), "Pages 2, Optional 3"; got != want {
			t.Errorf("%s: %s, want %s", dir, got, want)
		}
	}
}

func TestSections_HeadingsInNavigation_NameWhatFollows(t *testing.T) {
	for _, kind := range []struct{ head, link string }{
		{"<section><div role=button><h2 class=text>%s</h2></div>", "<div><a href=%s><p>%[2]s</p></a></div>"},
		{"<h3>%s</h3>", "<a href=%s>%[2]s</a> "},
		{"<div><h5><span>%s</span></h5></div>", "<p><a href=%s>%[2]s</a></p>"},
	} {
		w := &web{pages: map[string]answer{}}
		nav, n := "", 0
		for _, group := range []string{"Introduction", "Writing", "Reference"} {
			nav += fmt.Sprintf(kind.head, group)
			for range 2 {
				l := "/" + word(n) + ".html"
				w.pages["http://docs.test"+l] = doc("Page " + word(n))
				nav += fmt.Sprintf(kind.link, l, word(n))
				n++
			}
		}
		w.pages["http://docs.test/"] = html("<title>Tea</title><aside><nav>" + nav + "</nav></aside><main><h1>Tea</h1><p>" + gadget + "</p></main>")
		if got, want := contents(t, w, "http://docs.test/"), "Introduction 2, Writing 2, Reference 2"; got != want {
			t.Errorf("%s: %s, want %s", kind.head, got, want)
		}
	}
}

// The page that has the navigation is in its list too.
func TestSections_PageWithTheNavigation_IsInItsList(t *testing.T) {
	w := &web{pages: map[string]answer{}}
	nav, n := "", 0
	for _, group := range []string{"Introduction", "Writing", "Reference"} {
		nav += "<h2>" + group + "</h2>"
		for range 3 {
			nav += fmt.Sprintf("<a href=/%s.html>%[1]s</a>", word(n))
			n++
		}
	}
	for i := range n {
		a := doc("Page " + word(i))
		a.body = strings.Replace(a.body, "<main>", "<nav>"+nav+"</nav><main>", 1)
		w.pages["http://docs.test/"+word(i)+".html"] = a
	}
	w.pages["http://docs.test/"] = doc("Tea", "/"+word(0)+".html")
	if got, want := contents(t, w, "http://docs.test/"), "Introduction 3, Writing 3, Reference 3"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

// A description that only puts the title into words, as generators have it, says nothing.
func TestExcerpt_TitleInWords_IsNotTaken(t *testing.T) {
	for _, form := range []string{"API documentation for the Rust `%s` struct in crate `tea`.", "Learn how %s works here", "declaration: %s of many"} {
		w := &web{pages: map[string]answer{}}
		var links []string
		for i := range 6 {
			name := "pot" + word(i)
			links = append(links, "/"+name)
			w.pages["http://docs.test/"+name] = inHead(doc(name), "<meta name=description content='"+fmt.Sprintf(form, name)+"'>")
		}
		w.pages["http://docs.test/"] = doc("Tea", links...)
		for _, p := range everyWay(t, w, "http://docs.test/", llmstxt.Options{}).Pages {
			if !strings.HasPrefix(p.Note, "This page explains") {
				t.Errorf("%s: %q", p.URL, p.Note)
			}
		}
	}
	for _, said := range []string{"Description will go into a meta tag in &lt;head /&gt;", "Web site created using create-react-app", "Just another WordPress site"} {
		if p := one(t, "<title>Tea</title><meta name=description content='"+said+"'><main><h1>Tea</h1><p>"+gadget+"</p></main>", llmstxt.Options{}); p.Note != gadget {
			t.Errorf("%q", p.Note)
		}
	}
}

func TestSections_PartsOfAnIndex_AreOptional(t *testing.T) {
	for path, want := range map[string]bool{
		"/index-a.html": true, "/index_Z": true, "/lib/index-12.html": true, "/api/index-7": true, "/index-%C3%A4": true,
		"/indexes": false, "/String/indexOf": false, "/api/index_of": false, "/index-of": false, "/indexer": false, "/indexed.html": false, "/index2": false, "/indexa": false,
	} {
		w := &web{pages: map[string]answer{"http://docs.test/": doc("Kettle", path, "/pots"), "http://docs.test/pots": doc("Pots"), "http://docs.test" + path: doc("Names")}}
		s := crawl(t, w, "http://docs.test/", llmstxt.Options{})
		if len(s.Pages) != 3 || s.Pages[1].Secondary != want {
			t.Errorf("%s: %v, want secondary %t", path, urls(s), want)
		}
	}
}
