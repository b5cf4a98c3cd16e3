package farwire_test

import (
	"context"
	"crypto/sha256"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/farwire/farwire"
)

// hostedAt crawls a site once and returns the name of its file.
func (w *world) hostedAt(t *testing.T, key, url, more string) string {
	t.Helper()
	at := w.crawled(key, fmt.Sprintf(`{"url":%q%s}`, url, more)).one(t, "url").Content
	name, ok := strings.CutPrefix(at, "https://gw.example.com/files/")
	if !ok {
		t.Fatalf("hosted at %s", at)
	}
	return name
}

// The names hang on a secret that is kept: the same after a restart, others where
// the secret is another one, and nothing in them is a hash of what others know.
func TestHosted_Names_DependOnTheStoredSecret(t *testing.T) {
	s := newSite(t, threePages)
	dir := t.TempDir()
	world := func(o farwire.Options) *world {
		return newWorld(t, func(w *farwire.Options) {
			w.Storage, w.Sites, w.TokenKey = o.Storage, o.Sites, o.TokenKey
		})
	}
	first := world(farwire.Options{Storage: newFolder(t, dir)}).hostedAt(t, testKey, s.URL, "")
	if again := world(farwire.Options{Storage: newFolder(t, dir)}).hostedAt(t, testKey, s.URL, ""); again != first {
		t.Errorf("after a restart it is hosted at %s, not at %s", again, first)
	}
	if other := world(farwire.Options{Storage: newFolder(t, t.TempDir())}).hostedAt(t, testKey, s.URL, ""); other == first {
		t.Errorf("under another secret it is hosted at %s, too", other)
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%d %s %s", len("alice"), "alice", s.URL+"/"))
	if strings.Contains(first, fmt.Sprintf("%x", sum[:16])) {
		t.Errorf("%s can be worked out from subject and address", first)
	}
	// Where nobody keeps a secret it comes from the token key.
	key := []byte(strings.Repeat("k", 31) + "1")
	plain := func() farwire.Storage { return struct{ farwire.Storage }{newFolder(t, t.TempDir())} }
	one := world(farwire.Options{Storage: plain(), TokenKey: key}).hostedAt(t, testKey, s.URL, "")
	if two := world(farwire.Options{Storage: plain(), TokenKey: key}).hostedAt(t, testKey, s.URL, ""); two != one {
		t.Errorf("under one token key: %s and %s", one, two)
	}
	if two := world(farwire.Options{Storage: plain(), TokenKey: append(key, '2')}).hostedAt(t, testKey, s.URL, ""); two == one {
		t.Errorf("under two token keys: %s", two)
	}
}

func TestFolderStorage_Secret_KeptAndNotServed(t *testing.T) {
	dir := t.TempDir()
	one, err := newFolder(t, dir).Secret(t.Context(), "a")
	if err != nil || len(one) < 32 {
		t.Fatalf("%d bytes, %v", len(one), err)
	}
	again, err := newFolder(t, dir).Secret(t.Context(), "a")
	if err != nil || string(again) != string(one) {
		t.Errorf("again it is another one, %v", err)
	}
	if b, err := newFolder(t, dir).Secret(t.Context(), "b"); err != nil || string(b) == string(one) {
		t.Errorf("two names have one secret, %v", err)
	}
	info, err := os.Stat(filepath.Join(dir, ".secrets", "a"))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if r := serveFile(newFolder(t, dir), "GET", "/.secrets/a"); r.StatusCode != http.StatusNotFound {
		t.Errorf("served with %s", r.Status)
	}
	// A process ended while it wrote.
	if err := os.WriteFile(filepath.Join(dir, ".secrets", "a"), one[:7], 0o600); err != nil {
		t.Fatal(err)
	}
	if fresh, err := newFolder(t, dir).Secret(t.Context(), "a"); err != nil || len(fresh) < 32 {
		t.Errorf("after a torn write: %d bytes, %v", len(fresh), err)
	}
	for _, bad := range []string{"", ".", "..", "a/b", ".a"} {
		if _, err := newFolder(t, dir).Secret(t.Context(), bad); err == nil {
			t.Errorf("%q is the name of a secret", bad)
		}
	}
}

// An enrolled site keeps the address that an earlier release gave its file.
func TestHosted_FileOfAnEarlierRelease_StaysReadableAndInUse(t *testing.T) {
	sites, files, s := &memorySites{}, newFolder(t, t.TempDir()), newSite(t, threePages)
	w := newWorld(t, func(o *farwire.Options) { o.Storage, o.Sites = files, sites })
	sum := sha256.Sum256(fmt.Appendf(nil, "%d %s %s", len("alice"), "alice", s.URL+"/"))
	before := fmt.Sprintf("llms/127.0.0.1-%x.txt", sum[:16])
	mustSave(t, files, farwire.File{Name: before, Body: []byte("# Old\n")})
	lease, err := sites.Enroll(t.Context(), farwire.Site{Subject: "alice", BaseURL: s.URL + "/", Interval: time.Hour,
		HostedURL: "https://gw.example.com/files/" + before, WebhookSecret: "x", Created: time.Now()}, -1, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if err := sites.Release(t.Context(), lease); err != nil {
		t.Fatal(err)
	}
	if got := bodyOf(t, serveFile(files, "GET", "/"+before)); got != "# Old\n" {
		t.Errorf("the old file reads %q", got)
	}
	if name := w.hostedAt(t, testKey, s.URL, `,"enableAutoUpdate":true`); name != before {
		t.Errorf("the enrolled site is hosted at %s, want %s", name, before)
	}
	if name := w.hostedAt(t, otherKey, s.URL, `,"enableAutoUpdate":true`); strings.Count(name, "/") != 3 {
		t.Errorf("a site that is enrolled now is hosted at %s", name)
	}
}

// Of one caller so many crawls are kept. Those of sites that are not enrolled go
// first, the oldest first, with all their files; other callers' stay.
func TestHosted_TooManyCrawls_OldestNotEnrolledGoFirst(t *testing.T) {
	sites, dir := &memorySites{}, t.TempDir()
	files := newFolder(t, dir)
	w := newWorld(t, func(o *farwire.Options) { o.Storage, o.Sites = files, sites })
	w.gw.SetHosted(3, 1<<30)
	s := newSite(t, map[string]string{"/": page("Home", "A page of words that a reader may like.")})
	url := func(n int) string { return fmt.Sprintf("%s/?site=%d", s.URL, n) }
	var names []string
	crawl := func(more string) {
		name := w.hostedAt(t, testKey, url(len(names)), more)
		names = append(names, name)
		// Other files of the same crawl, and an age that does not hang on the clock.
		folder := filepath.Dir(filepath.Join(dir, name))
		age := time.Now().Add(time.Duration(len(names))*time.Minute - time.Hour)
		for _, name := range []string{"llms.txt", "llms-full.txt", "pages/a.md"} {
			at := filepath.Join(folder, name)
			if err := os.MkdirAll(filepath.Dir(at), 0o755); err != nil {
				t.Fatal(err)
			}
			if name != "llms.txt" {
				if err := os.WriteFile(at, []byte("more"), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.Chtimes(at, age, age); err != nil {
				t.Fatal(err)
			}
		}
	}
	kept := func(want string) {
		t.Helper()
		var got strings.Builder
		for _, name := range names {
			there := byte('-')
			if _, err := os.Stat(filepath.Join(dir, name)); err == nil {
				there = 'x'
			}
			_, more := os.Stat(filepath.Join(filepath.Dir(filepath.Join(dir, name)), "pages/a.md"))
			if (more == nil) != (there == 'x') {
				t.Errorf("the files of %s did not go together", name)
			}
			got.WriteByte(there)
		}
		if got.String() != want {
			t.Errorf("kept %s, want %s", got.String(), want)
		}
	}
	other := w.hostedAt(t, otherKey, s.URL, "")
	crawl(`,"enableAutoUpdate":true`)
	crawl("")
	crawl("")
	kept("xxx")
	crawl("")
	kept("x-xx")
	crawl(`,"enableAutoUpdate":true`)
	kept("x--xx")
	crawl(`,"enableAutoUpdate":true`)
	kept("x---xx")
	crawl(`,"enableAutoUpdate":true`) // all are enrolled: the oldest goes
	kept("----xxx")
	w.gw.SetHosted(100, 1) // the bytes are too many, too; what has just been saved stays
	crawl("")
	kept("-------x")
	if _, err := os.Stat(filepath.Join(dir, other)); err != nil {
		t.Errorf("another caller's file: %v", err)
	}
}

// A failingStorage fails in one of the steps that make room for a caller's next crawl.
type failingStorage struct {
	*farwire.FolderStorage
	step  string
	lists int
}

func (s *failingStorage) failing(step string) error {
	if s.step == step {
		return fmt.Errorf("disk is read-only")
	}
	return nil
}

func (s *failingStorage) Files(ctx context.Context, below string) ([]farwire.StoredFile, error) {
	s.lists++
	if err := s.failing([]string{"list", "look again"}[s.lists%2]); err != nil && s.lists > 1 {
		return nil, err
	}
	return s.FolderStorage.Files(ctx, below)
}

func (s *failingStorage) Remove(ctx context.Context, folder string) error {
	if err := s.failing("remove"); err != nil {
		return err
	}
	return s.FolderStorage.Remove(ctx, folder)
}

// failingSites has no site enrolled.
type failingSites struct {
	farwire.SiteStore
	storage *failingStorage
}

func (s failingSites) Enrolled(context.Context, string) ([]farwire.Site, error) { return nil, nil }

func (s failingSites) Sites(context.Context, string) ([]farwire.Site, error) {
	return nil, s.storage.failing("enrolled sites")
}

// A crawl has its result even if the storage cannot make room for it. Files that may have to be
// kept are not removed, the failure is logged, and the next crawl makes room.
func TestHosted_RemoveFails_FileIsHostedAllTheSame(t *testing.T) {
	for _, step := range []string{"list", "enrolled sites", "look again", "remove"} {
		t.Run(step, func(t *testing.T) {
			dir := t.TempDir()
			storage := &failingStorage{FolderStorage: newFolder(t, dir), step: step}
			w := newWorld(t, func(o *farwire.Options) { o.Storage, o.Sites = storage, failingSites{storage: storage} })
			w.gw.SetHosted(1, 1<<30)
			s := newSite(t, threePages)
			there := func(name string) bool {
				_, err := os.Stat(filepath.Join(dir, name))
				return err == nil
			}
			first := w.hostedAt(t, testKey, s.URL, "") // lists once, and has nothing to remove
			second := w.hostedAt(t, testKey, s.URL+"/a", "")
			w.wantLog(`level=WARN .*hosted files of a caller not removed.*disk is read-only`)
			if !there(first) || !there(second) {
				t.Errorf("the first file is there: %v, the second: %v", there(first), there(second))
			}
			storage.step = ""
			third := w.hostedAt(t, testKey, s.URL+"/b", "")
			if there(first) || there(second) || !there(third) {
				t.Errorf("afterwards the first file is there: %v, the second: %v, the third: %v", there(first), there(second), there(third))
			}
		})
	}
}

// What a caller's crawls may keep is what the docs say.
func TestHosted_Limits_AreThoseOfTheDocs(t *testing.T) {
	gw, err := farwire.New(farwire.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if crawls, bytes := gw.Hosted(); crawls != 200 || bytes != 1<<30 {
		t.Errorf("%d crawls and %d bytes are kept, want 200 and 1 GiB", crawls, bytes)
	}
}

// secretLate is a Storage whose secret comes when late is closed, whoever leaves meanwhile.
type secretLate struct {
	*memoryFiles
	asked chan struct{}
	late  chan struct{}
}

func (s secretLate) Secret(context.Context, string) ([]byte, error) {
	s.asked <- struct{}{}
	<-s.late
	return []byte(strings.Repeat("s", 32)), nil
}

// noneEnrolled is a SiteStore of which crawls ask whether a site is enrolled.
type noneEnrolled struct {
	farwire.SiteStore
	asked chan struct{}
}

func (n noneEnrolled) Enrolled(context.Context, string) ([]farwire.Site, error) {
	n.asked <- struct{}{}
	return nil, nil
}

// A crawl that waits for another one's question to the storage ends with its client.
func TestHosted_SecretIsLate_ClientThatLeavesEndsItsCrawl(t *testing.T) {
	storage := secretLate{&memoryFiles{}, make(chan struct{}, 10), make(chan struct{})}
	ended := make(chan farwire.SessionResult, 10)
	sites := noneEnrolled{asked: make(chan struct{}, 10)}
	w := newWorld(t, func(o *farwire.Options) {
		o.Storage, o.Sites = storage, sites
		o.Trace = &farwire.Trace{SessionEnd: func(_ context.Context, _ farwire.SessionInfo, r farwire.SessionResult) { ended <- r }}
	})
	s := newSite(t, threePages)
	first := w.crawl(fmt.Sprintf(`{"url":%q}`, s.URL))
	<-sites.asked
	<-storage.asked
	second := w.crawl(fmt.Sprintf(`{"url":%q}`, s.URL))
	<-sites.asked // the secret is next
	second.conn.Close()
	select {
	case r := <-ended:
		if r.EndedBy != farwire.EndedByClient {
			t.Errorf("ended by %s: %v", r.EndedBy, r.Err)
		}
	case <-time.After(4 * testTimeout):
		t.Error("the crawl of a client that has left goes on")
	}
	close(storage.late)
	if h := first.receive(); h.code != 1000 {
		t.Errorf("the first crawl closed with %d %s", h.code, h.reason)
	}
}
