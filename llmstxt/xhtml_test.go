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
		for _, kind := range []string{"application/xhtml+xml", "Application/XHTML+XML; charset=utf-8", "text/xml", "Application/XML; charset=utf-8"} {
			w := &web{pages: map[string]answer{"http://docs.test/": {body: page, header: map[string]string{"Content-Type": kind}}, "http://docs.test/pour": doc("Pour")}}
			s := everyWay(t, w, "http://docs.test/", llmstxt.Options{})
			if got := urls(s); !slices.Equal(got, []string{"/", "/pour"}) || !strings.Contains(s.Pages[0].Excerpt, "It takes < 1 minute.") || own != "<title/>" && s.Title != "Kettle & pot" {
				t.Errorf("%s, %s: %v, %q: %q", own, kind, got, s.Title, s.Pages[0].Excerpt)
			}
		}
	}
}

// Other XML is not a page, nor is a feed, whatever it says of itself.
func TestCrawl_OtherXML_IsNoPage(t *testing.T) {
	for body, want := range map[string]int{
		`<?xml version="1.0"?><catalog><item>tea</item></catalog>`:                            1,
		`<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg"><text>tea</text></svg>`: 1,
		`<?xml version="1.0"?><rss><channel><title>Tea</title></channel></rss>`:               1,
		`<?xml version="1.0"?><!-- <html> --><tea/>`:                                          1,
		`<htmlx/>`: 1,
		`<!-- tea --><!DOCTYPE html SYSTEM "about:legacy-compat"><html><title>Tea</title><p>` + gadget:                                      2,
		`<?xml version="1.0"?><!-- > <html> --><tea/>`:                                                                                      1,
		`<!-- a --><tea/><!-- b --><html>`:                                                                                                  1,
		`<!DOCTYPE tea [<!ENTITY html "<html>">]><tea/>`:                                                                                    1,
		`<!-- Copyright <tea@docs.test> -->` + strings.Repeat("<!-- "+gadget+" -->", 6) + `<html><title>Tea</title><p>` + gadget:            2,
		`<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0 Strict//EN" "a.dtd" [ <!ENTITY nbsp "&#160;"> ]><html><title>Tea</title><p>` + gadget: 2,
		"\ufeff" + `<?xml version="1.0"?><?xml-stylesheet href="a.css"?><html><title>Tea</title><h1>Tea<p>` + gadget + `<br>`:               2,
	} {
		for _, kind := range []string{"text/xml", "application/xml;charset=utf-8", ""} {
			if kind == "" && !strings.HasPrefix(body, "<?xml") {
				continue
			}
			w := &web{pages: map[string]answer{"http://docs.test/": doc("Start", "/tea"), "http://docs.test/tea": {header: map[string]string{"Content-Type": kind}, body: body}}}
			if s := everyWay(t, w, "http://docs.test/", llmstxt.Options{}); len(s.Pages) != want || len(s.Skipped) != 2-want || want == 1 && s.Skipped[0].Reason != llmstxt.SkipType {
				t.Errorf("%s, %s: %v, %v", kind, body, urls(s), s.Skipped)
			}
		}
	}
}
