package agent_test

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"time"

	"github.com/farwire/farwire/agent"
)

// An exit of this process reaches public addresses and refuses others.
func ExampleDirect() {
	exit, err := agent.Direct(agent.DirectOptions{Slug: "de1", Country: "DE"})
	if err != nil {
		panic(err)
	}
	fmt.Println(exit.ID)

	_, err = exit.DialContext(context.Background(), "tcp", "127.0.0.1:22")
	fmt.Println(err)
	// Output:
	// farwire-de1
	// target "127.0.0.1" is private: this agent reaches private addresses only with --allow-private
}

// A pool picks among exits by slug, country, load and health. Exits of this
// process are added; remote agents attach by themselves.
func ExamplePool() {
	pool, err := agent.NewPool(agent.PoolOptions{LocalOnly: true})
	if err != nil {
		panic(err)
	}
	for slug, country := range map[string]string{"de1": "DE", "at5": "AT", "us1": "US"} {
		err := pool.Add(agent.Exit{
			Slug: slug, Country: country,
			DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
				return nil, errors.New("this exit is only an example")
			},
		})
		if err != nil {
			panic(err)
		}
	}

	exit, err := pool.SelectAgent(context.Background(), agent.Query{Slugs: []string{"DE1", "AT5"}, Countries: []string{"at"}})
	fmt.Println(exit.ID, err)
	_, err = pool.SelectAgent(context.Background(), agent.Query{Countries: []string{"FR"}})
	fmt.Println(err)
	for _, info := range pool.Agents() {
		fmt.Println(info.ID, info.Country, info.State)
	}
	// Output:
	// farwire-at5 <nil>
	// no agent is attached that fits
	// farwire-at5 AT available
	// farwire-de1 DE available
	// farwire-us1 US available
}

// A program waits for its first exit, and asks which of them would serve a request.
func ExamplePool_WaitReady() {
	pool, err := agent.NewPool(agent.PoolOptions{LocalOnly: true})
	if err != nil {
		panic(err)
	}
	ctx, cancel := context.WithCancelCause(context.Background())
	cancel(errors.New("too late"))
	fmt.Println(pool.WaitReady(ctx))

	dial := func(context.Context, string, string) (net.Conn, error) {
		return nil, errors.New("this exit is only an example")
	}
	if err := pool.Add(agent.Exit{Slug: "de1", Country: "DE", DialContext: dial}); err != nil {
		panic(err)
	}
	fmt.Println(pool.WaitReady(context.Background()))
	for _, info := range pool.Agents() {
		fmt.Println(info.Slug, info.Fits(agent.Query{Countries: []string{"DE"}}), info.Fits(agent.Query{Countries: []string{"FR"}}))
	}
	// Output:
	// too late
	// <nil>
	// de1 true false
}

// An http.Client fetches JSON from another country.
func ExampleExit_Transport() {
	api := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, `{"price": 42}`)
	}))
	defer api.Close()
	pool, err := agent.NewPool(agent.PoolOptions{LocalOnly: true})
	if err != nil {
		panic(err)
	}
	for slug, country := range map[string]string{"de1": "DE", "at5": "AT"} { // in life they attach from there
		exit, err := agent.Direct(agent.DirectOptions{Slug: slug, Country: country, AllowPrivate: true})
		if err != nil {
			panic(err)
		}
		if err := pool.Add(exit); err != nil {
			panic(err)
		}
	}

	exit, err := pool.SelectAgent(context.Background(), agent.Query{Countries: []string{"AT"}})
	if err != nil {
		panic(err)
	}
	transport := exit.Transport()
	defer transport.CloseIdleConnections()
	client := http.Client{Transport: transport, Timeout: 10 * time.Second}
	resp, err := client.Get(api.URL)
	if err != nil {
		panic(err)
	}
	defer resp.Body.Close()
	var answer struct{ Price int }
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
		panic(err)
	}
	fmt.Println(answer.Price, "by", exit.ID)
	// Output:
	// 42 by farwire-at5
}

