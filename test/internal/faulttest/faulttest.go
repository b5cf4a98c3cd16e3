// Package faulttest has sessions cross a network of real farwire processes that are
// killed on the way, and holds every byte on both sides against what it must
// be. The end-to-end tests use it for seconds and the soak for hours.
package faulttest

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/farwire/farwire/internal/harness"
)

// Options say how long and how hard.
type Options struct {
	Program   string        // path of farwire
	Agents    int           // processes
	Sessions  int           // at a time
	For       time.Duration // until the sessions that are left are closed
	KillEvery time.Duration // one agent after the other; it is started again at once
	Rate      int           // bytes per second that all sides together send, roughly

	// Limit is how long after the crash of its agent a session may end.
	Limit time.Duration

	Logf func(format string, args ...any) // tells of the progress; nil: nobody
}

// A Result is what has happened.
type Result struct {
	Sessions  int // opened
	Kills     int
	Survivors int           // those that outlived the kill of another agent, whatever became of them later
	Finished  int           // sessions that ended by their own close frames, complete on both sides
	Closed    int           // sessions whose agent was killed: those that got 1013, between two frames
	Cut       int           // and those whose connection was cut inside a frame
	Slowest   time.Duration // from a kill to the end of a session
	Frames    uint64        // received and found right, on both sides
	Bytes     int64         // their payload
	Wrong     []string      // what must not have happened; empty is what everybody hopes for
}

func (r *Result) String() string {
	return fmt.Sprintf("%d sessions, %d agents killed; %d sessions outlived the kill of another agent; "+
		"%d were closed complete, %d got 1013 and %d were cut inside a frame, the last %v after the kill; %d frames, %.1f GB; %d things wrong",
		r.Sessions, r.Kills, r.Survivors, r.Finished, r.Closed, r.Cut, r.Slowest.Round(time.Millisecond),
		r.Frames, float64(r.Bytes)/1e9, len(r.Wrong))
}

// Run starts a gateway, its agents, a target and the sessions, kills agents,
// and ends all of it. An error says that it could not be done; what was found
// is in the result.
func Run(ctx context.Context, o Options) (*Result, error) {
	if o.Logf == nil {
		o.Logf = func(string, ...any) {}
	}
	// A frame waits for half a gap, and every other one for another half inside.
	f := newNetwork(o)
	f.where, f.judge = func() string { return f.gateway }, f.check
	return &f.result, f.run(ctx)
}

const meanFrame = 20e3 // bytes, about

func newNetwork(o Options) *network {
	f := &network{Options: o, targets: map[uint64]*endpoint{}, open: map[*session]struct{}{}, kills: map[string][]time.Time{}}
	f.gap = time.Duration(float64(2*o.Sessions) * meanFrame / float64(o.Rate) / 0.75 * float64(time.Second))
	return f
}

// A network is one run: the gateway, the agents, the target and the sessions.
type network struct {
	Options
	gap     time.Duration
	gateway string
	target  string

	where func() string  // the gateway of the next session
	judge func(*session) // of a session that has ended
	retry time.Duration  // for so long a session that is not opened is tried for again

	mu      sync.Mutex
	result  Result
	targets map[uint64]*endpoint
	open    map[*session]struct{}
	kills   map[string][]time.Time // by node
	number  uint64
	stopped bool
}

