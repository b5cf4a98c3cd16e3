package agent_test

import (
	"net"
	"testing"

	"golang.org/x/net/nettest"

	"github.com/farwire/farwire/agent"
)

// A connection through a tunnel behaves as net.Conn is meant to.
func TestConnIsAConn(t *testing.T) {
	p, srv, _ := newPool(t, agent.PoolOptions{})
	run(t, agent.RunOptions{Gateways: []string{srv.URL}, AllowPrivate: true, DrainTimeout: -1})
	attached(t, p, 1)
	e := selectOne(t, p, agent.Query{})
	nettest.TestConn(t, func() (net.Conn, net.Conn, func(), error) {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return nil, nil, nil, err
		}
		defer ln.Close()
		near, err := e.DialContext(t.Context(), "tcp", ln.Addr().String())
		if err != nil {
			return nil, nil, nil, err
		}
		far, err := ln.Accept()
		if err != nil {
			return nil, nil, nil, err
		}
		return near, far, func() { near.Close(); far.Close() }, nil
	})
}
