package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/console"
	"github.com/farwire/farwire/internal/preauth"
)

type serve struct {
	Listen      string `default:"127.0.0.1:8080" placeholder:"ADDR" help:"Address to serve; port 0 picks one."`
	AdminListen string `placeholder:"ADDR" help:"Address for /metrics, /debug/pprof, and all callers' sessions at /sessions."`
	AdminKey    string `placeholder:"KEY" help:"Key for /sessions and /debug/pprof of the admin address, at least 16 bytes. Without it they are served on loopback alone."`

	identityFlags `embed:""`
	networkFlags  `embed:""`
	clusterFlags  `embed:""`
	crawlFlags    `embed:""`
	pathFlags     `embed:""`
	limitFlags    `embed:""`

	DrainDelay    time.Duration `default:"0s" placeholder:"TIME" help:"After SIGTERM, how long /readyz says 503 while everything is still served."`
	AllowInsecure bool          `help:"Let requests turn the verification of certificates off (insecure)."`
	KeepAlive     time.Duration `name:"keepalive" default:"25s" placeholder:"TIME" help:"How long a relay's client is sent nothing before the gateway pings it."`
	StallTimeout  time.Duration `default:"30s" placeholder:"TIME" help:"How long a side of a relay may take no byte while bytes wait for it."`
	DataDir       string        `default:"./farwire-data" placeholder:"DIR" help:"Folder for stored data; made when missing."`
	DrainTimeout  time.Duration `default:"10s" placeholder:"TIME" help:"Longest graceful shutdown."`

	logFlags `embed:""`

	trusted []netip.Prefix // of --trusted-proxies
}

// Run serves until ctx ends and then drains.
func (s *serve) Run(ctx context.Context) error {
	hangup := catchHangups()
	defer farwire.TuneCollector()()
	log, err := s.logger(os.Stderr)
	if err != nil {
		return err
	}
	r, err := s.read(log)
	if err != nil {
		return err
	}
	on, err := s.openListeners(r.options.ClientAddr, r.own, log)
	if err != nil {
		return err
	}
	defer on.close()
	back, err := s.openBackends(ctx, schemeOf(s.TLSCert != "")+"://"+reachable(on.addr()), on.addr(), r.id, r.own, &r.options)
	if err != nil {
		return err
	}
	defer back.close()
	r.options.Trace = back.spans.join(on.admin.trace())
	gateway, err := farwire.New(r.options)
	if err != nil {
		return err
	}
	on.admin.watch(gateway, back.limiter, back.others)
	secrets, records := s.reloadAgents(r.pool, r.id)
	defer r.id.reloadOnHangup(ctx, hangup, gateway, log, secrets, records, on.admin.reloadKey(s.AdminKey, r.id))()

	server := s.server(gateway, r, on, back)
	if err := back.others.join(r.pool, r.id.clusterSecrets, back.limiter); err != nil {
		return err
	}
	// Backends are closed after the recrawls, which need the agents of the cluster.
	if s.Recrawl {
		defer startRecrawls(ctx, gateway).wait(log)
	}
	failed := make(chan error, 2) // of both listeners
	secure := begin(server, on.unknown, on.main, failed)
	printBanner(s.lines(os.Stderr), banner{
		addr:    on.addr(),
		admin:   on.admin.addr(),
		uses:    back.String(),
		key:     r.id.made,
		secure:  secure,
		agent:   s.localSlug(),
		private: s.AllowPrivate,
		binary:  programCommand(),
	})
	defer serveSOCKS(gateway, on.socks, on.unknown, failed, log)()

	select {
	case err := <-failed:
		return fmt.Errorf("serving: %w", err)
	case <-ctx.Done():
	}
	return s.drain(gateway, r.pool, back.others, server, log)
}

// A reading is what the flags, and the files that they name, come to before anything is
// opened.
type reading struct {
	id      *identity
	pool    *agent.Pool
	own     *ownListeners
	options farwire.Options // without what backends put into it
}

// read reads and checks the flags and their files.
func (s *serve) read(log *slog.Logger) (*reading, error) {
	id, err := s.identityFlags.open(s.AgentSecret, s.AdminKey, log)
	if err != nil {
		return nil, err
	}
	var agents agentsFile
	if s.AgentsFile != "" {
		if agents, err = readAgentsFile(s.AgentsFile, os.ReadFile); err != nil {
			return nil, err
		}
	}
	id.inUse.agentRecords = agents.records
	if err := id.inUse.distinct(); err != nil {
		return nil, err
	}
	clientAddr, _, err := s.clientAddr()
	if err != nil {
		return nil, err
	}
	r := &reading{id: id, own: new(ownListeners)}
	if r.pool, err = s.network(agents, log, clientAddr, r.own.list); err != nil {
		return nil, err
	}
	if r.options, err = s.options(id, r.pool, log); err != nil {
		return nil, err
	}
	if len(s.Origins) > 0 {
		log.Warn("--origins is ignored: here every caller shows a key, and with one any web origin is accepted")
	}
	return r, checkFolder(s.DataDir)
}

