package main

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/alecthomas/kong"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/adapters/natscluster"
	"github.com/farwire/farwire/adapters/redislimit"
	"github.com/farwire/farwire/agent"
)

// clusterFlags say how gateways on one NATS find each other.
type clusterFlags struct {
	Advertise string `placeholder:"URL" help:"Where other gateways reach this one, not through a load balancer. Default: --listen, or with that port the address that NATS sees."`
	Cluster   string `default:"farwire" placeholder:"NAME" help:"The cluster's name on NATS: gateways of one name share their agents."`
}

// AfterApply finds out whether an agent in this process was asked for: in a cluster
// the process has one only then.
func (s *serve) AfterApply(k *kong.Context) error {
	if given("NATS_URL") && !flagGiven(k, "local-agent") {
		s.LocalAgent = noAgent
	}
	return nil
}

// flagGiven reports whether a flag, or its variable, was given.
func flagGiven(k *kong.Context, name string) bool {
	return slices.ContainsFunc(k.Path, func(step *kong.Path) bool { return step.Flag != nil && step.Flag.Name == name })
}

// A cluster is this gateway's part in several. Its methods do nothing when it is
// nil: this gateway is alone.
type cluster struct {
	*natscluster.Cluster
	name, url string // the URL is empty when NATS says what it is
	port      string
	scheme    string
	log       *slog.Logger
	work      sync.WaitGroup
	stop      context.CancelFunc
}

// openCluster connects to NATS, if there is one, else it returns nil. Without a
// listener the process reaches others, and no one reaches it.
func (s *serve) openCluster(secrets func() [][]byte, name string, ln net.Addr, log *slog.Logger) (*cluster, error) {
	values, err := serviceValues("NATS_URL", "NATS_CREDS", "NATS_CA", "NATS_CERT", "NATS_KEY")
	if err != nil {
		return nil, err
	}
	if values["NATS_URL"] == "" {
		switch {
		case len(values) > 0:
			return nil, misuse("NATS_URL: missing; NATS_CREDS, NATS_CA, NATS_CERT and NATS_KEY are of no use without it")
		case s.Advertise != "":
			return nil, misuse("--advertise: other gateways are found on NATS; set NATS_URL, too")
		}
		return nil, nil
	}
	if len(s.TokenSecret) == 0 {
		return nil, misuse("NATS_URL: gateways prove to each other that they belong together by --token-secret; give it to each, the same")
	}
	if len(s.Peers) > 0 {
		log.Warn("--peers is ignored: gateways find each other on NATS")
	}
	c := &cluster{name: name, log: log, scheme: schemeOf(s.TLSCert != "")}
	if ln != nil { // else nobody reaches it
		if err := c.advertise(s, ln, values["NATS_URL"]); err != nil {
			return nil, err
		}
	}
	c.Cluster, err = natscluster.Open(natscluster.Options{
		URL: values["NATS_URL"], Credentials: values["NATS_CREDS"], CA: values["NATS_CA"], Certificate: values["NATS_CERT"], Key: values["NATS_KEY"],
		Cluster: s.clusterFlags.Cluster, Name: name, Secrets: secrets, Logger: log,
	})
	if err != nil {
		return nil, asVariable(err, "natscluster: Options.", map[string]string{
			"URL": "NATS_URL", "Credentials": "NATS_CREDS", "CA": "NATS_CA", "Certificate": "NATS_CERT and NATS_KEY", "Cluster": "--cluster", "Secrets": "--token-secret",
		})
	}
	return c, nil
}

