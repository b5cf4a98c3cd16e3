package loadtest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/farwire/farwire/internal/harness"
)

// A Hostile is what came of inputs that mean harm.
type Hostile struct {
	Inputs  int
	Took    time.Duration
	By      map[string]int // how many at each entry
	Answers map[string]int // HTTP statuses and close frames; "-" means no answer before we left
	Touched int64          // connections to what is forbidden
	Before  Resources
	After   Resources
}

func (r *Hostile) String() string {
	return fmt.Sprintf("%d hostile inputs in %.0f s (%.0f a second), by entry: %v\nanswers: %v\nconnections to the forbidden address: %d\nbefore: %v\nafter:  %v",
		r.Inputs, r.Took.Seconds(), float64(r.Inputs)/r.Took.Seconds(), r.By, r.Answers, r.Touched, r.Before, r.After)
}

// A canary listens where nobody may come.
type canary struct {
	ln      net.Listener
	touched atomic.Int64
}

func newCanary() (*canary, error) {
	// Every address of this machine: whichever name or spelling leads here.
	ln, err := net.Listen("tcp", ":0")
	if err != nil {
		return nil, err
	}
	c := &canary{ln: ln}
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return // closed
			}
			c.touched.Add(1)
			conn.Close()
		}
	}()
	return c, nil
}

// Hostile sends n inputs that mean harm over all entry points, and looks at
// what is left: no panic, nobody has touched what is forbidden, no internal
// error, and as little held as before. The network's agents must be guarded.
func (s *Network) Hostile(ctx context.Context, n int, seed uint64) (*Hostile, error) {
	r := &Hostile{Inputs: n, By: map[string]int{}, Answers: map[string]int{}}
	c, err := newCanary()
	if err != nil {
		return r, err
	}
	defer c.ln.Close()
	_, port, err := net.SplitHostPort(c.ln.Addr().String())
	if err != nil {
		return r, err
	}
	if r.Before, err = s.awaitRelease(ctx, Resources{}); err != nil {
		return r, err
	}

	const workers = 128
	var mu sync.Mutex
	var wrong []error
	began := time.Now()
	var left atomic.Int64
	left.Store(int64(n))
	each(workers, workers, func(i int) {
		v := &attacker{addr: s.Addr, admin: strings.TrimSuffix(strings.TrimPrefix(s.admin, "http://"), "/debug/pprof/"), socks: s.socks, secure: s.secureAddr, rng: rand.New(rand.NewPCG(seed, uint64(i))), port: port, by: map[string]int{}, answers: map[string]int{}}
		defer v.disconnect()
		for left.Add(-1) >= 0 && ctx.Err() == nil {
			if err := v.attack(); err != nil {
				mu.Lock()
				wrong = append(wrong, err)
				mu.Unlock()
			}
		}
		mu.Lock()
		defer mu.Unlock()
		for entry, count := range v.by {
			r.By[entry] += count
		}
		for answer, count := range v.answers {
			r.Answers[answer] += count
		}
	})
	r.Took = time.Since(began)
	if ctx.Err() != nil {
		return r, context.Cause(ctx)
	}
	// The store of sites keeps some connections that it did not need before.
	allowed := r.Before
	allowed.Goroutines += pooled
	allowed.Files += pooled
	r.After, err = s.awaitRelease(ctx, allowed)
	r.Touched = c.touched.Load()
	switch {
	case err != nil:
		return r, err
	case len(wrong) > 0:
		return r, fmt.Errorf("%d went wrong: %w\nthe gateway says: %.2000s", len(wrong), errors.Join(wrong[:min(len(wrong), 5)]...), s.gateway.Log())
	case r.Touched > 0:
		return r, errors.New("what is forbidden was reached")
	}
	return r, errors.Join(s.gateway.Crashed(), s.secure.Crashed())
}

// An attacker sends one input after the other.
type attacker struct {
	addr string
	port string // of the canary

	admin, socks string // other listeners of the gateway
	secure       string // the gateway that speaks HTTP/2
	rng          *rand.Rand
	conn         net.Conn // for plain requests, kept open while the gateway does
	br           *bufio.Reader

	sent        []byte // last
	by, answers map[string]int
}

func (v *attacker) disconnect() {
	if v.conn != nil {
		v.conn.Close()
		v.conn = nil
	}
}

