package folder_test

import (
	"context"
	"fmt"
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
