package redislimit_test

import (
	"context"
	"net"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/farwire/farwire/adapters/redislimit"
	"github.com/farwire/farwire/internal/harness"
)

// asleep has what Redis is asked wait until it wakes, as a process that stands still.
type asleep struct {
	mu   sync.Mutex
	wake chan struct{} // nil: it is awake
}

func (h *asleep) begin() (wake func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.wake = make(chan struct{})
	return sync.OnceFunc(func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		close(h.wake)
		h.wake = nil
	})
}

func (h *asleep) wait(ctx context.Context) error {
	h.mu.Lock()
	wake := h.wake
	h.mu.Unlock()
	if wake == nil {
		return nil
	}
	select {
	case <-wake:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (h *asleep) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) {
		if err := h.wait(ctx); err != nil {
			return nil, err
		}
		return next(ctx, network, addr)
	}
}

func (h *asleep) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if err := h.wait(ctx); err != nil {
			cmd.SetErr(err)
			return err
		}
		return next(ctx, cmd)
	}
}

func (h *asleep) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		if err := h.wait(ctx); err != nil {
			return err
		}
		return next(ctx, cmds)
	}
}

// A gateway stands still until its slots are given away. When it wakes its sessions still
// run: they count again, above the limit, and nothing is admitted until the count is below.
func TestTakeSlot_GatewayAsleep_TakesItsSlotsAgain(t *testing.T) {
	s := harness.Redis(t)
	client, sleep := admin(t, s), new(asleep)
	client.AddHook(sleep)
	sleeper, err := redislimit.New(client, redislimit.Options{Timeout: testTimeout})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := sleeper.Close(); err != nil {
			t.Error(err)
		}
	})
	other := open(t, s, redislimit.Options{Timeout: testTimeout}) // Redis is slow on a busy machine, and never away
	const limit = 3
	var held, given []func()
	for range limit {
		release, taken := takeSlot(t, sleeper, limit)
		if !taken {
			t.Fatal("a free slot was not given")
		}
		held = append(held, release)
	}
	if ask(t, other, limit) {
		t.Fatal("a fourth was let in")
	}
	wake := sleep.begin()
	defer wake()
	for range limit {
		waitFor(t, "its slots are given away", func() bool {
			release, taken := takeSlot(t, other, limit)
			if taken {
				given = append(given, release)
			}
			return taken
		})
	}
	wake()
	waitFor(t, "its slots are taken again", func() bool { return !ask(t, other, 2*limit) })
	if !ask(t, other, 2*limit+1) {
		t.Error("more is counted than what runs")
	}
	for i, release := range given {
		release()
		// One after the other: a slot that one has asked for counts for a moment more.
		waitFor(t, "the slot is free where it was given back", func() bool { return ask(t, other, 2*limit-i) })
		waitFor(t, "the slot is free for all", func() bool { return ask(t, sleeper, 2*limit-i) })
		if ask(t, other, limit) || ask(t, sleeper, limit) {
			t.Errorf("one was let in when %d ran of %d", 2*limit-i-1, limit)
		}
	}
	began := time.Now()
	held[0]()
	waitFor(t, "there is room below the limit", func() bool { return ask(t, other, limit) })
	if took := time.Since(began); took > 2*time.Second {
		t.Errorf("a slot was free after %v", took)
	}
	waitFor(t, "what the other gateway gave back is free", func() bool { return ask(t, sleeper, limit) })
	if ask(t, other, limit-1) {
		t.Error("less is counted than what runs")
	}
}
