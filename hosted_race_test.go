package farwire_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/farwire/farwire"
)

// removableFiles is a Storage in memory that can remove files, as one in a bucket does: each
// by itself, and by a list that it made before.
type removableFiles struct {
	memoryFiles
	listed func() // called when a list has been made, outside the lock; nil: nothing
	times  map[string]time.Time
}

func (r *removableFiles) Save(ctx context.Context, f farwire.File) (string, error) {
	url, err := r.memoryFiles.Save(ctx, f)
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.times == nil {
		r.times = map[string]time.Time{}
	}
	r.times[f.Name] = time.Now()
	return url, err
}

func (r *removableFiles) Files(_ context.Context, folder string) (files []farwire.StoredFile, err error) {
	if r.listed != nil {
		defer r.listed()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for name, f := range r.files {
		if strings.HasPrefix(name, folder+"/") {
			files = append(files, farwire.StoredFile{Name: name, Size: int64(len(f.Body)), Modified: r.times[name]})
		}
	}
	return files, nil
}

func (r *removableFiles) Remove(ctx context.Context, folder string) error {
	files, err := r.Files(ctx, folder)
	for _, f := range files {
		r.mu.Lock()
		delete(r.files, f.Name)
		r.mu.Unlock()
	}
	return err
}

// Fifty crawls of one caller at once, some of the same site: each has its file hosted, and
// when all are over the caller has as many as it may.
func TestHosted_ManyCrawlsAtOnce_QuotaHoldsAndNoneFails(t *testing.T) {
	dir := t.TempDir()
	memory := &removableFiles{}
	for name, store := range map[string]farwire.FileRemover{"folder": newFolder(t, dir), "memory": memory} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, func(o *farwire.Options) {
				o.Storage = store
				o.Limits = farwire.Limits{Rate: 1000, Burst: 1000, Sessions: -1, Crawls: -1, PagesPerDay: -1}
			})
			const most = 4
			w.gw.SetHosted(most, 1<<30)
			s := newSite(t, threePages)
			var all sync.WaitGroup
			for i := range 50 {
				all.Go(func() {
					heard := w.crawled(testKey, fmt.Sprintf(`{"url":"%s/?site=%d","full":true,"markdown":true}`, s.URL, i%12))
					hosted := slices.ContainsFunc(heard.messages, func(m said) bool { return m.Type == "url" })
					if heard.code != 1000 || !hosted {
						t.Errorf("crawl %d ended with %d, its file is hosted: %v; last came %v", i, heard.code, hosted, heard.messages[len(heard.messages)-1])
					}
				})
			}
			all.Wait()
			files, err := store.Files(context.Background(), "llms")
			if err != nil {
				t.Fatal(err)
			}
			sites := map[string]int{}
			for _, f := range files {
				sites[strings.Split(f.Name, "/")[2]]++
			}
			if len(sites) != most {
				t.Errorf("%d crawls are kept, want %d: %v", len(sites), most, sites)
			}
			for site, n := range sites {
				if n != 5 { // llms.txt, llms-full.txt and three pages
					t.Errorf("%d files of %s are left", n, site)
				}
			}
		})
	}
}

// What a crawl has saved is not removed by another one whose list of files is older, and a crawl
// can save while files are listed, those of the caller as well as those of its own folder.
func TestHosted_SaveDuringAList_GoesOnAndFileStays(t *testing.T) {
	for nth, what := range []string{"of the caller", "of the folder"} {
		store := &removableFiles{}
		w := newWorld(t, func(o *farwire.Options) { o.Storage = store })
		w.gw.SetHosted(2, 1<<30)
		s := newSite(t, threePages)
		crawl := func(site int) string {
			return w.crawled(testKey, fmt.Sprintf(`{"url":"%s/?site=%d"}`, s.URL, site)).one(t, "url").Content
		}
		oldest := strings.TrimPrefix(crawl(0), "https://files.test/")
		crawl(1)
		var lists atomic.Int32
		store.listed = func() {
			if int(lists.Add(1)) == nth+1 {
				crawl(0)
			}
		}
		crawl(2)
		if _, there := store.files[oldest]; !there {
			t.Errorf("a file that was saved during the list %s is gone", what)
		}
	}
}

// Nor is what another gateway has saved since, in the same storage.
func TestHosted_AnotherGatewaySavesAfterTheList_FileStays(t *testing.T) {
	for what, site := range map[string]int{"the oldest again": 0, "one that stays": 1} {
		t.Run(what, func(t *testing.T) {
			store := &removableFiles{}
			share := func(o *farwire.Options) { o.Storage, o.TokenKey = store, []byte("the same key of both the gateways") }
			one, other := newWorld(t, share), newWorld(t, share)
			one.gw.SetHosted(2, 1<<30)
			other.gw.SetHosted(100, 1<<30)
			s := newSite(t, threePages)
			crawl := func(w *world, site int) string {
				return strings.TrimPrefix(w.crawled(testKey, fmt.Sprintf(`{"url":"%s/?site=%d"}`, s.URL, site)).one(t, "url").Content, "https://files.test/")
			}
			names := []string{crawl(one, 0), crawl(one, 1)}
			var first atomic.Bool
			store.listed = func() {
				if first.CompareAndSwap(false, true) {
					if again := crawl(other, site); again != names[site] {
						t.Errorf("%s and %s", again, names[site])
					}
				}
			}
			crawl(one, 2)
			if _, there := store.files[names[0]]; there != (site == 0) {
				t.Errorf("the oldest is there: %v", there)
			}
			if _, there := store.files[names[1]]; !there {
				t.Error("the other is gone")
			}
		})
	}
}

// A crawl that finds its site as it was counts among the last ones.
func TestHosted_CrawledAgainUnchanged_IsNotTheOldest(t *testing.T) {
	dir := t.TempDir()
	w := newWorld(t, func(o *farwire.Options) { o.Storage = newFolder(t, dir) })
	w.gw.SetHosted(2, 1<<30)
	s := newSite(t, threePages)
	var names []string
	for i, site := range []int{0, 1, 0, 2} {
		names = append(names, w.hostedAt(t, testKey, fmt.Sprintf("%s/?site=%d", s.URL, site), ""))
		if i < 2 { // ages that do not hang on the clock
			age := time.Now().Add(time.Duration(i)*time.Minute - time.Hour)
			for _, name := range []string{"llms.txt", ".llms.txt.version"} {
				if err := os.Chtimes(filepath.Join(dir, filepath.Dir(names[i]), name), age, age); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	for i, want := range []bool{true, false, true, true} {
		if _, err := os.Stat(filepath.Join(dir, names[i])); (err == nil) != want {
			t.Errorf("file %d is there: %v, want %v", i, err == nil, want)
		}
	}
	if got := serveFile(newFolder(t, dir), http.MethodGet, "/"+names[0]); got.StatusCode != http.StatusOK {
		t.Errorf("status %d", got.StatusCode)
	}
}
