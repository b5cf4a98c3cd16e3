package agent

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"time"
)

// GuardCheck judges an address as an exit with these options would.
func GuardCheck(o DirectOptions, host string, ap netip.AddrPort) error {
	return newDialer(o).guard().check(host, ap)
}

// GuardCheckHost judges the spelling of a host.
func GuardCheckHost(host string) error { return checkHost(host) }

// DialWhile dials an address as an exit with these options would, up to what the guard says at
// the socket, and has something happen when the address has been chosen.
func DialWhile(o DirectOptions, ap netip.AddrPort, meanwhile func()) error {
	d := newDialer(o)
	d.open = func(ctx context.Context, nd *net.Dialer, addr string) (net.Conn, error) {
		meanwhile()
		if err := nd.ControlContext(ctx, "tcp", addr, nil); err != nil {
			return nil, err
		}
		near, far := net.Pipe()
		return near, far.Close()
	}
	c, err := d.dial(context.Background(), "tcp", ap.String())
	if err == nil {
		c.Close()
	}
	return err
}

// AttachConn serves an agent that has been let in over a connection, until its
// link ends.
func (p *Pool) AttachConn(nc net.Conn) error {
	if err := p.enter(); err != "" {
		return &refusedError{reason: err}
	}
	defer p.leave()
	return p.attach(nc, identity{}, netip.Addr{})
}

// AttachRecorded is AttachConn for the agent of a record.
func (p *Pool) AttachRecorded(nc net.Conn, slug string) error {
	if err := p.enter(); err != "" {
		return &refusedError{reason: err}
	}
	defer p.leave()
	for sum, r := range p.records {
		if r.Slug == slug {
			return p.attach(nc, identity{record: r, sum: sum}, netip.Addr{})
		}
	}
	return errNoLink
}

// JoinTwice is how an agent says hello to a gateway again that has told it of
// its replacement.
func JoinTwice(ctx context.Context, o RunOptions, first, second net.Conn) error {
	r, err := newRunner(o)
	if err != nil {
		return err
	}
	l := &connector{runner: r, gateway: &gateway{url: &url.URL{}}}
	l.wait(ctx, l.join(ctx, first), newConnectorWaits())
	err = l.join(ctx, second)
	r.cutAll()
	r.work.Wait()
	return err
}

// Fail counts a failure of an exit.
func (p *Pool) Fail(exit, host string) { p.health.fail(exit, host, 0) }

// StateFor is how an exit fares with a host.
func (p *Pool) StateFor(exit, host string) State { return p.health.state(exit, host) }

// HealthRecords is how many failures are remembered.
func (p *Pool) HealthRecords() int {
	p.health.mu.Lock()
	defer p.health.mu.Unlock()
	return len(p.health.records)
}

// WaitAfter is the pause of an agent whose gateway cannot be reached.
func WaitAfter(ctx context.Context, failures int) {
	l := &connector{runner: &runner{log: slog.New(slog.DiscardHandler)}, gateway: &gateway{url: &url.URL{}}}
	waits := newConnectorWaits()
	for range failures {
		waits.lost.NextBackOff()
	}
	l.wait(ctx, errLinkLost, waits)
}

// RefusedWaits has an agent wait as one does that is refused for these reasons,
// one after another, and tells how long each wait was.
func RefusedWaits(ctx context.Context, log *slog.Logger, reasons []string) (waits []time.Duration) {
	l := &connector{runner: &runner{log: log}, gateway: &gateway{url: &url.URL{Host: "gw.example"}}}
	backoffs := newConnectorWaits()
	for _, reason := range reasons {
		began := time.Now()
		l.wait(ctx, &refusedError{"identity", reason}, backoffs)
		waits = append(waits, time.Since(began))
	}
	return waits
}

