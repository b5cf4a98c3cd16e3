package wsframe

import (
	"crypto/rand"
	"encoding/binary"
	"sync/atomic"

	"github.com/farwire/farwire/internal/netio"
)

// A destination that only blocks is given at most maxChunk at once, so that
// the clock can tell a slow reader from a stalled one; after slow chunks less.
const (
	maxChunk = 32 << 10
	minChunk = 512
)

// send writes to the destination, whatever that takes, and deals with failure;
// now is about what Pipe.now is. No write deadline is set: the clock watches
// f.blocked and sets one in the past when it has seen enough.
func (f *flow) send(b []byte, now int64) bool {
	if f.wait == nil {
		return f.sendInLoop(b, now)
	}
	var err error
	if f.wait.out == nil {
		err = f.writeConn(b)
	} else {
		f.wait.outBuf, f.wait.ioErr = b, nil
		err = f.wait.out.Write(f.wait.outFunc)
		f.wait.outBuf = nil
		if f.blockedAt == 0 {
			f.wroteAt.Store(now)
		} else {
			f.unblock()
		}
		if f.wait.ioErr != nil {
			err = f.wait.ioErr
		}
	}
	if err != nil {
		f.sendFailed(err)
		return false
	}
	return true
}

// writable is called when the destination may have room.
func (f *flow) writable(fd uintptr) bool {
	for len(f.wait.outBuf) > 0 {
		n, err := netio.Write(fd, f.wait.outBuf)
		switch {
		case err == netio.ErrNotReady:
			if f.blockedAt == 0 {
				f.block()
			}
			return false
		case err != nil:
			f.wait.ioErr = err
			return true
		}
		f.wait.outBuf = f.wait.outBuf[n:]
		if f.blockedAt != 0 {
			f.blocked.Store(f.p.now())
		}
	}
	return true
}

// writeConn writes to a connection that may only block, and of which a write
// that timed out halfway may not be repeated: crypto/tls breaks for ever.
func (f *flow) writeConn(b []byte) error {
	slow := int64(f.p.cfg.Stall / 8)
	for len(b) > 0 {
		c := b[:min(len(b), int(f.wait.chunk))]
		f.block()
		_, err := f.dst.Write(c)
		took := f.unblock()
		if err != nil {
			return err
		}
		if took > slow {
			f.wait.chunk = max(f.wait.chunk/4, minChunk)
		} else if took < slow/8 {
			f.wait.chunk = min(f.wait.chunk*2, maxChunk)
		}
		b = b[len(c):]
	}
	return nil
}

// block notes that bytes wait for the destination from now on.
func (f *flow) block() {
	f.blockedAt = f.p.now()
	f.blocked.Store(f.blockedAt)
	if !f.p.clock.watching.Load() {
		f.p.clock.watching.Store(true)
		f.p.watch(f.p.cfg.Stall / stallSamples)
	}
}

// unblock notes that they wait no more, and returns how long they did. That
// time does not count as idle, for the source could not be read meanwhile.
func (f *flow) unblock() (took int64) {
	now := f.p.now()
	took = now - f.blockedAt
	f.blockedAt = 0
	f.dataAt.Add(took)
	f.wroteAt.Store(now)
	f.blocked.Store(0)
	if f.p.clock.paused.Load() && f.p.clock.paused.CompareAndSwap(true, false) {
		f.p.watch(0)
	}
	return took
}

// pinger is what the two owners and the clock know of our ping to the client.
// Its payload is eight random bytes, so that its pong is as long as the
// longest header.
type pinger struct {
	payload atomic.Uint64
	out     atomic.Int32 // pings sent with payload whose pongs have not come
	at      atomic.Int64 // when it was sent; 0: the client has shown itself since
}

func (p *pinger) awaited() bool { return p.out.Load() > 0 }

// seen notes bytes from the client. Any show that it lives: it can not put a
// pong inside a long message that it is sending, and of several pings it need
// answer the last alone (section 5.5.3).
func (p *pinger) seen() {
	if p.at.Load() != 0 {
		p.at.Store(0)
	}
}

// match compares the pong whose complete header b begins with, and as much of
// its payload as b has, with the one that is awaited.
func (p *pinger) match(b []byte) (whole, ours bool) {
	if b[1] != maskBit|8 || !p.awaited() {
		return false, false
	}
	var want [8]byte
	binary.BigEndian.PutUint64(want[:], p.payload.Load())
	got := b[6:min(len(b), maxHeader)]
	for i, c := range got {
		if c^b[2+i&3] != want[i] {
			return false, false
		}
	}
	if len(got) < len(want) {
		return false, true
	}
	p.out.Add(-1)
	return true, true
}

// keepAlive sends a ping to the client, unless it has not been silent after
// all while the order waited.
func (f *flow) keepAlive() {
	now := f.p.now()
	if now-f.wroteAt.Load() < int64(f.p.cfg.KeepAlive) {
		return
	}
	ping := &f.p.ping
	var payload [8]byte
	if ping.awaited() {
		binary.BigEndian.PutUint64(payload[:], ping.payload.Load()) // its pongs are told by one payload
	} else {
		rand.Read(payload[:]) // never fails (crypto/rand)
		ping.payload.Store(binary.BigEndian.Uint64(payload[:]))
	}
	ping.out.Add(1)
	ping.at.Store(now)
	f.send(appendControl(nil, OpPing, payload[:], false), now)
}
