package natscluster

import (
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/json"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/agent"
)

// What gateways send to each other
//
// A message is a MAC of 32 bytes (HMAC-SHA256 of the subject, a zero byte and the
// rest, under a key derived from a secret) and a JSON object:
//
//	beat    every 500 ms: the number of the last change, and the sessions of links
//	        that carry another number of them than before, if any do: such heartbeats
//	        are counted, so that one that is lost is noticed
//	change  the next change: links that came, changed or went
//	list    all that the gateway holds, in parts of 1000 links
//	ask     who is asked, or everybody, sends its list, and what is revoked
//	bye     the gateway has left
//	revoke  keys that are revoked, or valid again
//
// Messages of one sender have times that grow. So none counts twice, and one that
// is older than 30 s not at all.

type message struct {
	From string `json:"from"`
	At   int64  `json:"at"` // ns
	Kind string `json:"kind"`

	To       string               `json:"to,omitempty"`
	Number   uint64               `json:"number,omitempty"` // of the last change
	Sessions map[uint64]int       `json:"sessions,omitempty"`
	Loads    uint64               `json:"loads,omitempty"` // heartbeats that had Sessions
	Holding  *agent.Holding       `json:"holding,omitempty"`
	Part     int                  `json:"part,omitempty"`
	Parts    int                  `json:"parts,omitempty"`
	Revoked  []farwire.Revocation `json:"revoked,omitempty"`
}

const (
	kindHeartbeat = "beat"
	kindChange    = "change"
	kindList      = "list"
	kindAsk       = "ask"
	kindBye       = "bye"
	kindRevoke    = "revoke"
)

// inOnePart is how many links, or keys, one message holds: below NATS's limit of
// 1 MiB whatever their names are.
const inOnePart = 1000

const macLabel = "farwire nats v1" // of the key that is derived from a secret

func (c *Cluster) mac(secret, body []byte) []byte {
	key, err := hkdf.Key(sha256.New, secret, nil, macLabel, sha256.Size)
	if err != nil {
		panic(err) // only of a length that SHA-256 does not have
	}
	h := hmac.New(sha256.New, key)
	h.Write([]byte(c.subject))
	h.Write([]byte{0})
	h.Write(body)
	return h.Sum(nil)
}

// send publishes a message, unless NATS is unavailable: the others ask for what
// they missed.
func (c *Cluster) send(m message) {
	c.sending.Lock()
	defer c.sending.Unlock()
	if !c.conn.IsConnected() {
		return
	}
	now := time.Now().UnixNano()
	if c.last-now > int64(oldAfter) {
		// The clock was ahead and was set right. The others have dropped, and not noted,
		// what was more than oldAfter ahead of theirs.
		c.last = 0
	}
	m.From, m.At = c.o.Name, max(now, c.last+1)
	c.last = m.At
	body, err := json.Marshal(m)
	if err != nil {
		c.o.Logger.Error("a message cannot be written", "kind", m.Kind, "err", err)
		return
	}
	if err := c.conn.Publish(c.subject, append(c.mac(c.o.Secrets()[0], body), body...)); err != nil {
		c.o.Logger.Debug("a message cannot be sent", "kind", m.Kind, "err", err)
		return
	}
	c.published.Add(1)
}

// open returns the message in what came, or why it is not one of ours.
func (c *Cluster) open(data []byte) (m message, why string) {
	if len(data) < sha256.Size {
		return m, "too short"
	}
	mac, body := data[:sha256.Size], data[sha256.Size:]
	known := false
	for _, secret := range c.o.Secrets() {
		known = hmac.Equal(mac, c.mac(secret, body)) || known
	}
	if !known {
		return m, "its MAC is wrong"
	}
	if err := json.Unmarshal(body, &m); err != nil || m.From == "" {
		return m, "it cannot be read"
	}
	if age := time.Since(time.Unix(0, m.At)); age > oldAfter || age < -oldAfter {
		return m, "its time is more than 30 s off"
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	// A noted time that is far ahead is that of a clock which was ahead here too, and
	// was set right: a message of that time would be too far off by now.
	if noted := c.senders[m.From]; m.At <= noted && time.Until(time.Unix(0, noted)) <= oldAfter {
		return m, "it was there before"
	}
	c.senders[m.From] = m.At
	return m, ""
}

// message takes what came. Calls are not concurrent.
func (c *Cluster) message(n *nats.Msg) {
	m, why := c.open(n.Data)
	if why != "" {
		c.drop(why)
		return
	}
	if m.From == c.o.Name {
		return
	}
	c.received.Add(1)
	switch m.Kind {
	case kindHeartbeat, kindChange, kindList, kindBye:
		c.receive(m)
	case kindAsk:
		if m.To == "" || m.To == c.o.Name {
			c.answer(m)
		}
	case kindRevoke:
		c.receiveRevoked(m.Revoked)
	}
}

// drop counts a message that is not taken, and logs that once a minute.
func (c *Cluster) drop(why string) {
	c.dropped.Add(1)
	c.mu.Lock()
	c.unwarned++
	n, due := c.unwarned, time.Since(c.warned) >= warnEvery
	if due {
		c.warned, c.unwarned = time.Now(), 0
	}
	c.mu.Unlock()
	if due {
		c.o.Logger.Warn("messages on NATS are dropped", "messages", n, "last", why)
	}
}

// forgetOld forgets the senders of whom no message can be taken any more.
func (c *Cluster) forgetOld(now time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for name, at := range c.senders {
		if now.Sub(time.Unix(0, at)) > 2*oldAfter {
			delete(c.senders, name)
		}
	}
}
