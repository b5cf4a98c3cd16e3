package redislimit

import (
	"context"
	_ "embed"
	"errors"
	"math"
	"sync"
	"time"

	"github.com/farwire/farwire"
)

// How what runs at a time is counted
//
// Each account has a hash that says how many sessions each gateway runs for it,
// and one sorted set says until when each gateway is alive. A script takes a slot:
// it adds up what the gateways that are alive run, and counts one more if that is
// allowed. A gateway renews its life once a second, in the same call for all that
// it runs, however much that is; what a dead one ran does not count any more.
//
// A gateway always says how many it runs and never that there is one more or one
// less. So a call that is made twice, or got no answer, does no harm. Each answer says
// since when the gateway has been alive. When that is another time than the answer
// before said, the gateway was frozen for too long, or Redis came back empty: then it
// is told everything anew, also when the call that found this got no answer.

const (
	renewEvery  = time.Second
	flushAfter  = 100 * time.Millisecond // slots that became free are told together
	alive       = 4 * time.Second        // after its last call
	fresh       = 3 * time.Second        // for so long Redis surely counts a gateway
	kept        = time.Hour              // a hash that nobody changes
	resendAfter = 20 * time.Minute       // all that runs, so that it is kept
	inOneCall   = 500                    // accounts
)

//go:embed slots.lua
var slotsSource string

//go:embed renew.lua
var renewSource string

var (
	slotsScript = newScript(slotsSource, 3)
	renewScript = newScript(renewSource, 1)
)

// slots are those that this gateway holds.
type slots struct {
	mu      sync.Mutex
	of      map[string]*held    // by the name of the account's hash
	unsent  map[string]struct{} // of which Redis counts another number
	renewed time.Time           // of the last call that Redis answered, or zero
	since   int64               // when its life began, as Redis said last; zero: not known
	closed  bool

	changed chan struct{} // holds a value when there is something untold
	stop    chan struct{}
	stopped chan struct{} // nil: nothing renews yet
}

// held are the slots of one account. Who has put a value into asking alone may
// tell Redis of them.
type held struct {
	asking  chan struct{}
	users   int // calls of TakeSlot under way
	running int
	counted int // by Redis, at least
	total   int // over all gateways, when Redis was last asked
}

func newSlots() *slots {
	return &slots{of: make(map[string]*held), unsent: make(map[string]struct{}),
		changed: make(chan struct{}, 1), stop: make(chan struct{})}
}

// TakeSlot counts a session over all gateways. While Redis is unavailable this
// gateway allows its share of the limit, at least one, with what it runs counted
// in. What a gateway that died held is free within 5 s; a slot whose session has
// ended is free for all within a second. The first call starts the goroutine that
// renews what this gateway holds, which Close ends. An error means that ctx has
// ended.
func (l *Limiter) TakeSlot(ctx context.Context, p farwire.Principal, k farwire.Kind, limit int) (func(), bool, error) {
	s, key := l.slots, l.slotKey(k, p)
	h := s.use(key)
	defer s.unuse(key, h)
	select {
	case h.asking <- struct{}{}:
		defer func() { <-h.asking }()
	case <-ctx.Done():
		return nil, false, ctx.Err()
	}
	s.start(l)
	if s.reuse(h, limit) {
		return s.releaser(key, h), true, nil
	}
	s.mu.Lock()
	want := h.running + 1
	s.mu.Unlock()
	asked := time.Now()
	a, err := l.runOn(ctx, l.holding, l.slotTimeout(), slotsScript, []string{key, l.gatewaysKey(), l.sinceKey()},
		l.o.Name, want, limit, alive.Microseconds(), int(kept.Seconds()))
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil && !s.heard(a[2], asked) {
		s.forgotten()
	}
	var unavailable *unavailableError
	switch {
	case errors.As(err, &unavailable):
		s.tell(key)
		if h.running+1 > max(1, limit/l.gateways()) {
			return nil, false, nil
		}
	case err != nil:
		s.tell(key) // Redis may have counted it
		return nil, false, err
	case a[0] == 0:
		h.total = int(a[1])
		return nil, false, nil
	default:
		h.counted, h.total = want, int(a[1])
		if h.running+1 < want {
			s.tell(key)
		}
	}
	h.running++
	return s.releaser(key, h), true, nil
}

// slotTimeout is how long Redis may take to answer. A slot is taken once a session, and
// one that was given without Redis may be one too many: it is worth a longer wait than
// the rate of each request.
func (l *Limiter) slotTimeout() time.Duration { return max(renewEvery, l.o.Timeout) }

// slotKey names the hash of an account. All are in one slot of a Redis Cluster,
// since a script reads them together with the set of gateways.
func (l *Limiter) slotKey(k farwire.Kind, p farwire.Principal) string {
	return l.key("{slots}:"+k.String(), p)
}

func (l *Limiter) gatewaysKey() string { return l.o.Prefix + "{slots}:gateways" }

func (l *Limiter) sinceKey() string { return l.o.Prefix + "{slots}:since:" + l.o.Name }

func (s *slots) use(key string) *held {
	s.mu.Lock()
	defer s.mu.Unlock()
	h := s.of[key]
	if h == nil {
		h = &held{asking: make(chan struct{}, 1)}
		s.of[key] = h
	}
	h.users++
	return h
}

