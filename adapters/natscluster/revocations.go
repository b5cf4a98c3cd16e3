package natscluster

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/farwire/farwire"
)

// Subscribe has f called with each revocation that other gateways publish, and with
// those of the last day that are known, before it returns. The function is called with
// one at a time, must not wait for long, and must not call Subscribe.
func (c *Cluster) Subscribe(f func(farwire.Revocation)) {
	c.revoking.Lock() // so that f gets each once, and one at a time
	defer c.revoking.Unlock()
	c.mu.Lock()
	c.subscribed = append(c.subscribed, f)
	c.mu.Unlock()
	for _, r := range c.revoked.All() {
		if r.Gateway != c.o.Name {
			f(r)
		}
	}
}

// Publish sends a revocation to the other gateways, at once or, while NATS is unavailable,
// when it is available again within a day. A zero time stands for now.
func (c *Cluster) Publish(r farwire.Revocation) {
	r.Gateway = c.o.Name
	if r.At.IsZero() {
		r.At = time.Now()
	}
	if c.revoked.Note(r) {
		c.send(message{Kind: kindRevoke, Revoked: []farwire.Revocation{r}})
	}
}

func (c *Cluster) receiveRevoked(list []farwire.Revocation) {
	c.revoking.Lock()
	defer c.revoking.Unlock()
	c.mu.Lock()
	subscribed := slices.Clone(c.subscribed)
	c.mu.Unlock()
	for _, r := range list {
		if !c.revoked.Note(r) {
			continue
		}
		for _, f := range subscribed {
			f(r)
		}
	}
	if len(list) > 1 && len(list) >= len(c.revoked.All()) {
		c.mu.Lock()
		defer c.mu.Unlock()
		c.heardAll = time.Now()
	}
}

// publishRevokedSoon answers who asks, unless another gateway is faster.
func (c *Cluster) publishRevokedSoon() {
	asked := time.Now()
	time.AfterFunc(rand.N(200*time.Millisecond), func() {
		c.mu.Lock()
		answered := c.heardAll.After(asked)
		c.mu.Unlock()
		if !answered {
			c.publishRevoked()
		}
	})
}

// publishRevoked sends all that is known of the last day, oldest first.
func (c *Cluster) publishRevoked() {
	for part := range slices.Chunk(c.revoked.All(), inOnePart) {
		c.send(message{Kind: kindRevoke, Revoked: part})
	}
}
