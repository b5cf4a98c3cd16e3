package agent_test

import (
	"context"
	"errors"
	"io"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farwire/farwire/agent"
)

// A slowCloser takes its time to close, as a connection may.
type slowCloser struct{ net.Conn }

func (c slowCloser) Close() error {
	time.Sleep(time.Second)
	return c.Conn.Close()
}

// Who writes at the very moment when the tunnel ends meets the bare EOF of its
// carrier. It is the agent's end all the same, and not the target's.
func TestConn_WriteWhileTunnelEnds_IsTheAgentsFault(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log, _ := newLog(t)
		pool, err := agent.NewPool(agent.PoolOptions{Secret: secret, Logger: log})
		if err != nil {
			t.Fatal(err)
		}
		w := newWire(0)
		attached, joined := make(chan struct{}), make(chan struct{})
		ctx, stop := context.WithCancel(t.Context())
		defer stop()
		target := make(chan net.Conn, 1)
		go func() { defer close(attached); pool.AttachConn(slowCloser{w.gateway}) }()
		go func() {
			defer close(joined)
			agent.JoinConn(ctx, agent.RunOptions{
				Gateways: []string{"https://gw"}, Secret: secret, Slug: "de1", Country: "DE", Logger: log, AllowPrivate: true, DrainTimeout: -1,
			}, w.agent, func(context.Context, string) (net.Conn, error) {
				near, far := net.Pipe()
				target <- far
				return near, nil
			})
		}()
		synctest.Wait()
		exit, err := pool.SelectAgent(ctx, agent.Query{})
		if err != nil {
			t.Fatal(err)
		}
		c, err := exit.DialContext(ctx, "tcp", "127.0.0.1:1")
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		far := <-target
		defer far.Close()

		w.cut()
		synctest.Wait() // the gateway knows, and is closing the connection
		_, err = c.Write([]byte("too late"))
		if de := (*agent.DialError)(nil); !errors.As(err, &de) || de.Fault != agent.FaultAgent || errors.Is(err, io.EOF) {
			t.Errorf("write: %v, want the agent's fault", err)
		}
		if half, ok := c.(interface{ CloseWrite() error }); !ok || errors.Is(half.CloseWrite(), io.EOF) {
			t.Error("a half-close meets an EOF")
		}
		stop()
		<-attached
		<-joined
		w.wg.Wait()
	})
}