// server makes the server of all that callers and agents reach.
func (s *serve) server(gateway *farwire.Gateway, r *reading, on *listeners, back *backends) *http.Server {
	handler := s.pathFlags.route(gateway, routes(gateway, r.pool, back.files))
	server := newServer(asteriskForm(s.withScheme(back.spans.handler(gateway.ForwardProxy(handler)))), back.log)
	guardServer(server, on.unknown)
	server.TLSConfig = r.id.tlsConfig()
	return server
}

// begin serves on ln, and reports whether it does so by https: net/http sets a TLS
// configuration of its own on a server that has none.
func begin(server *http.Server, g *preauth.Guard, ln net.Listener, failed chan<- error) (secure bool) {
	secure = server.TLSConfig != nil
	if secure {
		server.TLSConfig.NextProtos = []string{"h2", "http/1.1"}
		ln = g.ListenTLS(ln, server.TLSConfig.Clone(), server.ReadHeaderTimeout, server.ErrorLog)
	} else {
		ln = g.Listen(ln)
	}
	go func() { failed <- server.Serve(ln) }()
	return secure
}

// drain lets sessions end. The listener stays open for as long as the gateway
// needs, so that a client that comes now, a health check above all, is told 503 and
// not left to guess.
func (s *serve) drain(gateway *farwire.Gateway, pool *agent.Pool, others *cluster, server *http.Server, log *slog.Logger) error {
	log.Info("draining; a second signal stops at once", "sessions", active(gateway.Stats()), "timeout", s.DrainTimeout)
	ctx, cancel := context.WithTimeout(context.Background(), s.DrainTimeout)
	defer cancel()
	if s.DrainDelay > 0 {
		cancel()
		gateway.Unready()
		time.Sleep(s.DrainDelay)
		ctx, cancel = context.WithTimeout(context.Background(), s.DrainTimeout)
		defer cancel()
	}
	others.leave(pool)
	drained := gateway.Shutdown(ctx)
	drained = errors.Join(drained, others.drained(pool.Shutdown(ctx))) // nothing of ours goes through it any more
	if err := server.Shutdown(ctx); err != nil {
		server.Close()
		drained = errors.Join(drained, others.drained(err))
	}
	if drained != nil {
		return notDrained(s.DrainTimeout)
	}
	log.Info("drained")
	return nil
}

// notDrained is the error of a drain that has taken too long.
func notDrained(within time.Duration) error {
	return fmt.Errorf("not drained within %v: what was left has been cut", within)
}

func active(s farwire.Stats) (n int64) {
	for _, k := range s.Kinds {
		n += k.Active
	}
	return n
}

// options makes the gateway's, but for the storage, whose URLs need the address
// that is listened on.
func (s *serve) options(id *identity, pool *agent.Pool, log *slog.Logger) (o farwire.Options, err error) {
	switch {
	case s.DrainDelay < 0:
		return o, misusef("--drain-delay: %v is negative; give 0s or more", s.DrainDelay)
	case s.KeepAlive <= 0:
		return o, misusef("--keepalive: %v is not a positive time; give more than 0s", s.KeepAlive)
	case s.StallTimeout <= 0:
		return o, misusef("--stall-timeout: %v leaves no time to take a byte; give more than 0s", s.StallTimeout)
	case s.DrainTimeout <= 0:
		return o, misusef("--drain-timeout: %v leaves no time to drain; give more than 0s", s.DrainTimeout)
	}
	limits, err := s.limitFlags.limits()
	if err != nil {
		return o, err
	}
	o = farwire.Options{
		Name:      farwire.GatewayName(),
		Auth:      id.keys,
		Agents:    pool,
		Limits:    limits,
		TokenKeys: id.tokens,
		Origins:   s.Origins,
		Logger:    log,

		AllowInsecure: s.AllowInsecure,
		Relay:         farwire.RelayOptions{KeepAlive: s.KeepAlive, StallTimeout: s.StallTimeout},
	}
	if err := s.pathFlags.apply(&o); err != nil {
		return o, err
	}
	if o.ClientAddr, s.trusted, err = s.clientAddr(); err != nil {
		return o, err
	}
	if err := checkAdminKey(s.AdminKey); err != nil {
		return o, err
	}
	if o.Crawl, err = s.crawlFlags.options(); err != nil {
		return o, err
	}
	if _, err := farwire.New(o); err != nil {
		return o, misuse(optionAsFlag(err.Error()))
	}
	return o, nil
}

