// Package prometheus makes metrics of what a gateway does.
//
// [Metrics] listens to a gateway by its [Metrics.Trace] and looks at it, when
// it is scraped, by [Metrics.Watch]; it is a collector for any registry of
// client_golang:
//
//	metrics := prometheus.New(prometheus.Options{Version: "1.2.3"})
//	gw, err := farwire.New(farwire.Options{Trace: metrics.Trace(), …})
//	metrics.Watch(gw)
//	registry.MustRegister(metrics)
//
// A host with a Trace of its own joins the two by [farwire.JoinTraces].
//
// # Names
//
// Every name begins with farwire_, counters end in _total, and units are
// seconds and bytes. No label holds anything that a caller or a target chooses:
// no subject, host, URL or close code.
//
//	farwire_build_info{version,commit,goversion}        1
//	farwire_draining                                    1 once Shutdown was called
//	farwire_sessions_active{kind}                       kind: relay, amqp, crawl, recrawl, http or tunnel
//	farwire_sessions_started_total{kind}
//	farwire_sessions_ended_total{kind,ended_by,result}  result: ok, error or drained
//	farwire_session_duration_seconds{kind}              histogram
//	farwire_requests_refused_total{kind,status}         429: a limit
//	farwire_relay_frames_total{direction}               to_target or to_client
//	farwire_relay_bytes_total{direction}                of payloads
//	farwire_amqp_messages_total
//	farwire_amqp_message_bytes_total                    of bodies
//	farwire_amqp_waiting_bytes                          of events that readers have not taken
//	farwire_crawl_pages_total{outcome}                  written, or why not
//	farwire_crawl_file_bytes_total
//	farwire_recrawls_total{outcome}                     changed, unchanged, failed, lost or released
//	farwire_recrawl_lateness_seconds                    histogram, from due to begun
//	farwire_dials_total{kind,class}                     class: see farwire.DialClass
//	farwire_dial_duration_seconds{kind}                 histogram, of dials that succeeded
//	farwire_no_agent_total                              searches that found no agent
//	farwire_limiter_answers_total{source}               shared, or fallback: see WatchLimiter
//	farwire_limiter_unavailable                         1 while what is shared does not answer
//	farwire_cluster_connected                           1 while NATS is available: see WatchCluster
//	farwire_cluster_gateways                            that have sent a heartbeat lately, this one among them
//	farwire_cluster_messages_total{what}                published, received, or dropped
//	farwire_agents{country,state}                       how many
//	farwire_agents_unlisted                             of these, without the series below
//	farwire_agent_sessions{agent,country}
//	farwire_agent_links{agent,country}                  zero for one of this process
//	farwire_agent_rtt_seconds{agent,country}            absent while unknown
//	farwire_agent_state{agent,country,state}            1 for the state it is in
//
// The label agent is the agent's id. There are as many values as agents that
// are attached now, which the operator decides; so that agents with a shared
// secret cannot fill the metrics with names of their own, no more than
// Options.MaxAgents have series of their own.
package prometheus

import (
	"cmp"
	"context"
	"runtime"
	"strconv"
	"strings"
	"sync/atomic"

	client "github.com/prometheus/client_golang/prometheus"

	"github.com/farwire/farwire"
)

// Options are the options of [New]. The zero value is valid.
type Options struct {
	Version string // of the program, for farwire_build_info; empty: unknown
	Commit  string // likewise

	// MaxAgents is how many agents have series of their own. Zero: 500. Negative: none has.
	MaxAgents int
}

// Metrics are the metrics of one gateway. It is safe for concurrent use, and
// holds nothing that must be closed.
type Metrics struct {
	maxAgents int
	gateway   atomic.Pointer[farwire.Gateway]

	build        client.Gauge
	ended        *client.CounterVec
	duration     *client.HistogramVec
	refused      *client.CounterVec
	dials        *client.CounterVec
	dialDuration *client.HistogramVec
	recrawls     *client.CounterVec
	lateness     client.Histogram

	limiter atomic.Pointer[func() LimiterStats]
	cluster atomic.Pointer[func() ClusterStats]
}