func (f *network) run(ctx context.Context) (err error) {
	dir, err := os.MkdirTemp("", "farwire-faults-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	gateway, addr, err := harness.LaunchGateway(ctx, f.Program, dir, "127.0.0.1:0")
	if err != nil {
		return err
	}
	defer func() {
		err = errors.Join(err, gateway.Stop(), gateway.Crashed())
		f.addLog(gateway.Log())
	}()
	f.gateway = addr
	agents := make([]*harness.Process, f.Agents)
	defer func() {
		for _, a := range agents {
			if a != nil {
				err = errors.Join(err, a.Stop(), a.Crashed())
			}
		}
	}()
	for i := range agents {
		if agents[i], err = harness.LaunchAgent(f.Program, addr, slug(i), "--allow-private"); err != nil {
			return err
		}
		if err = harness.AwaitAttached(ctx, agents[i]); err != nil {
			return err
		}
	}

	return f.cross(ctx, func() error { return f.killAgents(ctx, agents) })
}

// cross has sessions cross the network while something is done to it.
func (f *network) cross(ctx context.Context, do func() error) error {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	f.target = ln.Addr().String()
	var serving sync.WaitGroup
	serving.Go(func() { f.serve(ln) })
	defer serving.Wait()
	defer ln.Close()

	var slots sync.WaitGroup
	gate := make(chan struct{}, 32) // sessions that are being opened at a time
	for range f.Sessions {
		slots.Go(func() {
			for f.session(ctx, gate) {
			}
		})
	}
	defer slots.Wait()
	defer f.stop()
	return do()
}

// addLog adds to what went wrong how the gateway saw it: its lines of sessions
// that ended as none should.
func (f *network) addLog(log string) {
	if len(f.result.Wrong) == 0 {
		return
	}
	for line := range strings.Lines(log) {
		if strings.Contains(line, "kind=relay") && !strings.Contains(line, "code=1000") && !strings.Contains(line, "ended_by=agent") ||
			strings.Contains(line, "level=ERROR") || strings.Contains(line, "level=WARN") {
			f.result.Wrong = append(f.result.Wrong, "the gateway says: "+line)
		}
	}
}

func slug(i int) string { return fmt.Sprintf("agent%d", i+1) }

// serve is the target.
func (f *network) serve(ln net.Listener) {
	var endpoints sync.WaitGroup
	defer endpoints.Wait()
	for n := 0; ; n++ {
		conn, err := ln.Accept()
		if err != nil {
			return // closed
		}
		endpoints.Go(func() {
			p, id, answer, err := accept(conn, f.gap)
			if err != nil {
				conn.Close() // whoever dialled was killed, or the client reports it
				return
			}
			p.arrival = n
			f.mu.Lock()
			// An agent that died may have reached the target for the same session, and
			// its connection may be served later than the next agent's.
			if before := f.targets[id]; before == nil || before.arrival < n {
				f.targets[id] = p
			}
			f.mu.Unlock()
			conn.Write(answer) // run notices when it cannot be sent
			p.run()
		})
	}
}

// session opens a session, sees it to its end and judges it. It returns false
// when there is to be no further one.
func (f *network) session(ctx context.Context, gate chan struct{}) bool {
	s := &session{done: make(chan struct{})}
	gate <- struct{}{}
	if f.over(ctx) {
		<-gate
		return false
	}
	var err error
	for end := time.Now().Add(f.retry); ; time.Sleep(100 * time.Millisecond) {
		f.mu.Lock()
		f.number++
		s.id = f.number
		f.mu.Unlock()
		s.gateway, s.asked = f.where(), time.Now()
		s.client, s.node, err = dial(ctx, s.gateway, f.target, s.id, f.gap)
		if err == nil || time.Now().After(end) || ctx.Err() != nil {
			break
		}
	}
	s.began = time.Now()
	<-gate
	if err != nil {
		f.wrong("session %d could not be opened: %v", s.id, err)
		return f.rest(ctx)
	}
	f.mu.Lock()
	s.target = f.targets[s.id]
	f.result.Sessions++
	f.open[s] = struct{}{}
	stopped := f.stopped
	f.mu.Unlock()
	if stopped {
		go s.client.sendClose(1000)
	}
	s.client.run()
	select {
	case <-s.target.done:
	case <-time.After(f.Limit):
		f.wrong("session %d has ended at its client, by %v, and not at its target", s.id, s.client.err)
		s.target.conn.Close()
		<-s.target.done
	}
	close(s.done)
	f.mu.Lock()
	delete(f.open, s)
	delete(f.targets, s.id)
	f.mu.Unlock()
	f.judge(s)
	return !f.over(ctx)
}

// rest waits a moment after a failure and returns whether to go on.
func (f *network) rest(ctx context.Context) bool {
	select {
	case <-time.After(time.Second):
	case <-ctx.Done():
	}
	return !f.over(ctx)
}

func (f *network) over(ctx context.Context) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.stopped || ctx.Err() != nil
}

// stop has every client close its session.
func (f *network) stop() {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.stopped = true
	for s := range f.open {
		go s.client.sendClose(1000)
	}
}

func (f *network) wrong(format string, args ...any) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.result.Wrong = append(f.result.Wrong, fmt.Sprintf(format, args...))
}

// killAgents kills one agent after the other and starts it again, until the time
// is over.
func (f *network) killAgents(ctx context.Context, agents []*harness.Process) error {
	end := time.After(f.For)
	tick := time.NewTicker(f.KillEvery)
	defer tick.Stop()
	for i := 0; ; i = (i + 1) % len(agents) {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-end:
			return nil
		case <-tick.C:
		}
		node := "farwire-" + slug(i)
		f.mu.Lock()
		var hit []*session
		for s := range f.open {
			if s.node == node {
				hit = append(hit, s)
			}
		}
		f.kills[node] = append(f.kills[node], time.Now())
		f.result.Kills++
		f.mu.Unlock()
		agents[i].Kill()
		f.await(node, hit)
		err := agents[i].Crashed()
		agents[i] = nil
		if err != nil {
			return err
		}
		if agents[i], err = harness.LaunchAgent(f.Program, f.gateway, slug(i), "--allow-private"); err != nil {
			return err
		}
		if err := harness.AwaitAttached(ctx, agents[i]); err != nil {
			return err
		}
		f.mu.Lock()
		f.Logf("%s killed with %d sessions: %v", node, len(hit), &f.result)
		f.mu.Unlock()
	}
}

// await waits for the end of the sessions of an agent that was killed.
func (f *network) await(node string, hit []*session) {
	late := time.After(f.Limit)
	for i, s := range hit {
		select {
		case <-s.done:
		case <-late:
			f.wrong("%v after the kill of %s %d sessions have not ended", f.Limit, node, len(hit)-i)
			return
		}
	}
}
