// Package farwire is a gateway to the outside world through a network of exit
// agents. A host program mounts its handlers into its own net/http server.
//
// The handlers are a relay for WebSockets, a consumer of RabbitMQ queues that
// streams Server-Sent Events, a crawl that writes a site's llms.txt, a path
// form and a forward proxy for every other program, and an endpoint that
// exchanges an API key for a token. Each is a [net/http.Handler] made by a
// method of one [Gateway]; what a host does not mount is not linked in.
//
// # Mounting
//
// A Gateway is made of [Options], whose zero values work:
//
//	pool, err := agent.NewPool(agent.PoolOptions{Secret: os.Getenv("AGENT_SECRET")})
//	keys, err := farwire.APIKeys(map[string]string{os.Getenv("API_KEY"): "alice"})
//	gw, err := farwire.New(farwire.Options{Auth: keys, Agents: pool})
//
//	mux.Handle("GET /agents/attach", pool)
//	mux.Handle("GET /ws", gw.Relay())
//	mux.Handle("/amqp", gw.AMQP())           // POST, and OPTIONS for pages of other origins
//	mux.Handle("GET /ws/crawl", gw.Crawl())
//	mux.Handle("/auth/token", gw.Token())    // likewise
//
// Every constructor checks its arguments: an API key or a secret from an unset
// environment variable is an error, never valid by accident.
//
// # Agents
//
// An exit is a dialer: [agent.Exit] is a name, a country and a DialContext. TLS,
// WebSocket, AMQP and HTTP run in the gateway, through that dialer, so an agent
// carries bytes and never sees what TLS protects. Options.Agents picks one for
// each session. [agent.Pool] is where remote agents attach; [agent.Direct]
// dials from this process; and because a selector is one method, a host can
// write its own. In a test an agent is a net.Dialer.
//
// Agents refuse to dial private, loopback, link-local and other special
// addresses, also when a name, a redirect or a proxy leads there. A test
// against a server on loopback sets AllowPrivate.
//
// # Callers
//
// A caller shows an API key or a token of [Gateway.Token], in the first message
// or the body, in X-API-Key, in Authorization, or in the query. Options.Auth
// decides: [APIKeys] knows a fixed set, a host may write an [Authenticator] of
// its own. A host that has authenticated its users already names them to the
// gateway with [WithPrincipal] in a middleware, and needs no keys at all. What
// a caller may do, and how often, is in its [Limits].
//
// # Middleware
//
// The handlers take connections over (relay, crawl) or stream for as long as
// the client likes (AMQP). They reach the server's ResponseWriter as
// [net/http.ResponseController] does, so they work behind every middleware whose
// ResponseWriter has an Unwrap method, as those of chi, gin and echo have.
// http.TimeoutHandler hides the connection; mount the handlers outside of it.
//
// Relay returns once frames cross, so that an idle session costs 4 to 11 KB;
// middleware that measures a request sees the handshake. Set
// RelayOptions.HoldHandler where it must see the whole session. When a session
// ends, one Info line with its agent, target, close code, frames, bytes and
// duration goes to Options.Logger, and [Trace] is called.
//
// # Sites that stay current
//
// With a [Storage] and a [SiteStore] a crawl may enrol its site: the file is
// hosted, and the site is crawled again when it is due. [Gateway.Recrawl] does
// that until its context ends. Run it in every gateway, on one store: each due
// crawl runs once. [Gateway.SiteChanged] lets a site report a change:
//
//	mux.Handle("POST /hooks/site-changed", gw.SiteChanged())
//	go gw.Recrawl(ctx) // returns nil when ctx ends or the gateway drains
//
// Stores for SQLite and PostgreSQL are in adapters/sqlstore, one for S3 in
// adapters/s3, and [NewFolderStorage] is a Storage in files.
//
// # Shutting down
//
// [net/http.Server.Shutdown] neither closes hijacked sockets nor ends event
// streams. [Gateway.Shutdown] does: new sessions are refused with 503, relays
// send close code 1001 to both sides where a frame ends, streams and crawls end
// with a reason. Call it first, then the server's:
//
//	err := errors.Join(gw.Shutdown(ctx), srv.Shutdown(ctx))
//
// # Growing
//
// Any number of gateways may stand behind a load balancer. Agents link to each
// of them, or, with [agent.Pool.Join] and a directory such as
// adapters/natscluster has, to two, and every gateway reaches all agents.
// Limits move to a shared [Limiter], sites to a shared [SiteStore], files to a
// shared [Storage]; a shared Options.TokenKey makes the token of one gateway
// valid at all of them, and Options.Bus has a revoked key count at all of them
// within a second.
package farwire

import "github.com/farwire/farwire/internal/collector"

// TuneCollector makes Go's garbage collector run when the heap has grown by
// half, but not before there are 16 MiB of garbage, for the whole process and
// until stop is called. A process that has allocated next to nothing for two to
// four seconds collects once and returns unused memory to the system. So idle
// sessions hold little garbage, and a process with few sessions does not
// collect all the time. Call it at the beginning of main, as the program
// farwire does: a process has only one collector. If the environment has GOGC,
// TuneCollector does nothing. A limit (GOMEMLIMIT,
// [runtime/debug.SetMemoryLimit]) counts in any case. It is safe for concurrent
// use.
func TuneCollector() (stop func()) { return collector.Tune() }
