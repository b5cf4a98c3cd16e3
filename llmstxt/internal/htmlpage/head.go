package htmlpage

import (
	"bytes"
	"cmp"
	"encoding/json"
	"slices"
	"strings"

	"github.com/farwire/farwire/internal/safetext"
	"github.com/farwire/farwire/llmstxt/internal/plain"
	"github.com/farwire/farwire/llmstxt/internal/robots"
)

// What a page says of itself: meta elements and JSON-LD.

// Descriptions are all that the page has of itself, each once, the most trusted
// first: meta, Open Graph, JSON-LD, Dublin Core and others.
func (p *Page) Descriptions() []string {
	var out []string
	for _, d := range p.descs {
		if d != "" && !slices.Contains(out, d) {
			out = append(out, d)
		}
	}
	return out
}

// Sources of descriptions, in order.
const (
	fromMeta = iota
	fromOpenGraph
	fromLinkedData
	fromMicrodata
	fromDublinCore
	fromTwitter
	fromWebSite // of the whole site
	descriptionSources
)

// Sources of a site's name, in order.
const (
	fromSiteName = iota
	fromSite
	fromApplication
	fromHomeScreen
	fromPublisher
	nameSources
)

func (s *scanner) meta() {
	a := s.attrs("name", "property", "http-equiv", "content", "itemprop")
	name := strings.ToLower(cmp.Or(a[0], a[1], a[4]))
	set := func(p *string) {
		if *p == "" {
			*p = WithoutMarkup(a[3])
		}
	}
	switch name {
	case "description":
		if a[0] == "" && a[1] == "" {
			set(&s.descs[fromMicrodata])
			break
		}
		set(&s.descs[fromMeta])
	case "og:description":
		set(&s.descs[fromOpenGraph])
	case "dc.description", "dcterms.description", "dcterms.abstract", "abstract":
		set(&s.descs[fromDublinCore])
	case "twitter:description":
		set(&s.descs[fromTwitter])
	case "og:title":
		set(&s.OpenTitle)
	case "article:section":
		set(&s.section)
	case "og:locale":
		s.says(fromLocale, a[3])
	case "og:site_name":
		set(&s.names[fromSiteName])
	case "application-name":
		set(&s.names[fromApplication])
	case "apple-mobile-web-app-title":
		set(&s.names[fromHomeScreen])
	case "docfx:navrel", "docfx:tocrel":
		s.noteMenu(a[3], name == "docfx:tocrel")
	default:
		s.forbid(name, a[3])
	}
	if strings.EqualFold(a[2], "content-language") {
		s.says(fromContentLanguage, a[3])
	}
	if strings.EqualFold(a[2], "refresh") && s.Refresh == "" {
		s.Refresh = RefreshTarget(a[3])
		s.Reloads = s.Reloads || Reloads(a[3])
	}
}

// A prohibition is what a meta element forbids the robots of that name.
type prohibition struct {
	robot             string // its product token
	noIndex, noFollow bool
}

const maxProhibitions = 100 // beside those for all robots

// forbid reads a meta element of that name, which may be about something else.
func (s *scanner) forbid(name, content string) {
	noIndex, noFollow := robots.Directives(content, false, false)
	switch {
	case !noIndex && !noFollow:
	case name == "robots":
		s.all.noIndex, s.all.noFollow = s.all.noIndex || noIndex, s.all.noFollow || noFollow
	case len(s.some) < maxProhibitions && name == robots.ProductToken(name):
		s.some = append(s.some, prohibition{name, noIndex, noFollow})
	}
}

// Robots returns what the page forbids all robots, or the one with this product token.
func (p *Page) Robots(token string) (noIndex, noFollow bool) {
	noIndex, noFollow = p.all.noIndex, p.all.noFollow
	for _, f := range p.some {
		if f.robot == token {
			noIndex, noFollow = noIndex || f.noIndex, noFollow || f.noFollow
		}
	}
	return noIndex, noFollow
}

