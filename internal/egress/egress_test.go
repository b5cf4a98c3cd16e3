package egress_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/egress"
	"github.com/farwire/farwire/internal/fault"
	"github.com/farwire/farwire/internal/leak"
	"github.com/farwire/farwire/internal/rules"
)

func TestMain(m *testing.M) { leak.Main(m) }

// exits is a selector that gives the first exit that the query does not rule out.
type exits []agent.Exit

func (l exits) SelectAgent(_ context.Context, q agent.Query) (agent.Exit, error) {
	for _, e := range l {
		if !slices.Contains(q.Exclude, e.Key()) && q.Fits(e) {
			return e, nil
		}
	}
	return agent.Exit{}, agent.ErrNoAgent
}

// exit dials from here, unless it fails.
func exit(slug string, fails error) agent.Exit {
	return agent.Exit{ID: "farwire-" + slug, Slug: slug, Country: "DE", EnforcesRules: true,
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			if fails != nil {
				return nil, fails
			}
			return new(net.Dialer).DialContext(ctx, network, addr)
		}}
}

func classOf(f agent.Fault) error { return &agent.DialError{Fault: f, Err: errors.New("of a test")} }

func TestDo_FailedAttempt_GoesOnWhereAnotherExitMayFareBetter(t *testing.T) {
	for name, c := range map[string]struct {
		first error
		query agent.Query
		tried []string
		err   bool
	}{
		"works":                    {nil, agent.Query{}, []string{"de1"}, false},
		"agent's fault":            {classOf(agent.FaultAgent), agent.Query{}, []string{"de1", "de2"}, false},
		"its policy":               {classOf(agent.FaultPolicy), agent.Query{}, []string{"de1", "de2"}, false},
		"target's fault":           {classOf(agent.FaultTarget), agent.Query{}, []string{"de1"}, true},
		"not of a dial":            {errors.New("a broken handshake"), agent.Query{}, []string{"de1"}, true},
		"pinned":                   {classOf(agent.FaultAgent), agent.Query{Slugs: []string{"de1"}}, []string{"de1"}, true},
		"sticky, and it is there":  {classOf(agent.FaultPolicy), agent.Query{Session: "a"}, []string{"de1"}, true},
		"ruled out from the start": {nil, agent.Query{Exclude: []string{"farwire-de1"}}, []string{"de2"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			g := &egress.Egress{Agents: exits{exit("de1", nil), exit("de2", nil)}, Logger: slog.New(slog.DiscardHandler)}
			var tried []string
			before := slices.Clone(c.query.Exclude)
			e, err := g.Do(t.Context(), c.query, func(_ context.Context, e agent.Exit) error {
				if tried = append(tried, e.Slug); e.Slug == "de1" {
					return c.first
				}
				return nil
			})
			if !slices.Equal(tried, c.tried) || (err != nil) != c.err {
				t.Errorf("tried %q, %v; want %q", tried, err, c.tried)
			}
			if err == nil && e.Slug != tried[len(tried)-1] {
				t.Errorf("says that it was %s", e.Slug)
			}
			if !slices.Equal(c.query.Exclude, before) {
				t.Error("the caller's query was changed")
			}
		})
	}
}

func TestDo_NoExitFits_NamesWhatWasAsked(t *testing.T) {
	var counted atomic.Int64
	g := &egress.Egress{Agents: exits{exit("de1", nil)}, Logger: slog.New(slog.DiscardHandler), NoAgent: &counted}
	long := strings.Repeat("x", 300)
	_, err := g.Do(t.Context(), agent.Query{Slugs: []string{"at5", long}, Countries: []string{"AT"}}, func(context.Context, agent.Exit) error {
		t.Error("attempted")
		return nil
	})
	text := fault.Of(err).Text
	if fault.ClassOf(err) != fault.AgentUnavailable || !errors.Is(err, agent.ErrNoAgent) || !strings.Contains(text, "agent at5,x") ||
		!strings.Contains(text, "geo AT") || len(text) > 250 || counted.Load() != 1 {
		t.Errorf("counted %d, %v", counted.Load(), err)
	}
	broken := &egress.Egress{Agents: brokenSelector{}, Logger: slog.New(slog.DiscardHandler)}
	_, err = broken.Do(t.Context(), agent.Query{}, nil)
	if err == nil || err.Error() != "agent selector: of a host" || fault.ClassOf(err) != fault.Internal || fault.Of(err).Text != "internal error" {
		t.Errorf("an internal error of the selector: %v", err)
	}
}