// advertise finds out where other gateways reach this one.
func (c *cluster) advertise(s *serve, ln net.Addr, natsURL string) error {
	if s.Advertise != "" {
		u, err := url.Parse(s.Advertise)
		if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
			return misusef("--advertise: %q is not a URL of this gateway; write it as https://10.0.0.7:8080", s.Advertise)
		}
		if n, err := strconv.ParseUint(cmp.Or(u.Port(), "443"), 10, 16); err != nil || n == 0 {
			return misusef("--advertise: the port of %q is not between 1 and 65535", s.Advertise)
		}
		a, err := netip.ParseAddr(u.Hostname())
		if err == nil && a.Unmap().IsUnspecified() {
			return misusef("--advertise: %q is every address; name one that other gateways reach", s.Advertise)
		}
		if err == nil && u.Scheme == "http" && !a.Unmap().IsLoopback() && !a.Unmap().IsPrivate() {
			return misusef("--advertise: %q is in clear, which other gateways speak on loopback and private addresses alone; write https://, with --tls-cert", s.Advertise)
		}
		c.url = s.Advertise
		return nil
	}
	addr := ln.(*net.TCPAddr).AddrPort()
	host := addr.Addr().Unmap()
	_, c.port, _ = net.SplitHostPort(ln.String())
	switch {
	case host.IsUnspecified():
		return nil // NATS says
	case host.IsLoopback() && !onLoopback(natsURL):
		return misuse("--advertise: --listen is on loopback, where gateways on other machines cannot reach it; give --listen an address that they reach, or say here where they do")
	}
	c.url = c.scheme + "://" + net.JoinHostPort(host.String(), c.port)
	return nil
}

// onLoopback reports whether all servers of a list are on this machine; what is not a
// URL is left to natscluster to refuse.
func onLoopback(urls string) bool {
	for one := range strings.SplitSeq(urls, ",") {
		one = strings.TrimSpace(one)
		if !strings.Contains(one, "://") {
			one = "nats://" + one
		}
		u, err := url.Parse(one)
		if err != nil {
			return true
		}
		a, err := netip.ParseAddr(u.Hostname())
		if !strings.EqualFold(u.Hostname(), "localhost") && (err != nil || !a.Unmap().IsLoopback()) {
			return false
		}
	}
	return true
}

// address is where other gateways reach this one now; empty: not known yet.
func (c *cluster) address() string {
	if c.url != "" {
		return c.url
	}
	a := c.ClientIP()
	if !a.IsValid() || c.port == "" {
		return ""
	}
	return c.scheme + "://" + net.JoinHostPort(a.String(), c.port)
}

// bus is what tells other gateways of revoked keys; nil: nothing.
func (c *cluster) bus() farwire.Bus {
	if c == nil {
		return nil
	}
	return c.Cluster
}

// join has the pool share its agents, and the limiter know how many gateways share
// the limits.
func (c *cluster) join(pool *agent.Pool, secrets func() [][]byte, limiter farwire.Limiter) error {
	if c == nil {
		return nil
	}
	err := pool.Join(agent.ClusterOptions{Name: c.name, URL: c.address, Secrets: secrets, Directory: c.Cluster})
	if err != nil {
		return err
	}
	shared, ok := limiter.(*redislimit.Limiter)
	if !ok {
		return nil
	}
	ctx, stop := context.WithCancel(context.Background())
	c.stop = stop
	c.work.Go(func() {
		every := time.NewTicker(time.Second)
		defer every.Stop()
		for {
			if now := c.Stats(); now.Connected { // else the number of before is the best there is
				shared.SetGateways(now.Gateways)
			}
			select {
			case <-every.C:
			case <-ctx.Done():
				return
			}
		}
	})
	return nil
}

// leave tells the other gateways, and the agents, that this one drains.
func (c *cluster) leave(pool *agent.Pool) {
	if c != nil {
		pool.Leave()
	}
}

// drained judges how the pool has ended: what it carried for other gateways goes on
// until the drain timeout, and its end is not a failure of this one.
func (c *cluster) drained(err error) error {
	if c != nil && errors.Is(err, context.DeadlineExceeded) {
		return nil
	}
	return err
}

func (c *cluster) close() {
	if c == nil {
		return
	}
	if c.stop != nil {
		c.stop()
		c.work.Wait()
	}
	if err := c.Close(); err != nil {
		c.log.Warn("not closed cleanly", "err", err)
	}
}

// String is for people: what NATS is used for.
func (c *cluster) String() string {
	if c == nil {
		return ""
	}
	return "; cluster " + c.name + " at " + cmp.Or(c.address(), "an address that NATS will say")
}
