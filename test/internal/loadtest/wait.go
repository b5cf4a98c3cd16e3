package loadtest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
)

// connectAll opens n sessions, some at a time.
func (s *Network) connectAll(ctx context.Context, n int) ([]*client, error) {
	clients, errs := make([]*client, n), make([]error, n)
	each(n, 64, func(i int) { clients[i], errs[i] = s.connect(ctx, i) })
	return clients, errors.Join(errs...)
}

// each runs f for 0 to n-1, so many at a time.
func each(n, atATime int, f func(i int)) {
	var next atomic.Int64
	var workers sync.WaitGroup
	for range atATime {
		workers.Go(func() {
			for i := int(next.Add(1)) - 1; i < n; i = int(next.Add(1)) - 1 {
				f(i)
			}
		})
	}
	workers.Wait()
}

// An Idle is what became of sessions that only waited.
type Idle struct {
	Sessions     int
	Opening      time.Duration // all of them
	Lost         int           // while they waited
	Unresponsive int           // of those left, that carried nothing any more
	Before       Resources
	While        Resources
}

func (r *Idle) String() string {
	return fmt.Sprintf("%d idle sessions, opened in %.1fs: %d lost, %d that carried nothing afterwards\nbefore: %v\nwhile:  %v",
		r.Sessions, r.Opening.Seconds(), r.Lost, r.Unresponsive, r.Before, r.While)
}

// Idle opens n sessions and leaves them alone for a while: but for the
// gateway's pings they say nothing. Then each is tried once more.
func (s *Network) Idle(ctx context.Context, n int, length time.Duration) (*Idle, error) {
	r := &Idle{Sessions: n}
	var err error
	if r.Before, err = s.Measure(ctx); err != nil {
		return r, err
	}
	began := time.Now()
	clients, err := s.connectAll(ctx, n)
	defer closeAll(clients)
	if err != nil {
		return r, err
	}
	r.Opening = time.Since(began)

	// A client answers pings only while it reads.
	waiting, wake := context.WithCancel(ctx)
	defer wake()
	type end struct {
		at  int
		err error
	}
	lost := make(chan end, n)
	heard := make([]chan []byte, n)
	var reading sync.WaitGroup
	defer reading.Wait()
	defer closeAll(clients)
	for i, m := range clients {
		heard[i] = make(chan []byte, 1)
		reading.Go(func() {
			_, message, err := m.ws.Read(context.Background())
			if err != nil {
				lost <- end{i, err}
			}
			heard[i] <- message
		})
	}
	select {
	case <-time.After(length):
	case <-waiting.Done():
		return r, context.Cause(ctx)
	}
	if r.While, err = s.Measure(ctx); err != nil {
		return r, err
	}
	gone := map[int]bool{}
	for range len(lost) {
		e := <-lost
		gone[e.at] = true
		err = e.err
	}
	r.Lost = len(gone)
	var unresponsive atomic.Int64
	each(n, 64, func(i int) {
		if gone[i] {
			return
		}
		ctx, cancel := context.WithTimeout(ctx, stepTimeout)
		defer cancel()
		text := fmt.Sprintf("still here, %d", i)
		if clients[i].ws.Write(ctx, websocket.MessageText, []byte(text)) != nil {
			unresponsive.Add(1)
			return
		}
		select {
		case got := <-heard[i]:
			if string(got) != text {
				unresponsive.Add(1)
			}
		case <-ctx.Done():
			unresponsive.Add(1)
		}
	})
	r.Unresponsive = int(unresponsive.Load())
	if r.Lost+r.Unresponsive > 0 {
		return r, fmt.Errorf("%d sessions were lost, the last because %w, and %d carried nothing", r.Lost, err, r.Unresponsive)
	}
	return r, nil
}

func closeAll(clients []*client) {
	for _, m := range clients {
		if m != nil {
			m.ws.CloseNow()
		}
	}
}

// A Drain is what became of sessions whose gateway was told to stop.
type Drain struct {
	Sessions int
	Took     time.Duration // until the process had ended
	Clients  int           // that got 1001 where a frame ended
	Other    []error       // what the other ones got
	Targets  Counts
}

func (r *Drain) String() string {
	return fmt.Sprintf("%d busy sessions and a gateway that is told to stop: gone after %v\nclients: %d got 1001 where a frame ended, %d did not; targets: %d got 1001, %d something else, %d were cut inside a message",
		r.Sessions, r.Took.Round(time.Millisecond), r.Clients, len(r.Other), r.Targets.Going, r.Targets.Normal+r.Targets.Other, r.Targets.Inside)
}

// Drain opens n sessions that echo without a pause, and asks the gateway to
// end. The network is of no use afterwards but to be closed.
func (s *Network) Drain(ctx context.Context, n int) (*Drain, error) {
	r := &Drain{Sessions: n}
	before, err := s.Target.Counts()
	if err != nil {
		return r, err
	}
	clients, err := s.connectAll(ctx, n)
	defer closeAll(clients)
	if err != nil {
		return r, err
	}
	var mu sync.Mutex
	var talking sync.WaitGroup
	for i, m := range clients {
		talking.Go(func() {
			err := m.talk(ctx, i)
			mu.Lock()
			defer mu.Unlock()
			if websocket.CloseStatus(err) == websocket.StatusGoingAway {
				r.Clients++
			} else {
				r.Other = append(r.Other, fmt.Errorf("session %d: %w", i, err))
			}
		})
	}
	select { // all are in the midst of it
	case <-time.After(time.Second):
	case <-ctx.Done():
	}
	began := time.Now()
	ended := s.gateway.Stop()
	r.Took = time.Since(began)
	talking.Wait()
	all := func(t Counts) bool {
		return t.Going+t.Normal+t.Other+t.Inside-before.Going-before.Normal-before.Other-before.Inside == n
	}
	t, err := settled(ctx, s.Target, all)
	r.Targets = Counts{Normal: t.Normal - before.Normal, Going: t.Going - before.Going, Other: t.Other - before.Other, Inside: t.Inside - before.Inside}
	switch {
	case err != nil || ended != nil:
		return r, errors.Join(err, ended)
	case len(r.Other) > 0:
		return r, fmt.Errorf("%d clients did not get 1001: %w", len(r.Other), r.Other[0])
	case r.Targets.Going != n:
		return r, fmt.Errorf("of %d targets %d got 1001", n, r.Targets.Going)
	}
	return r, nil
}

// talk echoes messages of many sizes until the session ends, and returns why.
// It writes and reads by turns: what is under way when the gateway drains is
// lost with the session, whole frames at a time.
func (m *client) talk(ctx context.Context, seed int) error {
	text := make([]byte, 8<<10)
	for i := range text {
		text[i] = byte('a' + (i+seed)%26)
	}
	for turn := seed; ; turn++ {
		ctx, cancel := context.WithTimeout(ctx, stepTimeout)
		size := turn * 7919 % len(text)
		sent := m.ws.Write(ctx, websocket.MessageText, text[:size])
		_, got, err := m.ws.Read(ctx)
		cancel()
		switch {
		case err != nil:
			return err // a close frame that has come counts, though it kept us from writing
		case sent != nil:
			return sent
		case string(got) != string(text[:size]):
			return fmt.Errorf("%d bytes came back damaged, as %d", size, len(got))
		}
		select {
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
		}
	}
}
