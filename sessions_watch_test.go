package farwire_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/fault"
)

// nextButPings is nextWithin for a client that answers pings meanwhile.
func (p *peer) nextButPings(d time.Duration) (frame, error) {
	for end := time.Now().Add(d); ; {
		f, err := p.nextWithin(time.Until(end))
		if err != nil || f.op != opPing {
			return f, err
		}
		p.frame(opPong, true, f.payload)
	}
}

func (f frame) closeReason() string {
	if f.op != opClose || len(f.payload) < 2 {
		return f.String()
	}
	return fmt.Sprintf("%d %s", binary.BigEndian.Uint16(f.payload), f.payload[2:])
}

// TestRelay_SessionTime_EndsOver has sessions whose time is bounded by the gateway,
// by the key, or by nobody.
func TestRelay_SessionTime_EndsOver(t *testing.T) {
	for name, c := range map[string]struct {
		gateway, key time.Duration
		want         time.Duration // zero: it is not ended
	}{
		"of the gateway":            {20 * time.Second, 0, 20 * time.Second},
		"of the key":                {time.Hour, 7 * time.Second, 7 * time.Second},
		"none for the key":          {20 * time.Second, -1, 0},
		"none at all":               {0, 0, 0},
		"longer than the gateway's": {5 * time.Second, 25 * time.Second, 25 * time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			keys, err := farwire.NewKeySet(map[string]farwire.Principal{testKey: {Subject: "alice", Limits: farwire.Limits{SessionTime: c.key}}})
			if err != nil {
				t.Fatal(err)
			}
			bubble(t, echo, func(t *testing.T, w *world) {
				p := w.connected("ws://target.test/", "")
				began := time.Now()
				f, err := p.nextButPings(15 * time.Minute)
				if c.want == 0 {
					if !fault.IsTimeout(err) {
						t.Errorf("ended after %v: %v, %v", time.Since(began), f, err)
					}
					return
				}
				if d := time.Since(began); err != nil || d < c.want-time.Second || d > c.want+2*time.Second {
					t.Errorf("ended after %v with %v, want %v", d, err, c.want)
				}
				if want := "1008 limit reached: the session's time"; f.closeReason() != want {
					t.Errorf("told %s, want %s", f.closeReason(), want)
				}
			}, func(o *farwire.Options) { o.Auth, o.Limits.SessionTime = keys, c.gateway })
		})
	}
}

// TestRelay_SessionBytes_EndsOver counts payload in both directions.
func TestRelay_SessionBytes_EndsOver(t *testing.T) {
	bubble(t, echo, func(t *testing.T, w *world) {
		p := w.connected("ws://target.test/", "")
		message := make([]byte, 1000)
		for range 5 { // 10,000 bytes: as many as it may
			p.frame(opBinary, true, message)
			p.next()
		}
		time.Sleep(5500 * time.Millisecond) // between two looks of the gateway
		p.frame(opBinary, true, []byte("x"))
		p.next()
		if f, err := p.nextWithin(5 * time.Second); err != nil || f.closeReason() != "1008 limit reached: the session's bytes" {
			t.Errorf("told %v, %v", f, err)
		}
	}, func(o *farwire.Options) { o.Limits.SessionBytes = 10_000 })
}

// TestTrace_Progress_TellsWhatWasCarried looks at a session that runs for 25 seconds.
func TestTrace_Progress_TellsWhatWasCarried(t *testing.T) {
	var mu sync.Mutex
	var seen []int64
	bubble(t, echo, func(t *testing.T, w *world) {
		p := w.connected("ws://target.test/", "")
		for range 25 {
			p.frame(opText, true, []byte("0123456789"))
			for f := p.next(); f.op != opText; f = p.next() {
				p.frame(opPong, true, f.payload)
			}
			time.Sleep(time.Second)
		}
		p.conn.Close()
		time.Sleep(time.Minute)
		mu.Lock()
		defer mu.Unlock()
		if len(seen) < 2 || len(seen) > 3 || !slices.IsSorted(seen) || seen[0] == seen[len(seen)-1] {
			t.Errorf("bytes to the client as they were told: %v", seen)
		}
	}, func(o *farwire.Options) {
		o.Trace = &farwire.Trace{
			SessionStart: func(ctx context.Context, _ farwire.SessionInfo) context.Context { return at(ctx, "session") },
			Progress: func(ctx context.Context, s farwire.Session) {
				mu.Lock()
				defer mu.Unlock()
				if place(ctx) != "session" || s.Subject != "alice" || s.Agent != testAgent {
					t.Errorf("told of %+v in %q", s, place(ctx))
				}
				seen = append(seen, s.Counters.BytesToClient)
			},
		}
	})
}

