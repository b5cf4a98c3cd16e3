package farwire_test

import (
	"context"
	"errors"
	"net"
	"strings"
	"sync"
	"syscall"
	"testing"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/brokertest"
)

// An askedSelector selects among exits as a host's selector might, and
// keeps what it was asked.
type askedSelector struct {
	mu    sync.Mutex
	all   []agent.Query
	exits exits
}

func (a *askedSelector) SelectAgent(ctx context.Context, q agent.Query) (agent.Exit, error) {
	a.mu.Lock()
	a.all = append(a.all, q)
	a.mu.Unlock()
	return a.exits.SelectAgent(ctx, q)
}

func (a *askedSelector) take() []agent.Query {
	a.mu.Lock()
	defer a.mu.Unlock()
	all := a.all
	a.all = nil
	return all
}

// Each way to ask hands the selector the session and whose it is.
func TestSession_EveryForm_ReachesTheSelector(t *testing.T) {
	url, pages := newTarget(t, echo), newSite(t, threePages)
	broker := brokerExit(&brokertest.Broker{})
	a := &askedSelector{exits: exits{{ID: testAgent, Slug: "de1", Country: "DE",
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			if strings.HasPrefix(addr, "broker.test:") {
				return broker.DialContext(ctx, network, addr)
			}
			return new(net.Dialer).DialContext(ctx, network, addr)
		}}}}
	w := newWorld(t, func(o *farwire.Options) { o.Agents = a })
	const name = "My.session_1-x"
	for form, ask := range map[string]func(session string){
		"message": func(s string) { w.connected(url, `"session":"`+s+`"`).close(1000, "") },
		"query":   func(s string) { w.open("/ws?fw_session="+s+"&url="+escape(url), "X-API-Key: "+testKey).close(1000, "") },
		"AMQP": func(s string) {
			w.subscribe(strings.Replace(subscription, "}", `, "session": "`+s+`"}`, 1)).connected()
		},
		"crawl": func(s string) { w.crawl(`{"url":"` + pages.URL + `","session":"` + s + `"}`).receive() },
	} {
		a.take()
		ask(name)
		queries := a.take()
		if len(queries) == 0 {
			t.Errorf("%s: the selector was not asked", form)
		}
		for _, q := range queries {
			if q.Session != name || q.Subject != "alice" {
				t.Errorf("%s: session %q of %q", form, q.Session, q.Subject)
			}
		}
	}
}

func TestSession_NotAName_IsRefused(t *testing.T) {
	w := newWorld(t)
	url := newTarget(t, echo)
	for _, bad := range []string{"a b", "a/b", "ü", strings.Repeat("x", 65), "a,b"} {
		wantDetail(t, w.try("/ws?fw_session="+escape(bad)+"&url="+escape(url), "X-API-Key: "+testKey).resp, 400, "session must be 1 to 64")
		p := w.open("/ws")
		p.ask(url, `"session":"`+bad+`"`)
		p.wantError(1008, "session must be 1 to 64")
	}
	w.open("/ws?fw_session="+strings.Repeat("x", 64)+"&url="+escape(url), "X-API-Key: "+testKey).close(1000, "")
}

// Only an agent that takes no sessions is left by a sticky session.
func TestSession_ExitFails_MovesOnlyWhenItTakesNoSessions(t *testing.T) {
	for name, c := range map[string]struct {
		fails error
		moves bool
	}{
		"full":             {&agent.DialError{Fault: agent.FaultAgent, Err: errors.New("tunnel: gone")}, true},
		"no route to it":   {agent.Classify(&net.OpError{Op: "dial", Err: syscall.ENETUNREACH}), false},
		"refused by guard": {&agent.DialError{Fault: agent.FaultPolicy, Err: errors.New("private")}, false},
		"target's fault":   {&agent.DialError{Fault: agent.FaultTarget, Err: errors.New("refused")}, false},
	} {
		t.Run(name, func(t *testing.T) {
			first := agent.Exit{ID: "first", Slug: "first", Country: "DE",
				DialContext: func(context.Context, string, string) (net.Conn, error) { return nil, c.fails }}
			second := agent.Exit{ID: "second", Slug: "second", Country: "DE", DialContext: new(net.Dialer).DialContext}
			a := &askedSelector{exits: exits{first, second}}
			w := newWorld(t, func(o *farwire.Options) { o.Agents = a })
			url := newTarget(t, echo)
			p := w.try("/ws?fw_session=s&url="+escape(url), "X-API-Key: "+testKey)
			if moved := p.resp.Header.Get("X-Farwire-Node") == "second"; moved != c.moves || moved != (p.resp.StatusCode == 101) {
				t.Errorf("moved %v, %s", moved, p.resp.Status)
			}
		})
	}
}
