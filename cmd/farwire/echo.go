package main

import (
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/coder/websocket"

	"github.com/farwire/farwire/agent"
)

// echoHost is a target that lives in this process and sends every message
// back: a first relay needs no network, no second program and no hole in the
// guard. Names under .alt are never looked up in the DNS (RFC 9476).
const echoHost = "echo.farwire.alt"

// withEcho returns the exit with echoHost as one more place that it reaches.
// Nothing listens for it: a dial makes a pipe. The function ends it.
func withEcho(exit agent.Exit) (agent.Exit, func()) {
	pipes := &pipeListener{conns: make(chan net.Conn), closed: make(chan struct{})}
	server := &http.Server{Handler: http.HandlerFunc(echo), ReadHeaderTimeout: 10 * time.Second}
	go server.Serve(pipes) // ends with Close

	direct := exit.DialContext
	exit.DialContext = func(ctx context.Context, network, addr string) (net.Conn, error) {
		host, port, err := net.SplitHostPort(addr)
		if err != nil || port != "80" || !strings.EqualFold(strings.TrimSuffix(host, "."), echoHost) {
			return direct(ctx, network, addr)
		}
		return pipes.dial(ctx)
	}
	return exit, func() { server.Close() }
}

// echo sends messages back until the client closes.
func echo(w http.ResponseWriter, r *http.Request) {
	conn, err := websocket.Accept(w, r, nil)
	if err != nil {
		return // Accept has answered
	}
	defer conn.CloseNow()
	conn.SetReadLimit(-1) // messages are passed on in pieces
	for {
		kind, message, err := conn.Reader(r.Context())
		if err != nil {
			return // closed, and the close is answered
		}
		back, err := conn.Writer(r.Context(), kind)
		if err != nil {
			return
		}
		if _, err := io.Copy(back, message); err != nil {
			return
		}
		if err := back.Close(); err != nil {
			return
		}
	}
}

// A pipeListener hands an http.Server the far ends of pipes.
type pipeListener struct {
	conns  chan net.Conn
	closed chan struct{}
}

func (l *pipeListener) dial(ctx context.Context) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case l.conns <- far:
		return near, nil
	case <-l.closed:
		return nil, &agent.DialError{Fault: agent.FaultAgent, Err: net.ErrClosed}
	case <-ctx.Done():
		return nil, agent.Classify(ctx.Err())
	}
}

func (l *pipeListener) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

// Close is called once, by the server.
func (l *pipeListener) Close() error {
	close(l.closed)
	return nil
}

func (l *pipeListener) Addr() net.Addr { return pipeAddr{} }

type pipeAddr struct{}

func (pipeAddr) Network() string { return "pipe" }
func (pipeAddr) String() string  { return echoHost }
