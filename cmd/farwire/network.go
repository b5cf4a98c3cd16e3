package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"strings"

	"github.com/farwire/farwire/agent"
)

// networkFlags say through which agents a gateway reaches the world.
type networkFlags struct {
	LocalAgent   string `default:"local:ZZ" placeholder:"SLUG:CC" help:"Slug and country of the agent in this process; none turns it off, and so does NATS_URL where this is not given."`
	AllowPrivate bool   `help:"Let the agent in this process reach loopback, private and link-local addresses."`
	AgentSecret  list   `placeholder:"SECRET,..." help:"Secret with which agents attach under a slug and country that they choose; at least 16 bytes. Give several while you change it."`
	AgentsFile   string `placeholder:"FILE" help:"JSON list of {slug, country, token_sha256}: agents with a token of their own."`
	Peers        list   `placeholder:"URL,..." help:"The other gateways of a cluster without NATS; agents link to each."`

	guardFlags `embed:""`
}

// network makes the pool of agents, with the one of this process in it, which
// never dials where this process listens.
func (f *networkFlags) network(log *slog.Logger, clientAddr func(*http.Request) netip.Addr, listeners func() []net.Addr) (pool *agent.Pool, err error) {
	o := agent.PoolOptions{Peers: f.Peers, ClientAddr: clientAddr, Logger: log}
	if given("NATS_URL") {
		o.Peers = nil // gateways find each other there
	}
	if len(f.AgentSecret) > 0 {
		o.Secret = f.AgentSecret[0]
	}
	if f.AgentsFile != "" {
		if o.Records, err = readRecords(f.AgentsFile); err != nil {
			return nil, err
		}
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
		return nil, asFlag(err)
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
		return id.admitAgents(list, func() error {
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
		records, err := readRecords(f.AgentsFile)
		if err != nil {
			return err
		}
		if err := pool.SetRecords(records); err != nil {
			return asFlag(err)
		}
		return nil
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

// asFlag names the flag where the library names its field.
func asFlag(err error) error {
	return agentError(err, map[string]string{
		"PoolOptions.Records": "--agents-file: entry ", "PoolOptions.Peers": "--peers",
		"record ": "--agents-file: entry ", "the slug ": "--agents-file: the slug ",
	})
}

// readRecords reads the agents file. Its trouble is told with the place, and
// never with what stands there.
func readRecords(file string) ([]agent.Record, error) {
	b, err := readFile("--agents-file", file)
	if err != nil {
		return nil, err
	}
	records, err := parseRecords(b)
	if err != nil {
		return nil, misusef("--agents-file: %s: %v", file, err)
	}
	return records, nil
}

// parseRecords reads a list of them. A typing error is no record.
func parseRecords(b []byte) ([]agent.Record, error) {
	if line, why := strictJSON(b); why != "" {
		return nil, fmt.Errorf("line %d: %s; write a list of {slug, country, token_sha256}", line, why)
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	var records []agent.Record
	if err := dec.Decode(&records); err != nil {
		line := 1 + bytes.Count(b[:min(int(dec.InputOffset()), len(b))], []byte("\n"))
		var syntax *json.SyntaxError
		var kind *json.UnmarshalTypeError
		switch {
		case errors.As(err, &kind):
			return nil, fmt.Errorf("line %d: %s where %v belongs; write a list of {slug, country, token_sha256}", line, kind.Value, kind.Type)
		case errors.As(err, &syntax), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
			return nil, fmt.Errorf("line %d: not JSON; write a list of {slug, country, token_sha256}", line)
		}
		return nil, fmt.Errorf("line %d: %s; write a list of {slug, country, token_sha256}", line, strings.TrimPrefix(err.Error(), "json: "))
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return nil, errors.New("there is more than one list; write one")
	}
	if len(records) == 0 {
		return nil, errors.New("the list is empty; name an agent or leave the flag out")
	}
	return records, nil
}

// strictJSON finds what encoding/json lets pass and a typing error may be: a
// null, a name given twice, and one that differs from a field's by its case.
// What is not JSON is left to be found by who reads it.
func strictJSON(b []byte) (line int, why string) {
	dec := json.NewDecoder(bytes.NewReader(b))
	var names []map[string]bool // of the objects around; nil for a list
	isName := false
	for {
		token, err := dec.Token()
		if err != nil {
			return 0, ""
		}
		line := 1 + bytes.Count(b[:dec.InputOffset()], []byte("\n"))
		inObject := len(names) > 0 && names[len(names)-1] != nil
		switch t := token.(type) {
		case json.Delim:
			switch t {
			case '{':
				names = append(names, map[string]bool{})
			case '[':
				names = append(names, nil)
			default:
				names = names[:len(names)-1]
			}
			isName = len(names) > 0 && names[len(names)-1] != nil
			continue
		case nil:
			return line, "null where a value belongs"
		case string:
			if inObject && isName {
				seen := names[len(names)-1]
				if seen[t] {
					return line, "a name is given twice"
				}
				if t != strings.ToLower(t) {
					return line, "a name that is not known"
				}
				seen[t] = true
				isName = false
				continue
			}
		}
		isName = inObject
	}
}
