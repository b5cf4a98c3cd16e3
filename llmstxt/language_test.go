package llmstxt_test

import (
	"fmt"
	"regexp"
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

var inXML = regexp.MustCompile(`<link rel=alternate hreflang=(\S+) href=([^>]+)>`)

// Tags of one language are of several pages, of which one is kept.
func TestCrawl_VariantsOfALanguage_OneIsKept(t *testing.T) {
	for _, c := range []struct {
		base   string
		others []string // tags of the pages below another segment
		chosen string   // the option
		kept   string   // "": those without a segment
	}{
		{"zh-CN", []string{"zh-TW"}, "", ""},
		{"zh-CN", []string{"zh-TW", "zh-HK"}, "zh-Hant-TW", "/zh-tw"},
		{"en-US", []string{"en-GB", "en-AU"}, "", ""},
		{"en-US", []string{"en-AU", "en-GB"}, "en-GB", "/en-gb"},
		{"pt-BR", []string{"pt-PT"}, "", ""},
		{"pt-BR", []string{"pt"}, "", ""},
		{"pt", []string{"pt-BR"}, "", ""},
		{"pt", []string{"pt-BR"}, "pt_BR", "/pt-br"},
		{"en", []string{"en-GB", "fr", "fr-CA"}, "", ""},
	} {
		for _, kind := range []string{"alternates", "paths", "site map"} {
			if kind != "alternates" && c.chosen != "" {
				continue // what the base page has is not at a path with a language
			}
			for _, first := range []bool{true, false} { // the base's variant is linked to first
				var home []string
				add := func(prefix string) {
					for _, p := range []string{"/install", "/config"} {
						home = append(home, prefix+p)
					}
				}
				alternates := func(path string) string {
					var b strings.Builder
					for _, tag := range c.others {
						fmt.Fprintf(&b, "<link rel=alternate hreflang=%s href=/%s%s>", tag, strings.ToLower(tag), path)
					}
					return b.String() + "<link rel=alternate hreflang=" + c.base + " href=" + path + ">"
				}
				w := &web{pages: map[string]answer{}}
				listed := ""
				page := func(prefix, tag string) {
					for _, p := range []string{"/install", "/config"} {
						a := in(tag, doc("Page "+tag+" "+p))
						if kind == "alternates" {
							a = inHead(a, alternates(p))
						}
						w.pages["http://docs.test"+prefix+p] = a
						listed += "<url><loc>http://docs.test" + prefix + p + "</loc>" + inXML.ReplaceAllString(alternates(p), `<xhtml:link rel="alternate" hreflang="$1" href="http://docs.test$2"/>`) + "</url>"
					}
				}
				if first {
					add("")
				}
				for _, tag := range c.others {
					prefix := "/" + strings.ToLower(tag)
					page(prefix, tag)
					add(prefix)
					home = append(home, prefix+"/alone"+prefix[1:])
					w.pages["http://docs.test"+prefix+"/alone"+prefix[1:]] = in(tag, doc("Alone "+tag))
				}
				page("", c.base)
				if !first {
					add("")
				}
				w.pages["http://docs.test/"] = in(c.base, doc("Home", home...))
				if kind == "site map" {
					w.pages["http://docs.test/"] = in(c.base, doc("Home"))
					w.pages["http://docs.test/sitemap.xml"] = answer{body: "<urlset>" + listed + "</urlset>"}
				}
				s := everyWay(t, w, "http://docs.test/", llmstxt.Options{Language: c.chosen})
				var got []string
				alone := 0
				for _, u := range urls(s)[1:] {
					if strings.Contains(u, "/alone") {
						alone++
						continue
					}
					got = append(got, u)
				}
				slices.Sort(got)
				if want := []string{c.kept + "/config", c.kept + "/install"}; !slices.Equal(got, want) || kind != "site map" && alone != len(c.others) {
					t.Errorf("%+v, %s, %v: %v, want %v and %d alone, %v", c, kind, first, got, want, len(c.others), s.Skipped)
				}
			}
		}
	}
}

// A form of the page in the wanted tag that is not there, or that leads back, takes no
// page out of the file.
func TestCrawl_VariantNamedAndMissing_PageStays(t *testing.T) {
	for name, native := range map[string]answer{"missing": {status: 404, body: "no"}, "leads back": redirect("/en-gb/install"), "fails": {status: 500, body: "no"}} {
		for _, links := range [][]string{{"/en-gb/install", "/install"}, {"/install", "/en-gb/install"}} {
			for _, head := range []string{"", "<link rel=alternate hreflang=en-US href=/install><link rel=alternate hreflang=en-GB href=/en-gb/install>"} {
				w := &web{pages: map[string]answer{"http://docs.test/": in("en-US", doc("Home", links...)), "http://docs.test/install": native}}
				w.pages["http://docs.test/en-gb/install"] = inHead(in("en-GB", doc("Install")), head)
				if s := everyWay(t, w, "http://docs.test/", llmstxt.Options{}); !slices.Equal(urls(s), []string{"/", "/en-gb/install"}) {
					t.Errorf("%s, %v, %q: %v, %v", name, links, head, urls(s), s.Skipped)
				}
			}
		}
	}
}

// Forms of a page in a site map of which none is nearer than the others, or of which the
// nearest cannot come into the file: one of them is in the file, in whatever order they stand.
func TestCrawl_SiteMapOfVariants_OneThatMayBeThereIsKept(t *testing.T) {
	for name, c := range map[string]struct {
		base   string
		tags   []string // of the forms below a segment each
		listed []string // those with an entry of their own; nil: all
		robots string
		o      llmstxt.Options
		kept   string
	}{
		"equal":              {"en", []string{"en-GB", "en-US"}, nil, "", llmstxt.Options{}, "/en-gb/x"},
		"three equal":        {"en", []string{"en-US", "en-AU", "en-GB"}, nil, "", llmstxt.Options{}, "/en-au/x"},
		"equal and another":  {"en", []string{"fr", "en-US", "en-GB"}, nil, "", llmstxt.Options{}, "/en-gb/x"},
		"not chosen":         {"en-US", []string{"en-US", "en-GB"}, nil, "", llmstxt.Options{Include: []string{"/en-gb/**"}}, "/en-gb/x"},
		"excluded":           {"en-US", []string{"en-US", "en-GB", "fr"}, nil, "", llmstxt.Options{Exclude: []string{"/en-us/**"}}, "/en-gb/x"},
		"forbidden":          {"en-US", []string{"en-US", "en-GB"}, nil, "User-agent: *\nDisallow: /en-us/\n", llmstxt.Options{}, "/en-gb/x"},
		"two not chosen":     {"en", []string{"en-US", "en-AU", "en-GB"}, nil, "", llmstxt.Options{Exclude: []string{"/en-au/**", "/en-us/**"}}, "/en-gb/x"},
		"named alone":        {"en-US", []string{"en-US", "en-GB"}, []string{"en-GB"}, "", llmstxt.Options{}, "/en-us/x"},
		"named by another":   {"en", []string{"en", "fr"}, []string{"fr"}, "", llmstxt.Options{}, "/en/x"},
		"another's excluded": {"en", []string{"en", "fr"}, nil, "", llmstxt.Options{Exclude: []string{"/en/**"}}, ""},
	} {
		for _, reversed := range []bool{false, true} {
			w := &web{pages: map[string]answer{"http://docs.test/": in(c.base, doc("Home")), "http://docs.test/robots.txt": {body: c.robots}}}
			var entries []string
			for _, tag := range c.tags {
				address := "http://docs.test/" + strings.ToLower(tag) + "/x"
				w.pages[address] = in(tag, doc("Tea "+tag))
				var forms []string
				own := ""
				for _, other := range c.tags {
					link := fmt.Sprintf(`<xhtml:link rel="alternate" hreflang="%s" href="http://docs.test/%s/x"/>`, other, strings.ToLower(other))
					if other == tag {
						own = link
					} else {
						forms = append(forms, link)
					}
				}
				if c.listed == nil || slices.Contains(c.listed, tag) { // each with itself as the last
					entries = append(entries, "<url><loc>"+address+"</loc>"+strings.Join(forms, "")+own+"</url>")
				}
			}
			if reversed {
				slices.Reverse(entries)
			}
			w.pages["http://docs.test/sitemap.xml"] = answer{body: "<urlset>" + strings.Join(entries, "") + "</urlset>"}
			want := []string{"/", c.kept}
			if c.kept == "" {
				want = want[:1]
			}
			if s := everyWay(t, w, "http://docs.test/", c.o); !slices.Equal(urls(s), want) {
				t.Errorf("%s, %v: %v, want %v, %v", name, reversed, urls(s), want, s.Skipped)
			}
		}
	}
}

// The form that a site map's pages leave the place to is missing, or leads back: one of the
// others is in the file.
func TestCrawl_SiteMapNamesAMissingVariant_AnotherIsKept(t *testing.T) {
	for name, native := range map[string]answer{"missing": {status: 404, body: "no"}, "gone": {status: 410, body: "no"}, "leads back": redirect("/en-gb/x"), "fails": {status: 500, body: "no"}} {
		for _, listed := range [][]string{{"en-gb"}, {"en-us", "en-gb"}, {"en-gb", "en-us"}, {"en-gb", "en-us", "en-au", "fr"}} {
			w := &web{pages: map[string]answer{"http://docs.test/": in("en-US", doc("Home")), "http://docs.test/en-us/x": native}}
			forms, entries := "", ""
			for _, tag := range []string{"en-au", "en-gb", "en-us", "fr"} {
				forms += `<xhtml:link rel="alternate" hreflang="` + tag + `" href="http://docs.test/` + tag + `/x"/>`
				if tag != "en-us" {
					w.pages["http://docs.test/"+tag+"/x"] = in(tag, doc("Tea "+tag))
				}
			}
			for _, tag := range listed {
				entries += "<url><loc>http://docs.test/" + tag + "/x</loc>" + forms + "</url>"
			}
			w.pages["http://docs.test/sitemap.xml"] = answer{body: "<urlset>" + entries + "</urlset>"}
			if s := everyWay(t, w, "http://docs.test/", llmstxt.Options{}); !slices.Equal(urls(s), []string{"/", "/en-gb/x"}) {
				t.Errorf("%s, %v: %v, %v", name, listed, urls(s), s.Skipped)
			} else if slices.ContainsFunc(s.Skipped, func(k llmstxt.Skip) bool { return strings.HasSuffix(k.URL, "/en-gb/x") }) || s.Stats.Skipped[llmstxt.SkipTranslation] != max(0, len(listed)-2) {
				t.Errorf("%s, %v: %v, %v", name, listed, s.Skipped, s.Stats.Skipped)
			}
		}
	}
}
