package agent

import (
	"net/netip"
	"slices"
	"sync"
	"time"
)

// A Directory tells the gateways of a cluster which of them holds which agents. Its
// methods are safe for concurrent use.
//
// A directory carries names and numbers, no traffic: a gateway that needs an
// agent dials the gateway that holds it (ClusterOptions). Its information may
// be late; a gateway that is asked for an agent that it does not hold says so.
type Directory interface {
	// Join begins to tell the other gateways what the member holds, and the member
	// what the others hold. It returns at once.
	Join(Member) Membership
}

// A Member is a gateway as a Directory sees it. Its functions return soon and are
// safe for concurrent use. They must call no method of the Membership, which may wait
// for them.
type Member struct {
	// Holding returns what the gateway holds now.
	Holding func() Holding

	// Heard is called with what another gateway holds, changes at once, in that
	// gateway's order.
	Heard func(Holding)

	// Lost is called when a gateway has left, or has been silent for so long
	// that it should get no sessions.
	Lost func(gateway string)
}

// A Membership is a gateway's place in a Directory.
type Membership interface {
	// Changed reports that the gateway holds other agents now, or leaves. It
	// returns at once.
	Changed()

	// Leave ends the membership and tells the others. After it has returned,
	// the member's functions are not called any more.
	Leave()
}

// A Holding is what one gateway says of itself.
type Holding struct {
	Gateway string `json:"gateway"` // its name
	URL     string `json:"url"`     // where other gateways reach it
	Leaving bool   `json:"leaving,omitempty"`

	// Agents are its links to agents, and its own exits. Heard takes them in
	// place of the earlier ones, unless Partial is set: then they are added, or
	// replaced by number, and those in Gone are removed.
	Agents  []Held   `json:"agents,omitempty"`
	Partial bool     `json:"partial,omitempty"`
	Gone    []uint64 `json:"gone,omitempty"`
}

// A Held is one link of a gateway to an agent, or an exit of its own.
type Held struct {
	Link          uint64        `json:"link"` // its number at that gateway
	ID            string        `json:"id"`
	Slug          string        `json:"slug"`
	Country       string        `json:"country"`
	Instance      string        `json:"instance"` // tells processes apart that share a slug
	Version       string        `json:"version,omitempty"`
	EnforcesRules bool          `json:"enforces_rules,omitempty"`
	Draining      bool          `json:"draining,omitempty"`
	Sessions      int           `json:"sessions,omitempty"`
	RTT           time.Duration `json:"rtt,omitempty"`
	ExitIP        netip.Addr    `json:"exit_ip,omitzero"` // as in Info
	Since         time.Time     `json:"since"`            // when the link was made
}

// A LocalDirectory is a Directory for gateways of one process. The zero value is
// ready for use. It is safe for concurrent use.
type LocalDirectory struct {
	mu      sync.Mutex
	members []*localMember
}

type localMember struct {
	Member
	directory *LocalDirectory
	name      string
}

// Join tells all members of each other.
func (d *LocalDirectory) Join(m Member) Membership {
	d.mu.Lock()
	defer d.mu.Unlock()
	own := m.Holding()
	joined := &localMember{m, d, own.Gateway}
	for _, other := range d.members {
		other.Heard(own)
		m.Heard(other.Holding())
	}
	d.members = append(d.members, joined)
	return joined
}

func (m *localMember) Changed() {
	m.directory.mu.Lock()
	defer m.directory.mu.Unlock()
	if !slices.Contains(m.directory.members, m) {
		return
	}
	own := m.Holding()
	for _, other := range m.directory.members {
		if other != m {
			other.Heard(own)
		}
	}
}

func (m *localMember) Leave() {
	m.directory.mu.Lock()
	defer m.directory.mu.Unlock()
	at := slices.Index(m.directory.members, m)
	if at < 0 {
		return
	}
	m.directory.members = slices.Delete(m.directory.members, at, at+1)
	for _, other := range m.directory.members {
		other.Lost(m.name)
	}
}