// optionAsFlag turns an error of the library's, which names a field of its Options, into
// one that names the flag: every field that a flag can make wrong is called as it.
func optionAsFlag(text string) string {
	rest, ok := strings.CutPrefix(text, "farwire: Options.")
	if !ok {
		return text
	}
	field, why, _ := strings.Cut(rest, ": ")
	return "--" + strings.ToLower(wordBoundary.ReplaceAllString(field, "$1-$2")) + ": " + why
}

var wordBoundary = regexp.MustCompile(`([a-z])([A-Z])`)

// withScheme tells the gateway by which scheme a request came, where a trusted
// proxy says so.
func (s *serve) withScheme(h http.Handler) http.Handler {
	if len(s.trusted) == 0 {
		return h
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		peer, err := netip.ParseAddrPort(r.RemoteAddr)
		trusted := err == nil && slices.ContainsFunc(s.trusted, func(p netip.Prefix) bool { return p.Contains(peer.Addr().Unmap()) })
		if proto := lastProto(r.Header); trusted && (proto == "http" || proto == "https") {
			r = r.WithContext(farwire.WithScheme(r.Context(), proto))
		}
		h.ServeHTTP(w, r)
	})
}

// lastProto returns what the proxy itself has said: those before it are of whom it
// heard from, the client or another proxy.
func lastProto(h http.Header) string {
	all := strings.Join(h.Values("X-Forwarded-Proto"), ",")
	return strings.ToLower(strings.TrimSpace(all[strings.LastIndexByte(all, ',')+1:]))
}

// routes is the whole surface of the gateway. Files are nil where a bucket has
// them.
func routes(g *farwire.Gateway, pool *agent.Pool, files *farwire.FolderStorage) http.Handler {
	mux := http.NewServeMux()
	// No pattern names a method: the handlers refuse wrong ones themselves, in JSON.
	mux.Handle("/ws", g.Relay())
	mux.Handle("/ws/{$}", g.Relay())
	mux.Handle("/amqp", g.AMQP())
	mux.Handle("/amqp/{$}", g.AMQP())
	mux.Handle("/ws/crawl", g.Crawl())
	if files != nil {
		mux.Handle(filesPath, served(files))
	}
	mux.Handle("/hooks/site-changed", g.SiteChanged())
	mux.Handle("/sites", g.SitesHandler())
	mux.Handle("/sites/{id}", g.SitesHandler())
	mux.Handle("/auth/token", g.Token())
	mux.Handle("/agents/attach", pool)
	mux.Handle("/network", g.Network())
	mux.Handle("/usage", g.Usage())
	mux.Handle("/sessions", g.SessionsHandler())
	mux.Handle("/sessions/{id}", g.SessionsHandler())
	mux.Handle("/healthz", g.Health())
	mux.Handle("/readyz", g.Ready())
	mux.Handle("/", console.Handler(console.Options{Version: build().version})) // and a 404 for all else
	return cleanPaths(mux)
}

// cleanPaths sends a request whose path has empty or dotted segments, as "//ws" has, to the
// path without them. A ServeMux would do so in HTML, which no client of an API shows.
func cleanPaths(mux *http.ServeMux) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Farwire-From", "gateway") // what the mux refuses itself, too
		asked := r.URL.EscapedPath()
		clean := path.Clean("/" + asked)
		if strings.HasSuffix(asked, "/") && clean != "/" {
			clean += "/"
		}
		if clean == asked || r.Method == http.MethodConnect || !strings.HasPrefix(asked, "/") {
			mux.ServeHTTP(w, r)
			return
		}
		location := clean
		if r.URL.RawQuery != "" {
			location += "?" + r.URL.RawQuery
		}
		w.Header().Set("Location", location)
		refuse(w, http.StatusTemporaryRedirect, "bad_request", fmt.Sprintf("the path %q is not served; use %q", asked, clean))
	})
}

// writable makes the folder if it is missing and tries to write into it, so
// that a wrong one is found now and not at the first file.
func writable(dir string) error {
	err := os.MkdirAll(dir, 0o700)
	if err == nil {
		var probe *os.File
		if probe, err = os.CreateTemp(dir, ".probe-*"); err == nil {
			err = errors.Join(probe.Close(), os.Remove(probe.Name()))
		}
	}
	if err == nil {
		return nil
	}
	reason := err
	var failed *fs.PathError
	if errors.As(err, &failed) {
		reason = failed.Err
	}
	return misusef("--data-dir: cannot write to %s: %v; give a folder that this user may write to", dir, reason)
}
