package main

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"time"

	"github.com/alecthomas/kong"

	"github.com/farwire/farwire"
)

// work recrawls apart from the gateways that relay.
type work struct {
	TokenSecret  list          `placeholder:"SECRET,..." help:"The gateways' secret, to reach the agents of a cluster on NATS. Its file is read again on SIGHUP."`
	Cluster      string        `default:"farwire" placeholder:"NAME" help:"The cluster's name on NATS."`
	LocalAgent   string        `default:"local:ZZ" placeholder:"SLUG:CC" help:"Slug and country of the agent in this process; none turns it off, and so does NATS_URL unless this is given."`
	AllowPrivate bool          `help:"Let the agent in this process reach loopback, private and link-local addresses."`
	APIKeys      list          `name:"api-keys" placeholder:"[NAME=]KEY,..." help:"The gateways' keys: sites of a key that is gone rest. Without them and --keys-file sites are crawled under the usual limits."`
	KeysFile     string        `placeholder:"FILE" help:"The gateways' keys file, likewise. Read again on SIGHUP."`
	DataDir      string        `default:"./farwire-data" placeholder:"DIR" help:"The gateways' folder, where there is no database or bucket."`
	PublicURL    string        `name:"public-url" placeholder:"URL" help:"The gateways' URL: files in their folder are below its /files/. Default: http://127.0.0.1:8080."`
	DrainTimeout time.Duration `default:"10s" placeholder:"TIME" help:"Longest graceful shutdown; a crawl that runs is left to another process."`

	CrawlTimeout  time.Duration `default:"10m" placeholder:"TIME" help:"Longest crawl; what was found by then is the result."`
	CrawlMaxPages int           `default:"1000" placeholder:"N" help:"Pages of a site, at most; a site that was enrolled with more gets as many. At least 1."`

	pagesFlag  `embed:""`
	guardFlags `embed:""`
	logFlags   `embed:""`
}

// Help is what the help of work says below its flags.
func (*work) Help() string { return servicesHelp() }

// AfterApply finds out whether an agent in this process was asked for, as serve does.
func (w *work) AfterApply(k *kong.Context) error {
	if given("NATS_URL") && !flagGiven(k, "local-agent") {
		w.LocalAgent = noAgent
	}
	return nil
}

// Run recrawls until ctx ends; what it is crawling then goes to others.
func (w *work) Run(ctx context.Context) error {
	hangup := catchHangups()
	defer farwire.TuneCollector()()
	log, err := w.logger(os.Stderr)
	if err != nil {
		return err
	}
	if w.DrainTimeout <= 0 {
		return misusef("--drain-timeout: %v leaves no time to drain; give more than 0s", w.DrainTimeout)
	}
	s := &serve{DataDir: w.DataDir,
		crawlFlags:    crawlFlags{CrawlTimeout: w.CrawlTimeout, CrawlMaxPages: w.CrawlMaxPages, PublicURL: w.PublicURL},
		identityFlags: identityFlags{TokenSecret: w.TokenSecret, APIKeys: w.APIKeys, KeysFile: w.KeysFile},
		networkFlags:  networkFlags{LocalAgent: w.LocalAgent, AllowPrivate: w.AllowPrivate, guardFlags: w.guardFlags},
		clusterFlags:  clusterFlags{Cluster: w.Cluster}}
	var own ownListeners
	pool, err := s.network(agentsFile{}, log, nil, own.list)
	if err != nil {
		return err
	}
	o := farwire.Options{Name: farwire.GatewayName(), Agents: pool, Logger: log}
	if o.Crawl, err = s.crawlFlags.options(); err != nil {
		return err
	}
	if o.Limits, err = w.pagesFlag.limits(); err != nil {
		return err
	}
	id, err := s.identityFlags.open(nil, "", log)
	if err != nil {
		return err
	}
	if id.made == "" {
		o.Auth = id.keys
	}
	if err := checkFolder(w.DataDir); err != nil {
		return err
	}
	back, err := s.openBackends(ctx, "http://"+defaultGatewayAddr, nil, id, &own, &o)
	if err != nil {
		return err
	}
	defer back.close()
	o.Trace = back.spans.join(nil)
	gateway, err := farwire.New(o)
	if err != nil {
		return err
	}
	if err := back.others.join(pool, id.clusterSecrets, back.limiter); err != nil {
		return err
	}
	defer id.reloadOnHangup(ctx, hangup, gateway, log)()
	log.Info("recrawling due sites", "using", back.String())
	working := startRecrawls(ctx, gateway)
	defer working.wait(log)
	select {
	case <-ctx.Done():
	case err := <-working.ended:
		return err
	}
	log.Info("draining; a second signal stops at once", "timeout", w.DrainTimeout)
	drain, cancel := context.WithTimeout(context.Background(), w.DrainTimeout)
	defer cancel()
	if err := errors.Join(gateway.Shutdown(drain), back.others.drained(pool.Shutdown(drain))); err != nil {
		return notDrained(w.DrainTimeout)
	}
	log.Info("drained")
	return nil
}

// recrawls are those that this process makes.
type recrawls struct {
	stop  context.CancelFunc
	ended chan error // has their error, and is closed
}

// startRecrawls begins. Recrawls end when ctx does and leave their sites to other
// processes; a drain of the gateway waits for them as it does for sessions.
func startRecrawls(ctx context.Context, g *farwire.Gateway) recrawls {
	ctx, stop := context.WithCancel(ctx)
	r := recrawls{stop, make(chan error, 1)}
	go func() {
		defer close(r.ended)
		r.ended <- g.Recrawl(ctx)
	}()
	return r
}

// lateRecrawl is how long a crawl may need to end that no drain has waited for.
const lateRecrawl = 5 * time.Second

// wait waits for their end, behind a drain.
func (r recrawls) wait(log *slog.Logger) {
	r.stop()
	select {
	case err := <-r.ended:
		if err != nil {
			log.Error("recrawls ended", "err", err)
		}
	case <-time.After(lateRecrawl):
		log.Error("a recrawl does not end; the process ends without it")
	}
}
