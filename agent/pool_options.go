package agent

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/netip"
)

// PoolOptions are the options of [NewPool].
type PoolOptions struct {
	// Secret lets agents attach under a slug and country that they choose.
	// At least [MinSecretLength] bytes. Empty: only agents with a record can attach. SetSecrets
	// changes it, and allows several while it changes.
	Secret string

	// Records are agents with a token of their own; a record, not the agent,
	// says who it is.
	Records []Record

	// LocalOnly says that no agent may attach: the exits are those of Add.
	// Without it a pool with neither Secret nor Records is an error, because
	// the usual cause is an unset environment variable.
	LocalOnly bool

	// Policy narrows what the agents may dial. It is sent with each request and
	// never widens what an agent itself allows. Exits of Add have their own
	// policy.
	Policy Rules

	// Peers are URLs of the other gateways of this cluster. Agents are told to
	// link to each.
	Peers []string

	// ClientAddr returns the address that an agent or a gateway comes from, for
	// Info.ExitIP, the log and the count of wrong secrets, where proxies stand in front
	// of the pool. Nil: the connection's. The zero Addr: unknown.
	ClientAddr func(*http.Request) netip.Addr

	// MaxAgents is how many links there may be at a time; 0: 10000. A negative number is refused.
	MaxAgents int

	Logger *slog.Logger // nil: slog.Default()
}

// whoAttaches reports an error of options by which no agent could attach although one is
// meant to, or by which one could although none is.
func (o *PoolOptions) whoAttaches() error {
	attaches := o.Secret != "" || len(o.Records) > 0
	switch {
	case o.LocalOnly && attaches:
		return errors.New("agent: PoolOptions.LocalOnly is set together with Secret or Records")
	case !o.LocalOnly && !attaches:
		return errors.New("agent: PoolOptions.Secret is empty and there are no Records, so no agent could attach: set one of them, or LocalOnly if no agent should")
	}
	return nil
}

// policy returns a copy of the Policy that can be sent to agents, or nil without a Policy.
func (o *PoolOptions) policy() (*Rules, error) {
	if len(o.Policy.Allow) > 0 {
		return nil, errors.New("agent: PoolOptions.Policy.Allow is set, which agents of earlier releases ignore: use Deny, or WithRules for each dial")
	}
	if o.Policy.empty() {
		return nil, nil
	}
	policy := o.Policy.clone()
	if err := policy.valid(); err != nil {
		return nil, fmt.Errorf("agent: PoolOptions.Policy: %w", err)
	}
	// What does not fit into a request beside the longest host would fail every dial.
	if body, err := json.Marshal(policy); err != nil || len(body) > maxRequest-1024 {
		return nil, fmt.Errorf("agent: PoolOptions.Policy is too long to be sent (%d bytes, %v)", len(body), err)
	}
	return &policy, nil
}

// checkPeers reports an error of Peers that agents could not be told.
func (o *PoolOptions) checkPeers() error {
	for _, peer := range o.Peers {
		if _, err := parseGateway(peer); err != nil {
			return fmt.Errorf("agent: PoolOptions.Peers: %w", err)
		}
	}
	if body, err := json.Marshal(o.Peers); err != nil || len(body) > maxWelcome-1024 {
		return fmt.Errorf("agent: PoolOptions.Peers is too long to be sent (%d bytes, %v)", len(body), err)
	}
	return nil
}
