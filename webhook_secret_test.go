package farwire_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/farwire/farwire"
)

// A secret that a gateway with the same key made is right wherever it is shown first, beside
// any number of wrong ones from there.
func TestSiteChanged_RightSecretBesideWrongOnes_IsNotRefused(t *testing.T) {
	sites := &memorySites{}
	of := func(o *farwire.Options) {
		o.Sites, o.Storage = sites, &memoryFiles{}
		o.TokenKeys = [][]byte{bytes.Repeat([]byte("new-key-"), 8), bytes.Repeat([]byte("old-key-"), 8)}
	}
	site := newSite(t, threePages)
	enrolled := newWorld(t, of).crawled(testKey, fmt.Sprintf(`{"url":%q,"enableAutoUpdate":true}`, site.URL)).one(t, "url")
	if enrolled.WebhookSecret == "" {
		t.Fatalf("the crawl enrolled nothing: %+v", enrolled)
	}
	other := []byte(strings.Repeat("another-", 8))
	for name, c := range map[string]struct {
		keys         [][]byte
		base, secret string
		want         int
	}{
		"at another gateway":          {[][]byte{bytes.Repeat([]byte("new-key-"), 8)}, enrolled.BaseURL, enrolled.WebhookSecret, 202},
		"behind a newer key":          {[][]byte{other, bytes.Repeat([]byte("new-key-"), 8)}, enrolled.BaseURL, enrolled.WebhookSecret, 202},
		"of a key that is gone":       {[][]byte{other}, enrolled.BaseURL, enrolled.WebhookSecret, 429},
		"for another site":            {[][]byte{bytes.Repeat([]byte("new-key-"), 8)}, "https://docs.example.com/", enrolled.WebhookSecret, 429},
		"cut":                         {[][]byte{bytes.Repeat([]byte("new-key-"), 8)}, enrolled.BaseURL, enrolled.WebhookSecret[:26], 429},
		"changed":                     {[][]byte{bytes.Repeat([]byte("new-key-"), 8)}, enrolled.BaseURL, "A" + enrolled.WebhookSecret[1:] + "A", 429},
		"in a spelling of the site's": {[][]byte{bytes.Repeat([]byte("new-key-"), 8)}, enrolled.BaseURL + "#top", enrolled.WebhookSecret, 202},
	} {
		synctest.Test(t, func(t *testing.T) { // the bucket would fill again meanwhile
			gw, err := farwire.New(farwire.Options{Sites: sites, TokenKeys: c.keys, Logger: slog.New(slog.DiscardHandler)})
			if err != nil {
				t.Fatal(err)
			}
			h := gw.SiteChanged()
			for i := range 60 {
				hook(h, "POST", hookBody(enrolled.BaseURL, fmt.Sprint("guess ", i)))
			}
			if r := hook(h, "POST", hookBody(c.base, c.secret)); r.StatusCode != c.want {
				t.Errorf("%s: %s, want %d", name, r.Status, c.want)
			}
		})
	}
}

// A secret of a site that is gone costs one look-up, and then none.
func TestSiteChanged_SecretOfAGoneSite_IsLookedUpOnce(t *testing.T) {
	var asked atomic.Int64
	sites := &memorySites{before: func(method string) error {
		if method == "Enrolled" {
			asked.Add(1)
		}
		return nil
	}}
	w := newWorld(t, func(o *farwire.Options) { o.Sites, o.Storage = sites, &memoryFiles{} })
	site := newSite(t, threePages)
	enrolled := w.crawled(testKey, fmt.Sprintf(`{"url":%q,"enableAutoUpdate":true}`, site.URL)).one(t, "url")
	list, err := sites.Enrolled(t.Context(), enrolled.BaseURL)
	if err != nil || len(list) != 1 {
		t.Fatal(list, err)
	}
	if err := sites.Remove(t.Context(), list[0].ID); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		h := w.gw.SiteChanged()
		for i := range 60 {
			hook(h, "POST", hookBody(enrolled.BaseURL, fmt.Sprint("guess ", i)))
		}
		before := asked.Load()
		for range 20 {
			if r := hook(h, "POST", hookBody(enrolled.BaseURL, enrolled.WebhookSecret)); r.StatusCode != 429 && r.StatusCode != 404 {
				t.Errorf("of a site that is gone: %s", r.Status)
			}
		}
		if n := asked.Load() - before; n != 1 {
			t.Errorf("the store was asked %d times", n)
		}
	})
}