// attack sends one input and notes the answer. What is an error must not have
// happened.
func (v *attacker) attack() error {
	one := entries[v.rng.IntN(len(entries))]
	v.by[one.name]++
	answer, said, err := one.attack(v)
	if err != nil {
		return fmt.Errorf("%s: %w", one.name, err)
	}
	v.answers[answer]++
	if answer == "500" || strings.Contains(said, "internal error") {
		return fmt.Errorf("%s: an internal error: %s %.200q\n%.2000q", one.name, answer, said, v.sent)
	}
	return nil
}

// message upgrades and sends bytes right behind.
func (v *attacker) message(target string, sent []byte) (answer, said string, err error) {
	return v.raw(append([]byte("GET "+target+" HTTP/1.1\r\nHost: gw\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"), sent...))
}

// raw sends bytes on a connection of their own and reads what comes for a while.
func (v *attacker) raw(sent []byte) (answer, said string, err error) {
	v.sent = sent
	conn, err := net.DialTimeout("tcp", v.addr, stepTimeout)
	if err != nil {
		return "", "", fmt.Errorf("the gateway takes no connection: %w", err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(glance))
	conn.Write(sent) // a gateway that has heard enough may cut it off
	br := bufio.NewReader(conn)
	resp, err := http.ReadResponse(br, nil)
	if err != nil {
		return "-", "", nil
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusSwitchingProtocols {
		body, _ := io.ReadAll(io.LimitReader(resp.Body, 4096)) // as much as came in time
		return fmt.Sprint(resp.StatusCode), string(body), nil
	}
	rest, _ := io.ReadAll(io.LimitReader(br, 64<<10))
	return closeCode(rest), string(rest), nil
}

// closeCode finds the close frame at the end of a server's frames.
func closeCode(b []byte) string {
	for len(b) >= 2 {
		size, head := int(b[1]), 2
		if size == 126 && len(b) >= 4 {
			size, head = int(b[2])<<8|int(b[3]), 4
		}
		if size > 125 && head == 2 || len(b) < head+size {
			break
		}
		if b[0] == 0x88 && size >= 2 {
			if code := int(b[head])<<8 | int(b[head+1]); code >= 1000 && code <= 1015 {
				return fmt.Sprintf("close %d", code)
			}
			return "close as sent" // the echo of another
		}
		b = b[head+size:]
	}
	return "-"
}

func (v *attacker) post(path string, body []byte) (answer, said string, err error) {
	keys := []string{"X-API-Key: " + harness.Key, "X-API-Key: nobodys-key-at-all", "Authorization: Bearer eyJhbGciOiJub25lIn0.e30.", "X-Nothing: 1"}
	return v.plain(fmt.Appendf(nil, "POST %s HTTP/1.1\r\nHost: gw\r\nContent-Type: application/json\r\n%s\r\nContent-Length: %d\r\n\r\n%s",
		path, keys[v.rng.IntN(len(keys))], len(body), body))
}

func (v *attacker) get(target string) (answer, said string, err error) {
	return v.plain(fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: gw\r\n\r\n", target))
}

// plain sends a request on a connection that is kept for the next one.
func (v *attacker) plain(request []byte) (answer, said string, err error) {
	v.sent = request
	for try := range 2 {
		if v.conn == nil {
			if v.conn, err = net.DialTimeout("tcp", v.addr, stepTimeout); err != nil {
				v.conn = nil
				return "", "", fmt.Errorf("the gateway takes no connection: %w", err)
			}
			v.br = bufio.NewReader(v.conn)
			try = 1
		}
		v.conn.SetDeadline(time.Now().Add(stepTimeout))
		v.conn.Write(request) // reading tells
		resp, err := http.ReadResponse(v.br, nil)
		if err != nil {
			v.disconnect()
			if try == 0 {
				continue // it had been closed while nothing was said
			}
			return "-", "", nil
		}
		if strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") {
			v.conn.SetReadDeadline(time.Now().Add(glance))
		}
		body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
		if err != nil || resp.Close || strings.HasPrefix(resp.Header.Get("Content-Type"), "text/event-stream") {
			v.disconnect()
		}
		return fmt.Sprint(resp.StatusCode), string(body), nil
	}
	return "-", "", nil
}
