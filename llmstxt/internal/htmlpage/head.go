package htmlpage

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/farwire/farwire/llmstxt/internal/plain"
	"github.com/farwire/farwire/llmstxt/internal/robots"
)

// What a page says of itself: meta elements and JSON-LD.

func (s *scanner) meta() {
	a := s.attrs("name", "property", "http-equiv", "content")
	name := strings.ToLower(a[0])
	if name == "" {
		name = strings.ToLower(a[1])
	}
	set := func(p *string) {
		if *p == "" {
			*p = plain.OneLine(a[3])
		}
	}
	switch name {
	case "description":
		set(&s.desc)
	case "og:description":
		set(&s.ogDesc)
	case "og:title":
		set(&s.OpenTitle)
	case "og:site_name", "application-name":
		set(&s.SiteName)
	case "robots":
		s.NoIndex, s.NoFollow = robots.Directives(a[3], s.NoIndex, s.NoFollow)
	}
	if strings.EqualFold(a[2], "refresh") && s.Refresh == "" {
		s.Refresh = RefreshTarget(a[3])
	}
}

// script counts programs and reads descriptions out of JSON-LD.
func (s *scanner) script(kind, src string) {
	if kind != "application/ld+json" {
		if kind == "" || kind == "module" || strings.Contains(kind, "javascript") {
			s.scripts++
			if src != "" {
				s.scriptBytes += 4096 // unknown; a page whose words come from it has a large one
			}
		}
	}
	raw := s.rawText()
	if kind != "application/ld+json" {
		s.scriptBytes += len(raw)
		s.leads(raw)
		return
	}
	var v any
	s.linked++
	if len(raw) < 64<<10 && s.linked < 8 && json.Unmarshal(bytes.TrimSpace(raw), &v) == nil {
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
		kind, _ := v["@type"].(string)
		switch {
		case kind == "BreadcrumbList" && s.Crumbs == nil:
			items, _ := v["itemListElement"].([]any)
			for _, e := range items {
				item, _ := e.(map[string]any)
				name, _ := item["name"].(string)
				if inner, ok := item["item"].(map[string]any); ok && name == "" {
					name, _ = inner["name"].(string)
				}
				if name = plain.OneLine(plain.Clip(name, 300)); name != "" && len(s.Crumbs) < 10 {
					s.Crumbs = append(s.Crumbs, name)
				}
			}
		case strings.HasSuffix(kind, "Article") || strings.HasSuffix(kind, "Page") || kind == "BlogPosting":
			if d, _ := v["description"].(string); s.ldDesc == "" {
				s.ldDesc = plain.OneLine(plain.Clip(d, maxAttr))
			}
		}
		if g, ok := v["@graph"]; ok {
			s.linkedData(g, depth+1)
		}
	}
}
