package farwire_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/farwire/farwire"
)

// FuzzCrawlRequest gives the crawl anything as a request. One that it takes is
// within all limits and means to encoding/json what it means to us.
func FuzzCrawlRequest(f *testing.F) {
	f.Fuzz(func(t *testing.T, message []byte) {
		a, err := farwire.ParseCrawl(message)
		if err != nil {
			checkRefusal(t, err)
			return
		}
		want := struct {
			URL        string `json:"url"`
			MaxPages   *int   `json:"maxPages"`
			DescLength *int   `json:"descLength"`
			Format     string `json:"format"`
		}{}
		var top map[string]json.RawMessage // names matched exactly
		if err := json.Unmarshal(message, &top); err != nil || top == nil {
			t.Fatalf("accepted input that is not a JSON object: %v", err)
		}
		for name, into := range map[string]any{
			"url": &want.URL, "maxPages": &want.MaxPages, "descLength": &want.DescLength, "format": &want.Format,
		} {
			if raw, ok := top[name]; ok {
				if err := json.Unmarshal(raw, into); err != nil {
					t.Fatalf("took %s of the wrong type: %s", name, raw)
				}
			}
		}
		u, err := url.Parse(a.URL)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || a.Host == "" || a.URL != strings.TrimSpace(want.URL) {
			t.Fatalf("url %q became %q at host %q", want.URL, a.URL, a.Host)
		}
		number := func(name string, got, def, low, high int, want *int) {
			if want != nil {
				def = *want
			}
			if got != def || got < low || got > high {
				t.Fatalf("%s is %d, want %d", name, got, def)
			}
		}
		number("maxPages", a.MaxPages, 50, 1, 1000, want.MaxPages)
		number("descLength", a.DescLength, 500, 100, 2000, want.DescLength)
		if a.Interval < time.Minute {
			t.Fatalf("interval %v", a.Interval)
		}
		if a.Format != "pages" && a.Format != "index" || want.Format != "" && a.Format != want.Format {
			t.Fatalf("format %q became %q", want.Format, a.Format)
		}
	})
}

// checkRefusal holds every refusal to what may be said on a socket.
func checkRefusal(t *testing.T, err error) {
	t.Helper()
	s := err.Error()
	if s == "" || !utf8.ValidString(s) || strings.ContainsAny(s, "\r\n\x00") {
		t.Fatalf("a refusal that cannot be shown: %q", s)
	}
	if len(s) > 600 {
		t.Fatalf("a refusal of %d bytes", len(s))
	}
}

// FuzzToken shows a gateway anything as a key. Nothing that it has not signed
// itself is ever valid, and nothing makes it stumble.
func FuzzToken(f *testing.F) {
	keys, err := farwire.APIKeys(map[string]string{testKey: "alice"})
	if err != nil {
		f.Fatal(err)
	}
	gw, err := farwire.New(farwire.Options{Auth: keys, TokenKey: tokenKey, Limits: farwire.Limits{Rate: -1}})
	if err != nil {
		f.Fatal(err)
	}
	usage := gw.Usage()
	clients := 0
	f.Fuzz(func(t *testing.T, key string) {
		r := httptest.NewRequest(http.MethodGet, "/", nil)
		clients++ // one that shows more than ten wrong keys is answered 429
		r.RemoteAddr = fmt.Sprintf("10.%d.%d.%d:1", clients>>16&0xff, clients>>8&0xff, clients&0xff)
		r.Header["X-Api-Key"] = []string{key}
		w := httptest.NewRecorder()
		usage.ServeHTTP(w, r)
		if want := w.Code == http.StatusForbidden || key == "" && w.Code == http.StatusUnauthorized || key == testKey && w.Code == http.StatusOK; !want {
			t.Errorf("%q: %d", key, w.Code)
		}
	})
}

// FuzzFileName saves under anything. Whatever is written is in the folder, is
// not hidden, and is served under the name that it was saved by.
func FuzzFileName(f *testing.F) {
	f.Fuzz(func(t *testing.T, name string) {
		outer := t.TempDir()
		s := newFolder(t, filepath.Join(outer, "files"))
		_, err := s.Save(t.Context(), farwire.File{Name: name, Body: []byte(name)})
		served := serveFile(s, http.MethodGet, "/"+name)
		if (err == nil) != (served.StatusCode == http.StatusOK) {
			t.Fatalf("%q: saved with %v, served with %s", name, err, served.Status)
		}
		if err == nil && bodyOf(t, served) != name {
			t.Fatalf("%q holds something else", name)
		}
		if around, err := os.ReadDir(outer); err != nil || len(around) != 1 {
			t.Fatalf("%q: %v, %v", name, around, err)
		}
	})
}
