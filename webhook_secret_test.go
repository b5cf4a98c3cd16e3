package farwire_test

import (
	"bytes"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farwire/farwire"
)

// An address that has shown too many wrong secrets causes no look-up in the store, but
// by a secret that was right before, for as long as it is.
func TestSiteChanged_TooManyWrongSecrets_StoreIsNotAsked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int64
		sites := &memorySites{before: func(method string) error {
			if method == "Enrolled" {
				asked.Add(1)
			}
			return nil
		}}
		ids := map[string]int64{}
		for _, subject := range []string{"alice", "bob"} {
			lease, err := sites.Enroll(t.Context(), farwire.Site{Subject: subject, BaseURL: "https://docs.example.com/", WebhookSecret: "secret-of-" + subject}, -1, time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			ids[subject] = lease.Site.ID
		}
		var log bytes.Buffer
		gw, err := farwire.New(farwire.Options{Sites: sites, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		h := gw.SiteChanged()
		// call wants a status, and so many look-ups.
		call := func(from, base, secret string, status int, lookUps int64) {
			t.Helper()
			before := asked.Load()
			r := hook(h, "POST", hookBody(base, secret), func(r *http.Request) { r.RemoteAddr = from })
			if n := asked.Load() - before; r.StatusCode != status || n != lookUps {
				t.Fatalf("%s with %q of %s: %s with %d look-ups, want %d with %d", from, secret, base, r.Status, n, status, lookUps)
			}
			if status == 429 && r.Header.Get("Retry-After") == "" {
				t.Errorf("a 429 does not say when to come back")
			}
		}
		const docs, guesser, other = "https://docs.example.com/", "192.0.2.66:4000", "192.0.2.67:4000"
		call(other, docs, "secret-of-alice", 202, 1)
		for i := range 50 {
			status := 401
			if i >= 10 {
				status = 429
			}
			call(guesser, docs, fmt.Sprint("guess ", i), status, 1)
		}
		for i := range 200 {
			call(guesser, fmt.Sprintf("https://%d.example.com/", i), "guess", 429, 0)
			call(guesser, docs, fmt.Sprint("another guess ", i), 429, 0)
		}
		call(guesser, docs, "secret-of-alice", 202, 1)
		call(guesser, docs+"a", "secret-of-alice", 429, 0)
		call(guesser, docs, "secret-of-bob", 429, 0) // it was not shown yet
		call(other, docs, "secret-of-bob", 202, 1)
		call(guesser, docs, "secret-of-bob", 202, 1)
		if err := sites.Remove(t.Context(), ids["alice"]); err != nil {
			t.Fatal(err)
		}
		call(guesser, docs, "secret-of-alice", 429, 1) // found to be wrong now
		call(guesser, docs, "secret-of-alice", 429, 0)
		time.Sleep(time.Second)
		for range 10 {
			call(guesser, docs, "guess", 429, 1)
		}
		call(guesser, docs, "guess", 429, 0)
		call(other, docs, "guess", 401, 1)
		time.Sleep(time.Minute)
		call(guesser, docs, "guess", 401, 1)
		for from, want := range map[string]int{guesser: 3, other: 1} {
			host, _, _ := strings.Cut(from, ":")
			if n := strings.Count(log.String(), `level=WARN msg="credentials refused" client=`+host+" of=webhook"); n != want {
				t.Errorf("%d lines of %s, want %d", n, from, want)
			}
		}
		if strings.Contains(log.String(), "guess") || strings.Contains(log.String(), "secret-of") {
			t.Error("the log has a secret")
		}
	})
}

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
	h := w.gw.SiteChanged()
	hook(h, "POST", "") // what the gateway waits with belongs to where that is first done
	synctest.Test(t, func(t *testing.T) {
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