// A gateway where agents attach, an agent, and a session through it.
func ExampleRun() {
	const secret = "an example secret of the agents"
	quiet := slog.New(slog.DiscardHandler)
	pool, err := agent.NewPool(agent.PoolOptions{Secret: secret, Logger: quiet})
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	mux.Handle("GET /agents/attach", pool)
	gateway := httptest.NewServer(mux)
	defer gateway.Close()

	// Somewhere else, behind any NAT.
	ctx, stop := context.WithCancel(context.Background())
	stopped := make(chan error)
	go func() {
		stopped <- agent.Run(ctx, agent.RunOptions{
			Gateways: []string{gateway.URL}, Secret: secret, Slug: "de1", Country: "DE",
			AllowPrivate: true, // because the example's target is on this machine
			Logger:       quiet,
		})
	}()

	target := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprintln(w, "hello from the target")
	}))
	defer target.Close()

	// An exit is a dialer, so whatever can be given a dialer goes through it.
	var exit agent.Exit
	for ; exit.ID == ""; time.Sleep(time.Millisecond) {
		exit, _ = pool.SelectAgent(ctx, agent.Query{Countries: []string{"DE"}})
	}
	transport := &http.Transport{DialContext: exit.DialContext}
	resp, err := (&http.Client{Transport: transport}).Get(target.URL)
	if err != nil {
		panic(err)
	}
	body, err := io.ReadAll(resp.Body)
	resp.Body.Close()
	fmt.Printf("%s: %s", exit.ID, body)
	transport.CloseIdleConnections()

	stop()
	fmt.Println("agent stopped:", <-stopped)
	fmt.Println("pool stopped:", pool.Shutdown(context.Background()))
	// Output:
	// farwire-de1: hello from the target
	// agent stopped: <nil>
	// pool stopped: <nil>
}

// Secrets and records change while agents are linked. What ends a link is a record that
// is gone, or Remove.
func ExamplePool_SetRecords() {
	const secret, next, token = "an example secret of the agents", "the secret that comes after it.", "a token of one agent"
	quiet := slog.New(slog.DiscardHandler)
	record := agent.Record{Slug: "at5", Country: "AT", TokenSHA256: fmt.Sprintf("%x", sha256.Sum256([]byte(token)))}
	pool, err := agent.NewPool(agent.PoolOptions{Secret: secret, Records: []agent.Record{record}, Logger: quiet})
	if err != nil {
		panic(err)
	}
	gateway := httptest.NewServer(pool)
	defer gateway.Close()
	ctx, stop := context.WithCancel(context.Background())
	stopped := make(chan error, 2)
	for slug, shown := range map[string]string{"de1": secret, "at5": token} {
		go func() {
			stopped <- agent.Run(ctx, agent.RunOptions{Gateways: []string{gateway.URL}, Secret: shown, Slug: slug, Country: "DE", Logger: quiet})
		}()
	}
	attached := func(n int) {
		for len(pool.Agents()) != n {
			time.Sleep(time.Millisecond)
		}
		for _, info := range pool.Agents() {
			fmt.Println(info.Slug, info.Country)
		}
	}
	attached(2)

	fmt.Println("an empty secret:", pool.SetSecrets([]string{""}) != nil)
	fmt.Println("both secrets:", pool.SetSecrets([]string{next, secret}))
	fmt.Println("without the record:", pool.SetRecords(nil))
	attached(1)
	fmt.Println("removed:", pool.Remove("farwire-de1"), pool.Remove("farwire-nobody"))

	stop()
	fmt.Println(<-stopped, <-stopped, pool.Shutdown(context.Background()))
	// Output:
	// at5 AT
	// de1 DE
	// an empty secret: true
	// both secrets: <nil>
	// without the record: <nil>
	// de1 DE
	// removed: true false
	// <nil> <nil> <nil>
}

// Anything that can dial can be an exit.
func ExampleExit() {
	exit := agent.Exit{
		ID: "farwire-test", Slug: "test", Country: "ZZ",
		DialContext: func(ctx context.Context, network, addr string) (net.Conn, error) {
			gateway, target := net.Pipe()
			go func() {
				defer target.Close()
				fmt.Fprintf(target, "hello from %s", addr)
			}()
			return gateway, nil
		},
	}
	conn, err := exit.DialContext(context.Background(), "tcp", "example.com:80")
	if err != nil {
		panic(err)
	}
	defer conn.Close()
	buf := make([]byte, 64)
	n, err := conn.Read(buf)
	fmt.Println(string(buf[:n]), err)
	// Output: hello from example.com:80 <nil>
}
