package limits

import (
	"context"
	"errors"
	"sync"
	"time"
)

// trafficInterval is how often running sessions are counted.
const trafficInterval = 5 * time.Second

// Traffic is what sessions have carried and what was not added to the count yet.
// It adds the bytes of a key before each of its sessions, when asked, and every few
// seconds while there are any. P is a key with its limits, Q the count's answer. The
// zero value, with Add and Failed set, is ready for use and safe for concurrent use.
type Traffic[P, Q any] struct {
	// Add counts n bytes of a key, which may be zero, and says what was used. An error
	// means that they were not counted: they are added again.
	Add func(ctx context.Context, key P, n int64) (Q, error)

	// Failed is called with an error of a count that nobody asked for.
	Failed func(error)

	mu        sync.Mutex
	of        map[string]*keyTraffic[P] // by account
	timer     *time.Timer               // nil: nothing is left to count
	reporting sync.WaitGroup
}

// keyTraffic is that of one key.
type keyTraffic[P any] struct {
	key        P
	unreported int64             // bytes that were not added to the count
	running    map[*Flow[P]]bool // sessions of the key
}

// A Flow is one session that counts.
type Flow[P any] struct {
	account  string
	key      P
	carried  func() int64
	reported int64 // of what it carried: in unreported, or added
}

// Begin counts a session of an account, which carried says how much it has carried so
// far. It may be called at any time until End.
func (t *Traffic[P, Q]) Begin(account string, key P, carried func() int64) *Flow[P] {
	f := &Flow[P]{account: account, key: key, carried: carried}
	t.mu.Lock()
	defer t.mu.Unlock()
	t.keyOf(account, key).running[f] = true
	t.arm()
	return f
}

// End counts what a session has carried in all.
func (t *Traffic[P, Q]) End(f *Flow[P], carried int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	k := t.keyOf(f.account, f.key)
	k.unreported += max(0, carried-f.reported)
	delete(k.running, f)
	t.arm()
}

// Report adds what sessions of a key have carried since the last report, those that run
// now included.
func (t *Traffic[P, Q]) Report(ctx context.Context, account string, key P) (Q, error) {
	n := t.collect(account)
	q, err := t.Add(ctx, key, n)
	if err != nil && n > 0 {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.keyOf(account, key).unreported += n
		t.arm()
	}
	return q, err
}

// Close reports what is left to report, in a second at most. Call it when all sessions have
// ended.
func (t *Traffic[P, Q]) Close(ctx context.Context) {
	t.stop()
	t.reporting.Wait()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
	defer cancel()
	t.reportAll(ctx)
	t.stop() // what could not be reported has set it again
}

// collect returns what there is to report of an account.
func (t *Traffic[P, Q]) collect(account string) int64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	k := t.of[account]
	if k == nil {
		return 0
	}
	for f := range k.running {
		if carried := f.carried(); carried > f.reported {
			k.unreported += carried - f.reported
			f.reported = carried
		}
	}
	n := k.unreported
	k.unreported = 0
	if len(k.running) == 0 {
		delete(t.of, account)
	}
	return n
}

// keyOf returns the traffic of an account, whose key is this today; mu is held.
func (t *Traffic[P, Q]) keyOf(account string, key P) *keyTraffic[P] {
	k := t.of[account]
	if k == nil {
		if t.of == nil {
			t.of = make(map[string]*keyTraffic[P])
		}
		k = &keyTraffic[P]{running: make(map[*Flow[P]]bool)}
		t.of[account] = k
	}
	k.key = key
	return k
}

// arm has everything reported before long; mu is held.
func (t *Traffic[P, Q]) arm() {
	if t.timer == nil {
		t.timer = time.AfterFunc(trafficInterval, t.tick)
	}
}

func (t *Traffic[P, Q]) stop() {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.timer != nil {
		t.timer.Stop()
		t.timer = nil
	}
}

func (t *Traffic[P, Q]) tick() {
	t.mu.Lock()
	if t.timer == nil { // Close reports
		t.mu.Unlock()
		return
	}
	t.reporting.Add(1)
	defer t.reporting.Done()
	t.timer = nil
	t.mu.Unlock()
	ctx, cancel := context.WithTimeout(context.Background(), trafficInterval)
	defer cancel()
	t.reportAll(ctx)
	t.mu.Lock()
	defer t.mu.Unlock()
	if len(t.of) > 0 {
		t.arm()
	}
}

// reportAll reports every key that has anything to report.
func (t *Traffic[P, Q]) reportAll(ctx context.Context) {
	t.mu.Lock()
	keys := make(map[string]P, len(t.of))
	for account, k := range t.of {
		keys[account] = k.key
	}
	t.mu.Unlock()
	var failed error
	for account, key := range keys {
		if _, err := t.Report(ctx, account, key); err != nil {
			failed = errors.Join(failed, err)
		}
	}
	if failed != nil {
		t.Failed(failed)
	}
}
