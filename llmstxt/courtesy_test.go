package llmstxt_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/farwire/farwire/llmstxt"
)

// What the base page says of copying, to those who helped and as a greeting is not the summary.
func TestSummary_CourtesyAndLicence_AreNotTaken(t *testing.T) {
	const says = "A kettle boils water for one cup or for two."
	for _, s := range []string{
		"The authors intend this Report to belong to all who make tea, and so we grant permission to copy and distribute it for any purpose, provided that it is whole.",
		"This document may be copied, in whole or in part, in any form or by any means, as is or with alterations.",
		"A copy of the license is included in the section entitled ‘GNU Free Documentation License’.",
		"Modified versions may also be copied and distributed, if they are clearly marked as such.",
		"Thanks to the users of the kettle for their suggestions, reports and forbearance.",
		"Many thanks also to Ada Doe, who has found the lid and the spout of the first one.",
		"We would like to thank all who have drunk the tea that the first kettles made.",
		"Thank you for taking the time to read about the kettle and its parts.",
		"Welcome to the documentation of the Kettle!",
		"Welcome to the Kettle Guide.",
	} {
		for name, page := range map[string]string{
			"before it": "<p>" + s + "</p><p>" + says + "</p>",
			"with it":   "<p>" + s + " " + says + "</p>",
		} {
			w := &web{pages: map[string]answer{
				"http://docs.test/":    html("<title>Kettle Guide</title><h1>Kettle Guide</h1>" + page + "<ul><li><a href=/lid>Lid</a></ul>"),
				"http://docs.test/lid": html("<title>Lid</title><h1>Lid</h1><p>The lid keeps the steam where it belongs.</p><p>" + s + "</p>"),
			}}
			if got := crawl(t, w, "http://docs.test/", llmstxt.Options{}).Summary; got != says {
				t.Errorf("%s: %q: %q", name, s, got)
			}
		}
	}
	for _, s := range []string{
		"Welcome to the Kettle, which boils water for one cup.",
		"Thanks are what a kettle gets that boils water for all.",
		"Thanksgiving is the day on which most kettles boil water.",
	} {
		if got := one(t, "<title>Kettle Guide</title><h1>Kettle Guide</h1><p>"+s+"</p><p>It has a lid, a spout and a handle, as other kettles do.</p>", llmstxt.Options{}).Note; !strings.HasPrefix(got, s) {
			t.Errorf("%q: %q", s, got)
		}
	}
}

