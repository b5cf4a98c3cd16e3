package netio_test

import (
	"io"
	"net"
	"os"
	"testing"
	"time"

	"github.com/farwire/farwire/internal/netio"
)

// A keeper keeps a loop running, and counts its slots.
type keeper struct {
	conn  *netio.LoopConn
	slots chan int
	end   chan struct{}
}

func (k *keeper) Ready(*netio.LoopConn, bool, bool) {}

func (k *keeper) Called() {
	select {
	case <-k.end:
		k.conn.Close()
	default:
	}
	k.slots <- k.conn.Slots()
}

// A loop that never ends has no more slots than it had sockets at once, and what is in a slot
// now hears nothing of what was in it before.
func TestLoop_SocketsComeAndGo_SlotsAreUsedAgain(t *testing.T) {
	var l netio.Loop
	_, near, _ := ends(t)
	k, joined := &keeper{slots: make(chan int), end: make(chan struct{})}, make([]netio.LoopConn, 1)
	if !l.Join(k, joined, near) {
		t.Fatal("a socket cannot join")
	}
	k.conn = &joined[0]
	const sockets = 30
	for i := range sockets {
		_, near, far := ends(t)
		e := newEcho(t, &l, near)
		e.conn.Call()
		b := []byte{byte(i)}
		if _, err := far.Write(b); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(far, b); err != nil || b[0] != byte(i) {
			t.Fatalf("%d comes back, %v", b, err)
		}
		far.Close()
		if err := <-e.ended; err != io.EOF {
			t.Error(err)
		}
		if err := e.conn.Close(); err != net.ErrClosed { // the loop does not have it any more
			t.Errorf("closed again: %v", err)
		}
	}
	k.conn.Call()
	if slots := <-k.slots; slots > 2 {
		t.Errorf("%d slots after %d sockets, of which two were open at once", slots, sockets)
	}
	close(k.end)
	k.conn.Call()
	<-k.slots
}

// Loops and pauses that end, and connections that cannot join, leave no descriptor behind.
func TestLoop_StartedOften_LeavesNoDescriptor(t *testing.T) {
	open := func() int {
		list, err := os.ReadDir("/proc/self/fd")
		if err != nil {
			t.Fatal(err)
		}
		return len(list)
	}
	const rounds = 40
	for name, round := range map[string]func(){
		"a loop": func() {
			_, near, far := ends(t)
			e := newEcho(t, new(netio.Loop), near)
			e.conn.Call()
			far.Close()
			<-e.ended
		},
		"a join that fails": func() {
			_, near, far := ends(t)
			pipe, other := net.Pipe()
			defer other.Close()
			if new(netio.Loop).Join(new(keeper), make([]netio.LoopConn, 2), near, pipe) {
				t.Error("a pipe has joined")
			}
			if _, err := near.Write([]byte{1}); err != nil {
				t.Errorf("the socket beside it: %v", err)
			}
			near.Close()
			pipe.Close()
			far.Close()
		},
		"a pause": func() {
			near, far := pairOf(t)
			ended := make(chan struct{})
			p := netio.Pause{Resume: func() { close(ended) }}
			begin(t, &p, near)
			p.End()
			await(t, ended, "End")
			near.Close()
			far.Close()
		},
	} {
		before := open()
		for range rounds {
			round()
		}
		for end := time.Now().Add(time.Minute); open() > before+rounds/2; time.Sleep(time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%s: %d descriptors are open, %d were before %d rounds", name, open(), before, rounds)
			}
		}
	}
}
