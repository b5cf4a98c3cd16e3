package llmstxt_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/farwire/farwire/llmstxt"
)

func TestCrawl_PageSentAsXHTML_IsReadAsXML(t *testing.T) {
	for _, own := range []string{`<script src="x.js"/>`, `<title/>`, `<iframe src="/menu"/>`, `<style type="text/css"/>`, `<noscript/>`, `<textarea/>`, `<script>//<![CDATA[` + "\nx\n" + `//]]></script>`, ""} {
		page := `<?xml version="1.0" encoding="UTF-8"?><!DOCTYPE html><html xmlns="http://www.w3.org/1999/xhtml" xml:lang="en"><head>` + own + `<title>Kettle &amp; pot</title></head>` +
			`<body><a id="top"/><div/><h1>Kettle</h1><p><![CDATA[` + gadget + ` It takes < 1 minute.]]></p><p><a href="/pour">Pour</a></p></body></html>`
		for _, kind := range []string{"application/xhtml+xml", "Application/XHTML+XML; charset=utf-8"} {
			w := &web{pages: map[string]answer{"http://docs.test/": {body: page, header: map[string]string{"Content-Type": kind}}, "http://docs.test/pour": doc("Pour")}}
			s := everyWay(t, w, "http://docs.test/", llmstxt.Options{})
			if got := urls(s); !slices.Equal(got, []string{"/", "/pour"}) || !strings.Contains(s.Pages[0].Excerpt, "It takes < 1 minute.") || own != "<title/>" && s.Title != "Kettle & pot" {
				t.Errorf("%s, %s: %v, %q: %q", own, kind, got, s.Title, s.Pages[0].Excerpt)
			}
		}
	}
}