type brokenSelector struct{}

func (brokenSelector) SelectAgent(context.Context, agent.Query) (agent.Exit, error) {
	return agent.Exit{}, errors.New("of a host")
}

func TestDo_ContextEnds_SaysItsCause(t *testing.T) {
	g := &egress.Egress{Agents: exits{exit("de1", nil)}, Logger: slog.New(slog.DiscardHandler)}
	ctx, cancel := context.WithCancelCause(t.Context())
	cause := errors.New("the client is gone")
	_, err := g.Do(ctx, agent.Query{}, func(context.Context, agent.Exit) error {
		cancel(cause)
		return classOf(agent.FaultAgent)
	})
	if err != cause {
		t.Errorf("%v, want %v", err, cause)
	}
}

func TestParseFilter_EmptyLists_AreRefused(t *testing.T) {
	for _, c := range []struct {
		geo, agents string
		want        string // of the error
	}{
		{"US, DE", " de1 ", ""}, {"", "", ""},
		{",", "", "geo names no country"}, {"", " , ", "agent names no agent"},
		{strings.Repeat("A,", 64), "b," + strings.Repeat(" ,", 100), ""},
		{strings.Repeat("A,", 65), "", "geo has more than 64 entries"},
		{"", strings.Repeat("a,", 65), "agent has more than 64 entries"},
	} {
		var q agent.Query
		err := egress.ParseFilter(&q, c.geo, c.agents)
		switch {
		case c.want == "" && err != nil, c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%q, %q: %v", c.geo, c.agents, err)
		case c.geo == "US, DE" && (!slices.Equal(q.Countries, []string{"US", "DE"}) || !slices.Equal(q.Slugs, []string{"de1"})):
			t.Errorf("read %+v", q)
		}
	}
	for session, ok := range map[string]bool{"": true, "a.b-c_1": true, "a b": false, strings.Repeat("a", 65): false} {
		if err := egress.ParseSession(new(agent.Query), "session", session); (err == nil) != ok {
			t.Errorf("session %q: %v", session, err)
		}
	}
}

// What a key's rules say is asked before each dial and look-up, and what they say of
// addresses travels with the dial.
func TestGuard_DialAndLookUp_AskTheRulesFirst(t *testing.T) {
	var asked []string
	no := fault.New(fault.TargetForbidden, "no")
	dialled := 0
	inner := agent.Exit{EnforcesRules: true,
		DialContext: func(context.Context, string, string) (net.Conn, error) {
			dialled++
			return nil, classOf(agent.FaultTarget)
		},
		Resolve: func(context.Context, string) ([]netip.Addr, error) {
			return []netip.Addr{netip.MustParseAddr("192.0.2.1")}, nil
		},
	}
	guarded := egress.Guard(inner, func(_ context.Context, host string, port uint16) (rules.Addresses, error) {
		asked = append(asked, host)
		if port == 25 || host == "forbidden.test" {
			return rules.Addresses{}, no
		}
		return rules.Addresses{}, nil
	})
	for addr, passes := range map[string]bool{"Open.Test.:80": true, "open.test:25": false, "forbidden.test:80": false} {
		before := dialled
		_, err := guarded.DialContext(t.Context(), "tcp", addr)
		if passed := dialled > before; passed != passes || !passes && !errors.Is(err, no) {
			t.Errorf("%s: dialled %v, %v", addr, passed, err)
		}
	}
	if !slices.Contains(asked, "open.test") || slices.Contains(asked, "Open.Test.") {
		t.Errorf("asked for %q", asked)
	}
	if _, err := guarded.Resolve(t.Context(), "forbidden.test"); !errors.Is(err, no) {
		t.Errorf("looked up: %v", err)
	}
	for _, addr := range []string{"open.test", "open.test:http", "open.test:65536"} {
		if _, err := guarded.DialContext(t.Context(), "tcp", addr); err == nil {
			t.Errorf("%s was dialled", addr)
		}
	}
	inner.Resolve = nil
	if _, err := egress.Guard(inner, func(context.Context, string, uint16) (rules.Addresses, error) { return rules.Addresses{}, nil }).
		Resolve(t.Context(), "open.test"); !agent.IsFault(err, agent.FaultTarget) {
		t.Errorf("an exit that cannot resolve: %v", err)
	}
}

