package main

import (
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/farwire/farwire/agent"
)

// networkFlags say through which agents a gateway reaches the world.
type networkFlags struct {
	LocalAgent   string `default:"local:ZZ" placeholder:"SLUG:CC" help:"Slug and country of the agent in this process; none turns it off, and so does NATS_URL unless this is given."`
	AllowPrivate bool   `help:"Let the agent in this process reach loopback, private and link-local addresses."`
	AgentSecret  list   `placeholder:"SECRET,..." help:"Secret with which agents attach under a slug and country that they choose; at least 16 bytes. Give several while you change it."`
	AgentsFile   string `placeholder:"FILE" help:"JSON list of {slug, country, token_sha256}: agents with a token of their own."`
	Peers        list   `placeholder:"URL,..." help:"The other gateways of a cluster without NATS; agents link to each."`

	guardFlags `embed:""`
}

// network makes the pool of agents, those of the agents file and the one of this process in
// it, which never dials where this process listens.
func (f *networkFlags) network(file agentsFile, log *slog.Logger, clientAddr func(*http.Request) netip.Addr, listeners func() []net.Addr) (pool *agent.Pool, err error) {
	o := agent.PoolOptions{Records: file.records, Peers: f.Peers, ClientAddr: clientAddr, Logger: log}
	if given("NATS_URL") {
		o.Peers = nil // gateways find each other there
	}
	if len(f.AgentSecret) > 0 {
		o.Secret = f.AgentSecret[0]
	}
	o.LocalOnly = o.Secret == "" && len(o.Records) == 0
	switch {
	case o.LocalOnly && f.LocalAgent == noAgent && !given("NATS_URL"):
		return nil, misuse("--local-agent: none leaves no agent at all; give --agent-secret or --agents-file, too")
	case o.LocalOnly && len(f.Peers) > 0 && !given("NATS_URL"):
		return nil, misuse("--peers: only agents are told of peers, and no agent can attach; give --agent-secret or --agents-file, too")
	}
	if pool, err = agent.NewPool(o); err != nil && strings.Contains(err.Error(), "PoolOptions.Secret") {
		return nil, agentSecretMisuse(err)
	} else if err != nil {
		return nil, file.asFlag(err)
	}
	if len(f.AgentSecret) > 1 {
		if err := pool.SetSecrets(f.AgentSecret); err != nil {
			return nil, agentSecretMisuse(err)
		}
	}
	if f.LocalAgent == noAgent {
		return pool, nil
	}
	exit, err := f.local(listeners)
	if err != nil {
		return nil, err
	}
	if err := pool.Add(exit); err != nil {
		return nil, misuse("--local-agent: " + strings.TrimPrefix(err.Error(), "agent: ") + "; give another slug")
	}
	return pool, nil
}

// reloadAgents returns what reads the agents file, and the file of the agents'
// secret, again.
func (f *networkFlags) reloadAgents(pool *agent.Pool, id *identity) (secrets, records func() error) {
	read := listReader("agent-secret", f.AgentSecret)
	secrets = func() error {
		list, err := read()
		if err != nil || len(list) == 0 {
			return err
		}
		next := id.inUse
		next.agents = list
		return id.admit(next, func() error {
			if err := pool.SetSecrets(list); err != nil {
				return agentSecretMisuse(err)
			}
			return nil
		})
	}
	records = func() error {
		if f.AgentsFile == "" {
			return nil
		}
		file, err := readAgentsFile(f.AgentsFile, readAgain)
		if err != nil {
			return err
		}
		next := id.inUse
		next.agentRecords = file.records
		return id.admit(next, func() error {
			if err := pool.SetRecords(file.records); err != nil {
				return file.asFlag(err)
			}
			return nil
		})
	}
	return secrets, records
}

const noAgent = "none" // as the value of --local-agent

// localSlug is what clients pin the agent of this process by; empty: there is
// none.
func (f *networkFlags) localSlug() string {
	if f.LocalAgent == noAgent {
		return ""
	}
	slug, _, _ := strings.Cut(f.LocalAgent, ":")
	return slug
}

// local makes the agent of this process.
func (f *networkFlags) local(listeners func() []net.Addr) (agent.Exit, error) {
	slug, country, ok := strings.Cut(f.LocalAgent, ":")
	if !ok || slug == "" || country == "" {
		return agent.Exit{}, misusef("--local-agent: %q is not a slug and a country; write it as local:ZZ, or none", f.LocalAgent)
	}
	deny, ports, err := f.parse()
	if err != nil {
		return agent.Exit{}, err
	}
	exit, err := agent.Direct(agent.DirectOptions{
		Slug: slug, Country: country, AllowPrivate: f.AllowPrivate, AllowOnLink: f.AllowOnLink, AllowPorts: ports,
		Listeners: listeners, Policy: agent.Rules{Deny: deny},
	})
	if err != nil {
		return agent.Exit{}, misuse("--local-agent: " + strings.TrimPrefix(err.Error(), "agent: "))
	}
	return exit, nil
}

// agentSecretMisuse says what is wrong with a secret of agents, and what to do.
func agentSecretMisuse(err error) error {
	why := strings.TrimPrefix(strings.TrimPrefix(err.Error(), "agent: "), "PoolOptions.Secret ")
	return misuse("--agent-secret: " + why + "; give one such as the output of openssl rand -hex 16")
}
