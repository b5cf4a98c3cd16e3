package natscluster

import (
	"cmp"
	"maps"
	"math/rand/v2"
	"slices"
	"time"

	"github.com/farwire/farwire"
)

// revokedFor is how long a revocation is kept and told to those who come.
const revokedFor = 24 * time.Hour

// Subscribe has f be told of each revocation that other gateways publish, and of
// those of the last day.
func (c *Cluster) Subscribe(f func(farwire.Revocation)) {
	c.mu.Lock()
	c.tell = append(c.tell, f)
	known := slices.Collect(maps.Values(c.revoked))
	c.mu.Unlock()
	for _, r := range known {
		f(r)
	}
}

// Publish tells the other gateways.
func (c *Cluster) Publish(r farwire.Revocation) {
	r.Gateway = c.o.Name
	if r.At.IsZero() {
		r.At = time.Now()
	}
	c.note(r)
	c.send(message{Kind: kindRevoke, Revoked: []farwire.Revocation{r}})
}

// note keeps a revocation and reports whether it says something new. Only the
// gateway that said that a key is gone can say that it is there again.
func (c *Cluster) note(r farwire.Revocation) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	old, known := c.revoked[r.KeyID]
	switch {
	case r.KeyID == "" || time.Since(r.At) > revokedFor:
		return false
	case known && !r.At.After(old.At):
		return false
	case known && r.Restored && old.Gateway != r.Gateway:
		return false
	case known && !r.Restored && !old.Restored:
		return false // gone already, and who said so first may take it back
	}
	c.revoked[r.KeyID] = r
	return true
}

func (c *Cluster) hearRevoked(list []farwire.Revocation) {
	c.mu.Lock()
	if len(list) >= len(c.revoked) {
		c.heardAll = time.Now()
	}
	tell := slices.Clone(c.tell)
	c.mu.Unlock()
	for _, r := range list {
		if !c.note(r) {
			continue
		}
		for _, f := range tell {
			f(r)
		}
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
	c.mu.Lock()
	list := slices.SortedFunc(maps.Values(c.revoked), func(a, b farwire.Revocation) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.KeyID, b.KeyID))
	})
	c.mu.Unlock()
	for part := range slices.Chunk(list, inOnePart) {
		c.send(message{Kind: kindRevoke, Revoked: part})
	}
}
