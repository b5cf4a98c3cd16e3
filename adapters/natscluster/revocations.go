package natscluster

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/farwire/farwire"
)

// Subscribe has f be told of each revocation that other gateways publish, and of
// those of the last day.
func (c *Cluster) Subscribe(f func(farwire.Revocation)) {
	c.revoking.Lock() // so that f is told of each once, and of one at a time
	defer c.revoking.Unlock()
	c.mu.Lock()
	c.tell = append(c.tell, f)
	c.mu.Unlock()
	for _, r := range c.revoked.All() {
		if r.Gateway != c.o.Name {
			f(r)
		}
	}
}

// Publish tells the other gateways.
func (c *Cluster) Publish(r farwire.Revocation) {
	r.Gateway = c.o.Name
	if r.At.IsZero() {
		r.At = time.Now()
	}
	if c.revoked.Note(r) {
		c.send(message{Kind: kindRevoke, Revoked: []farwire.Revocation{r}})
	}
}

func (c *Cluster) hearRevoked(list []farwire.Revocation) {
	c.revoking.Lock()
	defer c.revoking.Unlock()
	c.mu.Lock()
	tell := slices.Clone(c.tell)
	c.mu.Unlock()
	for _, r := range list {
		if !c.revoked.Note(r) {
			continue
		}
		for _, f := range tell {
			f(r)
		}
	}
	if len(list) > 1 && len(list) >= len(c.revoked.All()) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.heardAll = time.Now()
	}
}

// tellRevokedSoon answers who asks, unless another gateway is faster.
func (c *Cluster) tellRevokedSoon() {
	asked := time.Now()
	time.AfterFunc(rand.N(200*time.Millisecond), func() {
		c.mu.Lock()
		told := c.heardAll.After(asked)
		c.mu.Unlock()
		if !told {
			c.tellRevoked()
		}
	})
}

// tellRevoked sends all that is known of the last day, oldest first.
func (c *Cluster) tellRevoked() {
	for part := range slices.Chunk(c.revoked.All(), inOnePart) {
		c.send(message{Kind: kindRevoke, Revoked: part})
	}
}
