package natscluster

import (
	"time"

	"github.com/nats-io/nats.go"
)

// Take is what a message does that comes from NATS.
func (c *Cluster) Take(data []byte) { c.message(&nats.Msg{Subject: c.subject, Data: data}) }

// Sign puts a MAC before the body of a message.
func (c *Cluster) Sign(body []byte) []byte { return append(c.mac(c.o.Secrets()[0], body), body...) }

// SentAt has the last message be one of this time, as of a clock that was ahead.
func (c *Cluster) SentAt(at time.Time) {
	c.sending.Lock()
	defer c.sending.Unlock()
	c.last = at.UnixNano()
}

// NotedAt has the Cluster have noted a message of a sender's at this time.
func (c *Cluster) NotedAt(sender string, at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.senders[sender] = at.UnixNano()
}

// Noted reports whether the Cluster has noted a message of a sender's.
func (c *Cluster) Noted(sender string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, noted := c.senders[sender]
	return noted
}
