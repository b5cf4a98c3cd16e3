package farwire_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farwire/farwire"
)

// TestSites_OtherCallers_AreNeitherListedNorLeft: callers see their own sites, and leave no other.
func TestSites_OtherCallers_AreNeitherListedNorLeft(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sites := &memorySites{}
		gw, err := farwire.New(farwire.Options{
			Auth: mustKeys(t, map[string]string{testKey: "alice", otherKey: "bob"}), Sites: sites, Limits: farwire.Limits{Rate: -1},
		})
		if err != nil {
			t.Fatal(err)
		}
		mux := http.NewServeMux()
		mux.Handle("/sites", gw.SitesHandler())
		mux.Handle("/sites/{id}", gw.SitesHandler())
		ask := func(method, path, key string) (int, http.Header, string) {
			t.Helper()
			r := httptest.NewRequest(method, path, nil)
			if key != "" {
				r.Header.Set("X-API-Key", key)
			}
			r.Header.Set("Origin", "https://app.example")
			w := httptest.NewRecorder()
			mux.ServeHTTP(w, r)
			b, err := io.ReadAll(w.Result().Body)
			if err != nil {
				t.Fatal(err)
			}
			return w.Code, w.Result().Header, string(b)
		}
		now := time.Now().UTC().Truncate(time.Second)
		enroll := func(subject, url string, change func(*farwire.Site)) string {
			t.Helper()
			l, err := sites.Enroll(t.Context(), farwire.Site{Subject: subject, BaseURL: url, Interval: 90 * time.Minute, WebhookSecret: "hush"}, -1, time.Hour)
			if err != nil {
				t.Fatal(err)
			}
			l.Site.NextCrawl = now.Add(time.Hour)
			change(&l.Site)
			if err := sites.Commit(t.Context(), l, farwire.RecrawlResult{Site: l.Site}); err != nil {
				t.Fatal(err)
			}
			return fmt.Sprint(l.Site.ID)
		}
		if status, _, body := ask("GET", "/sites", testKey); status != 200 || body != `{"sites":[]}` {
			t.Errorf("without sites: %d %s", status, body)
		}
		updated := enroll("alice", "https://a.example/", func(s *farwire.Site) {
			s.LastCrawl, s.LastChange, s.HostedURL = now, now, "https://files.example/a.txt"
		})
		enroll("alice", "https://b.example/", func(s *farwire.Site) { s.LastCrawl, s.LastChange = now, now.Add(-time.Hour) })
		enroll("alice", "https://c.example/", func(s *farwire.Site) {
			s.LastCrawl, s.Failures, s.LastError, s.Resting = now, 2, "HTTP 503", true
		})
		enroll("alice", "https://d.example/", func(*farwire.Site) {})
		others := enroll("bob", "https://a.example/", func(*farwire.Site) {})

		status, header, body := ask("GET", "/sites", testKey)
		var got struct{ Sites []map[string]any }
		if err := json.Unmarshal([]byte(body), &got); err != nil || status != 200 || len(got.Sites) != 4 || strings.Contains(body, "hush") {
			t.Fatalf("got %d %s, %v", status, body, err)
		}
		if header.Get("Access-Control-Allow-Origin") != "*" {
			t.Errorf("CORS is not allowed: %v", header)
		}
		at := func(d time.Duration) string { return now.Add(d).Format(time.RFC3339) }
		for i, want := range []map[string]any{
			{"id": 1.0, "base_url": "https://a.example/", "url": "https://files.example/a.txt", "next_crawl_at": at(time.Hour), "last_crawl_at": at(0), "last_outcome": "updated", "interval_minutes": 90.0},
			{"id": 2.0, "last_outcome": "unchanged", "last_crawl_at": at(0)},
			{"id": 3.0, "last_outcome": "failed", "next_crawl_at": nil, "last_crawl_at": at(0)},
			{"id": 4.0, "last_outcome": "", "next_crawl_at": at(time.Hour), "last_crawl_at": nil},
		} {
			for name, value := range want {
				if got.Sites[i][name] != value {
					t.Errorf("site %d: %s is %v, want %v", i, name, got.Sites[i][name], value)
				}
			}
		}
		for _, c := range []struct {
			method, path, key string
			status            int
		}{
			{"GET", "/sites", "", 401},
			{"GET", "/sites", "wrong-key-wrong-key", 403},
			{"POST", "/sites", testKey, 405},
			{"GET", "/sites/" + updated, testKey, 405},
			{"DELETE", "/sites/" + updated, "", 401},
			{"DELETE", "/sites/" + others, testKey, 404},
			{"DELETE", "/sites/4711", testKey, 404},
			{"DELETE", "/sites/%20" + updated, testKey, 404},
			{"DELETE", "/sites/" + updated, testKey, 204},
			{"DELETE", "/sites/" + updated, testKey, 404},
			{"OPTIONS", "/sites/" + updated, "", 204},
		} {
			if status, _, body := ask(c.method, c.path, c.key); status != c.status || status >= 400 && !strings.Contains(body, `"code"`) {
				t.Errorf("%s %s: %d %s, want %d", c.method, c.path, status, body, c.status)
			}
		}
		if list, err := sites.Sites(t.Context(), "alice"); err != nil || len(list) != 3 {
			t.Errorf("alice has %+v, %v", list, err)
		}
		if list, err := sites.Sites(t.Context(), "bob"); err != nil || len(list) != 1 {
			t.Errorf("bob has %+v, %v", list, err)
		}
	})
}

