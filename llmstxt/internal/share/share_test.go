package share_test

import (
	"context"
	"testing"
	"testing/synctest"

	"github.com/farwire/farwire/llmstxt/internal/share"
)

func TestPool_OwnerWithFewer_IsServedFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := share.NewPool(2)
		first, err := p.Take(t.Context(), "greedy")
		if err != nil {
			t.Fatal(err)
		}
		second, err := p.Take(t.Context(), "greedy")
		if err != nil {
			t.Fatal(err)
		}
		served := make(chan string, 3)
		for _, owner := range []string{"greedy", "modest"} {
			go func() {
				release, err := p.Take(t.Context(), owner)
				if err != nil {
					t.Error(err)
					return
				}
				served <- owner
				release()
			}()
			synctest.Wait()
		}
		if !p.Busy() {
			t.Error("nobody waits")
		}
		first()
		first() // a second time does nothing
		if got := <-served; got != "modest" {
			t.Errorf("%s was served first", got)
		}
		<-served
		second()
		synctest.Wait()
		if p.Busy() {
			t.Error("somebody still waits")
		}
	})
}

func TestPool_ContextEnds_NothingIsHeld(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := share.NewPool(1)
		release, err := p.Take(t.Context(), 1)
		if err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() {
			_, err := p.Take(ctx, 2)
			done <- err
		}()
		synctest.Wait()
		cancel()
		if err := <-done; err == nil {
			t.Error("taken although the context had ended")
		}
		release()
		if release, err = p.Take(t.Context(), 3); err != nil {
			t.Fatal(err)
		}
		release()
	})
}