func TestTransport_ExitLostBeforeItsFirstAnswer_AnotherIsTaken(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.Copy(w, r.Body) }))
	defer srv.Close()
	var changed []string
	tr := egress.NewTransport(t.Context(), egress.Options{
		Egress:  &egress.Egress{Agents: exits{exit("de1", classOf(agent.FaultAgent)), exit("de2", nil)}, Logger: slog.New(slog.DiscardHandler)},
		Changed: func(e agent.Exit) { changed = append(changed, e.Slug) },
	})
	defer tr.Close()
	client := &http.Client{Transport: tr}
	resp, err := client.Post(srv.URL, "text/plain", strings.NewReader("a body that can be had again"))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if body, err := io.ReadAll(resp.Body); err != nil || string(body) != "a body that can be had again" {
		t.Errorf("%q, %v", body, err)
	}
	if !slices.Equal(changed, []string{"de2"}) || tr.ExitID() != "farwire-de2" || tr.Requests() != 2 {
		t.Errorf("changed to %q, at %s after %d requests", changed, tr.ExitID(), tr.Requests())
	}
}

func TestTransport_NoExitLeft_SaysSoOnce(t *testing.T) {
	var failed []error
	tr := egress.NewTransport(t.Context(), egress.Options{
		Egress: &egress.Egress{Agents: exits{exit("de1", classOf(agent.FaultAgent))}, Logger: slog.New(slog.DiscardHandler)},
		Failed: func(err error) { failed = append(failed, err) },
	})
	defer tr.Close()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://192.0.2.1/", nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := tr.RoundTrip(req); !agent.IsFault(err, agent.FaultAgent) || len(failed) != 1 {
		t.Errorf("%v; told %v", err, failed)
	}
}

// Requests with the same key share connections, others do not.
func TestConns_SameKey_SharesConnections(t *testing.T) {
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, r.RemoteAddr) }))
	defer srv.Close()
	conns := new(egress.Conns)
	defer conns.Close()
	from := func(key string) string {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, srv.URL, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := conns.RoundTrip(req, egress.ConnOptions{Key: key, Exit: exit("de1", nil), Deadline: time.Now().Add(time.Minute), Timeout: errors.New("late")})
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		b, err := io.ReadAll(resp.Body)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	alice := from("alice")
	if again := from("alice"); again != alice {
		t.Errorf("a second connection, %s beside %s", again, alice)
	}
	if bob := from("bob"); bob == alice {
		t.Error("two keys share a connection")
	}
}

// Whose fault a failed round trip was.
func TestConns_Failures_HaveTheirClass(t *testing.T) {
	hangsUp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer hangsUp.Close()
	go func() {
		for {
			c, err := hangsUp.Accept()
			if err != nil {
				return
			}
			c.Close()
		}
	}()
	for name, c := range map[string]struct {
		exit  agent.Exit
		class fault.Class
	}{
		"agent":  {exit("de1", classOf(agent.FaultAgent)), fault.AgentLost},
		"target": {exit("de1", nil), fault.TargetLost},
		"other":  {exit("de1", errors.New("of a host's own dialer")), fault.TargetUnreachable},
	} {
		conns := new(egress.Conns)
		req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+hangsUp.Addr().String(), nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := conns.RoundTrip(req, egress.ConnOptions{Exit: c.exit, Deadline: time.Now().Add(time.Minute)})
		if err == nil {
			resp.Body.Close()
		}
		if got := fault.ClassOf(err); got != c.class {
			t.Errorf("%s: %v, class %v, want %v", name, err, got, c.class)
		}
		conns.Close()
	}
}
