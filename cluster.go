package farwire

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"maps"
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/farwire/farwire/internal/fault"
	"github.com/farwire/farwire/internal/hostcall"
)

// A PeerAsker is an AgentSelector that leads to the other gateways of a cluster, as
// an [agent.Pool] that has joined one is. With it a gateway shows and ends the
// sessions of all gateways; without it, its own. Both methods are safe for concurrent
// use, and do as those of agent.Pool.
type PeerAsker interface {
	AgentSelector
	AskPeers(ctx context.Context, question []byte, each func(gateway string, reply []byte))
	AnswerPeers(answer func(ctx context.Context, question []byte) ([]byte, error))
}

// peerTimeout is how long other gateways have to say what they run, or to end it.
const peerTimeout = time.Second

// A peerQuestion asks for sessions, or for their end.
type peerQuestion struct {
	Subject string   `json:"subject,omitempty"` // of this caller alone; empty: of all
	End     bool     `json:"end,omitempty"`
	IDs     []string `json:"ids,omitempty"` // to end; none: all of the subject
	Reason  string   `json:"reason,omitempty"`
}

// A peerAnswer is the answer to either.
type peerAnswer struct {
	Sessions []peerSession `json:"sessions,omitempty"`
	Ended    int           `json:"ended,omitempty"`
}

type peerSession struct {
	ID       string     `json:"id"`
	Kind     Kind       `json:"kind"`
	Start    time.Time  `json:"start"`
	Subject  string     `json:"subject"`
	KeyID    string     `json:"key_id"`
	Remote   netip.Addr `json:"remote"`
	Agent    string     `json:"agent"`
	Target   string     `json:"target"`
	Counters Counters   `json:"counters"`
}

func (s peerSession) session() Session {
	info := SessionInfo{ID: s.ID, Kind: s.Kind, Start: s.Start, Subject: s.Subject, KeyID: s.KeyID, Remote: s.Remote}
	return Session{SessionInfo: info, Agent: s.Agent, Target: s.Target, Counters: s.Counters}
}

// GatewayName makes a name for a gateway of this host: the host's name and four hex
// digits, so that two on one host, or before and after a restart, differ.
func GatewayName() string {
	host, err := os.Hostname()
	if err != nil || host == "" {
		host = "gateway"
	}
	var b [2]byte
	rand.Read(b[:]) // never fails
	return host + "-" + hex.EncodeToString(b[:])
}

// answerPeers has the questions of other gateways answered.
func (g *Gateway) answerPeers() {
	peers, ok := g.o.Agents.(PeerAsker)
	if !ok {
		return
	}
	answer := func(_ context.Context, question []byte) ([]byte, error) {
		var q peerQuestion
		if err := json.Unmarshal(question, &q); err != nil {
			return nil, err
		}
		return json.Marshal(g.answerPeer(q))
	}
	hostcall.Log(g.o.Logger, "PeerAsker.AnswerPeers", func() { peers.AnswerPeers(answer) })
}

func (g *Gateway) answerPeer(q peerQuestion) (a peerAnswer) {
	asked := make(map[string]bool, len(q.IDs))
	for _, id := range q.IDs {
		asked[id] = true
	}
	meant := func(s Session) bool {
		return (q.Subject == "" || s.Subject == q.Subject) && (len(q.IDs) == 0 || asked[s.ID])
	}
	switch {
	case q.End && q.Subject == "" && len(q.IDs) == 0:
		return a // nobody asks for the end of all
	case q.End:
		a.Ended = g.endOwn(meant, q.Reason)
		return a
	}
	for s := range g.Sessions() {
		if meant(s) {
			a.Sessions = append(a.Sessions, peerSession{s.ID, s.Kind, s.Start, s.Subject, s.KeyID, s.Remote, s.Agent, s.Target, s.Counters})
		}
	}
	return a
}

// askPeers asks all other gateways, and calls each with what one answers.
func (g *Gateway) askPeers(ctx context.Context, q peerQuestion, each func(peerAnswer)) {
	peers, ok := g.o.Agents.(PeerAsker)
	if !ok {
		return
	}
	question, err := json.Marshal(q)
	if err != nil {
		g.o.Logger.ErrorContext(ctx, "a question cannot be written", "err", err)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, peerTimeout)
	defer cancel()
	hostcall.Log(g.o.Logger, "PeerAsker.AskPeers", func() {
		peers.AskPeers(ctx, question, func(gateway string, reply []byte) {
			var a peerAnswer
			if err := json.Unmarshal(reply, &a); err != nil {
				g.o.Logger.WarnContext(ctx, "the answer of a gateway cannot be read", "gateway", gateway, "err", err)
				return
			}
			each(a)
		})
	})
}