// Windows reserves windows for streams that grow as far as they may, all after
// they have begun or each at once, and returns what they add up to.
func Windows(streams int, together bool) int {
	b := new(budget)
	grow := func(s *span) {
		for size := 256 << 10; size < maxWindow && s.ReserveMemory(size, 128) == nil; size *= 2 {
		}
	}
	var spans []*span
	for range streams {
		s := &span{budget: b}
		s.ReserveMemory(256<<10, 255)
		if !together {
			grow(s)
		}
		spans = append(spans, s)
	}
	if together {
		for _, s := range spans {
			grow(s)
		}
	}
	used := b.used
	for _, s := range spans {
		s.Done()
		s.Done() // as the multiplexer does at times
	}
	if b.used != 0 || b.grown != 0 {
		panic("the budget does not come back")
	}
	return used
}

// MessageKinds are the messages of the protocol and their limits.
var MessageKinds = map[string]int{
	"hello": maxHello, "welcome": maxWelcome, "request": maxRequest, "answer": maxAnswer, "control": maxControl,
}

// ReadBack reads a message of a kind, and reports whether writing and reading
// it gives the same again.
func ReadBack(kind string, r io.Reader) (same bool, err error) {
	var a, b any
	switch kind {
	case "hello":
		a, b = new(hello), new(hello)
	case "welcome":
		a, b = new(welcome), new(welcome)
	case "request":
		a, b = new(request), new(request)
	case "answer":
		a, b = new(answer), new(answer)
	case "control":
		a, b = new(control), new(control)
	}
	if err := readMessage(r, a, MessageKinds[kind]); err != nil {
		return false, err
	}
	var buf bytes.Buffer
	// What JSON escapes may be longer than it came.
	if err := writeMessage(&buf, a, 1<<16-1); err != nil {
		return errors.Is(err, errTooLong), nil
	}
	if err := readMessage(&buf, b, 1<<16-1); err != nil {
		return false, nil
	}
	first, _ := json.Marshal(a)
	second, _ := json.Marshal(b)
	return bytes.Equal(first, second), nil
}

// ErrOverloaded is what an agent with all its sessions answers.
const ErrOverloaded = causeOverloaded

// Held is what the books say that unread bytes cost, for all agents.
func (p *Pool) Held() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for _, e := range p.entries {
		for _, l := range e.links {
			n += int(l.held.Load())
		}
	}
	return n
}

// An Account is one stream's.
type Account struct{ account }

func (a *Account) Add(n int) int  { return a.add(n) }
func (a *Account) Take(n int) int { return a.take(n) }
func (a *Account) Close() int     { return a.close() }

// FrameCost is what a frame is said to cost beside its bytes.
const FrameCost = frameCost

// Streams is how many streams the multiplexers know, those of control among
// them.
func (p *Pool) Streams() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := 0
	for _, e := range p.entries {
		for _, l := range e.links {
			n += l.mux.NumStreams()
		}
	}
	return n
}

// HelloAfter is the length of the hello of an agent that is linked to gateways
// of these ids, and how many of them it names.
func HelloAfter(ids []string) (length, named int, err error) {
	r := &runner{links: map[string]*agentLink{}}
	for _, id := range ids {
		r.links[id] = nil
	}
	var buf bytes.Buffer
	links := r.linkedTo()
	err = writeMessage(&buf, hello{Links: links}, maxHello)
	return buf.Len(), len(links), err
}

// WireLimits are the limits of the protocol, as its page has them.
var WireLimits = map[string]string{
	"hello":           fmt.Sprintf("%d KiB", maxHello>>10),
	"welcome":         fmt.Sprintf("%d KiB", maxWelcome>>10),
	"request":         fmt.Sprintf("%d KiB", maxRequest>>10),
	"answer":          fmt.Sprintf("%d KiB", maxAnswer>>10),
	"control message": fmt.Sprintf("%d KiB", maxControl>>10),
	"until the link stands, and until the request at the head of a stream": fmt.Sprintf("%d s", handshakeTimeout/time.Second),
	"for the other to close the link after leave":                          fmt.Sprintf("%d s", leaveTimeout/time.Second),
}

