//go:build linux

package main

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

// A link is the near end of a session. After its handshake it is a bare
// connection: the load, like the target, knows the length of what comes. Where each
// message is a request it has a reader for the answers.
type link struct {
	conn   net.Conn
	br     *bufio.Reader
	prefix string                // of each request's path
	open   func() (*link, error) // opens a tunnel, or a session
}

const handshakeTimeout = 20 * time.Second

// dial opens a WebSocket at addr. When target is given, the relay there is
// ours and is told in a first message where to go.
func dial(addr, path, target string) (_ *link, err error) {
	conn, err := net.Dial("tcp", addr)
	if err != nil {
		return nil, err
	}
	return shake(conn, addr, path, target)
}

// shake opens a WebSocket on a connection, or closes it.
func shake(conn net.Conn, addr, path, target string) (_ *link, err error) {
	defer func() {
		if err != nil {
			conn.Close()
		}
	}()
	conn.SetDeadline(time.Now().Add(handshakeTimeout))
	_, err = fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: %s\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n", path, addr)
	if err != nil {
		return nil, err
	}
	br := bufio.NewReaderSize(conn, 1024)
	resp, err := http.ReadResponse(br, nil)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		return nil, fmt.Errorf("%s answered %s", addr, resp.Status)
	}
	if target != "" {
		if err := connect(conn, br, target); err != nil {
			return nil, err
		}
	}
	if br.Buffered() > 0 {
		return nil, errors.New("bytes came before they were asked for")
	}
	return &link{conn: conn}, conn.SetDeadline(time.Time{})
}

// connect says what our relay wants to know and waits for its "connected".
func connect(conn net.Conn, br *bufio.Reader, target string) error {
	message := fmt.Appendf(nil, `{"apiKey":%q,"url":%q}`, benchKey, target)
	masked := frame(len(message), true)
	key := masked[len(masked)-len(message)-4:][:4]
	for i, c := range message {
		masked[len(masked)-len(message)+i] = c ^ key[i%4]
	}
	masked[0] = 0x81 // text
	if _, err := conn.Write(masked); err != nil {
		return err
	}
	var head [2]byte
	if _, err := io.ReadFull(br, head[:]); err != nil {
		return err
	}
	answer := make([]byte, head[1])
	if _, err := io.ReadFull(br, answer); err != nil {
		return err
	}
	if head[0] != 0x81 || head[1] > 125 || !bytes.Contains(answer, []byte(`"connected"`)) {
		return fmt.Errorf("the relay answered %q", answer)
	}
	return nil
}

// A load is one way of using sessions. Each session has a part in it.
type load struct {
	title   string
	size    int
	links   int
	first   int // messages a session that may take 300 ms
	session func(i int) part
	unit    unit
}

// A unit is what the processor time is told for.
type unit struct {
	figure string        // "ns/message"
	of     time.Duration // a nanosecond, or a millisecond
	parts  float64       // how many messages are one
	each   string        // "messages"
}

var (
	aMessage = unit{"ns/message", time.Nanosecond, 1, "messages"}
	aRequest = unit{"ns/request", time.Nanosecond, 1, "requests"}
)

// aGB is a unit of messages of this size.
func aGB(size int) unit {
	return unit{"ms/GB", time.Millisecond, 1e9 / float64(size), "messages"}
}

// A part is what one session does.
type part struct {
	path func(size, messages int) string
	do   func(l *link, size, messages int) error
	both bool // each message is answered, and the answer is a message too
}

var loads = map[string]load{
	"lockstep":  {"lock-step, 128 bytes, 64 sessions", 128, 64, 200, func(int) part { return lockstep }, aMessage},
	"pipelined": {"pipelined, 128 bytes, 4 sessions each way", 128, 8, 20_000, oneWay, aMessage},
	"bulk":      {"bulk, 64 KiB, 4 sessions each way", 64 << 10, 8, 400, oneWay, aMessage},
}

// A load and its name for the command line.
type named struct {
	name string
	load
}

var messageLoads = []named{{"lockstep", loads["lockstep"]}, {"pipelined", loads["pipelined"]}, {"bulk", loads["bulk"]}}

func oneWay(i int) part { return []part{up, down}[i%2] }

var (
	lockstep = part{
		func(size, _ int) string { return fmt.Sprintf("/echo?size=%d", size) },
		func(l *link, size, messages int) error {
			out, in := frame(size, true), frame(size, false)
			for range messages {
				if err := l.roundTrip(out, in); err != nil {
					return err
				}
			}
			return nil
		},
		true,
	}
	up = part{
		func(size, messages int) string { return fmt.Sprintf("/sink?size=%d&messages=%d", size, messages) },
		func(l *link, size, messages int) error {
			if err := writeMessages(l.conn, frame(size, true), messages); err != nil {
				return err
			}
			_, err := io.ReadFull(l.conn, frame(1, false))
			return err
		},
		false,
	}
	down = part{
		func(size, messages int) string { return fmt.Sprintf("/source?size=%d&messages=%d", size, messages) },
		func(l *link, size, messages int) error {
			if _, err := l.conn.Write(frame(1, true)); err != nil {
				return err
			}
			_, err := io.CopyN(drain{}, l.conn, int64(messages)*int64(len(frame(size, false))))
			return err
		},
		false,
	}
)

