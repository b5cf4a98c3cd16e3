package llmstxt_test

import (
	"testing"

	"github.com/farwire/farwire/llmstxt"
)

// Pages at which a wiki, a forum or a shop has work done are not asked for.
func TestCrawl_ToolsOfASite_AreNotAskedFor(t *testing.T) {
	for _, tool := range []string{
		"/index.php?title=Tea&action=edit", "/index.php?title=Tea&action=history", "/w/index.php?title=Tea&oldid=12", "/wiki/Special:WhatLinksHere/Tea",
		"/wiki/Spezial:Letzte_%C3%84nderungen", "/wiki/%E7%89%B9%E5%88%A5:%E6%9C%80%E8%BF%91", "/wiki/Talk:Tea", "/wiki/User_talk:Ann", "/wiki/Benutzer_Diskussion:Ann",
		"/index.php?title=Special:UserLogin&returnto=Tea", "/wiki/%D0%9E%D0%B1%D1%81%D1%83%D0%B6%D0%B4%D0%B5%D0%BD%D0%B8%D0%B5:Tea",
		"/doku.php?id=tea&do=edit", "/doku.php?id=tea&do=revisions", "/posting.php?mode=reply&t=4", "/ucp.php?mode=login", "/tea/?replytocom=12", "/tea/?add-to-cart=7", "/wp-login.php",
	} {
		w := &web{pages: map[string]answer{
			"http://docs.test/":         doc("Tea wiki", tool, "/wiki/Tea", "/wiki/Help:Contents", "/doku.php?id=tea"),
			"http://docs.test/wiki/Tea": doc("Tea"), "http://docs.test/wiki/Help:Contents": doc("Help on tea"), "http://docs.test/doku.php?id=tea": doc("A tea"),
			"http://docs.test" + tool: doc("A tool for tea"),
		}}
		s := everyWay(t, w, "http://docs.test/", llmstxt.Options{})
		if len(s.Pages) != 4 || w.asked("http://docs.test"+tool) != 0 || s.Stats.Skipped[llmstxt.SkipTool] != 1 {
			t.Errorf("%s: %d pages, want 4; skipped %v", tool, len(s.Pages), s.Stats.Skipped)
		}
	}
}

// A cart or a list of tags that has no sentence is left out and its links are followed;
// one that says something is a page.
func TestCrawl_ToolWithoutWords_IsLeftOut(t *testing.T) {
	const empty = "<title>Nothing here | Kiln</title><main><h1>Nothing here</h1><p>Your list is empty.</p><a href=/mugs>Mugs</a></main>"
	for _, tool := range []string{"/cart", "/checkout/", "/search?q=", "/tags", "/blog/tags/news", "/my-account", "/warenkorb"} {
		w := &web{pages: map[string]answer{"http://docs.test/": doc("Kiln", tool, "/bowls"), "http://docs.test/bowls": doc("Bowls"), "http://docs.test/mugs": doc("Mugs"),
			"http://docs.test" + tool: html(empty)}}
		s := everyWay(t, w, "http://docs.test/", llmstxt.Options{})
		if len(s.Pages) != 3 || reasons(s)[tool] != llmstxt.SkipTool {
			t.Errorf("%s: %d pages, want 3; %v", tool, len(s.Pages), reasons(s))
		}
		w.pages["http://docs.test"+tool] = doc("How this part of the shop works", "/mugs")
		if s := everyWay(t, w, "http://docs.test/", llmstxt.Options{}); len(s.Pages) != 4 {
			t.Errorf("%s with words: %d pages, want 4; %v", tool, len(s.Pages), reasons(s))
		}
	}
}
