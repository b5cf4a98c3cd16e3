package browser

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
)

// A caller with many pages waits for another's few.
func TestTurns_SeveralOwners_TheOneThatHoldsLeastIsNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tabs := newTurns(2)
		var got []string
		ask := func(owner string) {
			go func() {
				if err := tabs.take(t.Context(), owner); err != nil {
					t.Error(err)
				}
				got = append(got, owner)
			}()
			synctest.Wait()
		}
		for _, owner := range strings.Fields("many many many many many few few other") {
			ask(owner)
		}
		if held, waiting := tabs.counts(); held != 2 || waiting != 6 {
			t.Errorf("%d held, %d waited for", held, waiting)
		}
		for len(got) < 8 {
			tabs.give(got[len(got)-2])
			synctest.Wait()
		}
		if want := strings.Fields("many many few many few many other many"); !slices.Equal(got, want) {
			t.Errorf("tabs went to %v, want %v", got, want)
		}
		for _, owner := range got[6:] {
			tabs.give(owner)
		}
		if held, waiting := tabs.counts(); held != 0 || waiting != 0 || tabs.free != 2 {
			t.Errorf("%d held, %d waited for, %d free", held, waiting, tabs.free)
		}
	})
}

func TestTurns_WaiterLeaves_TabGoesToTheNext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		tabs := newTurns(1)
		if err := tabs.take(t.Context(), "a"); err != nil {
			t.Fatal(err)
		}
		ctx, leave := context.WithCancelCause(t.Context())
		gone := errors.New("gone")
		left := make(chan error, 1)
		go func() { left <- tabs.take(ctx, "b") }()
		synctest.Wait()
		leave(gone)
		if err := <-left; !errors.Is(err, gone) {
			t.Errorf("the one that left: %v", err)
		}
		tabs.give("a")
		if err := tabs.take(t.Context(), "c"); err != nil {
			t.Error(err)
		}
		if held, waiting := tabs.counts(); held != 1 || waiting != 0 {
			t.Errorf("%d held, %d waited for", held, waiting)
		}
	})
}
