package folder_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"testing"
)

// The files of a crawl may be removed, as too old, while another crawl of the same site saves
// its own, in another process too. Neither fails for the other.
func TestFolder_RemovedWhileSaved_NeitherFails(t *testing.T) {
	dir := t.TempDir()
	d, other, ctx := open(t, dir), open(t, dir), context.Background()
	const folder = "llms/caller/site"
	var both sync.WaitGroup
	for n := range 4 {
		began := make(chan struct{})
		both.Go(func() {
			for range began {
				if err := other.Remove(ctx, folder); err != nil {
					t.Errorf("removing: %v", err)
				}
			}
		})
		both.Go(func() {
			defer close(began)
			for i := range 40 {
				began <- struct{}{}
				if err := d.Save(ctx, fmt.Sprintf("%s/%d/page.md", folder, n), fmt.Append(nil, i), uint64(i%2)); err != nil {
					t.Errorf("saving: %v", err)
				}
			}
		})
	}
	both.Wait()
	name := folder + "/0/page.md"
	if err := d.Save(ctx, name, []byte("last"), 0); err != nil {
		t.Fatal(err)
	}
	if got := read(t, d, name); got != "last" {
		t.Errorf("the file has %q", got)
	}
}

// What a process that ended has left of a folder is in no list, and goes with the next.
func TestFolder_RemovedInPart_GoesWithTheNext(t *testing.T) {
	dir := t.TempDir()
	d, ctx := open(t, dir), context.Background()
	for _, name := range []string{"site/1/page.md", "site/2/page.md"} {
		if err := d.Save(ctx, name, []byte("page"), 1); err != nil {
			t.Fatal(err)
		}
	}
	left := filepath.Join(dir, "site", ".removed-1")
	if err := os.Rename(filepath.Join(dir, "site", "1"), left); err != nil {
		t.Fatal(err)
	}
	if files, err := d.Files(ctx, "site"); err != nil || len(files) != 1 || files[0].Name != "site/2/page.md" {
		t.Errorf("listed are %v, %v", files, err)
	}
	for range 2 { // the second finds nothing
		if err := d.Remove(ctx, "site/2"); err != nil {
			t.Fatal(err)
		}
	}
	if entries, err := os.ReadDir(filepath.Join(dir, "site")); err != nil || len(entries) > 0 {
		t.Errorf("left are %v, %v", entries, err)
	}
}
