package farwire_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farwire/farwire"
)

// hook calls the webhook and returns the answer.
func hook(h http.Handler, method, body string, edit ...func(*http.Request)) *http.Response {
	r := httptest.NewRequest(method, "/hooks/site-changed", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	for _, f := range edit {
		f(r)
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func hookBody(base, secret string) string {
	b, _ := json.Marshal(map[string]string{"base_url": base, "webhook_secret": secret})
	return string(b)
}

// wantDue wants a 202 and returns the time in it.
func wantDue(t *testing.T, r *http.Response) time.Time {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	var a struct {
		Next string `json:"next_crawl_at"`
	}
	if err == nil {
		err = json.Unmarshal(b, &a)
	}
	at, bad := time.Parse(time.RFC3339, a.Next)
	if r.StatusCode != 202 || err != nil || bad != nil || !strings.HasSuffix(a.Next, "Z") || r.Header.Get("Cache-Control") != "no-store" {
		t.Fatalf("got %s: %s", r.Status, b)
	}
	return at
}

func TestSiteChanged_Request_IsAuthenticated(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sites := &memorySites{}
		later := time.Now().Add(48 * time.Hour)
		for _, s := range []farwire.Site{
			{Subject: "alice", BaseURL: "https://docs.example.com/", WebhookSecret: "secret-of-alice"},
			{Subject: "bob", BaseURL: "https://docs.example.com/", WebhookSecret: "secret-of-bob"},
			{Subject: "carol", BaseURL: "https://docs.example.com/", WebhookSecret: ""},
			{Subject: "alice", BaseURL: "https://example.com/a/", WebhookSecret: "another-secret"},
		} {
			lease, err := sites.Enroll(t.Context(), s, -1, time.Minute)
			if err != nil {
				t.Fatal(err)
			}
			s = lease.Site
			s.NextCrawl, s.LastCrawl = later, time.Now()
			if err := sites.Commit(t.Context(), lease, farwire.RecrawlResult{Site: s}); err != nil {
				t.Fatal(err)
			}
		}
		gw, err := farwire.New(farwire.Options{Sites: sites})
		if err != nil {
			t.Fatal(err)
		}
		h := gw.SiteChanged()
		good := hookBody("https://docs.example.com/", "secret-of-bob")
		for name, c := range map[string]struct {
			method, body string
			status       int
			detail       string
			edit         func(*http.Request)
		}{
			"unknown":        {"POST", hookBody("https://docs.example.org/", "x"), 404, "no such site is enrolled", nil},
			"below it":       {"POST", hookBody("https://docs.example.com/a", "secret-of-bob"), 404, "no such site is enrolled", nil},
			"wrong":          {"POST", hookBody("https://docs.example.com/", "secret-of-eve"), 401, "webhook_secret is missing", nil},
			"of another":     {"POST", hookBody("https://docs.example.com/", "another-secret"), 401, "webhook_secret is missing", nil},
			"a prefix":       {"POST", hookBody("https://docs.example.com/", "secret-of-bo"), 401, "webhook_secret is missing", nil},
			"missing":        {"POST", `{"base_url":"https://docs.example.com/"}`, 401, "webhook_secret is missing", nil},
			"empty":          {"POST", hookBody("https://docs.example.com/", ""), 401, "webhook_secret is missing", nil},
			"null":           {"POST", `{"base_url":"https://docs.example.com/","webhook_secret":null}`, 401, "webhook_secret is missing", nil},
			"missing, too":   {"POST", `{"base_url":"https://docs.example.org/"}`, 401, "webhook_secret is missing", nil},
			"a number":       {"POST", `{"base_url":"https://docs.example.com/","webhook_secret":7}`, 400, "webhook_secret must be a string", nil},
			"no base":        {"POST", `{"webhook_secret":"secret-of-bob"}`, 400, "base_url is missing", nil},
			"no address":     {"POST", hookBody("docs.example.com", "secret-of-bob"), 400, "base_url must be an http or https URL", nil},
			"not an object":  {"POST", `[]`, 400, "the message is not a JSON object", nil},
			"twice":          {"POST", `{"base_url":"https://a/","base_url":"https://b/"}`, 400, "given twice", nil},
			"large":          {"POST", `{"a":"` + strings.Repeat("x", 64<<10) + `"}`, 413, "larger than 64 KiB", nil},
			"a form":         {"POST", good, 415, "application/json", func(r *http.Request) { r.Header.Set("Content-Type", "application/x-www-form-urlencoded") }},
			"another method": {"GET", "", 405, "POST", nil},
		} {
			edit := c.edit
			if edit == nil {
				edit = func(*http.Request) {}
			}
			r := hook(h, c.method, c.body, edit)
			b, _ := io.ReadAll(r.Body)
			if r.StatusCode != c.status || !strings.Contains(string(b), c.detail) || strings.Contains(string(b), "alice") || r.Header.Get("Content-Type") != "application/json" {
				t.Errorf("%s: %s: %s", name, r.Status, b)
			}
		}
		if n := len(sites.committed()); n != 4 {
			t.Fatalf("%d commits", n)
		}
		time.Sleep(2 * time.Minute)
		// Any spelling will do; the others' sites stay as they were.
		at := wantDue(t, hook(h, "POST", hookBody("HTTPS://docs.Example.com:443/./#top", "secret-of-bob")))
		if now := time.Now(); !at.Equal(now.Truncate(time.Second)) {
			t.Errorf("due at %v, it is %v", at, now)
		}
		for _, s := range sites.rows {
			if (s.NextCrawl.Equal(later)) == (s.Subject == "bob") {
				t.Errorf("%s's is due at %v", s.Subject, s.NextCrawl)
			}
		}
		// The store is away.
		sites.setUnavailable(errUnavailable)
		if r := hook(h, "POST", good); r.StatusCode != 500 {
			t.Errorf("without a store: %s", r.Status)
		}
		// So many wrong secrets are too many, from wherever in a /64 they come, and whether
		// the site is one that somebody has enrolled or none.
		sites.setUnavailable(nil)
		refused := 0
		wrong := []string{hookBody("https://docs.example.com/", "wrong"), hookBody("https://docs.example.org/", "wrong")}
		for i := range 100 {
			r := hook(h, "POST", wrong[i%2], func(r *http.Request) { r.RemoteAddr = fmt.Sprintf("[2001:db8:1:2::%x]:4000", i) })
			if r.StatusCode == 429 && r.Header.Get("Retry-After") != "" {
				refused++
			}
		}
		if refused != 90 {
			t.Errorf("%d of 100 calls are refused", refused)
		}
		if r := hook(h, "POST", `{}`, func(r *http.Request) { r.RemoteAddr = "[2001:db8:1:3::1]:4000" }); r.StatusCode != 400 {
			t.Errorf("a neighbour: %s", r.Status)
		}
		// Nothing else counts, whatever is not right about it, and nobody is refused for
		// more than a wrong secret of his own.
		for name, c := range map[string]struct {
			method, body string
			status       int
			edit         func(*http.Request)
		}{
			"an empty object": {"POST", `{}`, 400, nil},
			"no JSON":         {"POST", `{`, 400, nil},
			"no address":      {"POST", hookBody("docs.example.com", "x"), 400, nil},
			"no secret":       {"POST", hookBody("https://docs.example.com/", ""), 401, nil},
			"large":           {"POST", strings.Repeat("x", 64<<10+1), 413, nil},
			"a form":          {"POST", good, 415, func(r *http.Request) { r.Header.Set("Content-Type", "text/plain") }},
			"a GET":           {"GET", "", 405, nil},
		} {
			for _, from := range []string{"192.0.2.70:4000", "[2001:db8:1:2::1]:4000"} {
				for i := range 60 {
					r := hook(h, c.method, c.body, func(r *http.Request) {
						if r.RemoteAddr = from; c.edit != nil {
							c.edit(r)
						}
					})
					if r.StatusCode != c.status {
						t.Fatalf("%s, call %d of %s: %s", name, i+1, from, r.Status)
					}
				}
			}
		}
		if r := hook(h, "POST", wrong[0], func(r *http.Request) { r.RemoteAddr = "192.0.2.70:4000" }); r.StatusCode != 401 {
			t.Errorf("the first wrong secret after all that: %s", r.Status)
		}
		// Right secrets neither count nor are refused, not even from where too many were wrong.
		for _, from := range []string{"[2001:db8:1:2::1]:4000", "192.0.2.60:4000"} {
			at := func(r *http.Request) { r.RemoteAddr = from }
			for range 60 {
				wantDue(t, hook(h, "POST", good, at))
			}
			want := 429
			if from == "192.0.2.60:4000" {
				want = 401
			}
			if r := hook(h, "POST", hookBody("https://docs.example.com/", "wrong"), at); r.StatusCode != want {
				t.Errorf("a wrong one of %s after right ones: %s, want %d", from, r.Status, want)
			}
		}
		if err := gw.Shutdown(t.Context()); err != nil {
			t.Fatal(err)
		}
		if r := hook(h, "POST", good); r.StatusCode != 503 || r.Header.Get("Retry-After") == "" {
			t.Errorf("while draining: %s", r.Status)
		}
		// Who keeps no sites has none.
		if gw, err = farwire.New(farwire.Options{}); err != nil {
			t.Fatal(err)
		}
		if r := hook(gw.SiteChanged(), "POST", good); r.StatusCode != 404 {
			t.Errorf("without sites: %s", r.Status)
		}
	})
}

// TestSiteChanged_Burst_CrawlsAtOnceAndOnceMore: the gateway that is told does not wait for its
// next poll, and a burst makes one crawl, and one for what came during it.
func TestSiteChanged_Burst_CrawlsAtOnceAndOnceMore(t *testing.T) {
	inRecrawlWorld(t, func(c *recrawlWorld) {
		defer recrawls(c.t, c.gw)()
		time.Sleep(10 * time.Minute)
		c.site.set(func(s *changing) { s.pages["/a"] = page("Fresh", "What is said here was written a moment ago.") })
		body := hookBody("http://site.test", c.sites.only(c.t).WebhookSecret)
		first := wantDue(c.t, hook(c.gw.SiteChanged(), "POST", body))
		time.Sleep(time.Second)
		if n := len(c.sites.committed()); n != 2 || !strings.Contains(c.hosted(), "written a moment ago") {
			c.t.Fatalf("a second later there are %d commits", n)
		}
		var next time.Time
		for range 20 {
			next = wantDue(c.t, hook(c.gw.SiteChanged(), "POST", body))
			time.Sleep(100 * time.Millisecond)
		}
		if d := next.Sub(first); d != time.Minute {
			c.t.Errorf("the next crawl is %v after the first", d)
		}
		time.Sleep(3 * time.Minute)
		if n := len(c.sites.committed()); n != 3 {
			c.t.Errorf("a burst made %d crawls", n-2)
		}
	})
}

// Beyond the look-ups that wrong secrets may cause nobody knows whether one is wrong: it
// counts as no wrong credential.
func TestSiteChanged_SecretNotLookedUp_DoesNotCount(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sites := &memorySites{}
		const docs = "https://docs.example.com/"
		if _, err := sites.Enroll(t.Context(), farwire.Site{Subject: "bob", BaseURL: docs, WebhookSecret: "secret-of-bob"}, -1, time.Minute); err != nil {
			t.Fatal(err)
		}
		gw, err := farwire.New(farwire.Options{Sites: sites, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		h := gw.SiteChanged()
		call := func(secret string, statuses ...int) {
			t.Helper()
			if r := hook(h, "POST", hookBody(docs, secret)); !slices.Contains(statuses, r.StatusCode) {
				t.Fatalf("%s: %s, want %v", secret, r.Status, statuses)
			}
		}
		call("guess", 401) // the minute that is counted begins
		time.Sleep(time.Minute - 50*time.Millisecond)
		for range 50 {
			call("guess", 401, 429)
		}
		time.Sleep(60 * time.Millisecond) // another minute, and no look-up is left
		for range 20 {
			call("secret-of-bob", 429)
		}
		r := httptest.NewRequest("GET", "/usage", nil) // of the same address
		r.Header.Set("X-API-Key", "wrong")
		rec := httptest.NewRecorder()
		if gw.Usage().ServeHTTP(rec, r); rec.Code != 403 {
			t.Errorf("the first wrong key of the minute: %d %s", rec.Code, rec.Body)
		}
		time.Sleep(time.Second)
		call("secret-of-bob", 202)
	})
}

// While the store fails, what clients without a valid key send is a few short lines in the log.
func TestSiteChanged_StoreFails_LogIsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sites := &memorySites{}
		sites.setUnavailable(errors.New("unavailable: " + strings.Repeat("a host of the store ", 1000)))
		var log bytes.Buffer
		gw, err := farwire.New(farwire.Options{Sites: sites, Logger: slog.New(slog.NewTextHandler(&log, nil))})
		if err != nil {
			t.Fatal(err)
		}
		for range 100 {
			if r := hook(gw.SiteChanged(), "POST", hookBody("https://docs.example.com/", "guess")); r.StatusCode != 500 {
				t.Fatal(r.Status)
			}
		}
		if n := strings.Count(log.String(), "site store: unavailable"); n != 10 || log.Len() > 20_000 {
			t.Errorf("%d lines, %d bytes", n, log.Len())
		}
	})
}
