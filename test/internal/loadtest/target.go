package loadtest

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/farwire/farwire/test/internal/child"
)

// A Counts is how the sessions of a target have ended.
type Counts struct {
	Open   int
	Normal int // with a close frame of 1000
	Going  int // with one of 1001
	Other  int // with another one, or with none after a whole frame
	Inside int // without a close frame, inside a message
}

// An Echo is a target in this process.
type Echo struct {
	server *http.Server
	addr   string

	mu     sync.Mutex
	counts Counts
}

// NewEcho starts a target on a port of loopback.
func NewEcho() (*Echo, error) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	e := &Echo{addr: ln.Addr().String()}
	e.server = &http.Server{Handler: http.HandlerFunc(e.serve), ReadHeaderTimeout: stepTimeout}
	go e.server.Serve(ln) // until Close
	return e, nil
}

// URL is where sessions go.
func (e *Echo) URL() string { return "ws://" + e.addr + "/" }

// Counts returns how the sessions have ended so far.
func (e *Echo) Counts() (Counts, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.counts, nil
}

// Close refuses further sessions. Those that are open end with their clients.
func (e *Echo) Close() error { return e.server.Close() }

func (e *Echo) count(f func(*Counts)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	f(&e.counts)
}

func (e *Echo) serve(w http.ResponseWriter, r *http.Request) {
	ws, err := websocket.Accept(w, r, nil)
	if err != nil {
		return // the client has its answer
	}
	defer ws.CloseNow()
	e.count(func(t *Counts) { t.Open++ })
	inside, err := echo(context.WithoutCancel(r.Context()), ws)
	status := websocket.CloseStatus(err)
	e.count(func(t *Counts) {
		t.Open--
		switch {
		case status == websocket.StatusNormalClosure:
			t.Normal++
		case status == websocket.StatusGoingAway:
			t.Going++
		case inside:
			t.Inside++
		default:
			t.Other++
		}
	})
}

// echo answers until the session ends, and reports whether that was inside a
// message.
func echo(ctx context.Context, ws *websocket.Conn) (inside bool, err error) {
	ws.SetReadLimit(1 << 20)
	for {
		kind, r, err := ws.Reader(ctx)
		if err != nil {
			return false, err
		}
		message, err := io.ReadAll(r)
		if err != nil {
			return true, err
		}
		ctx, cancel := context.WithTimeout(ctx, stepTimeout)
		err = ws.Write(ctx, kind, message)
		cancel()
		if err != nil {
			return false, err
		}
	}
}

// A process is a target in another process.
type process struct {
	*child.Process
	url string
}

// ServeTarget is what the process does that StartTarget starts: a target that prints
// its counts for every line it reads.
func ServeTarget() error {
	e, err := NewEcho()
	if err != nil {
		return err
	}
	defer e.Close()
	fmt.Printf("%q\n", e.URL())
	out := json.NewEncoder(os.Stdout)
	for commands := bufio.NewScanner(os.Stdin); commands.Scan(); {
		t, _ := e.Counts() // of our own, never an error
		if err := out.Encode(t); err != nil {
			return err
		}
	}
	return nil
}

// StartTarget runs this program again, in an environment that has it call ServeTarget.
func StartTarget(env ...string) (Target, func() error, error) {
	var url string
	p, err := child.Start(&url, nil, env)
	if err != nil {
		return nil, nil, fmt.Errorf("target: %w", err)
	}
	return process{p, url}, p.Close, nil
}

func (p process) URL() string { return p.url }

func (p process) Counts() (t Counts, err error) {
	err = p.Ask("counts", &t)
	return t, err
}

// settled waits until the target's counts is as wanted, or says how it is.
func settled(ctx context.Context, target Target, wanted func(Counts) bool) (Counts, error) {
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	tick := time.NewTicker(100 * time.Millisecond)
	defer tick.Stop()
	for {
		t, err := target.Counts()
		if err != nil || wanted(t) {
			return t, err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return t, fmt.Errorf("the target has %+v: %w", t, context.Cause(ctx))
		}
	}
}
