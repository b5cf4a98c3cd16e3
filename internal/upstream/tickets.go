package upstream

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/binary"
)

// maxTickets is how many TLS sessions a gateway remembers, the last used ones. Of one
// remain a secret and a pointer to the chain of certificates, which sessions with
// the same server share.
const maxTickets = 2048

// Tickets are TLS sessions that can be resumed (RFC 8446, section 2.2): half of what a
// short session with a wss target costs is the first handshake. They tell a target who
// comes again, so each owner has its own.
type Tickets struct{ all tls.ClientSessionCache }

// NewTickets returns none.
func NewTickets() *Tickets { return &Tickets{tls.NewLRUClientSessionCache(maxTickets)} }

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
	return ownTickets{t.all, string(h.Sum(nil))}
}

// ownTickets are those below a prefix. crypto/tls looks for one by the server's name.
type ownTickets struct {
	all    tls.ClientSessionCache
	prefix string
}

func (t ownTickets) Get(name string) (*tls.ClientSessionState, bool) {
	return t.all.Get(t.prefix + name)
}

func (t ownTickets) Put(name string, s *tls.ClientSessionState) { t.all.Put(t.prefix+name, s) }
