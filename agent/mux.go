package agent

import (
	"errors"
	"io"
	"net"
	"sync"
	"time"

	"github.com/libp2p/go-yamux/v5"
)

// How both ends of a tunnel set the multiplexer up.
//
// A stream's window begins at the 256 KiB of the protocol and grows by itself
// towards maxWindow when the round trip asks for it. What the windows of one
// tunnel may add up to is bounded by a budget, because all of it is memory
// here once readers stall.

const (
	maxWindow   = 8 << 20
	tunnelLimit = 64 << 20

	// Of that, windows may grow by so much together. The rest is for the first
	// 256 KiB of streams, which no one can refuse.
	growthLimit = 32 << 20

	// growthFloor may be spent on growing even when the first 256 KiB of many
	// idle streams have used tunnelLimit up already, so that a busy tunnel
	// still serves a distant target at speed.
	growthFloor = 16 << 20

	// peerTimes is how much more the tunnel of another gateway may hold, which
	// carries the sessions of many agents.
	peerTimes = 4
)

const (
	// pingEvery keeps a link open through what stands in between.
	pingEvery = 15 * time.Second
	// lostAfter bounds the waits of the multiplexer: for a ping's answer, and for
	// a frame to leave. With pingEvery a dead link is found in 25 s.
	lostAfter = 10 * time.Second
)

func muxConfig(maxIncoming uint32) *yamux.Config {
	c := yamux.DefaultConfig()
	c.AcceptBacklog = acceptBacklog
	c.KeepAliveInterval = pingEvery
	c.MeasureRTTInterval = pingEvery
	c.ConnectionWriteTimeout = lostAfter
	c.MaxIncomingStreams = maxIncoming
	c.MaxStreamWindowSize = maxWindow
	c.LogOutput = io.Discard // what it would say comes back as errors
	c.WriteCoalesceDelay = 0
	return c
}

// gatewayMux runs the gateway's end: it opens the streams, but for the one
// that carries control.
func gatewayMux(c net.Conn, times int) (*yamux.Session, error) {
	w := newFrameWriter(c)
	mux, err := yamux.Client(newWindowUpdateConn(w), muxConfig(1), (&budget{times: times}).span)
	if err != nil {
		w.Close()
	}
	return mux, err
}

// agentMux runs the agent's end.
func agentMux(c net.Conn, times int) (*yamux.Session, error) {
	w := newFrameWriter(c)
	mux, err := yamux.Server(newWindowUpdateConn(w), muxConfig(1<<20), (&budget{times: times}).span)
	if err != nil {
		w.Close()
	}
	return mux, err
}

// A budget bounds the receive windows of one tunnel.
type budget struct {
	times int // as much as the tunnel of an agent; 0: 1

	mu          sync.Mutex
	used, grown int
}

var errNoBudget = errors.New("no memory left for a larger window")

func (b *budget) span() (yamux.MemoryManager, error) { return &span{budget: b}, nil }

// A span is one stream's part of the budget.
type span struct {
	budget      *budget
	used, grown int
}

// ReserveMemory grants every stream the window that it begins with, since the
// multiplexer ends the whole tunnel otherwise, and growth as far as it goes.
func (s *span) ReserveMemory(size int, prio uint8) error {
	b := s.budget
	b.mu.Lock()
	defer b.mu.Unlock()
	if prio < 255 {
		times := max(b.times, 1)
		if grown := b.grown + size; grown > times*growthLimit || b.used+size > times*tunnelLimit && grown > times*growthFloor {
			return errNoBudget
		}
		b.grown += size
		s.grown += size
	}
	b.used += size
	s.used += size
	return nil
}

func (s *span) ReleaseMemory(size int) {
	s.budget.mu.Lock()
	defer s.budget.mu.Unlock()
	s.budget.used -= size
	s.used -= size
}

func (s *span) Done() {
	s.budget.mu.Lock()
	defer s.budget.mu.Unlock()
	s.budget.used -= s.used
	s.budget.grown -= s.grown
	s.used, s.grown = 0, 0
}
