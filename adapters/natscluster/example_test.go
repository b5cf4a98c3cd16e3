package natscluster_test

import (
	"context"
	"fmt"
	"log"
	"log/slog"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/adapters/natscluster"
	"github.com/farwire/farwire/agent"
)

// One of several gateways behind a balancer, which share their agents and their revoked
// keys over NATS. No NATS runs for this example: the gateway works alone
// until one is reached.
func Example() {
	name := farwire.GatewayName()
	secrets := func() [][]byte { return [][]byte{[]byte("a secret that the gateways share")} }
	cluster, err := natscluster.Open(natscluster.Options{URL: "nats://127.0.0.1:1", Name: name, Secrets: secrets, Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		log.Fatal(err)
	}
	defer cluster.Close()
	pool, err := agent.NewPool(agent.PoolOptions{Secret: "a secret of the agents"})
	if err != nil {
		log.Fatal(err)
	}
	here := func() string { return "http://10.0.0.5:8080" } // where the other gateways reach this one
	if err := pool.Join(agent.ClusterOptions{Name: name, URL: here, Secrets: secrets, Directory: cluster}); err != nil {
		log.Fatal(err)
	}
	gw, err := farwire.New(farwire.Options{Agents: pool, Name: name, Bus: cluster})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(cluster.Connected(), pool.Gateways()[0] == name)
	fmt.Println(gw.Shutdown(context.Background()), pool.Shutdown(context.Background()))
	// Output:
	// false true
	// <nil> <nil>
}
