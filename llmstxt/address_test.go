package llmstxt_test

import (
	"strings"
	"testing"

	"github.com/farwire/farwire/llmstxt"
)

// No text of an answer leads where its source does not.
func TestAnswer_ForeignAddress_IsRefused(t *testing.T) {
	w := &web{pages: map[string]answer{
		"http://docs.test/":    doc("Guide", "/one", "/two"),
		"http://docs.test/one": html("<title>One</title><p>" + withAddresses),
		"http://docs.test/two": doc("Two"),
	}}
	s := crawl(t, w, "http://docs.test/", llmstxt.Options{})
	for i, foreign := range []string{
		"Go to https://evil.test/.",
		"Go to HTTPS://EVIL.TEST/.",
		"Go to https:/evil.test/.",
		`Go to https:\\evil.test\.`,
		`Go to https:\/\/evil.newtld.`,
		"Go to https:evil.",
		"Go to https://evil.",
		"Go to //evil.academy now.",
		"Go to http://[2001:db8::1]/.",
		"Go to http://2130706433/.",
		"Go to 192.0.2.1 now.",
		"Go to 192.0.2.1:8080/x now.",
		"Go to evil.com now.",
		"Go to Evil.COM now.",
		"Go to evil.academy now.",
		"Go to evil.com. Now.",
		"Go to evil.com, now.",
		"(evil.com)",
		"\"evil.com\"",
		"Go to evil.newtld/now.",
		"Go to evil.newtld:443 now.",
		"Go to www.evil now, or www.evil.newtld.",
		"Go to evil.co.uk now.",
		"Go to evil.github.io now.",
		"Go to ftp://evil.test/ now.",
		"Go to custom-scheme://evil now.",
		"Write to me@evil.test now.",
		"Write to mailto:me now.",
		"Call tel:+1234567.",
		"javascript:alert(1)",
		"JavaScript:alert(1)",
		"data:text/html,x",
		"vbscript:x",
		"urn:evil:x",
		"Take [this](https://evil.test/).",
		"Take [this](//evil).",
		"Take [this](/evil).",
		"Take [this]( <evil> ).",
		"Take [this](evil \"title\").",
		"Take ![this](x.png).",
		"Take [this][1].\n\n[1]: /evil",
		"Take [this][1].\n\n[1]:\n/evil",
		"Take [this][1].\n\n   [1]: <evil>",
		"Take <a href=evil>this</a>.",
		"Take <A HREF='//evil'>this",
		"Take <img src=x onerror=y>.",
		"Take <script>this</script>.",
		"Take <!-- this --> now.",
		"Take <https://evil.test> now.",
		"Take <evil:x> now.",
		"Take &lt;script> now.",
		"Go to https&colon;//evil.newtld now.",
		"Go to https&#58;&#x2f;/evil.newtld now.",
		"Go to evil&period;com now.",
		"Go to evil\\.com now.",
		"Go to evil**.**com now.",
		"Go to **evil**.com now.",
		"Go to `evil`.com now.",
		"Go to _www.evil.com_ now.",
		"Go to __www.evil.newtld__ now.",
		"Go to _evil.com_.",
		"Go to (*_evil.com_*) now.",
		"Go to _evil_.com now.",
		"Go to evil._com_ now.",
		"Write to _me@evil.com_ now.",
		"Go to _slack:open_ now.",
		"Go to x_www.evil.newtld now.",
		"Go to e\u200bvil.c\u200dom now.",
		"Go to evil\u2060.com now.",
		"Go to evil\u00ad.com now.",
		"Go to evil\ufe0f.com now.",
		"Go to \u202ehttps://moc.live now.",
		"Go to evil。com now.",
		"Go to evil．com now.",
		"Go to evil｡com now.",
		"Go to evil․com now.",
		"Go to ｅｖｉｌ．ｃｏｍ now.",
		"Go to ｈｔｔｐｓ：／／ｅｖｉｌ now.",
		"Go to 𝐞𝐯𝐢𝐥.𝐜𝐨𝐦 now.",
		"Go to ⓔⓥⓘⓛ.ⓒⓞⓜ now.",
		"Go to gооd.test now.", // Cyrillic о
		"Go to пример.рф now.",
		"Go to 例子。中国 now.",
		"Go to xn--e1afmkfd.xn--p1ai now.",
		"Go to https%3A%2F%2Fevil.test now.",
		"https://docs.test@evil.test/",
		"https://docs.test:pass@evil.test/",
		"https://good.test/more@evil.test",
		"https://good.test.evil.test/more",
		"https://evil.test/?https://good.test/more",
		"https://evil.test#https://good.test/more",
		"https://good.test。evil.com/",
		`https://good.test\@evil.test/`,
		"https://good.test/more/evil",
		"https://good.test/more?evil",
		"https://good.test/more#evil",
		"https://good.test/mor",
		"https://good.test/MORE",
		"http://good.test/more",
		"ahttps://good.test/more",
		"https://good.test:8080/more",
		"https://sub.good.test/more",
		"notgood.test",
		"good.example/x?y=2",
		"docs.test/evil",
		"http://docs.test/start",
		"localhost:9090",
		"localhost/evil",
		"[x](https://good.test/more) [y](https://evil.test)",
		"Some \u202eturned words.",
		"Some \u2066isolated words.",
		"\u2800\u2800",
		"\u3164",
		"...",
	} {
		try := func(where string, l llmstxt.Layout, edit func(*llmstxt.Document)) {
			t.Helper()
			// Each page is a part of its own, and each is to be refused.
			out, log := enhance(s, l, llmstxt.EnhanceOptions{Size: 1}, func(_ llmstxt.Part, f *llmstxt.Document) (string, error) {
				edit(f)
				return f.Render(l), nil
			})
			if parts := map[llmstxt.Layout]int{llmstxt.Pages: 3, llmstxt.Index: 2}[l]; len(log) != parts || out != s.Render(l) {
				t.Errorf("%s: %q is accepted as %s: %q", l, foreign, where, log)
			}
		}
		try("a text", llmstxt.Pages, func(f *llmstxt.Document) { f.Sections[0].Entries[0].Text = foreign })
		if strings.ContainsAny(foreign, "\\[") {
			continue // a title has neither links nor escapes
		}
		try("a note", llmstxt.Index, func(f *llmstxt.Document) { f.Sections[0].Entries[0].Text = foreign })
		switch i % 3 {
		case 0:
			try("a page's title", llmstxt.Index, func(f *llmstxt.Document) { f.Sections[0].Entries[0].Title = foreign })
		case 1:
			try("the file's title", llmstxt.Pages, func(f *llmstxt.Document) { f.Title = foreign })
		case 2:
			try("a section's name", llmstxt.Index, func(f *llmstxt.Document) { f.Sections[0].Name = foreign })
		}
	}
}

