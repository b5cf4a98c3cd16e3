package agent

import (
	"sync"
	"sync/atomic"

	"github.com/libp2p/go-yamux/v5"
)

// What the links of an agent may hold
//
// A gateway says what an agent dials. It must not be able to end the agent for others, so
// three things are bounded, for all links of an agent together:
//
//	streams that have not said yet what they want     further ones are reset
//	dials and look-ups under way                      further ones are refused: overloaded
//	bytes that have come and were not passed on yet,  the stream that holds the most is reset,
//	frames included (see unread_bytes.go)             of the link that holds the most
//
// Of the first two each link has its share however many the others have, so that one gateway
// does not use up what another needs; while there is room it may have more. Sessions that
// are open are RunOptions.MaxSessions's business.
type inflowLimits struct {
	silent, opening int
	bytes           int64
}

var usualInflow = inflowLimits{silent: 8 << 10, opening: 8 << 10, bytes: peerTimes * tunnelLimit}

// acceptBacklog is how many streams may wait for being accepted. The multiplexer resets
// what comes beyond it, and nothing tells of that; so a link reads no more while its
// streams are about as many.
const acceptBacklog = 4096

// readStreams is more than one read of the multiplexer brings, which begins with at least 12
// bytes and ends with at most 4096.
const readStreams = 512

// inflows are what the links of one agent hold. They are safe for concurrent use.
type inflows struct {
	most inflowLimits
	held atomic.Int64 // what all accounts add up to

	silent, opening atomic.Int64 // of all links

	mu    sync.Mutex
	links map[*linkInflow]struct{}
}

// A linkInflow is what one link holds.
type linkInflow struct {
	all   *inflows
	start func(func()) // a goroutine that is waited for
	held  atomic.Int64

	mu      sync.Mutex
	changed sync.Cond // pending or leaving has become smaller, or the link is closed
	streams map[uint32]*inflow
	pending int // streams that the multiplexer may not have handed out
	silent  int // streams whose request has not come
	opening int // dials and look-ups
	leaving int // streams whose reset waits to leave; until then the multiplexer keeps them
	closed  bool
}

// An inflow is what the gateway has sent on one stream and what was not read yet.
type inflow struct {
	mu      sync.Mutex // held while bytes are read, which a deadline must not interrupt
	account account
	ended   atomic.Bool // reading does not wait any more

	session atomic.Pointer[session]

	// Guarded by the linkInflow's mu.
	stream *yamux.Stream // nil: nobody has it yet
	said   bool          // its request has come, or it is refused
}

// overflow ends a stream of which too much waits to be passed on.
func (in *inflow) overflow(stream *yamux.Stream) {
	if s := in.session.Load(); s != nil {
		s.cut()
	}
	stream.Reset()
}

// join adds a link; start runs a goroutine that is waited for.
func (a *inflows) join(start func(func())) *linkInflow {
	l := &linkInflow{all: a, start: start, streams: map[uint32]*inflow{}}
	l.changed.L = &l.mu
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.links == nil {
		a.links = map[*linkInflow]struct{}{}
	}
	a.links[l] = struct{}{}
	return l
}

// leave takes a link out that has ended, with all that it held.
func (a *inflows) leave(l *linkInflow) {
	a.mu.Lock()
	delete(a.links, l)
	a.mu.Unlock()
	l.close()
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, in := range l.streams {
		l.count(in.account.close())
		l.heard(in)
	}
}

// close is called when the link's connection is closed. Nothing is waited for any more.
func (l *linkInflow) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	l.changed.Broadcast()
}

// room reports whether there is room for one more of a link that has so many, and all links
// together.
func (a *inflows) room(most, have int, all int64) bool {
	if all < int64(most) {
		return true
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	return have < most/max(len(a.links), 1)
}

// relieve resets streams until all links together hold no more than they may.
func (a *inflows) relieve() {
	for a.held.Load() > a.most.bytes {
		a.mu.Lock()
		var worst *linkInflow
		for l := range a.links {
			if worst == nil || l.held.Load() > worst.held.Load() {
				worst = l
			}
		}
		a.mu.Unlock()
		if worst == nil || !worst.resetLargest() {
			return
		}
	}
}

func (l *linkInflow) count(change int) {
	l.held.Add(int64(change))
	l.all.held.Add(int64(change))
}

// resetLargest resets the stream that holds the most; false: none holds anything.
func (l *linkInflow) resetLargest() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	var worst *inflow
	most := 0
	for _, in := range l.streams {
		if cost := in.account.holds(); cost > most && in.stream != nil {
			worst, most = in, cost
		}
	}
	if worst == nil {
		return false
	}
	l.count(worst.account.close())
	stream := worst.stream
	l.leaving++
	l.start(func() { // it may wait for the multiplexer, which waits for this
		worst.overflow(stream)
		l.mu.Lock()
		defer l.mu.Unlock()
		l.leaving--
		l.changed.Broadcast()
	})
	return true
}