// WireMessages are the messages of the protocol.
var WireMessages = []struct {
	Name  string
	Value any
}{
	{"hello", hello{}}, {"welcome", welcome{}}, {"request", request{}},
	{"policy", Rules{}}, {"answer", answer{}}, {"control", control{}},
}

// ErrNoNetworkCause is an agent's that has no route to a target.
const ErrNoNetworkCause = causeNoNetwork

// SetInterfaceAddrs replaces what the machine's interfaces say, until the function
// that it returns is called.
func SetInterfaceAddrs(addrs []net.Addr, failed error) (restore func()) {
	return SetInterfaces(func() ([]net.Addr, error) { return addrs, failed })
}

// SetInterfaces is SetInterfaceAddrs for a machine that changes.
func SetInterfaces(now func() ([]net.Addr, error)) (restore func()) {
	machine.mu.Lock()
	defer machine.mu.Unlock()
	list := machine.list
	machine.list, machine.known, machine.failed = now, nil, nil
	return func() {
		machine.mu.Lock()
		defer machine.mu.Unlock()
		machine.list, machine.known, machine.failed = list, nil, nil
	}
}

// SetPeerIdle sets how long a connection to another gateway is kept without a stream.
func (p *Pool) SetPeerIdle(d time.Duration) { p.cluster.idle = d }

// PeerLinks are the links that other gateways have to this one.
func (p *Pool) PeerLinks() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.carried)
}

// CutPeers ends the connections of other gateways as a crash does.
func (p *Pool) CutPeers() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, l := range p.carried {
		l.mux.Close()
	}
}

// PeerAddress is why a gateway does not connect to an address of another one.
var PeerAddress = peerAddress

// DialPeer connects to a gateway as for a hop.
func DialPeer(ctx context.Context, gateway string) error {
	u, err := parseGateway(gateway)
	if err != nil {
		return err
	}
	nc, _, err := dialPeer(ctx, u)
	if err != nil {
		return err
	}
	return nc.Close()
}

// ReplayPeer sends a caller's headers again, and fails when no link comes of it.
func (p *Pool) ReplayPeer(ctx context.Context, h http.Header) error {
	u, err := parseGateway(p.cluster.url())
	if err != nil {
		return err
	}
	nc, _, err := dialPeer(ctx, u)
	if err != nil {
		return err
	}
	defer nc.Close()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, u.String(), nil)
	if err != nil {
		return err
	}
	req.Header = h
	if err := req.Write(nc); err != nil {
		return err
	}
	br := bufio.NewReader(nc)
	resp, err := http.ReadResponse(br, req)
	if err != nil {
		return err
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusSwitchingProtocols {
		return errors.New(resp.Status)
	}
	if err := writeMessage(nc, peerProof{h.Get(proofHeader)}, maxControl); err != nil {
		return err
	}
	_, err = br.ReadByte() // the control stream, of one that was let in
	return err
}

// Asked is how many agents were asked to move.
func (p *Pool) Asked() (n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, e := range p.entries {
		for _, l := range e.links {
			if !l.moved.IsZero() {
				n++
			}
		}
	}
	return n
}

// WriteFrames returns the connection that a multiplexer writes its frames to.
func WriteFrames(c net.Conn) net.Conn { return newFrameWriter(c) }

// DeadlineWaits reports whether a deadline of a connection through a tunnel has a timer
// that runs, and stops it.
func DeadlineWaits(c net.Conn) (waits bool) {
	for _, d := range []*deadline{&c.(*conn).readUntil, &c.(*conn).sendUntil} {
		d.mu.Lock()
		waits = d.timer != nil && d.timer.Stop() || waits
		d.mu.Unlock()
	}
	return waits
}

// AnswerPeer answers another gateway's question.
func (p *Pool) AnswerPeer(ctx context.Context, question []byte) ([]byte, error) {
	return (&peerServer{cluster: p.cluster}).call(ctx, question)
}