// Whoever asks, and however often, the store of sites is asked once a second at most, and
// what it says then is the answer of all who wait.
func TestReady_ManyAsk_StoreIsAskedOnceASecond(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked atomic.Int64
		fails := make(chan error, 1)
		fails <- nil
		sites := &memorySites{before: func(string) error {
			asked.Add(1)
			time.Sleep(100 * time.Millisecond)
			err := <-fails
			fails <- err
			return err
		}}
		gw, err := farwire.New(farwire.Options{Sites: sites, Storage: &memoryFiles{}, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		ready := func(ctx context.Context) int {
			rec := httptest.NewRecorder()
			gw.Ready().ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/readyz?require=stores", nil).WithContext(ctx))
			return rec.Code
		}
		all := func(want int) {
			t.Helper()
			gone, leave := context.WithCancel(t.Context())
			var asking sync.WaitGroup
			asking.Go(func() { ready(gone) })
			synctest.Wait() // it is the one who asks the store
			for range 50 {
				asking.Go(func() {
					if status := ready(t.Context()); status != want {
						t.Errorf("%d, want %d", status, want)
					}
				})
			}
			synctest.Wait()
			leave()
			asking.Wait()
		}
		all(200)
		<-fails
		fails <- errors.New("out of order")
		all(200)
		if n := asked.Load(); n != 1 {
			t.Errorf("asked %d times within a second", n)
		}
		time.Sleep(time.Second)
		all(503)
		if n := asked.Load(); n != 2 {
			t.Errorf("asked %d times within two seconds", n)
		}
		// What cannot be answered costs no look.
		time.Sleep(time.Second)
		rec := httptest.NewRecorder()
		if gw.Ready().ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/readyz?require=nothing", nil)); rec.Code != 400 || asked.Load() != 2 {
			t.Errorf("a wrong question: %d, the store was asked %d times", rec.Code, asked.Load())
		}
	})
}

// A store that is silent, for ever even, does not have a probe wait: the gateway is ready. Who
// requires the stores is told that one does not answer, or waits for one that is slow.
func TestReady_StoreSilent_AnswersInTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		silent := make(chan struct{})
		sites := &memorySites{before: func(string) error { <-silent; return nil }}
		gw, err := farwire.New(farwire.Options{Sites: sites, Storage: &memoryFiles{}, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		ask := func(query string, status int, within time.Duration) {
			t.Helper()
			began, rec := time.Now(), httptest.NewRecorder()
			gw.Ready().ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/readyz"+query, nil))
			ok := strings.Contains(rec.Body.String(), `"sites":{"ok":true}`)
			if took := time.Since(began); rec.Code != status || took > within || ok != (took == 0) {
				t.Errorf("%q: after %v %d %s", query, took, rec.Code, rec.Body)
			}
		}
		for range 3 {
			ask("", 200, 500*time.Millisecond)
		}
		ask("?require=stores", 503, 5*time.Second)
		closing, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		began := time.Now()
		if err := gw.Shutdown(closing); err != nil || time.Since(began) > 2*time.Second {
			t.Errorf("shut down after %v: %v", time.Since(began), err)
		}
		close(silent)
	})
	synctest.Test(t, func(t *testing.T) {
		sites := &memorySites{before: func(string) error { time.Sleep(4 * time.Second); return nil }}
		gw, err := farwire.New(farwire.Options{Sites: sites, Storage: &memoryFiles{}, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		rec := httptest.NewRecorder()
		if gw.Ready().ServeHTTP(rec, httptest.NewRequest(http.MethodGet, "/readyz?require=stores", nil)); rec.Code != 200 {
			t.Errorf("a slow store: %d %s", rec.Code, rec.Body)
		}
	})
}
