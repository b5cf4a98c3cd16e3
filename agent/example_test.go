package agent_test

import (
	"context"
	"fmt"
	"net"

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