// The values of labels that are known from the beginning: series that are
// there at zero can be told from series that nobody makes.
var (
	enders  = []farwire.EndedBy{farwire.EndedByClient, farwire.EndedByTarget, farwire.EndedByAgent, farwire.EndedByGateway}
	results = []string{resultOK, resultError, resultDrained}
)

const (
	resultOK      = "ok"
	resultError   = "error"
	resultDrained = "drained"
)

// New returns metrics that know of no gateway yet.
func New(o Options) *Metrics {
	m := &Metrics{
		maxAgents: cmp.Or(o.MaxAgents, 500),
		build: client.NewGauge(client.GaugeOpts{
			Name: "farwire_build_info", Help: "What this program was made of; always 1.",
			ConstLabels: client.Labels{
				"version": cmp.Or(o.Version, "unknown"), "commit": cmp.Or(o.Commit, "unknown"), "goversion": runtime.Version(),
			},
		}),
		ended: client.NewCounterVec(client.CounterOpts{
			Name: "farwire_sessions_ended_total", Help: "Sessions that have ended, by who ended them and how.",
		}, []string{"kind", "ended_by", "result"}),
		duration: client.NewHistogramVec(client.HistogramOpts{
			Name: "farwire_session_duration_seconds", Help: "How long sessions lasted.",
			Buckets: []float64{0.1, 1, 10, 60, 300, 1800, 3600, 6 * 3600, 24 * 3600},
		}, []string{"kind"}),
		refused: client.NewCounterVec(client.CounterOpts{
			Name: "farwire_requests_refused_total", Help: "Requests refused before they were sessions, by HTTP status; 429 is a limit.",
		}, []string{"kind", "status"}),
		dials: client.NewCounterVec(client.CounterOpts{
			Name: "farwire_dials_total", Help: "Attempts to reach a target through an agent, by how they went.",
		}, []string{"kind", "class"}),
		dialDuration: client.NewHistogramVec(client.HistogramOpts{
			Name: "farwire_dial_duration_seconds", Help: "How long dials took that succeeded, the handshakes included.",
			Buckets: []float64{0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20},
		}, []string{"kind"}),
		recrawls: client.NewCounterVec(client.CounterOpts{
			Name: "farwire_recrawls_total", Help: "Recrawls of enrolled sites, by what they came to.",
		}, []string{"outcome"}),
		lateness: client.NewHistogram(client.HistogramOpts{
			Name: "farwire_recrawl_lateness_seconds", Help: "How long after they were due recrawls began.",
			Buckets: []float64{1, 5, 15, 60, 300, 900, 3600, 6 * 3600, 24 * 3600},
		}),
	}
	m.build.Set(1)
	for _, outcome := range farwire.RecrawlOutcomes() {
		m.recrawls.WithLabelValues(string(outcome))
	}
	for _, k := range farwire.Kinds() {
		kind := k.String()
		m.duration.WithLabelValues(kind)
		m.dialDuration.WithLabelValues(kind)
		for _, by := range enders {
			for _, result := range results {
				m.ended.WithLabelValues(kind, by.String(), result)
			}
		}
		for _, class := range farwire.DialClasses() {
			m.dials.WithLabelValues(kind, string(class))
		}
	}
	for _, kind := range farwire.RefusedKinds() {
		m.refused.WithLabelValues(kind.String(), "429")
	}
	return m
}

// Trace returns the value for the gateway's Options.Trace, alone or joined
// with others.
func (m *Metrics) Trace() *farwire.Trace {
	return &farwire.Trace{
		SessionEnd: func(_ context.Context, i farwire.SessionInfo, r farwire.SessionResult) {
			m.ended.WithLabelValues(i.Kind.String(), r.EndedBy.String(), resultOf(r)).Inc()
			m.duration.WithLabelValues(i.Kind.String()).Observe(r.Duration.Seconds())
			if r.Outcome != "" {
				m.recrawls.WithLabelValues(string(r.Outcome)).Inc()
				m.lateness.Observe(max(0, r.Late.Seconds()))
			}
		},
		DialEnd: func(_ context.Context, i farwire.DialInfo, r farwire.DialResult) {
			m.dials.WithLabelValues(i.Kind.String(), string(r.Class)).Inc()
			if r.Class == farwire.DialOK {
				m.dialDuration.WithLabelValues(i.Kind.String()).Observe(r.Duration.Seconds())
			}
		},
		Refused: func(_ context.Context, i farwire.RefusedInfo) {
			m.refused.WithLabelValues(i.Kind.String(), strconv.Itoa(i.Status)).Inc()
		},
	}
}

