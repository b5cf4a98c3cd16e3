package agent_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/farwire/farwire/agent"
	"github.com/farwire/farwire/internal/harness"
)

func TestQuery_SlugsAndCountries_DecideWhatFits(t *testing.T) {
	e := agent.Exit{ID: "farwire-de1", Slug: "de1", Country: "DE"}
	for _, tc := range []struct {
		name string
		q    agent.Query
		want bool
	}{
		{"anything", agent.Query{}, true},
		{"slug", agent.Query{Slugs: []string{"at5", "DE1"}}, true},
		{"other slug", agent.Query{Slugs: []string{"de11"}}, false},
		{"country", agent.Query{Countries: []string{"us", "de"}}, true},
		{"other country", agent.Query{Countries: []string{"US"}}, false},
		{"slug fits, country does not", agent.Query{Slugs: []string{"de1"}, Countries: []string{"US"}}, false},
		{"both fit", agent.Query{Slugs: []string{"de1"}, Countries: []string{"DE"}}, true},
		{"excluded", agent.Query{Slugs: []string{"de1"}, Exclude: []string{"farwire-de1"}}, false},
		{"other excluded", agent.Query{Exclude: []string{"farwire-at5"}}, true},
	} {
		if got := tc.q.Fits(e); got != tc.want {
			t.Errorf("%s: %v, want %v", tc.name, got, tc.want)
		}
	}
}