// waitForRoom waits until the multiplexer can keep the streams of another read. It also waits
// while too much is held that may be of streams which nobody has yet and so nobody can reset,
// and while the gateway does not take the resets of others.
func (l *linkInflow) waitForRoom() {
	l.mu.Lock()
	defer l.mu.Unlock()
	full := func() bool { return l.pending > 0 && l.all.held.Load() > l.all.most.bytes }
	for !l.closed && (l.pending > acceptBacklog-readStreams || l.leaving > 0 || full()) {
		l.changed.Wait()
	}
}

// opened counts a stream that the gateway begins.
func (l *linkInflow) opened(stream uint32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.pending++
	if l.streams[stream] == nil && !l.closed { // the multiplexer ends a link that begins one twice
		l.streams[stream] = new(inflow)
		l.silent++
		l.all.silent.Add(1)
	}
}

// accept takes a stream over from the multiplexer; false: it is one too many and is reset.
func (l *linkInflow) accept(stream *yamux.Stream) (*inflow, bool) {
	l.mu.Lock()
	l.pending--
	l.changed.Broadcast()
	in := l.streams[stream.StreamID()]
	ok := in != nil && l.all.room(l.all.most.silent, l.silent-1, l.all.silent.Load()-1)
	if ok {
		in.stream = stream
	}
	l.mu.Unlock()
	if !ok {
		l.forget(stream.StreamID())
		stream.Reset()
	}
	l.all.relieve() // it may be the one that holds the most
	return in, ok
}

// noteRequest notes that a stream has said what it wants, in so many bytes.
func (l *linkInflow) noteRequest(in *inflow, length int) {
	l.mu.Lock()
	l.heard(in)
	l.mu.Unlock()
	l.take(in, length)
}

// heard counts a stream out of those that have not said what they want; mu is held.
func (l *linkInflow) heard(in *inflow) {
	if !in.said {
		in.said = true
		l.silent--
		l.all.silent.Add(-1)
	}
}

// take counts bytes out that were passed on.
func (l *linkInflow) take(in *inflow, n int) { l.count(in.account.take(n)) }

// underWay makes a dial or a look-up, unless too many are under way.
func underWay[T any](l *linkInflow, open func() (T, error)) (none T, err error) {
	l.mu.Lock()
	full := !l.all.room(l.all.most.opening, l.opening, l.all.opening.Load())
	if !full {
		l.opening++
		l.all.opening.Add(1)
	}
	l.mu.Unlock()
	if full {
		return none, &DialError{FaultAgent, causeOverloaded}
	}
	defer func() {
		l.mu.Lock()
		l.opening--
		l.all.opening.Add(-1)
		l.mu.Unlock()
	}()
	return open()
}

// forget takes a stream out that has ended.
func (l *linkInflow) forget(stream uint32) {
	l.mu.Lock()
	defer l.mu.Unlock()
	in := l.streams[stream]
	if in == nil {
		return
	}
	l.heard(in)
	delete(l.streams, stream)
	l.count(in.account.close())
}

// ended notes that the gateway has ended a stream, also one whose session is still to come:
// who waits for it then must not pause.
func (l *linkInflow) ended(stream uint32) *session {
	l.mu.Lock()
	defer l.mu.Unlock()
	in := l.streams[stream]
	if in == nil {
		return nil
	}
	in.ended.Store(true)
	return in.session.Load()
}

// arrived counts a frame. Of a stream that has ended there is no session.
func (l *linkInflow) arrived(stream uint32, length int) (s *session) {
	l.mu.Lock()
	if in := l.streams[stream]; in != nil {
		l.count(in.account.add(length))
		s = in.session.Load()
	}
	l.mu.Unlock()
	l.all.relieve()
	return s
}