func (l *link) roundTrip(out, in []byte) error {
	if _, err := l.conn.Write(out); err != nil {
		return err
	}
	_, err := io.ReadFull(l.conn, in)
	return err
}

// A sample is what one measurement found.
type sample struct {
	messages int
	relay    time.Duration // processor time of the relay
	whole    time.Duration // and of the load and the target too
	wall     time.Duration
	mallocs  uint64
}

func (s sample) perMessage(d time.Duration) float64 { return float64(d) / float64(s.messages) }

// measure opens fresh sessions, has each do its part, and reads the processor
// clocks before and after that.
func (ld load) measure(r *relay, target *process, messages int) (s sample, err error) {
	links, err := openAll(ld.links, func(i int) (*link, error) {
		path := ""
		if p := ld.session(i); p.path != nil {
			path = p.path(ld.size, messages)
		}
		return r.open(target.addr, path)
	})
	defer closeAll(links)
	if err != nil {
		return s, err
	}
	if err := ld.warm(links); err != nil {
		return s, err
	}
	mallocs, err := r.mallocs()
	if err != nil {
		return s, err
	}
	before, err := clocks(r, target)
	if err != nil {
		return s, err
	}
	start := time.Now()
	errs := make([]error, len(links))
	var wg sync.WaitGroup
	for i, l := range links {
		wg.Go(func() {
			l.conn.SetDeadline(start.Add(time.Minute))
			errs[i] = ld.session(i).do(l, ld.size, messages)
		})
		s.messages += messages
		if ld.session(i).both {
			s.messages += messages
		}
	}
	wg.Wait()
	s.wall = time.Since(start)
	after, err := clocks(r, target)
	if err != nil {
		return s, err
	}
	s.relay, s.whole = after[0]-before[0], after[1]-before[1]
	allocated, err := r.mallocs()
	s.mallocs = allocated - mallocs
	return s, errors.Join(append(errs, err)...)
}

// warm has the sessions that answer exchange a few messages: what they are
// given with the first is not what a message costs.
func (ld load) warm(links []*link) error {
	for i, l := range links {
		if p := ld.session(i); p.both {
			l.conn.SetDeadline(time.Now().Add(handshakeTimeout))
			if err := p.do(l, ld.size, 4); err != nil {
				return err
			}
		}
	}
	return nil
}

// clocks reads the processor time of the relay, and of everybody.
func clocks(r *relay, target *process) (both [2]time.Duration, err error) {
	relay, err1 := r.cpu()
	far, err2 := target.cpu()
	near, err3 := cpuOf(0) // ourselves
	return [2]time.Duration{relay, relay + far + near}, errors.Join(err1, err2, err3)
}

// openAll opens sessions, a few at a time.
func openAll(n int, open func(i int) (*link, error)) ([]*link, error) {
	links, errs := make([]*link, n), make([]error, n)
	turns := make(chan struct{}, 16)
	var wg sync.WaitGroup
	for i := range n {
		turns <- struct{}{}
		wg.Go(func() {
			links[i], errs[i] = open(i)
			<-turns
		})
	}
	wg.Wait()
	links = slices.DeleteFunc(links, func(l *link) bool { return l == nil })
	return links, errors.Join(errs...)
}

func closeAll(links []*link) {
	for _, l := range links {
		l.conn.Close()
	}
}

// measureCost runs each load of WebSockets through each relay, in turns.
func measureCost(p *plan, target *process) ([]goal, error) {
	return inTurns(p, target, byMessage, "nginx", messageLoads, costGoals)
}

// inTurns runs each load through each relay that can be asked this way, and compares
// them with a peer.
func inTurns(p *plan, target *process, w way, peer string, all []named, judge func(string, *table) []goal) ([]goal, error) {
	var relays []*relay
	defer func() {
		for _, r := range relays {
			r.stop()
		}
	}()
	for _, name := range p.relays {
		if !serves(name, w) {
			continue
		}
		r, err := startRelay(p, w, name, target.addr)
		if err != nil {
			return nil, err
		}
		relays = append(relays, r)
	}
	var goals []goal
	for _, ld := range all {
		if !slices.Contains(p.loads, ld.name) {
			continue
		}
		t := newTable(ld.load, relays, p.slice)
		t.peer = peer
		for round := range p.rounds + 1 {
			for i := range relays {
				r := relays[(i+round)%len(relays)]
				if err := t.turn(r, target, p.slice, round > 0); err != nil {
					return nil, fmt.Errorf("%s, %s: %w", ld.name, r.name, err)
				}
			}
		}
		t.print()
		goals = append(goals, judge(ld.name, t)...)
	}
	return goals, nil
}