// script counts programs and reads descriptions out of JSON-LD.
func (s *scanner) script(kind, src string) {
	if kind != "application/ld+json" {
		if kind == "" || kind == "module" || strings.Contains(kind, "javascript") {
			s.scripts++
			if src != "" {
				if s.MenuScript == "" && isMenuScript(src) {
					s.MenuScript = src
				}
				if s.MenuPage == "" && IsMenuOfScript(src) {
					s.MenuPage = src
				}
				s.scriptBytes += 4096 // unknown; a page whose words come from it has a large one
			}
		}
	}
	raw := s.rawText()
	if kind != "application/ld+json" {
		s.scriptBytes += len(raw)
		s.HoldsAPI = s.HoldsAPI || bytes.Contains(raw, []byte(`"openapi"`)) || bytes.Contains(raw, []byte(`"swagger"`))
		s.leads(raw)
		if s.App == nil {
			s.App = markdownApp(raw)
		}
		return
	}
	var v any
	s.linked++
	if len(raw) < 64<<10 && s.linked <= 8 && json.Unmarshal(bytes.TrimSpace(raw), &v) == nil {
		s.linkedData(v, 0)
	}
}

func (s *scanner) linkedData(v any, depth int) {
	if depth > 4 {
		return
	}
	switch v := v.(type) {
	case []any:
		for _, e := range v {
			s.linkedData(e, depth+1)
		}
	case map[string]any:
		kinds := linkedTypes(v["@type"])
		text := func(key string) string {
			d, _ := v[key].(string)
			return WithoutMarkup(safetext.Cut(d, maxAttr))
		}
		switch {
		case kinds["BreadcrumbList"] && s.Crumbs == nil && s.dataCrumbs == nil:
			items, _ := v["itemListElement"].([]any)
			for _, e := range items {
				item, _ := e.(map[string]any)
				name, _ := item["name"].(string)
				if inner, ok := item["item"].(map[string]any); ok && name == "" {
					name, _ = inner["name"].(string)
				}
				if name = WithoutMarkup(safetext.Cut(name, 300)); name != "" && len(s.dataCrumbs) < 10 {
					s.dataCrumbs = append(s.dataCrumbs, name)
				}
			}
		case kinds["WebSite"]:
			s.names[fromSite] = cmp.Or(s.names[fromSite], text("name"))
			s.descs[fromWebSite] = cmp.Or(s.descs[fromWebSite], text("description"))
		case isDocument(kinds):
			s.section = cmp.Or(s.section, text("articleSection"))
			s.descs[fromLinkedData] = cmp.Or(s.descs[fromLinkedData], text("description"), text("abstract"))
		}
		if kinds["Organization"] || kinds["Corporation"] || kinds["NGO"] {
			s.names[fromPublisher] = cmp.Or(s.names[fromPublisher], text("name"))
		}
		if by, ok := v["publisher"].(map[string]any); ok && s.names[fromPublisher] == "" {
			name, _ := by["name"].(string)
			s.names[fromPublisher] = WithoutMarkup(safetext.Cut(name, 300))
		}
		for _, key := range []string{"mainEntity", "mainEntityOfPage"} {
			if in, ok := v[key].(map[string]any); ok {
				s.linkedData(in, depth+1)
			}
		}
		if g, ok := v["@graph"]; ok {
			s.linkedData(g, depth+1)
		}
	}
}

// linkedTypes reads a type or a list of them, with or without the vocabulary's
// address before the name.
func linkedTypes(v any) map[string]bool {
	out := map[string]bool{}
	list, ok := v.([]any)
	if !ok {
		list = []any{v}
	}
	for _, e := range list {
		name, _ := e.(string)
		out[name[strings.LastIndexAny(name, "/:#")+1:]] = true
	}
	return out
}

// isDocument reports types of schema.org that describe a page, not who made it.
func isDocument(kinds map[string]bool) bool {
	for k := range kinds {
		if documents[k] || strings.HasSuffix(k, "Article") || strings.HasSuffix(k, "Page") || strings.HasSuffix(k, "Posting") || strings.HasSuffix(k, "Application") {
			return true
		}
	}
	return false
}

var documents = plain.Set(`APIReference Book Chapter Course CreativeWork Dataset DefinedTerm DigitalDocument Guide HowTo LearningResource Product
	Question Recipe Report Service SoftwareSourceCode`)