// Nothing is there that nobody sees.
func TestAnswer_InvisibleCharacters_AreRefused(t *testing.T) {
	s := guide(t)
	for _, hidden := range []string{"\u200b", "\u200d", "\u2060", "\ufeff", "\u202e", "\u2066", "\u061c", "\U000e0041", "\ufe01", "\x00", "\x1b[31m", "\x0b", "\x1c", "\u0085", "\u2028", "\u2029", "\u3164", "\u2800", "\u034f"} {
		for _, l := range []llmstxt.Layout{llmstxt.Pages, llmstxt.Index} {
			for _, at := range []string{"One", "Guide", "explains Get"} {
				out, log := enhance(s, l, llmstxt.EnhanceOptions{}, func(p llmstxt.Part, _ *llmstxt.Document) (string, error) {
					changed := strings.Replace(p.Text, at, at+hidden+"x", 1)
					if changed == p.Text {
						t.Errorf("no %s in %s", at, p.Text)
					}
					return changed, nil
				})
				if len(log) == 0 || out != s.Render(l) {
					t.Errorf("%s: %q behind %q is accepted", l, hidden, at)
				}
			}
		}
	}
	// Not even a soft hyphen of the page's own.
	for _, url := range []string{"http://docs.test/start/two", "http://docs.test/api/get"} {
		if ok, why := accepts(t, s, llmstxt.Index, func(f *llmstxt.Document) { find(t, f, url).Text = "A soft\u00adhyphen." }); ok {
			t.Errorf("%s: %s", url, why)
		}
	}
}

// Plain words, and what the page itself says, are no trouble.
func TestAnswer_AddressOfThePage_IsTaken(t *testing.T) {
	s := guide(t)
	for _, c := range []string{
		"Explains the first step, e.g. how to begin, i.e. where: at the start.",
		"Use version 3.11.4 (or 2.x), and/or Node.js, since 1.2 is old...",
		"A note: this/that, x:y, C++, C#, a < b, 50%, 10:30, @name, #tag, ~5, *stars*, `code`.",
		"用法说明。第一步是安装。接着读下一章，然后开始。",
		"Рассказывает о начале работы.Затем о конце.",
		"नमस्ते दुनिया, 👍 और ✔️.",
		"Read https://good.test/more first.",
		"Read (https://good.test/more).",
		"Read **https://good.test/more**, then go.",
		"Read _https://good.test/more_, *_me@good.test_* and _Good.Test_, or snake_case.",
		"Read <https://good.test/more>.",
		"Read [more](https://good.test/more).",
		"Read good.example/x?y=1 and Good.Test.",
		"Write to me@good.test.",
		"Run localhost:8080, and setup.py.",
		"See http://docs.test/api/get too.",
		"See [get](http://docs.test/api/get).",
	} {
		for _, l := range []llmstxt.Layout{llmstxt.Pages, llmstxt.Index} {
			if ok, why := accepts(t, s, l, func(f *llmstxt.Document) { find(t, f, "http://docs.test/start/one").Text = c }); !ok {
				t.Errorf("%s: %q is refused: %s", l, c, why)
			}
		}
	}
	// Nor does what one page says count for another, or for the head.
	for name, edit := range map[string]func(*llmstxt.Document){
		"another page": func(f *llmstxt.Document) {
			find(t, f, "http://docs.test/api/get").Text = "Read https://good.test/more."
		},
		"the title":        func(f *llmstxt.Document) { f.Title = "https://good.test/more" },
		"the summary":      func(f *llmstxt.Document) { f.Summary = "Read https://good.test/more." },
		"a section's name": func(f *llmstxt.Document) { f.Sections[0].Name = "good.test" },
	} {
		if ok, _ := accepts(t, s, llmstxt.Index, edit); ok {
			t.Errorf("%s speaks with the words of a page", name)
		}
	}
	// Of its own text a page may say more than the part does; another page not.
	const own = "Uses a <div>."
	if ok, why := accepts(t, s, llmstxt.Index, func(f *llmstxt.Document) { find(t, f, "http://docs.test/start/two").Text = own }); !ok {
		t.Error(why)
	}
	if ok, _ := accepts(t, s, llmstxt.Index, func(f *llmstxt.Document) { find(t, f, "http://docs.test/api/get").Text = own }); ok {
		t.Error("one page speaks with the words of another")
	}
}