// A Bus tells the gateways of a cluster which keys and agents' records are
// revoked. Its methods are safe for concurrent use and return soon. Package
// clustertest tests one; a [RevocationLog] keeps what one has to keep.
//
// A revocation reaches the other gateways within a second. Gateways that start
// or return later get it for a day.
//
// One that is a [ConnectedBus] shows in [Gateway.Ready] whether it is connected.
type Bus interface {
	// Publish tells the other gateways. It sets Revocation.Gateway, and At when
	// that is zero. Only the gateway that revoked a key can restore it.
	Publish(Revocation)
	// Subscribe calls f for each revocation that other gateways publish, and
	// for those of the last day. Calls are not concurrent; f returns soon and
	// calls no method of the Bus.
	Subscribe(f func(Revocation))
}

// A ConnectedBus is a Bus that can say whether it reaches the other gateways now, as
// adapters/natscluster can. Connected is called concurrently and returns at once.
type ConnectedBus interface {
	Bus
	Connected() bool
}

// A Revocation says that a key, or the record of an agent, is no longer valid, or
// valid again.
type Revocation struct {
	KeyID    string    `json:"key_id"`          // as in Principal
	Agent    bool      `json:"agent,omitempty"` // KeyID is that of an agent's record
	At       time.Time `json:"at"`
	Restored bool      `json:"restored,omitempty"` // the gateway that revoked it knows it again
	Gateway  string    `json:"gateway"`            // who said so
}

// A RevocationLog keeps what a [Bus] tells gateways that come later: the revocations
// of the last day. The zero value is empty and ready for use. It is safe for
// concurrent use.
type RevocationLog struct {
	mu sync.Mutex
	of map[revocationKey]Revocation
}

type revocationKey struct {
	id    string
	agent bool
}

// Note keeps a revocation and reports whether it says something new. Only the
// gateway that revoked a key can restore it.
func (l *RevocationLog) Note(r Revocation) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	key := revocationKey{r.KeyID, r.Agent}
	old, known := l.of[key]
	known = known && time.Since(old.At) <= day
	switch {
	case r.KeyID == "" || time.Since(r.At) > day:
		return false
	case known && !r.At.After(old.At):
		return false
	case known && r.Restored && old.Gateway != r.Gateway:
		return false
	case known && !r.Restored && !old.Restored:
		return false // gone already, and who said so first may take it back
	}
	if l.of == nil {
		l.of = make(map[revocationKey]Revocation)
	}
	l.of[key] = r
	return true
}

// All returns what is known of the last day, oldest first.
func (l *RevocationLog) All() []Revocation {
	l.mu.Lock()
	defer l.mu.Unlock()
	maps.DeleteFunc(l.of, func(_ revocationKey, r Revocation) bool { return time.Since(r.At) > day })
	return slices.SortedFunc(maps.Values(l.of), func(a, b Revocation) int {
		return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.KeyID, b.KeyID))
	})
}

// A LocalBus joins gateways of one process. The zero value is ready for use. It is
// safe for concurrent use.
type LocalBus struct {
	mu      sync.Mutex // held while somebody is told
	log     RevocationLog
	members []*localBus
}

type localBus struct {
	all     *LocalBus
	gateway string
	tell    []func(Revocation)
}

// Join returns the Bus of one gateway of this name, for Options.Bus.
func (b *LocalBus) Join(gateway string) Bus {
	b.mu.Lock()
	defer b.mu.Unlock()
	m := &localBus{all: b, gateway: gateway}
	b.members = append(b.members, m)
	return m
}

func (m *localBus) Publish(r Revocation) {
	r.Gateway = m.gateway
	if r.At.IsZero() {
		r.At = time.Now()
	}
	m.all.mu.Lock()
	defer m.all.mu.Unlock()
	if !m.all.log.Note(r) {
		return
	}
	for _, other := range m.all.members {
		for _, tell := range other.tell {
			if other != m {
				tell(r)
			}
		}
	}
}

func (m *localBus) Subscribe(f func(Revocation)) {
	m.all.mu.Lock()
	defer m.all.mu.Unlock()
	m.tell = append(m.tell, f)
	for _, r := range m.all.log.All() {
		if r.Gateway != m.gateway {
			f(r)
		}
	}
}

// A RecordSharer is an AgentSelector whose agents have records, as an [agent.Pool]
// is. With it, and Options.Bus, a record that one gateway loses is gone at all of
// them. New calls ShareRecords once, and the Bus calls RevokeRecord, one call at a
// time. Both do as those of agent.Pool.
type RecordSharer interface {
	AgentSelector
	ShareRecords(publish func(id string, restored bool))
	RevokeRecord(id string, until time.Time)
}

