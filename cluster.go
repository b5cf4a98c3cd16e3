package farwire

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"net/netip"
	"os"
	"slices"
	"sync"
	"time"

	"github.com/farwire/farwire/internal/fault"
)

// A peerAsker is an AgentSelector that leads to other gateways of a cluster, as an
// agent.Pool that has joined one does.
type peerAsker interface {
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
	peers, ok := g.o.Agents.(peerAsker)
	if !ok {
		return
	}
	peers.AnswerPeers(func(_ context.Context, question []byte) ([]byte, error) {
		var q peerQuestion
		if err := json.Unmarshal(question, &q); err != nil {
			return nil, err
		}
		return json.Marshal(g.answerPeer(q))
	})
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
		a.Ended = g.endHere(meant, q.Reason)
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
	peers, ok := g.o.Agents.(peerAsker)
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
	peers.AskPeers(ctx, question, func(gateway string, reply []byte) {
		var a peerAnswer
		if err := json.Unmarshal(reply, &a); err != nil {
			g.o.Logger.WarnContext(ctx, "the answer of a gateway cannot be read", "gateway", gateway, "err", err)
			return
		}
		each(a)
	})
}

// sessionsOf lists the sessions of a caller over all gateways, or with an empty
// subject those of all.
func (g *Gateway) sessionsOf(ctx context.Context, subject string) (list []Session) {
	for s := range g.Sessions() {
		if subject == "" || s.Subject == subject {
			list = append(list, s)
		}
	}
	g.askPeers(ctx, peerQuestion{Subject: subject}, func(a peerAnswer) {
		for _, s := range a.Sessions {
			list = append(list, s.session())
		}
	})
	return list
}

// endThere ends sessions of other gateways and returns how many they say it were.
func (g *Gateway) endThere(ctx context.Context, q peerQuestion) (n int) {
	q.End = true
	g.askPeers(ctx, q, func(a peerAnswer) { n += a.Ended })
	return n
}

// endHere ends sessions that this gateway runs.
func (g *Gateway) endHere(end func(Session) bool, reason string) int {
	n := 0
	for _, s := range g.snapshot() {
		if end(s.Session) {
			n++
			s.carrier.Shutdown(fault.New(fault.Ended, reason))
		}
	}
	return n
}

// EndSession ends the running session of this id and reports whether there was
// one. A relay's client gets close code 1008 with the reason, its target 1001; a
// stream and a crawl end with an error event. It does not wait for the session's
// end. One that another gateway of the cluster runs is ended there, which takes a
// second at most.
func (g *Gateway) EndSession(id, reason string) bool {
	return g.endHere(func(s Session) bool { return s.ID == id }, reason) > 0 ||
		g.endThere(context.Background(), peerQuestion{IDs: []string{id}, Reason: reason}) > 0
}

// EndWhere ends the running sessions for which end returns true, as EndSession
// does, those of other gateways of the cluster included, and returns their number.
func (g *Gateway) EndWhere(end func(Session) bool, reason string) int {
	n := g.endHere(end, reason)
	var ids []string
	g.askPeers(context.Background(), peerQuestion{}, func(a peerAnswer) {
		for _, s := range a.Sessions {
			if end(s.session()) {
				ids = append(ids, s.ID)
			}
		}
	})
	for len(ids) > 0 { // as many as a question holds
		part := ids[:min(len(ids), 1000)]
		ids = ids[len(part):]
		n += g.endThere(context.Background(), peerQuestion{IDs: part, Reason: reason})
	}
	return n
}

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