// A close code of 1001 is the gateway's own only when it drains.
const goingAway = 1001

func resultOf(r farwire.SessionResult) string {
	switch {
	case r.EndedBy == farwire.EndedByGateway && r.Code == goingAway:
		return resultDrained
	case r.Err != nil:
		return resultError
	}
	return resultOK
}

// Watch has the metrics show what the gateway holds. It is called once New has
// made the gateway; until then those series are absent.
func (m *Metrics) Watch(g *farwire.Gateway) { m.gateway.Store(g) }

// What is read from the gateway at every scrape.
var (
	draining    = describe("draining", "Whether the gateway is draining.")
	active      = describe("sessions_active", "Sessions that run now.", "kind")
	started     = describe("sessions_started_total", "Sessions that have begun.", "kind")
	frames      = describe("relay_frames_total", "Frames that relays have carried.", "direction")
	bytes       = describe("relay_bytes_total", "Bytes of frames that relays have carried.", "direction")
	messages    = describe("amqp_messages_total", "Messages sent to readers of streams.")
	bodies      = describe("amqp_message_bytes_total", "Bytes of the bodies of messages sent to readers of streams.")
	waiting     = describe("amqp_waiting_bytes", "Bytes of events in memory that readers of streams have not taken.")
	pages       = describe("crawl_pages_total", "Pages of crawls, by outcome.", "outcome")
	written     = describe("crawl_file_bytes_total", "Bytes of the files that crawls have made.")
	noAgent     = describe("no_agent_total", "Searches for an agent that found none that fits.")
	answers     = describe("limiter_answers_total", "Answers of a limiter that is shared by several gateways, by where they came from.", "source")
	unavailable = describe("limiter_unavailable", "1 while the service with the limits that gateways share does not answer, else 0.")
	joined      = describe("cluster_connected", "Whether NATS, by which gateways find each other's agents, is available.")
	gateways    = describe("cluster_gateways", "Gateways of the cluster that have sent a heartbeat lately, this one among them.")
	said        = describe("cluster_messages_total", "Messages between gateways on NATS: published, received, or dropped because they were forged, old or there before.", "what")
	agents      = describe("agents", "Agents that are attached.", "country", "state")
	unlisted    = describe("agents_unlisted", "Agents without series of their own, because there are too many.")
	sessions    = describe("agent_sessions", "Connections open through an agent.", "agent", "country")
	links       = describe("agent_links", "Tunnels to an agent; zero for one of this process.", "agent", "country")
	rtt         = describe("agent_rtt_seconds", "Shortest round trip to an agent.", "agent", "country")
	state       = describe("agent_state", "The state that an agent is in.", "agent", "country", "state")
)

func describe(name, help string, labels ...string) *client.Desc {
	return client.NewDesc("farwire_"+name, help, labels, nil)
}

// Describe sends the descriptions of all metrics.
func (m *Metrics) Describe(ch chan<- *client.Desc) {
	for _, c := range m.own() {
		c.Describe(ch)
	}
	for _, d := range []*client.Desc{draining, active, started, frames, bytes, messages, bodies, waiting, pages, written,
		noAgent, answers, unavailable, joined, gateways, said, agents, unlisted, sessions, links, rtt, state} {
		ch <- d
	}
}

// own returns what is counted here.
func (m *Metrics) own() []client.Collector {
	return []client.Collector{m.build, m.ended, m.duration, m.refused, m.dials, m.dialDuration, m.recrawls, m.lateness}
}

