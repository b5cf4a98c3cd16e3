package llmstxt_test

import (
	"strings"
	"testing"
	"time"

	"github.com/farwire/farwire/llmstxt"
)

// A negative number is refused by its field's name, where it does not mean no limit.
func TestOptions_NegativeNumber_RefusedOrNoLimit(t *testing.T) {
	for field, set := range map[string]func(*llmstxt.Options){
		"MaxPages":      func(o *llmstxt.Options) { o.MaxPages = -1 },
		"DescLength":    func(o *llmstxt.Options) { o.DescLength = -1 },
		"Workers":       func(o *llmstxt.Options) { o.Workers = -1 },
		"MaxDepth":      func(o *llmstxt.Options) { o.MaxDepth = -1 },
		"Timeout":       func(o *llmstxt.Options) { o.Timeout = -time.Second },
		"PageTimeout":   func(o *llmstxt.Options) { o.PageTimeout = -time.Second },
		"MaxPageBytes":  func(o *llmstxt.Options) { o.MaxPageBytes = -1 },
		"MaxCrawlDelay": func(o *llmstxt.Options) { o.MaxCrawlDelay = -time.Second },
		"Delay":         func(o *llmstxt.Options) { o.Delay = -time.Second },
		"TrustLastmod":  func(o *llmstxt.Options) { o.TrustLastmod = -time.Second },
	} {
		o := llmstxt.Options{Client: example()}
		set(&o)
		site, err := llmstxt.Crawl(t.Context(), "https://docs.example.com/", o)
		if site != nil || err == nil || !strings.Contains(err.Error(), "Options."+field+": ") {
			t.Errorf("%s: Crawl returned %v, %v", field, site, err)
		}
		if _, err := llmstxt.Newest(t.Context(), "https://docs.example.com/", o); err == nil || !strings.Contains(err.Error(), "Options."+field+": ") {
			t.Errorf("%s: Newest returned %v", field, err)
		}
	}
	site, err := llmstxt.Crawl(t.Context(), "https://docs.example.com/", llmstxt.Options{Client: example(), MaxRedirects: -1, Retries: -1, DescLength: 1})
	if err != nil || len(site.Pages) != 6 {
		t.Errorf("without redirects and further tries: %v, %v", site, err)
	}
}
