package llmstxt_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/farwire/farwire/llmstxt"
)

// inHeader gives an answer a header, beside those that it has.
func inHeader(a answer, name, value string) answer {
	if value != "" {
		all := map[string]string{name: value}
		for k, v := range a.header {
			all[k] = v
		}
		a.header = all
	}
	return a
}

// translations is a site of pages in English and French. said gives a page what tells
// its language, and where its other form is.
func translations(said func(a answer, lang, path string) answer) *web {
	w := &web{pages: map[string]answer{}}
	for _, path := range []string{"/", "/install", "/config"} {
		en, fr := doc("Page "+path, "/fr/", "/install", "/fr/install", "/config", "/fr/config", "/fr/seul"), doc("Page (fr) "+path, "/fr/install", "/fr/config", "/fr/seul")
		w.pages["http://docs.test"+path], w.pages["http://docs.test/fr"+path] = said(in(`""`, en), "en", path), said(in(`""`, fr), "fr", path)
	}
	w.pages["http://docs.test/fr/seul"] = said(in(`""`, doc("Seul")), "fr", "")
	return w
}

func TestCrawl_LanguageSaidAnyhow_OneIsKept(t *testing.T) {
	pair := func(form, path string) string {
		if path == "" {
			return ""
		}
		return fmt.Sprintf(form, path)
	}
	locales := map[string]string{"en": "en_US", "fr": "fr_FR"}
	for name, said := range map[string]func(a answer, lang, path string) answer{
		"alternates": func(a answer, lang, path string) answer {
			return inHead(a, pair("<link rel=alternate hreflang=en href=%[1]s><link rel=alternate hreflang=fr href=/fr%[1]s>", path))
		},
		"alternates, absolute": func(a answer, lang, path string) answer {
			return inHead(a, pair("<link rel=alternate hreflang=x-default href=%[1]s><link rel=alternate hreflang=fr-FR href='http://docs.test/fr%[1]s'><link rel=alternate hreflang=en-GB href='http://docs.test%[1]s'>", path))
		},
		"alternates without the page itself": func(a answer, lang, path string) answer {
			if lang == "fr" {
				return inHead(a, pair("<link rel=alternate hreflang=en href=%[1]s>", path))
			}
			return inHead(a, pair("<link rel=alternate hreflang=fr href=/fr%[1]s>", path))
		},
		"Link header": func(a answer, lang, path string) answer {
			return inHeader(a, "Link", pair(`<%[1]s>; rel="alternate"; hreflang="en", <http://docs.test/fr%[1]s>; hreflang=fr; rel=alternate`, path))
		},
		"Link header and a base": func(a answer, lang, path string) answer {
			return inHeader(inHead(a, "<base href=/other/>"), "Link", pair(`<%[1]s>; rel="alternate"; hreflang="en", </fr%[1]s>; rel=alternate; hreflang="fr"`, path))
		},
		"xml:lang": func(a answer, lang, path string) answer {
			a.body = strings.Replace(a.body, `lang=""`, "xml:lang="+lang, 1)
			return a
		},
		"meta": func(a answer, lang, path string) answer {
			return inHead(a, "<meta http-equiv=Content-Language content="+lang+">")
		},
		"header": func(a answer, lang, path string) answer { return inHeader(a, "Content-Language", lang+"-CA") },
		"og:locale": func(a answer, lang, path string) answer {
			return inHead(a, "<meta property=og:locale content="+locales[lang]+">")
		},
		"lang of a template": func(a answer, lang, path string) answer {
			return inHeader(in("{{lang}}", strip(a)), "Content-Language", lang)
		},
		"lang before the others": func(a answer, lang, path string) answer {
			return inHead(inHeader(in(lang, strip(a)), "Content-Language", "de"), "<meta property=og:locale content=es_ES>")
		},
		"header of several, locale": func(a answer, lang, path string) answer {
			return inHead(inHeader(a, "Content-Language", "en, fr"), "<meta property=og:locale content="+locales[lang]+">")
		},
	} {
		w := translations(said)
		s := everyWay(t, w, "http://docs.test/", llmstxt.Options{})
		got := urls(s)
		slices.Sort(got)
		if !slices.Equal(got, []string{"/", "/config", "/fr/seul", "/install"}) || s.Stats.Skipped[llmstxt.SkipTranslation] != 3 {
			t.Errorf("%s: %v, %v", name, urls(s), s.Skipped)
		}
		if strings.Contains(name, "absolute") || strings.Contains(name, "Link") {
			s = everyWay(t, w, "http://docs.test/", llmstxt.Options{Language: "fr"})
			if got = urls(s); slices.Contains(got, "/install") || !slices.Contains(got, "/fr/install") || !slices.Contains(got, "/fr/config") {
				t.Errorf("%s, French: %v, %v", name, got, s.Skipped)
			}
		}
	}
}

// strip has in set the language once more.
func strip(a answer) answer {
	a.body = strings.Replace(a.body, `<html lang="">`, "<html lang=en>", 1)
	return a
}
