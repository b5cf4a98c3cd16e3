package natscluster

import "github.com/nats-io/nats.go"

// Take is what a message does that comes from NATS.
func (c *Cluster) Take(data []byte) { c.message(&nats.Msg{Subject: c.subject, Data: data}) }

// Sign puts a MAC before the body of a message.
func (c *Cluster) Sign(body []byte) []byte { return append(c.mac(c.o.Secrets()[0], body), body...) }
