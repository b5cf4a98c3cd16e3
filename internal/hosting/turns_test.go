package hosting_test

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farwire/farwire/internal/hosting"
)

// removes says whether a pass removes a folder.
func removes(t *testing.T, p *hosting.Pass, folder string) (removed bool) {
	t.Helper()
	if err := p.Remove(folder, func() error { removed = true; return nil }); err != nil {
		t.Error(err)
	}
	return removed
}

func save(t *testing.T, turns hosting.Turns, folder string) (saved func()) {
	t.Helper()
	saved, err := turns.Save(t.Context(), folder)
	if err != nil {
		t.Fatal(err)
	}
	return saved
}

// A pass goes by a list that is as old as its beginning: it removes no folder in which
// somebody saves, or has saved since.
func TestPass_FolderIsSaved_IsNotRemoved(t *testing.T) {
	turns := hosting.NewTurns()
	first, second := save(t, turns, "a"), save(t, turns, "a")
	before := turns.Begin()
	defer before.End()
	if removes(t, before, "a") {
		t.Error("removed while two save")
	}
	first()
	first() // only the first call counts
	during := turns.Begin()
	defer during.End()
	if removes(t, during, "a") {
		t.Error("removed while one saves")
	}
	second()
	for name, p := range map[string]*hosting.Pass{"before the first end": before, "before the second": during} {
		if removes(t, p, "a") {
			t.Errorf("removed by a pass that began %s", name)
		}
		if !removes(t, p, "b") {
			t.Errorf("a pass that began %s removes no other folder", name)
		}
	}
	after := turns.Begin()
	defer after.End()
	if !removes(t, after, "a") {
		t.Error("not removed by a pass that began behind both")
	}
}

// A save waits for a removal, which may fail; another folder's save does not.
func TestTurns_Save_WaitsForARemoval(t *testing.T) {
	failed := errors.New("the storage is unavailable")
	for _, fails := range []error{nil, failed} {
		synctest.Test(t, func(t *testing.T) {
			turns := hosting.NewTurns()
			pass, other := turns.Begin(), turns.Begin()
			defer pass.End()
			defer other.End()
			goOn, removed := make(chan struct{}), make(chan error, 1)
			go func() {
				removed <- pass.Remove("a", func() error { <-goOn; return fails })
			}()
			synctest.Wait()
			if removes(t, other, "a") {
				t.Error("two remove a folder at once")
			}
			save(t, turns, "b")()
			entered := make(chan func(), 1)
			go func() { entered <- save(t, turns, "a") }()
			synctest.Wait()
			select {
			case <-entered:
				t.Fatal("a save began during the removal")
			default:
			}
			start := time.Now()
			close(goOn)
			if err := <-removed; err != fails {
				t.Errorf("removed with %v, want %v", err, fails)
			}
			saved := <-entered
			if waited := time.Since(start); waited != 0 {
				t.Errorf("the save waits %v longer than the removal takes", waited)
			}
			next := turns.Begin()
			defer next.End()
			if removes(t, next, "a") {
				t.Error("removed during the save that had waited")
			}
			saved()
		})
	}
}

// A storage that never ends a removal does not keep a crawl from being saved.
func TestTurns_Save_RemovalHangs_GoesOnOrEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		turns := hosting.NewTurns()
		pass := turns.Begin()
		defer pass.End()
		goOn, removed := make(chan struct{}), make(chan error, 1)
		go func() { removed <- pass.Remove("a", func() error { <-goOn; return nil }) }()
		synctest.Wait()

		gone := errors.New("the client left")
		ctx, cancel := context.WithCancelCause(t.Context())
		time.AfterFunc(time.Second, func() { cancel(gone) })
		if _, err := turns.Save(ctx, "a"); err != gone {
			t.Errorf("ended by %v, want %v", err, gone)
		}
		start := time.Now()
		save(t, turns, "a")()
		if waited := time.Since(start); waited != 20*time.Second {
			t.Errorf("the save waits %v for a removal that hangs", waited)
		}
		close(goOn)
		if err := <-removed; err != nil {
			t.Error(err)
		}
	})
}