func TestExit_SelectAgent_ReturnsItself(t *testing.T) {
	e, err := agent.Direct(agent.DirectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if e.ID != "farwire-local" || e.Slug != "local" || e.Country != "ZZ" {
		t.Errorf("zero options give %q %q %q", e.ID, e.Slug, e.Country)
	}
	if got, err := e.SelectAgent(t.Context(), agent.Query{Slugs: []string{"LOCAL"}}); err != nil || got.ID != e.ID {
		t.Errorf("selected %q, %v", got.ID, err)
	}
	if _, err := e.SelectAgent(t.Context(), agent.Query{Countries: []string{"DE"}}); !errors.Is(err, agent.ErrNoAgent) {
		t.Errorf("error is %v", err)
	}
	if _, err := (agent.Exit{}).SelectAgent(t.Context(), agent.Query{}); !errors.Is(err, agent.ErrNoAgent) {
		t.Errorf("the zero exit selects itself: %v", err)
	}
}

func TestDirect_Names_AreChecked(t *testing.T) {
	e, err := agent.Direct(agent.DirectOptions{Slug: "de1", Country: "de", ID: "node-7"})
	if err != nil || e.ID != "node-7" || e.Country != "DE" {
		t.Errorf("%+v, %v", e, err)
	}
	for _, o := range []agent.DirectOptions{
		{Slug: "a b"}, {Slug: "ü"}, {Slug: strings.Repeat("a", 65)}, {Country: "DEU"}, {Country: "D1"}, {ID: "a\nb"},
	} {
		if _, err := agent.Direct(o); err == nil {
			t.Errorf("%+v is accepted", o)
		}
	}
}

func TestClassify_EachErrorOfADial_HasItsFault(t *testing.T) {
	op := func(err error) error {
		return &net.OpError{Op: "dial", Net: "tcp", Addr: &net.TCPAddr{IP: net.IPv4(10, 1, 2, 3), Port: 5}, Err: err}
	}
	for _, tc := range []struct {
		err     error
		fault   agent.Fault
		text    string
		timeout bool
	}{
		{op(os.NewSyscallError("connect", syscall.ECONNREFUSED)), agent.FaultTarget, "connection refused", false},
		{op(os.NewSyscallError("connect", syscall.EHOSTUNREACH)), agent.FaultTarget, "host unreachable", false},
		{op(os.NewSyscallError("connect", syscall.ENETUNREACH)), agent.FaultAgent, "agent has no route to the target", false},
		{op(os.NewSyscallError("socket", syscall.EMFILE)), agent.FaultAgent, "agent overloaded", false},
		{op(os.ErrDeadlineExceeded), agent.FaultTarget, "timed out", true},
		{context.DeadlineExceeded, agent.FaultTarget, "timed out", true},
		{context.Canceled, agent.FaultTarget, "canceled", false},
		{&net.DNSError{Err: "no such host", Name: "x", IsNotFound: true}, agent.FaultTarget, "no such host", false},
		{&net.DNSError{Err: "server misbehaving", Name: "x"}, agent.FaultTarget, "name lookup failed", false},
		{&net.AddrError{Err: "missing port in address", Addr: "x"}, agent.FaultTarget, "invalid address", false},
		{errors.New("10.1.2.3 is on fire"), agent.FaultTarget, "connection failed", false},
		{fmt.Errorf("wrapped: %w", &agent.DialError{Fault: agent.FaultPolicy, Err: errors.New("10.1.2.3 is secret")}), agent.FaultPolicy, "not allowed", false},
		{&agent.DialError{Err: errors.New("tunnel to 10.1.2.3 broke")}, agent.FaultAgent, "agent lost", false},
	} {
		got := agent.Classify(tc.err)
		if got.Fault != tc.fault || got.Error() != tc.text || got.Timeout() != tc.timeout {
			t.Errorf("%v: %v %q timeout %v, want %v %q %v", tc.err, got.Fault, got, got.Timeout(), tc.fault, tc.text, tc.timeout)
		}
		if got.Permanent() != (tc.fault == agent.FaultPolicy) {
			t.Errorf("%v: permanent %t", tc.err, got.Permanent())
		}
		if !errors.Is(tc.err, got) && !errors.Is(got, tc.err) {
			t.Errorf("%v: the cause is lost", tc.err)
		}
	}
	if agent.Classify(nil) != nil {
		t.Error("nil is classified")
	}
}

func TestFault_String_IsOneWord(t *testing.T) {
	if s := fmt.Sprint(agent.FaultAgent, agent.FaultTarget, agent.FaultPolicy, agent.Fault(9)); s != "agent target policy fault 9" {
		t.Error(s)
	}
}

func TestDirect_DialFails_NamesTheFault(t *testing.T) {
	nobody := harness.FreeAddr(t)
	e, err := agent.Direct(agent.DirectOptions{AllowPrivate: true, Resolver: silent{}, ResolveTimeout: time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	for _, tc := range []struct {
		ctx           context.Context
		network, addr string
		fault         agent.Fault
		text          string
	}{
		{t.Context(), "tcp", nobody, agent.FaultTarget, "connection refused"},
		{t.Context(), "tcp", "slow.test:80", agent.FaultTarget, "timed out"},
		{canceled, "tcp", nobody, agent.FaultTarget, "canceled"},
		{t.Context(), "udp", nobody, agent.FaultPolicy, "only tcp may be dialled"},
		{t.Context(), "tcp6", nobody, agent.FaultTarget, "invalid address"},
		{t.Context(), "tcp", "127.0.0.1", agent.FaultTarget, "invalid address"},
		{t.Context(), "tcp", "127.0.0.1:0", agent.FaultTarget, "invalid address"},
		{t.Context(), "tcp", "127.0.0.1:http", agent.FaultTarget, "invalid address"},
		{t.Context(), "tcp", ":80", agent.FaultTarget, "invalid address"},
		{t.Context(), "tcp", strings.Repeat("a", 255) + ":80", agent.FaultTarget, "invalid address"},
	} {
		conn, err := e.DialContext(tc.ctx, tc.network, tc.addr)
		if err == nil {
			conn.Close()
			t.Errorf("%s: dialled", tc.addr)
			continue
		}
		var de *agent.DialError
		if !errors.As(err, &de) || de.Fault != tc.fault || de.Error() != tc.text {
			t.Errorf("%s %s: %v, want %v: %s", tc.network, tc.addr, err, tc.fault, tc.text)
		}
	}
}

// silent is a resolver that never answers.
type silent struct{}

func (silent) LookupNetIP(ctx context.Context, _, host string) ([]netip.Addr, error) {
	<-ctx.Done()
	return nil, &net.DNSError{Err: ctx.Err().Error(), Name: host, IsTimeout: true}
}