// TestTrace_Refused_SaysWho tells refusals of unknown callers from those of known
// ones.
func TestTrace_Refused_SaysWho(t *testing.T) {
	var mu sync.Mutex
	var seen []farwire.RefusedInfo
	keys, err := farwire.NewKeySet(map[string]farwire.Principal{
		testKey:  {Subject: "alice", Limits: farwire.Limits{Sessions: 1}},
		otherKey: {Subject: "bob", KeyID: "bob's", Kinds: []farwire.Kind{farwire.KindAMQP}},
	})
	if err != nil {
		t.Fatal(err)
	}
	w := newWorld(t, func(o *farwire.Options) {
		o.Auth = keys
		o.Trace = &farwire.Trace{Refused: func(_ context.Context, i farwire.RefusedInfo) {
			mu.Lock()
			defer mu.Unlock()
			seen = append(seen, i)
		}}
	})
	target := newTarget(t, echo)
	w.connected(target, "")
	for _, key := range []string{testKey, otherKey, "nobody's key at all"} {
		p := w.open("/ws")
		p.frame(opText, true, fmt.Appendf(nil, `{"apiKey":%q,"url":%q}`, key, target))
		p.next()
		p.next()
	}
	waitFor(t, func() bool { mu.Lock(); defer mu.Unlock(); return len(seen) == 3 })
	local := netip.MustParseAddr("127.0.0.1")
	var got []string
	for _, i := range seen {
		if i.Remote != local || i.Err == nil || i.Kind != "relay" {
			t.Errorf("told %+v", i)
		}
		got = append(got, fmt.Sprintf("%d %s %v", i.Status, i.Subject, i.KeyID != ""))
	}
	slices.Sort(got)
	if want := []string{"403  false", "403 bob true", "429 alice true"}; !slices.Equal(got, want) {
		t.Errorf("refused %q, want %q", got, want)
	}
}

// Each handler refuses a request without a key as one of its own kind.
func TestRefusedKinds_EachHandler_HasItsOwn(t *testing.T) {
	var mu sync.Mutex
	var told []farwire.Kind
	w := newWorld(t, func(o *farwire.Options) {
		o.Trace = &farwire.Trace{Refused: func(_ context.Context, i farwire.RefusedInfo) {
			mu.Lock()
			defer mu.Unlock()
			told = append(told, i.Kind)
		}}
	})
	for kind, r := range map[farwire.Kind]struct {
		h             http.Handler
		method, where string
	}{
		farwire.KindRelay:       {w.gw.Relay(), "GET", "/ws"},
		farwire.KindAMQP:        {w.gw.AMQP(), "POST", "/amqp"},
		farwire.KindCrawl:       {w.gw.Crawl(), "GET", "/ws/crawl"},
		farwire.KindHTTP:        {w.gw.PathForm(), "GET", "/to/https/example.com/"},
		farwire.KindTunnel:      {w.gw.ForwardProxy(nil), "CONNECT", "example.com:443"},
		farwire.KindToken:       {w.gw.Token(), "POST", "/auth/token"},
		farwire.KindNetwork:     {w.gw.Network(), "GET", "/network"},
		farwire.KindUsage:       {w.gw.Usage(), "GET", "/usage"},
		farwire.KindSessions:    {w.gw.SessionsHandler(), "GET", "/sessions"},
		farwire.KindSites:       {w.gw.SitesHandler(), "GET", "/sites"},
		farwire.KindSiteChanged: {w.gw.SiteChanged(), "POST", "/hooks/site-changed"},
	} {
		told = nil
		r.h.ServeHTTP(httptest.NewRecorder(), httptest.NewRequest(r.method, r.where, nil))
		if !slices.Equal(told, []farwire.Kind{kind}) {
			t.Errorf("%s: told %q", kind, told)
		}
		if !slices.Contains(farwire.RefusedKinds(), kind) {
			t.Errorf("%s is not in RefusedKinds", kind)
		}
	}
}