// subscribe has what other gateways revoke be revoked here.
func (g *Gateway) subscribe() {
	if g.o.Bus == nil {
		return
	}
	g.publishRevoked() // the first look only finds what is valid
	if records, ok := g.o.Agents.(RecordSharer); ok {
		publish := func(id string, restored bool) {
			g.publish(Revocation{KeyID: id, Agent: true, Restored: restored})
		}
		hostcall.Log(g.o.Logger, "RecordSharer.ShareRecords", func() { records.ShareRecords(publish) })
	}
	hostcall.Log(g.o.Logger, "Bus.Subscribe", func() { g.o.Bus.Subscribe(g.receiveRevocation) })
}

var errKeyRevoked = fault.New(fault.Ended, "key revoked")

func (g *Gateway) receiveRevocation(r Revocation) {
	g.gone.Times.Heard(r.KeyID, r.Agent, r.At)
	until := r.At.Add(day)
	if r.Restored {
		until = time.Time{}
	}
	if records, ok := g.o.Agents.(RecordSharer); r.Agent {
		if ok {
			hostcall.Log(g.o.Logger, "RecordSharer.RevokeRecord", func() { records.RevokeRecord(r.KeyID, until) })
		}
		return
	}
	g.gone.Note(r.KeyID, until)
	if !r.Restored {
		g.revocations.Add(1)
		g.endKey(r.KeyID)
	}
}

// noteKey notes whose key a session has: many keys may be revoked while many sessions run,
// and a look at all of them for each key would hold the gateway up for minutes. The caller
// holds mu.
func (g *Gateway) noteKey(s *session) {
	if g.o.Bus == nil || s.KeyID == "" {
		return
	}
	if g.ofKey[s.KeyID] == nil {
		g.ofKey[s.KeyID] = make(map[*session]struct{})
	}
	g.ofKey[s.KeyID][s] = struct{}{}
}

// forgetKey forgets a session that noteKey noted. The caller holds mu.
func (g *Gateway) forgetKey(s *session) {
	delete(g.ofKey[s.KeyID], s)
	if len(g.ofKey[s.KeyID]) == 0 {
		delete(g.ofKey, s.KeyID)
	}
}

// endKey ends the sessions of a key that another gateway has revoked.
func (g *Gateway) endKey(id string) {
	g.mu.Lock()
	carriers := make([]carrier, 0, len(g.ofKey[id]))
	for s := range g.ofKey[id] {
		carriers = append(carriers, s.carrier)
	}
	g.mu.Unlock()
	for _, c := range carriers {
		c.Shutdown(errKeyRevoked)
	}
}

// publishRevoked tells the other gateways which keys the Authenticator had and has
// lost, and which of those that it had lost it has again.
func (g *Gateway) publishRevoked() {
	keys, ok := g.o.Auth.(KeyLister)
	if !ok || g.o.Bus == nil {
		return
	}
	look := func() (ids []string, ok bool) { // after a panic an empty list would revoke all
		ok = hostcall.Log(g.o.Logger, "KeyLister.KeyIDs", func() { ids = keys.KeyIDs() })
		return ids, ok
	}
	g.gone.Compare(look, func(id string, restored bool) {
		g.publish(Revocation{KeyID: id, Restored: restored})
	})
}

func (g *Gateway) publish(r Revocation) {
	r.At = g.gone.Times.Next(r.KeyID, r.Agent)
	hostcall.Log(g.o.Logger, "Bus.Publish", func() { g.o.Bus.Publish(r) })
}

// EndRevoked ends the sessions of keys that the Authenticator no longer knows,
// with 1008 and the reason "key revoked", and returns their number. A recrawl
// stops, and its site rests. Call it after keys were removed. It does nothing
// unless the Authenticator is a [KeyLookuper]. Where it is a [KeyLister] too,
// the other gateways on Options.Bus are told which keys are gone, and which are
// there again.
func (g *Gateway) EndRevoked(ctx context.Context) int {
	g.revocations.Add(1)
	g.publishRevoked()
	return g.endKeys(func(s Session) bool { return g.revoked(ctx, Principal{Subject: s.Subject, KeyID: s.KeyID}) })
}

// endKeys ends the sessions of keys that are gone and returns their number. A recrawl
// gives its site back, which rests once it is claimed again.
func (g *Gateway) endKeys(gone func(Session) bool) int {
	n := 0
	for _, s := range g.snapshot() {
		if gone(s.Session) {
			n++
			s.carrier.Shutdown(errKeyRevoked)
		}
	}
	return n
}
