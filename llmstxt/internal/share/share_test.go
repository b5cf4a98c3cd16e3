package share_test

import (
	"context"
	"runtime"
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

// Pages are read on all cores but one, or on the only one: what else a process does has
// one of its own.
func TestCores_AllTaken_OneStaysFree(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	taken := 0
	for {
		release, err := share.Cores.Take(ended, "crawl")
		if err != nil {
			break
		}
		defer release()
		taken++
	}
	if want := max(1, min(runtime.NumCPU(), runtime.GOMAXPROCS(0))-1); taken != want {
		t.Errorf("%d cores are taken of %d, want %d", taken, runtime.NumCPU(), want)
	}
}

// Of what is read of pages an owner has half at most: another one finds some.
func TestResults_OneOwner_HasHalf(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var taken []func()
		for {
			give, ok := share.Results.Try("greedy")
			if !ok {
				break
			}
			taken = append(taken, give)
		}
		if n := len(taken) * share.ResultPiece; n != 128<<20 {
			t.Errorf("one owner has %d bytes", n)
		}
		more := make(chan error)
		go func() {
			give, err := share.Results.Take(t.Context(), "greedy")
			if err == nil {
				give()
			}
			more <- err
		}()
		synctest.Wait()
		give, ok := share.Results.Try("modest")
		if !ok {
			t.Fatal("nothing is left for another owner")
		}
		give() // which is not the greedy one's
		synctest.Wait()
		if !share.Results.Busy() {
			t.Error("one owner has more than half")
		}
		for _, give := range taken {
			give()
		}
		if err := <-more; err != nil {
			t.Error(err)
		}
	})
}

// The pools hold what docs/security.md says that a process has for all its crawls.
func TestPools_Sizes_AreThoseOfTheDocs(t *testing.T) {
	for name, c := range map[string]struct {
		pool *share.Pool
		want int
	}{
		"bodies":               {share.Bodies, 256},
		"larger bodies":        {share.LargeBody, 4},
		"larger pages":         {share.LargePages, 1},
		"larger files":         {share.LargeFiles, 4},
		"crawls with site map": {share.SiteMaps, 64},
		"whole texts":          {share.Texts, 128},
		"results":              {share.Results, 512},
	} {
		t.Run(name, func(t *testing.T) {
			taken := 0
			for {
				release, ok := c.pool.Try(taken) // each by another owner
				if !ok {
					break
				}
				defer release()
				if taken++; taken > 2*c.want {
					break
				}
			}
			if taken != c.want {
				t.Errorf("%d are taken, want %d", taken, c.want)
			}
		})
	}
	if share.SmallBody != 256<<10 || share.TextPiece != 256<<10 || share.ResultPiece != 512<<10 || share.TextsOfOne != 64 {
		t.Errorf("a small body has %d bytes, a piece of texts %d, one of results %d; an owner has %d of texts", share.SmallBody, share.TextPiece, share.ResultPiece, share.TextsOfOne)
	}
}
