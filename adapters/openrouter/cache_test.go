package openrouter_test

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/farwire/farwire/adapters/openrouter"
	"github.com/farwire/farwire/llmstxt"
)

func cacheKey(n int) string { return fmt.Sprintf("%064x", n) }

func put(t *testing.T, c openrouter.Cache, n int, answer string) {
	t.Helper()
	if err := c.Put(t.Context(), cacheKey(n), answer); err != nil {
		t.Fatal(err)
	}
}

func has(t *testing.T, c openrouter.Cache, n int, want string) bool {
	t.Helper()
	got, found, err := c.Get(t.Context(), cacheKey(n))
	if err != nil {
		t.Fatal(err)
	}
	if found && got != want {
		t.Errorf("key %d: %q, want %q", n, got, want)
	}
	return found
}

// Both caches keep to their size and forget first what was used longest ago.
func TestCache_Full_ForgetsTheLeastRecentlyUsed(t *testing.T) {
	answer := strings.Repeat("a", 736) // with what either adds, about 1000 bytes
	for name, open := range map[string]func(dir string, size int64) openrouter.Cache{
		"memory": func(_ string, size int64) openrouter.Cache { return openrouter.Memory(size) },
		"folder": func(dir string, size int64) openrouter.Cache { return folder(t, dir, size) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			c := open(dir, 8_000)
			for i := range 8 {
				put(t, c, i, answer)
				age(t, dir)
				if i >= 3 {
					has(t, c, 0, answer) // in use
					age(t, dir)
				}
			}
			put(t, c, 8, answer)
			put(t, c, 9, answer)
			put(t, c, 10, answer)
			if !has(t, c, 10, answer) || !has(t, c, 0, answer) || has(t, c, 1, answer) {
				t.Errorf("newest %t, used %t, oldest %t", has(t, c, 10, answer), has(t, c, 0, answer), has(t, c, 1, answer))
			}
			kept := 0
			for i := range 11 {
				if has(t, c, i, answer) {
					kept++
				}
			}
			if kept > 10 || kept < 5 {
				t.Errorf("%d are kept", kept)
			}
			put(t, c, 10, "other")
			if !has(t, c, 10, "other") {
				t.Error("not replaced")
			}
			put(t, c, 11, strings.Repeat("a", 9_000))
			if has(t, c, 11, "") || !has(t, c, 10, "other") {
				t.Error("what is larger than the cache was kept, or cost all else")
			}
			var wg sync.WaitGroup
			for g := range 4 {
				wg.Go(func() {
					for i := 100; i < 150; i++ { // none that holds another answer
						put(t, c, i, answer)
						has(t, c, i+g, answer)
					}
				})
			}
			wg.Wait()
		})
	}
}

// age makes the files in a folder a minute older.
func age(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		then := info.ModTime().Add(-time.Minute)
		if err := os.Chtimes(filepath.Join(dir, e.Name()), then, then); err != nil {
			t.Fatal(err)
		}
	}
}

func folder(t *testing.T, dir string, size int64) *openrouter.FolderCache {
	t.Helper()
	c, err := openrouter.Folder(dir, size)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
	})
	return c
}

func TestFolderCache_AnswersPut_AreReadAgain(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "below", "answers")
	c := folder(t, dir, 0)
	put(t, c, 1, "one")
	put(t, c, 2, "two")
	if err := os.WriteFile(filepath.Join(dir, "notes.txt"), []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(dir); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	name := filepath.Join(dir, cacheKey(1)+".answer")
	if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
	// Another process sees it, and one that comes later.
	if again := folder(t, dir, 0); !has(t, again, 1, "one") || !has(t, again, 2, "two") || has(t, again, 3, "") {
		t.Error("not all are there")
	}
	// What a crash left.
	for _, text := range []string{"", "half", strings.Repeat("0", 64) + "\none"} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if has(t, c, 1, "") {
			t.Errorf("%q counts as an answer", text)
		}
		if _, err := os.Stat(name); !os.IsNotExist(err) {
			t.Errorf("%q stays: %v", text, err)
		}
	}
	old, young := filepath.Join(dir, "old.tmp"), filepath.Join(dir, "young.tmp")
	for _, name := range []string{old, young} {
		if err := os.WriteFile(name, []byte("half"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	long := time.Now().Add(-2 * time.Hour)
	if err := os.Chtimes(old, long, long); err != nil {
		t.Fatal(err)
	}
	folder(t, dir, 0)
	if _, err := os.Stat(old); !os.IsNotExist(err) {
		t.Errorf("what a dead process left stays: %v", err)
	}
	for _, name := range []string{young, filepath.Join(dir, "notes.txt")} {
		if _, err := os.Stat(name); err != nil {
			t.Error(err)
		}
	}
	for _, key := range []string{"", "../../etc/passwd", "abc", strings.Repeat("z", 64)} {
		if _, _, err := c.Get(context.Background(), key); err == nil {
			t.Errorf("got %q", key)
		}
		if err := c.Put(context.Background(), key, "x"); err == nil {
			t.Errorf("put %q", key)
		}
	}
	if _, err := openrouter.Folder(filepath.Join(dir, "notes.txt"), 0); err == nil {
		t.Error("a file is no folder")
	}
}

// A folder that was full when it was opened makes room.
func TestFolder_OpenedFull_MakesRoom(t *testing.T) {
	dir := t.TempDir()
	c := folder(t, dir, 1<<20)
	for i := range 10 {
		put(t, c, i, strings.Repeat("a", 1000))
		age(t, dir)
	}
	small := folder(t, dir, 5000)
	if has(t, small, 0, "") || !has(t, small, 9, strings.Repeat("a", 1000)) {
		t.Error("the oldest stays, or the newest went")
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) > 4 {
		t.Errorf("%d files, %v", len(entries), err)
	}
}

// The fields that are left out have their defaults in the keys of the cache: who writes them
// out later has the same answers.
func TestCache_DefaultsWrittenOut_SameAnswers(t *testing.T) {
	requests := 0
	say := func(int) (*http.Response, error) {
		requests++
		return response(200, nil, `{"choices":[{"finish_reason":"stop","message":{"content":"# reworded"}}]}`), nil
	}
	cache := openrouter.Memory(1 << 20)
	for _, o := range []openrouter.Options{{}, {BaseURL: openrouter.DefaultBaseURL}, {Model: openrouter.DefaultModel},
		{BaseURL: openrouter.DefaultBaseURL, Model: openrouter.DefaultModel, MaxConcurrent: 16, TokenBudget: 16_000, Attempts: 4, Timeout: 30 * time.Second}} {
		o.Cache = cache
		if answer, err := inMemory(t, o, say).Enhance(t.Context(), llmstxt.Part{Layout: llmstxt.Pages, Text: "# one"}); err != nil || answer != "# reworded\n" {
			t.Errorf("%+v: %q, %v", o, answer, err)
		}
	}
	if requests != 1 {
		t.Errorf("%d requests, want 1", requests)
	}
}