// Collect sends all metrics as they are now. It costs some 100 ns for each
// session that runs.
func (m *Metrics) Collect(ch chan<- client.Metric) {
	for _, c := range m.own() {
		c.Collect(ch)
	}
	g := m.gateway.Load()
	if g == nil {
		return
	}
	count := func(d *client.Desc, n int64, labels ...string) {
		ch <- client.MustNewConstMetric(d, client.CounterValue, float64(n), labels...)
	}
	gauge := func(d *client.Desc, v float64, labels ...string) {
		ch <- client.MustNewConstMetric(d, client.GaugeValue, v, labels...)
	}
	s := g.Stats()
	for kind, k := range s.Kinds {
		gauge(active, float64(k.Active), kind.String())
		count(started, k.Started, kind.String())
	}
	relay, amqp, crawl := s.Kinds[farwire.KindRelay], s.Kinds[farwire.KindAMQP], s.Kinds[farwire.KindCrawl]
	gauge(draining, boolValue(s.Draining))
	count(frames, relay.FramesToTarget, "to_target")
	count(frames, relay.FramesToClient, "to_client")
	count(bytes, relay.BytesToTarget, "to_target")
	count(bytes, relay.BytesToClient, "to_client")
	count(messages, amqp.FramesToClient)
	count(bodies, amqp.BytesToClient)
	gauge(waiting, float64(s.AMQPWaiting))
	for outcome, n := range s.CrawlPages {
		count(pages, n, outcome)
	}
	count(written, crawl.BytesToClient)
	count(noAgent, s.NoAgent)
	if limiter := m.limiter.Load(); limiter != nil {
		l := (*limiter)()
		count(answers, int64(l.Shared), "shared")
		count(answers, int64(l.Fallbacks), "fallback")
		gauge(unavailable, boolValue(l.Unavailable))
	}
	if cluster := m.cluster.Load(); cluster != nil {
		c := (*cluster)()
		gauge(joined, boolValue(c.Connected))
		gauge(gateways, float64(c.Gateways))
		count(said, int64(c.Published), "published")
		count(said, int64(c.Received), "received")
		count(said, int64(c.Dropped), "dropped")
	}
	m.collectAgents(g, gauge)
}

func boolValue(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// LimiterStats are what a limiter that several gateways share has to tell; its
// fields are those of redislimit.Stats, which converts to it.
type LimiterStats struct {
	Shared      uint64 // answers of what is shared
	Fallbacks   uint64 // answers of this gateway alone
	Unavailable bool   // what is shared does not answer
}

// WatchLimiter has the metrics show a shared limiter, too. The function is
// called at every scrape, perhaps concurrently.
func (m *Metrics) WatchLimiter(stats func() LimiterStats) { m.limiter.Store(&stats) }

// collectAgents sends the gauges of the agents. A selector of the host's may
// list what it likes: names twice would make the whole scrape fail.
func (m *Metrics) collectAgents(g *farwire.Gateway, gauge func(*client.Desc, float64, ...string)) {
	list, ok := g.Agents()
	if !ok {
		return
	}
	type group struct{ country, state string }
	groups := make(map[group]int)
	type name struct{ id, country string }
	listed := make(map[name]bool)
	left := 0
	for _, a := range list {
		id, country, in := label(a.ID), label(a.Country), label(string(a.State))
		groups[group{country, in}]++
		if n := (name{id, country}); listed[n] || len(listed) >= m.maxAgents {
			left++
			continue
		} else {
			listed[n] = true
		}
		gauge(sessions, float64(a.Sessions), id, country)
		gauge(links, float64(a.Links), id, country)
		gauge(state, 1, id, country, in)
		if a.RTT > 0 {
			gauge(rtt, a.RTT.Seconds(), id, country)
		}
	}
	for of, n := range groups {
		gauge(agents, float64(n), of.country, of.state)
	}
	gauge(unlisted, float64(left))
}

// label makes any text a label's value.
func label(s string) string { return strings.ToValidUTF8(s, "?") }
