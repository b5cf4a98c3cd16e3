package main

import (
	"context"
	"log/slog"
	"os"
	"time"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/agent"
)

type agentCommand struct {
	Gateway        list          `placeholder:"URL,..." help:"Gateways to serve; may be given more than once. Each address of a name gets a link of its own."`
	Secret         string        `placeholder:"SECRET" help:"The gateways' --agent-secret."`
	Token          string        `placeholder:"TOKEN" help:"This agent's own token, where the gateways have a record of it."`
	Slug           string        `placeholder:"SLUG" help:"Short name that clients pin this agent by; needed with --secret."`
	Country        string        `placeholder:"CC" help:"Where this agent stands, as ISO 3166-1 alpha-2; needed with --secret."`
	AllowPrivate   bool          `help:"Let sessions reach loopback, private and link-local addresses."`
	AllowCleartext bool          `help:"Let the secret and all traffic cross the network in clear, to a gateway at http:// or ws:// that is not on this machine."`
	Links          int           `default:"2" placeholder:"N" help:"How many gateways of a cluster on NATS to link to, at least 1. Every other gateway gets a link."`
	MaxSessions    int           `default:"0" placeholder:"N" help:"Sessions at a time, at least 1; 0 means no limit."`
	DrainTimeout   time.Duration `default:"10s" placeholder:"TIME" help:"Longest graceful shutdown."`

	guardFlags `embed:""`
	logFlags   `embed:""`
}

// Run serves until ctx ends and then drains.
func (a *agentCommand) Run(ctx context.Context) error {
	hangup := catchHangups()
	defer farwire.TuneCollector()()
	log, err := a.logger(os.Stderr)
	if err != nil {
		return err
	}
	secret, err := a.check()
	if err != nil {
		return err
	}
	deny, ports, err := a.parse()
	if err != nil {
		return err
	}
	read := a.reader()
	defer hangup.do(ctx, func(context.Context) { checkSecret(read, log) })()
	err = agent.Run(ctx, agent.RunOptions{
		ReadSecret:     read,
		Gateways:       a.Gateway,
		Secret:         secret,
		Slug:           a.Slug,
		Country:        a.Country,
		AllowPrivate:   a.AllowPrivate,
		AllowOnLink:    a.AllowOnLink,
		AllowPorts:     ports,
		AllowCleartext: a.AllowCleartext,
		Policy:         agent.Rules{Deny: deny},
		Links:          a.Links,
		MaxSessions:    a.MaxSessions,
		DrainTimeout:   a.DrainTimeout,
		Version:        build().version,
		Logger:         log,
	})
	if err != nil {
		return a.asFlag(err)
	}
	return nil
}

func (a *agentCommand) check() (secret string, err error) {
	switch {
	case len(a.Gateway) == 0:
		return "", misuse("--gateway: missing; give the address of a gateway, such as wss://gateway.example.com")
	case a.Secret == "" && a.Token == "":
		return "", misuse("--secret: missing; give the gateways' --agent-secret, or --token where this agent has one of its own")
	case a.Secret != "" && a.Token != "":
		return "", misuse("--token: given together with --secret; give one of them")
	case a.Token != "" && (a.Slug == "" || a.Country == ""):
		// The gateway's record of the token says both.
		a.Slug, a.Country = "", ""
	case a.Slug == "":
		return "", misuse("--slug: missing; give a short name such as de1")
	case a.Country == "":
		return "", misuse("--country: missing; give an ISO 3166-1 alpha-2 code such as DE")
	}
	switch {
	case a.Secret != "" && len(a.Secret) < agent.MinSecretLength:
		return "", shortSecret(a.Secret)
	case a.Links < 1:
		return "", misusef("--links: %d is not a number of links; give 1 or more", a.Links)
	case a.MaxSessions < 0:
		return "", misusef("--max-sessions: %d is negative; give 0 for no limit", a.MaxSessions)
	case a.DrainTimeout <= 0:
		return "", misusef("--drain-timeout: %v leaves no time to drain; give more than 0s", a.DrainTimeout)
	}
	return a.Secret + a.Token, nil
}

// reader reads the secret's file anew; nil: it is not in one.
func (a *agentCommand) reader() func() (string, error) {
	for flag, value := range map[string]string{"secret": a.Secret, "token": a.Token} {
		// One that cannot be read, or says otherwise, is not where value came from.
		if first, found, err := secretFile(flag, readUnlessPipe); found && err == nil && first == value && value != "" {
			return func() (string, error) {
				secret, _, err := secretFile(flag, readAgain)
				if err == nil && flag == "secret" && len(secret) < agent.MinSecretLength {
					err = shortSecret(secret)
				}
				return secret, err
			}
		}
	}
	return nil
}

// shortSecret is the error of a shared secret that no gateway has: each refuses it at its start.
func shortSecret(secret string) error {
	return misusef("--secret: %d bytes; the gateways' --agent-secret has at least %d: give that, or --token where this agent has one of its own",
		len(secret), agent.MinSecretLength)
}

// checkSecret says whether the secret that the next attach reads can be read now. Nil
// reads nothing.
func checkSecret(read func() (string, error), log *slog.Logger) {
	refused := 0
	if read != nil {
		if _, err := read(); err != nil {
			refused++
			log.Error("the secret cannot be read; existing links stay", "err", err)
		}
	}
	log.Info("reload ended", "refused", refused)
}

// asFlag names the flag where the library names its field. All errors of Run
// are about options.
func (a *agentCommand) asFlag(err error) error {
	secret := "--secret"
	if a.Token != "" {
		secret = "--token"
	}
	return agentError(err, map[string]string{
		"RunOptions.Gateways": "--gateway", "RunOptions.Secret": secret + ":", "RunOptions: slug": "--slug:", "RunOptions: country": "--country:",
	})
}
