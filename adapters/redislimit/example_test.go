package redislimit_test

import (
	"context"
	"fmt"
	"log"
	"log/slog"

	"github.com/redis/go-redis/v9"

	"github.com/farwire/farwire"
	"github.com/farwire/farwire/adapters/redislimit"
)

// Limits of two gateways in one Redis. No Redis runs for this example: each gateway then
// counts its share of the burst by itself.
func Example() {
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", ContextTimeoutEnabled: true, MaxRetries: -1})
	defer client.Close()
	limiter, err := redislimit.New(client, redislimit.Options{Gateways: 2, Name: "gw-1", Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		log.Fatal(err)
	}
	defer limiter.Close()
	// farwire.Options{Limiter: limiter}

	alice := farwire.Principal{Subject: "alice", Limits: farwire.Limits{Rate: 1, Burst: 10}}
	q, err := limiter.Take(context.Background(), alice, farwire.BucketRequests)
	fmt.Println(q.Limit, q.Remaining, err)
	fmt.Println("Redis unavailable:", limiter.Stats().Unavailable)
	// Output:
	// 5 4 <nil>
	// Redis unavailable: true
}