// TestLabels_OfAPrincipal_ReachLogTraceAndSelector has the host's own words on a caller go with
// its sessions.
func TestLabels_OfAPrincipal_ReachLogTraceAndSelector(t *testing.T) {
	labels := map[string]string{"team": "odds", "plan": "gold"}
	keys, err := farwire.NewKeySet(map[string]farwire.Principal{testKey: {Subject: "alice", Labels: labels}})
	if err != nil {
		t.Fatal(err)
	}
	exit := direct(t, agent.DirectOptions{Slug: "de1", Country: "DE", AllowPrivate: true})
	var asked agent.Query
	var told farwire.SessionInfo
	for name, auth := range map[string]farwire.Authenticator{"by key": keys, "by a token that nobody looks up": onlyAuthenticates{keys}} {
		w := newWorld(t, func(o *farwire.Options) {
			o.Auth = auth
			o.Agents = selectorFunc(func(ctx context.Context, q agent.Query) (agent.Exit, error) {
				asked = q
				return exit.SelectAgent(ctx, q)
			})
			o.Trace = &farwire.Trace{SessionStart: func(_ context.Context, i farwire.SessionInfo) context.Context { told = i; return nil }}
		})
		key := testKey
		if strings.Contains(name, "token") {
			key = w.token(t, testKey)
		}
		p := w.open("/ws")
		p.frame(opText, true, fmt.Appendf(nil, `{"apiKey":%q,"url":%q}`, key, newTarget(t, echo)))
		p.wantConnected()
		p.conn.Close()
		w.wantLog("labels.plan=gold labels.team=odds")
		if asked.Labels["team"] != "odds" || told.Labels["plan"] != "gold" {
			t.Errorf("%s: asked with %v, told %v", name, asked.Labels, told.Labels)
		}
	}
}

// onlyAuthenticates hides an Authenticator's Lookup.
type onlyAuthenticates struct{ farwire.Authenticator }

// TestShutdown_ManySessions_ToldOneAfterTheOther has clients not come back all at
// once.
func TestShutdown_ManySessions_ToldOneAfterTheOther(t *testing.T) {
	for n, wantSpread := range map[int]bool{100: false, 150: true} {
		bubble(t, echo, func(t *testing.T, w *world) {
			told := make(chan time.Duration, n)
			var began time.Time
			for range n {
				p := w.connected("ws://target.test/", "")
				go func() {
					f, err := p.nextWithin(time.Hour)
					if err != nil || f.op != opClose {
						t.Errorf("told %v, %v", f, err)
					}
					told <- time.Since(began)
					p.frame(opClose, true, f.payload)
				}()
			}
			ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
			defer cancel()
			began = time.Now()
			if err := w.gw.Shutdown(ctx); err != nil {
				t.Error(err)
			}
			close(told)
			inFirst, last := 0, time.Duration(0)
			for d := range told {
				last = max(last, d)
				if d < 2500*time.Millisecond {
					inFirst++
				}
			}
			switch {
			case !wantSpread && last > time.Second:
				t.Errorf("%d sessions: the last was told after %v", n, last)
			case wantSpread && (last < 4*time.Second || last > 6*time.Second || inFirst < n/3 || inFirst > 2*n/3):
				t.Errorf("%d sessions: %d told in the first quarter, the last after %v", n, inFirst, last)
			}
		})
	}
}
