// Package revoked keeps which API keys are revoked: those that another gateway says are
// gone, until a time, and those that this gateway had and has lost.
package revoked

import (
	"sync"
	"time"

	"github.com/farwire/farwire/internal/bounded"
)

// Keys are the revoked keys that one gateway knows of, by their ids. The zero value knows
// of none. It is safe for concurrent use.
type Keys struct {
	Times Times // of what is said of keys, and of agents' records

	mu        sync.Mutex
	elsewhere bounded.Map[string, time.Time] // what other gateways say, and until when it counts

	// Apart from mu, because each request asks Has, and many keys may change at once.
	comparing sync.Mutex      // from the look at what is valid until all is published
	valid     map[string]bool // here, when somebody looked last
	lost      map[string]bool // valid once and then not
}

// Has reports whether another gateway says that a key is revoked.
func (k *Keys) Has(id string) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	return time.Now().Before(k.elsewhere.Get(id))
}

// Note takes note of what another gateway says: a key is revoked until a time. A time that
// is over says that it is valid again.
func (k *Keys) Note(id string, until time.Time) {
	k.mu.Lock()
	defer k.mu.Unlock()
	now := time.Now()
	if !now.Before(until) {
		k.elsewhere.Delete(id)
		return
	}
	k.elsewhere.Set(id, until, func(_ string, until time.Time) bool { return !now.Before(until) })
}

// Compare looks at which keys are valid here, and calls publish for each that was at the
// last look and is not now, and for each that was lost and is back. The first look only
// finds what is valid. look reports false when it cannot tell; then nothing changes. Calls
// of Compare wait for each other, so that what is published is in their order; look and
// publish must not call Compare.
func (k *Keys) Compare(look func() (ids []string, ok bool), publish func(id string, restored bool)) {
	k.comparing.Lock()
	defer k.comparing.Unlock()
	ids, ok := look()
	if !ok {
		return
	}
	valid := make(map[string]bool, len(ids))
	for _, id := range ids {
		valid[id] = true
	}
	if k.lost == nil {
		k.lost = make(map[string]bool)
	}
	var gone, back []string
	for id := range k.valid {
		if !valid[id] {
			k.lost[id] = true
			gone = append(gone, id)
		}
	}
	for id := range valid {
		if k.lost[id] {
			delete(k.lost, id)
			back = append(back, id)
		}
	}
	k.valid = valid
	for _, id := range gone {
		publish(id, false)
	}
	for _, id := range back {
		publish(id, true)
	}
}
