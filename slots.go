package farwire

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/farwire/farwire/internal/fault"
)

// A SlotLimiter is a Limiter that counts what runs at a time too, so that
// Limits.Sessions, Streams and Crawls hold over all gateways that share it. A
// gateway whose Limiter is not a SlotLimiter counts in the memory of its own
// process.
//
// TakeSlot is called concurrently, once for each session of a kind that has a
// limit, which is positive. It takes one of the limit's slots of the principal
// and the kind, or reports that none is free. Who got one calls release once,
// when the session has ended; it returns at once. An error is the limiter's own
// trouble and refuses the session as an internal error.
type SlotLimiter interface {
	Limiter
	TakeSlot(ctx context.Context, p Principal, k Kind, limit int) (release func(), taken bool, err error)
}

// memorySlots counts what runs in this process.
type memorySlots struct {
	mu      sync.Mutex
	running map[string]int
}

// TakeSlot counts in the memory of this process.
func (m *memorySlots) TakeSlot(_ context.Context, p Principal, k Kind, limit int) (func(), bool, error) {
	key := k.String() + " " + p.account()
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.running[key] >= limit {
		return nil, false, nil
	}
	if m.running == nil {
		m.running = make(map[string]int)
	}
	m.running[key]++
	return func() {
		m.mu.Lock()
		defer m.mu.Unlock()
		if m.running[key]--; m.running[key] == 0 {
			delete(m.running, key)
		}
	}, true, nil
}

// takeSlot counts a session of the principal in, or says that there are as many
// as there may be.
func (s *session) takeSlot(ctx context.Context, p Principal) error {
	g, most := s.g, p.Limits.allows(s.Kind)
	tooMany := func() error {
		return limited(fault.LimitReached, fmt.Sprintf("limit reached: %d %s sessions at a time", most, s.Kind),
			Quota{Limit: most, RetryAfter: time.Second})
	}
	slots, shared := g.o.Limiter.(SlotLimiter)
	if !shared || most <= 0 {
		if !g.meters.begin(p, s.Kind, most) {
			return tooMany()
		}
		return nil
	}
	release, taken, err := slots.TakeSlot(ctx, p, s.Kind, most)
	switch {
	case err != nil && ctx.Err() != nil:
		return errClientGone
	case err != nil:
		return fmt.Errorf("limiter: %w", err)
	case !taken:
		g.meters.refuse(p)
		return tooMany()
	}
	g.meters.begin(p, s.Kind, -1)
	s.release = release
	return nil
}
