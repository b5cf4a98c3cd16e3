package agent_test

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http/httptest"
	"net/netip"
	"syscall"
	"time"

	"github.com/farwire/farwire/agent"
)

// Under rules an exit dials less than it would by itself.
func ExampleWithRules() {
	exit, err := agent.Direct(agent.DirectOptions{AllowPrivate: true})
	if err != nil {
		panic(err)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		panic(err)
	}
	defer l.Close()
	conn, err := exit.DialContext(context.Background(), "tcp", l.Addr().String())
	if err != nil {
		panic(err)
	}
	conn.Close()

	ctx := agent.WithRules(context.Background(), agent.Rules{Deny: []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}})
	_, err = exit.DialContext(ctx, "tcp", l.Addr().String())
	fmt.Println(err)
	fmt.Println(agent.IsFault(err, agent.FaultPolicy), agent.RefusedByRules(err))
	// Output:
	// target "127.0.0.1" is not allowed by policy
	// true true
}

// An exit of one's own says whose fault a failed dial was: of FaultAgent another exit is
// tried.
func ExampleClassify() {
	dial := func(cause error) error {
		return &net.OpError{Op: "dial", Net: "tcp", Err: cause}
	}
	exit := agent.Exit{ID: "farwire-own", Slug: "own", Country: "ZZ",
		DialContext: func(_ context.Context, network, addr string) (net.Conn, error) {
			if addr == "busy.example:80" {
				return nil, agent.Classify(dial(syscall.EMFILE)) // out of file descriptors
			}
			return nil, agent.Classify(dial(syscall.ECONNREFUSED))
		}}
	for _, addr := range []string{"busy.example:80", "closed.example:80"} {
		_, err := exit.DialContext(context.Background(), "tcp", addr)
		fmt.Println(agent.IsFault(err, agent.FaultAgent), err)
	}
	// Output:
	// true agent overloaded
	// false connection refused
}

// An exit of a host's own knows nothing of rules. Enforce has it follow them: a name is
// resolved through the exit, and only an address that passes is dialled.
func ExampleExit_Enforce() {
	own := agent.Exit{
		Slug: "own", Country: "DE",
		DialContext: func(_ context.Context, _, addr string) (net.Conn, error) {
			fmt.Println("dialled", addr)
			near, far := net.Pipe()
			far.Close()
			return near, nil
		},
		Resolve: func(context.Context, string) ([]netip.Addr, error) {
			return []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("198.51.100.7")}, nil
		},
	}.Enforce()
	ctx := agent.WithRules(context.Background(), agent.Rules{Allow: []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24")}})
	conn, err := own.DialContext(ctx, "tcp", "api.example.com:443")
	if err != nil {
		panic(err)
	}
	conn.Close()
	_, err = own.DialContext(ctx, "tcp", "203.0.113.9:443")
	fmt.Println(err)
	// Output:
	// dialled 198.51.100.7:443
	// target "203.0.113.9" is not allowed by policy
}

// An exit is taken out of a pool; what goes through it goes on.
func ExamplePool_Remove() {
	pool, err := agent.NewPool(agent.PoolOptions{LocalOnly: true})
	if err != nil {
		panic(err)
	}
	exit, err := agent.Direct(agent.DirectOptions{Slug: "de1", Country: "DE"})
	if err != nil {
		panic(err)
	}
	if err := pool.Add(exit); err != nil {
		panic(err)
	}
	fmt.Println(pool.Remove("farwire-de1"), pool.Remove("farwire-de1"))
	_, err = pool.SelectAgent(context.Background(), agent.Query{})
	fmt.Println(err)
	// Output:
	// true false
	// no agent is attached that fits
}

// Two gateways of one process share their exits: who asks the one leaves through an exit
// of the other.
func ExampleLocalDirectory() {
	var directory agent.LocalDirectory
	secrets := func() [][]byte { return [][]byte{[]byte("a secret that the gateways share")} }
	var hosts []*httptest.Server
	gateway := func(name string) *agent.Pool {
		pool, err := agent.NewPool(agent.PoolOptions{LocalOnly: true, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			panic(err)
		}
		host := httptest.NewServer(pool)
		hosts = append(hosts, host)
		err = pool.Join(agent.ClusterOptions{Name: name, Secrets: secrets, Directory: &directory, URL: func() string { return host.URL }})
		if err != nil {
			panic(err)
		}
		return pool
	}
	one, two := gateway("gw-1"), gateway("gw-2")
	exit, err := agent.Direct(agent.DirectOptions{Slug: "at5", Country: "AT"})
	if err != nil {
		panic(err)
	}
	if err := two.Add(exit); err != nil {
		panic(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	if err := one.WaitReady(ctx); err != nil {
		panic(err)
	}
	for _, info := range one.Agents() {
		fmt.Println(info.Slug, info.Country, info.Gateways)
	}
	fmt.Println(one.Shutdown(ctx), two.Shutdown(ctx))
	for _, h := range hosts {
		h.Close()
	}
	// Output:
	// at5 AT [gw-2]
	// <nil> <nil>
}