func (s *slots) unuse(key string, h *held) {
	s.mu.Lock()
	defer s.mu.Unlock()
	h.users--
	s.forget(key, h)
}

// forget drops an account of which there is nothing to know. The caller holds mu.
func (s *slots) forget(key string, h *held) {
	if _, untold := s.unsent[key]; h.users == 0 && h.running == 0 && h.counted == 0 && !untold {
		delete(s.of, key)
	}
}

// reuse takes a slot that has just become free here and that Redis counts still.
func (s *slots) reuse(h *held, limit int) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if h.running >= h.counted || h.total > limit || time.Since(s.renewed) > fresh {
		return false
	}
	h.running++
	return true
}

func (s *slots) releaser(key string, h *held) func() {
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		h.running--
		s.tell(key)
	}
}

// tell has Redis be told of an account. The caller holds mu.
func (s *slots) tell(key string) {
	s.unsent[key] = struct{}{}
	select {
	case s.changed <- struct{}{}:
	default:
	}
}

func (s *slots) start(l *Limiter) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped != nil || s.closed {
		return
	}
	s.stopped = make(chan struct{})
	go s.renew(l)
}

// renew tells Redis what this gateway runs, until Close.
func (s *slots) renew(l *Limiter) {
	defer close(s.stopped)
	every, again := time.NewTicker(renewEvery), time.NewTicker(resendAfter)
	defer every.Stop()
	defer again.Stop()
	flush := time.NewTimer(time.Hour)
	flush.Stop()
	defer flush.Stop()
	changed := s.changed
	for {
		select {
		case <-s.stop:
			s.send(l)
			return
		case <-again.C:
			s.mu.Lock()
			s.markAllUnsent()
			s.mu.Unlock()
		case <-every.C:
			s.send(l)
		case <-changed:
			changed = nil
			flush.Reset(flushAfter)
		case <-flush.C:
			changed = s.changed
			s.send(l)
		}
	}
}

// markAllUnsent has everything be told again. The caller holds mu.
func (s *slots) markAllUnsent() {
	for key := range s.of {
		s.tell(key)
	}
}

// heard notes an answer of Redis, by when it was asked and since when it says that this
// gateway has been alive. It reports whether Redis knows what it was told before. The
// caller holds mu.
func (s *slots) heard(since int64, asked time.Time) (known bool) {
	known = s.since == 0 || s.since == since
	s.since, s.renewed = since, asked
	return known
}

// forgotten has everything be told again. What this gateway held may have been
// given to others meanwhile: no slot is used again without asking. The caller holds mu.
func (s *slots) forgotten() {
	s.markAllUnsent()
	for _, h := range s.of {
		h.total = math.MaxInt
	}
}

// send renews this gateway's life and tells what is untold; all, when Redis may
// have forgotten it.
func (s *slots) send(l *Limiter) {
	for range 1000 { // calls of inOneCall accounts
		known, more := s.sendOnce(l)
		switch {
		case known && !more:
			return
		case !known && more: // Redis is unavailable
			return
		}
	}
}

// sendOnce makes one call. It reports whether Redis knew this gateway, and whether
// there is more to tell; neither known nor more: it had forgotten it.
func (s *slots) sendOnce(l *Limiter) (known, more bool) {
	keys, args, locked, idle := s.collect(l)
	defer func() {
		for _, h := range locked {
			<-h.asking
		}
	}()
	if idle {
		return true, false
	}
	asked := time.Now()
	a, err := l.runOn(context.Background(), l.holding, l.slotTimeout(), renewScript, keys, args...)
	s.mu.Lock()
	defer s.mu.Unlock()
	for i, h := range locked {
		key := keys[i+2]
		if err != nil {
			s.unsent[key] = struct{}{}
			continue
		}
		h.counted = args[i+3].(int)
		s.forget(key, h)
	}
	if err != nil {
		return false, true
	}
	if known = s.heard(a[0], asked); !known {
		s.forgotten()
	}
	return known, known && len(locked) == inOneCall
}

// collect returns what one call says, and has nobody else speak of those accounts
// meanwhile. It is idle when there is nothing to say.
func (s *slots) collect(l *Limiter) (keys []string, args []any, locked []*held, idle bool) {
	keys = []string{l.gatewaysKey(), l.sinceKey()}
	args = []any{l.o.Name, alive.Microseconds(), int(kept.Seconds())}
	s.mu.Lock()
	defer s.mu.Unlock()
	idle = len(s.of) == 0 && len(s.unsent) == 0
	for key := range s.unsent {
		if len(locked) == inOneCall {
			break
		}
		h := s.of[key]
		select {
		case h.asking <- struct{}{}:
		default:
			continue // it is being told of now
		}
		delete(s.unsent, key)
		keys, args, locked = append(keys, key), append(args, h.running), append(locked, h)
	}
	return keys, args, locked, idle
}

// close ends the goroutine, which tells Redis what is left to tell.
func (s *slots) close() {
	s.mu.Lock()
	first, started := !s.closed, s.stopped != nil
	s.closed = true
	s.mu.Unlock()
	if first && started {
		close(s.stop)
	}
	if started {
		<-s.stopped
	}
}
