package upstream

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
	"slices"
	"sync"
	"time"

	"github.com/farwire/farwire/internal/bounded"
)

// maxTickets is how many TLS sessions a gateway remembers, the last used ones. Of one
// remain a secret and a pointer to the chain of certificates, which sessions with
// the same server share.
const maxTickets = 2048

// Tickets are TLS sessions that can be resumed (RFC 8446, section 2.2): half of what a
// short session with a wss target costs is the first handshake. They tell a target who
// comes again, so each owner has its own.
//
// They also remember, for an hour, which servers have chosen a key exchange without
// ML-KEM though they were offered one with it (RFC 8446, section 4.1.4, has nobody else
// choose): half of what a resumed handshake costs us is the key for that.
type Tickets struct {
	all tls.ClientSessionCache

	mu        sync.Mutex
	classical bounded.Map[string, time.Time] // until when
}

// NewTickets returns none.
func NewTickets() *Tickets {
	t := &Tickets{all: tls.NewLRUClientSessionCache(maxTickets)}
	t.classical.Most = maxTickets
	return t
}

// of returns those that belong to an owner, an exit, a target and a way to verify it: a
// resumed session is not verified again.
func (t *Tickets) of(owner, exit, addr string, o TLS) tls.ClientSessionCache {
	h := sha256.New()
	for _, part := range []string{owner, exit, addr, o.ServerName, string(o.CA)} {
		h.Write(binary.BigEndian.AppendUint64(nil, uint64(len(part))))
		h.Write([]byte(part))
	}
	if o.Insecure {
		h.Write([]byte{1})
	}
	return ownTickets{t, string(h.Sum(nil))}
}

// ownTickets are those below a prefix. crypto/tls looks for one by the server's name.
type ownTickets struct {
	of     *Tickets
	prefix string
}

func (t ownTickets) Get(name string) (*tls.ClientSessionState, bool) {
	return t.of.all.Get(t.prefix + name)
}

func (t ownTickets) Put(name string, s *tls.ClientSessionState) { t.of.all.Put(t.prefix+name, s) }

// classicalFor is how long a server's choice is taken for what it would choose again.
const classicalFor = time.Hour

// classicalCurves are those of crypto/tls without ML-KEM.
var classicalCurves = []tls.CurveID{tls.X25519, tls.CurveP256, tls.CurveP384, tls.CurveP521}

// curves returns what the server is offered; nil: all that crypto/tls has.
func (t ownTickets) curves() []tls.CurveID {
	if t.of == nil {
		return nil
	}
	t.of.mu.Lock()
	defer t.of.mu.Unlock()
	if time.Now().Before(t.of.classical.Get(t.prefix)) {
		return classicalCurves
	}
	return nil
}

// chose notes what the server has chosen of all; zero, when the handshake failed, that
// nothing is known of it.
func (t ownTickets) chose(curve tls.CurveID, ofAll bool) {
	if t.of == nil {
		return
	}
	t.of.mu.Lock()
	defer t.of.mu.Unlock()
	switch {
	case curve == 0:
		t.of.classical.Delete(t.prefix)
	case ofAll && slices.Contains(classicalCurves, curve):
		now := time.Now()
		t.of.classical.Set(t.prefix, now.Add(classicalFor), func(_ string, until time.Time) bool { return until.Before(now) })
	}
}
