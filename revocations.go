package farwire

import (
	"context"
	"slices"
	"sync"
	"time"
)

// A Bus tells the gateways of a cluster of keys that are revoked. Its methods are
// safe for concurrent use and return soon.
//
// What is published reaches the other gateways within a second, and those that come
// or return later, for a day.
type Bus interface {
	// Publish tells the other gateways. It sets Revocation.Gateway.
	Publish(Revocation)
	// Subscribe has f be told of each revocation that other gateways publish, and
	// of those of the last day.
	Subscribe(f func(Revocation))
}

// A Revocation says that a key is valid no more, or again.
type Revocation struct {
	KeyID    string    `json:"key_id"` // as in Principal
	At       time.Time `json:"at"`
	Restored bool      `json:"restored,omitempty"` // the gateway that revoked it knows it again
	Gateway  string    `json:"gateway"`            // who said so
}

// A keyLister is an Authenticator that can list the keys it knows, as a KeySet can.
type keyLister interface{ KeyIDs() []string }

// revocations are what other gateways and this one have said of keys.
type revocations struct {
	mu    sync.Mutex
	gone  map[string]bool // by key id, as others say
	known []string        // what the Authenticator knew last
	own   map[string]bool // those that this gateway said are gone
}

func (r *revocations) has(keyID string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.gone[keyID]
}

// subscribe has what other gateways revoke be revoked here.
func (g *Gateway) subscribe() {
	if keys, ok := g.o.Auth.(keyLister); ok {
		g.gone.known = keys.KeyIDs()
	}
	if g.o.Bus != nil {
		g.o.Bus.Subscribe(g.hearRevocation)
	}
}

func (g *Gateway) hearRevocation(r Revocation) {
	g.gone.mu.Lock()
	if g.gone.gone == nil {
		g.gone.gone = make(map[string]bool)
	}
	if r.Restored {
		delete(g.gone.gone, r.KeyID)
	} else {
		g.gone.gone[r.KeyID] = true
		time.AfterFunc(day-min(time.Since(r.At), day), func() {
			g.gone.mu.Lock()
			defer g.gone.mu.Unlock()
			delete(g.gone.gone, r.KeyID)
		})
	}
	g.gone.mu.Unlock()
	if !r.Restored {
		g.revocations.Add(1)
		g.endKeys(func(s Session) bool { return s.KeyID == r.KeyID })
	}
}

// endKeys ends the sessions of keys that are gone and returns their number.
func (g *Gateway) endKeys(gone func(Session) bool) int {
	n := 0
	for _, s := range g.snapshot() {
		if s.Kind != KindRecrawl && gone(s.Session) {
			n++
			s.carrier.Shutdown(errKeyRevoked)
		}
	}
	return n
}

// publishRevoked tells the other gateways which keys the Authenticator had and has
// lost, and which of those that it had lost it has again.
func (g *Gateway) publishRevoked() {
	keys, ok := g.o.Auth.(keyLister)
	if !ok || g.o.Bus == nil {
		return
	}
	now := keys.KeyIDs()
	var changed []Revocation
	g.gone.mu.Lock()
	if g.gone.own == nil {
		g.gone.own = make(map[string]bool)
	}
	for _, id := range g.gone.known {
		if !slices.Contains(now, id) {
			g.gone.own[id] = true
			changed = append(changed, Revocation{KeyID: id, At: time.Now()})
		}
	}
	for _, id := range now {
		if g.gone.own[id] {
			delete(g.gone.own, id)
			changed = append(changed, Revocation{KeyID: id, At: time.Now(), Restored: true})
		}
	}
	g.gone.known = now
	g.gone.mu.Unlock()
	for _, r := range changed {
		g.o.Bus.Publish(r)
	}
}

// EndRevoked ends the sessions of keys that the Authenticator knows no more, with
// 1008 and the reason "key revoked", and returns their number. Call it after keys
// were taken away. It does nothing unless the Authenticator is a [KeyLookuper].
// Of a [KeySet] the other gateways on Options.Bus are told which keys are gone, and
// which are there again.
func (g *Gateway) EndRevoked(ctx context.Context) int {
	g.revocations.Add(1)
	g.publishRevoked()
	return g.endKeys(func(s Session) bool { return g.revoked(ctx, Principal{Subject: s.Subject, KeyID: s.KeyID}) })
}
