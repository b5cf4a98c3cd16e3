package farwire_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/gofrs/flock"

	"github.com/farwire/farwire"
)

// TestFolder_LockedByAnother_WaitsForTheContext: another process has stopped while it saves the file. Who
// waits for it waits as long as its context says, and no longer.
func TestFolder_LockedByAnother_WaitsForTheContext(t *testing.T) {
	dir := t.TempDir()
	files := newFolder(t, dir)
	file := farwire.File{Name: "llms/a.txt", Body: []byte("old"), Version: 1}
	if _, err := files.Save(t.Context(), file); err != nil {
		t.Fatal(err)
	}
	locks, err := filepath.Glob(filepath.Join(dir, ".locks", "*"))
	if err != nil || len(locks) != 1 {
		t.Fatalf("locks %v, %v", locks, err)
	}
	other := flock.New(locks[0])
	if err := other.Lock(); err != nil {
		t.Fatal(err)
	}
	file.Body, file.Version = []byte("new"), 2
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	if _, err := files.Save(ctx, file); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("got %v", err)
	}
	if got, err := os.ReadFile(filepath.Join(dir, "llms", "a.txt")); err != nil || string(got) != "old" {
		t.Errorf("the file holds %q, %v", got, err)
	}
	saved := make(chan error, 1)
	go func() {
		_, err := files.Save(t.Context(), file)
		saved <- err
	}()
	if err := other.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-saved; err != nil {
		t.Error(err)
	}
	if got, err := os.ReadFile(filepath.Join(dir, "llms", "a.txt")); err != nil || string(got) != "new" {
		t.Errorf("the file holds %q, %v", got, err)
	}
}