// An introduction that thanks its reader first says what the site is behind that.
func TestSummary_IntroductionThanks_SaysWhatTheSiteIs(t *testing.T) {
	w := &web{pages: map[string]answer{
		"http://docs.test/":        html("<title>Kettle 4.2</title><h1>Kettle 4.2</h1><ul><li><a href=/preface>Preface</a><li><a href=/lid>The lid</a></ul>"),
		"http://docs.test/preface": html("<title>Preface</title><h1>Preface</h1><p>Thank you for taking the time to read about Kettle. This book shows how Kettle boils water for all.</p>"),
		"http://docs.test/lid":     doc("The lid"),
	}}
	if got, want := crawl(t, w, "http://docs.test/", llmstxt.Options{}).Summary, "This book shows how Kettle boils water for all."; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

// A page whose title is the site's name alone is called by its heading, and so is a copy of it.
func TestTitle_SitesNameAlone_IsTheHeadingOfCopiesToo(t *testing.T) {
	w := &web{pages: map[string]answer{}}
	var links string
	add := func(at, title, heading string) {
		w.pages["http://docs.test"+at] = html("<title>" + title + "</title><h1>" + heading + "</h1><p>This page at " + at + " explains what there is to know of it.</p>")
		links += "<li><a href='" + at + "'>" + at + "</a></li>"
	}
	for _, part := range []string{"Lid", "Spout", "Cord", "Base", "Handle", "Filter", "Switch", "Scale"} {
		add("/"+part, "Kettle - "+part, part)
	}
	add("/water", "Kettle", "Boiling the water")
	add("/old/water", "Kettle", "Boiling the water")
	for i := range 3 { // of a template
		add(fmt.Sprint("/more", i, ".html"), "Kettle", "Hot water for you")
	}
	w.pages["http://docs.test/"] = html("<title>Kettle</title><h1>Kettle</h1><p>The kettle boils water, and this is its home.</p><ul>" + links + "</ul>")
	titles := map[string]string{}
	for _, p := range everyWay(t, w, "http://docs.test/", llmstxt.Options{}).Pages {
		titles[strings.TrimPrefix(p.URL, "http://docs.test")] = p.Title
	}
	for at, want := range map[string]string{"/": "Kettle", "/Lid": "Lid", "/water": "Boiling the water", "/old/water": "Boiling the water", "/more1.html": "Kettle"} {
		if titles[at] != want {
			t.Errorf("%s is %q, want %q", at, titles[at], want)
		}
	}
}

// What a generator says of its own pages is not for all, and not a page's words.
func TestGenerated_HelpAndGraphs_SayNothing(t *testing.T) {
	const graph = "This graph shows which files directly or indirectly include this file."
	w := &web{pages: map[string]answer{
		"http://docs.test/":              html("<title>Kettle API</title><h1>Kettle API</h1><p>The kettle boils water for those who call it.</p><ul><li><a href=/help-doc.html>Help</a><li><a href=/lid_8h.html>lid.h</a><li><a href=/pot.html>Pot</a></ul>"),
		"http://docs.test/help-doc.html": html("<title>API Help</title><h1>How This API Document Is Organized</h1><p>This API document has pages corresponding to the items in the navigation bar.</p>"),
		"http://docs.test/lid_8h.html":   html("<title>lid.h File Reference</title><h1>lid.h File Reference</h1><p>" + graph + "</p><h2>Functions</h2><h2>Macros</h2>"),
		"http://docs.test/pot.html":      doc("Pot"),
	}}
	for _, p := range crawl(t, w, "http://docs.test/", llmstxt.Options{}).Pages {
		if strings.Contains(p.Excerpt, graph) || p.Secondary != (p.Title == "API Help") {
			t.Errorf("%s: %q, secondary %t", p.Title, p.Excerpt, p.Secondary)
		}
	}
}

// Badges and the marks of Markdown in a description are not words of a page.
func TestNote_DescriptionOfRustdoc_IsRead(t *testing.T) {
	const says = "Kettle boils water for one cup or for two of them."
	for desc, want := range map[string]string{
		"github crates-io docs-rs":                                              says,
		"Build status, coverage, docs.rs":                                       says,
		"This is [`Lid`][crate::Lid] with a [spout](../spout.html) behind it.":  "This is `Lid` with a spout behind it.",
		"This is [`Lid`] with [two][] spouts behind it.":                        "This is `Lid` with two spouts behind it.",
		"This is an array [a, b] with x[1][2] behind it and (c) as well, maybe": "",
	} {
		p := one(t, "<title>Kettle</title><meta name=description content='"+desc+"'><h1>Kettle</h1><p>"+says+"</p>", llmstxt.Options{})
		if want != "" && p.Note != want {
			t.Errorf("%q: %q, want %q", desc, p.Note, want)
		}
	}
	p := one(t, "<title>Lid</title><meta name=description content='This opens [`Lid`][crate::Lid] and closes it.'><h1>Lid</h1><p>This opens <a href=/><code>Lid</code></a> and closes it. It does so for all.</p>", llmstxt.Options{})
	if want := "This opens Lid and closes it. It does so for all."; p.Excerpt != want {
		t.Errorf("%q, want %q", p.Excerpt, want)
	}
}

// Of frames none of which has a sentence, the page has what they list.
func TestSummary_FramesOfLists_AreTheirOutline(t *testing.T) {
	const plea = "<noframes><p>Your browser does not accept frames. You should go to the <a href=/all>non-frame version</a> instead.</p></noframes>"
	w := &web{pages: map[string]answer{
		"http://docs.test/":      html("<title>The kettle application</title><frameset cols='20%,80%'><frame src=/all><frame src=/list>" + plea + "</frameset>"),
		"http://docs.test/all":   html("<title>The kettle application</title><h1>The kettle application</h1><p>Generated by EDoc</p>"),
		"http://docs.test/list":  html("<title>Modules</title><table><tr><td><a href=/lid>kettle_lid</a></td></tr><tr><td><a href=/spout>kettle_spout</a></td></tr></table>"),
		"http://docs.test/lid":   doc("Module kettle_lid"),
		"http://docs.test/spout": doc("Module kettle_spout"),
	}}
	s := crawl(t, w, "http://docs.test/", llmstxt.Options{})
	if !strings.Contains(s.Summary, "kettle_lid; kettle_spout") || strings.Contains(s.Render(llmstxt.Pages), "does not accept") {
		t.Errorf("%q in\n%s", s.Summary, s.Render(llmstxt.Pages))
	}
	for _, p := range s.Pages {
		if strings.Contains(p.Excerpt, "EDoc") {
			t.Errorf("%s: %q", p.URL, p.Excerpt)
		}
	}
}
