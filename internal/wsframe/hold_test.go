package wsframe_test

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	. "github.com/farwire/farwire/internal/wsframe"
)

// A held is a client in the hold.
type held struct {
	*session
	*Hold
	near net.Conn
	gone chan struct{}
}

func hold(t *testing.T, pair func(testing.TB) (near, far net.Conn), buffered []byte, limit int) *held {
	near, far := pair(t)
	gone := make(chan struct{})
	return &held{
		session: &session{T: t, client: far, posts: map[net.Conn]chan []byte{}},
		Hold:    StartHold(near, buffered, limit, false, func() { close(gone) }), near: near, gone: gone,
	}
}

// wantKept stops the hold and expects it to hand over these bytes, or to have
// left the last of them unread, and the connection in working order both ways.
func (h *held) wantKept(want ...[]byte) {
	h.Helper()
	kept, err := h.Stop()
	if err != nil {
		h.Fatal(err)
	}
	select {
	case <-h.gone:
		h.Fatal("gone")
	default:
	}
	h.post(h.client, []byte("later"))
	all := append(bytes.Join(want, nil), "later"...)
	if len(kept) > len(all) {
		h.Fatalf("kept %d bytes, want %d", len(kept), len(all)-5)
	}
	rest := make([]byte, len(all)-len(kept))
	if _, err := io.ReadFull(h.near, rest); err != nil {
		h.Fatal(err)
	}
	if got := append(kept, rest...); !bytes.Equal(got, all) {
		h.Fatalf("kept % x, want % x", clip(got), clip(all))
	}
	wrote := make(chan error, 1)
	go func() { wrote <- WriteText(h.near, []byte("connected"), time.Minute) }()
	h.want(h.client, text("connected", false))
	if err := <-wrote; err != nil {
		h.Fatal(err)
	}
}

func TestHold_Pings_AreNotKept(t *testing.T) {
	each(t, func(t *testing.T, pair func(testing.TB) (near, far net.Conn)) {
		first := text("sent behind the connect message", true)
		ping := frame(true, OpPing, []byte("are you there"), true)
		rest := [][]byte{
			frame(false, OpText, []byte("a"), true),
			frame(true, OpPong, []byte("unasked"), true),
			frame(true, OpContinuation, []byte("z"), true),
			frame(true, OpBinary, make([]byte, 5000), true),
			frame(true, OpPing, []byte("never finished"), true)[:9],
		}
		h := hold(t, pair, append(bytes.Clone(ping), first[:20]...), 0)
		h.want(h.client, frame(true, OpPong, []byte("are you there"), false))
		h.post(h.client, first[20:], rest[0], ping)
		h.want(h.client, frame(true, OpPong, []byte("are you there"), false))
		for _, b := range rest[1:4] {
			for i := range min(len(b), 30) {
				h.post(h.client, b[i:i+1])
			}
			h.post(h.client, b[min(len(b), 30):])
		}
		h.post(h.client, frame(true, OpPing, nil, true), rest[4])
		h.want(h.client, frame(true, OpPong, nil, false))
		h.wantKept(first, bytes.Join(rest, nil))
	})
}

func TestHold_SilentClient_GoesOn(t *testing.T) {
	each(t, func(t *testing.T, pair func(testing.TB) (near, far net.Conn)) {
		hold(t, pair, nil, 0).wantKept()
	})
}

// Where the target is reached soon, nobody reads the client meanwhile.
func TestHold_SoonStopped_ReadsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const after = time.Minute
		defer HoldAfter(after)()
		near, far := memPair(t)
		first := StartHold(near, nil, 0, false, func() { t.Error("gone") })
		far.SetWriteDeadline(time.Now().Add(after / 2))
		if n, err := far.Write(text("a", true)); n != 0 || err == nil {
			t.Errorf("%d bytes were read", n)
		}
		for range 2 {
			if kept, err := first.Stop(); kept != nil || err != nil {
				t.Errorf("%q, %v", kept, err)
			}
		}
		time.Sleep(2 * after)
		later := StartHold(near, nil, 0, false, func() { t.Error("gone") })
		far.SetWriteDeadline(time.Time{})
		if _, err := far.Write(text("b", true)); err != nil {
			t.Error(err)
		}
		if kept, err := later.Stop(); !bytes.Equal(kept, text("b", true)) || err != nil {
			t.Errorf("%q, %v", kept, err)
		}
	})
}

func TestHold_ClientLeaves_Ends(t *testing.T) {
	each(t, func(t *testing.T, pair func(testing.TB) (near, far net.Conn)) {
		for name, tt := range map[string]struct {
			send []byte
			want error
			then func(*held)
		}{
			"close": {closing(1000, "bye", true), ErrLeft, func(h *held) { h.want(h.client, closing(1000, "bye", false)) }},
			"empty": {frame(true, OpClose, nil, true), ErrLeft, func(h *held) { h.want(h.client, frame(true, OpClose, nil, false)) }},
			"end":   {text("a", true)[:3], ErrNoClose, func(h *held) { h.client.Close() }},
			"breach": {[]byte{0x81, 1, 'x'}, ErrMask, func(h *held) {
				h.wantClose(h.client, CloseProtocol, ErrMask.Error())
			}},
		} {
			t.Run(name, func(t *testing.T) {
				h := hold(t, pair, nil, 0)
				h.write(h.client, tt.send)
				tt.then(h)
				select {
				case <-h.gone:
				case <-time.After(10 * time.Second):
					t.Fatal("not noticed")
				}
				if kept, err := h.Stop(); !errors.Is(err, tt.want) || kept != nil {
					t.Fatalf("%v, %v, want %v", kept, err, tt.want)
				}
			})
		}
	})
	t.Run("reset", func(t *testing.T) {
		h := hold(t, tcpPair, nil, 0)
		h.client.(*net.TCPConn).SetLinger(0)
		h.client.Close()
		<-h.gone
		if _, err := h.Stop(); !errors.Is(err, syscall.ECONNRESET) {
			t.Fatal(err)
		}
	})
}

// A client may say all it has to say, and close, before its target is reached.
func TestHold_CloseBehindData_KeepsBoth(t *testing.T) {
	each(t, func(t *testing.T, pair func(testing.TB) (near, far net.Conn)) {
		for name, said := range map[string][]byte{
			"text":        text("all of it", true),
			"empty text":  text("", true),
			"a fragment":  frame(false, OpText, []byte("half"), true),
			"two, a pong": slices.Concat(text("1", true), frame(true, OpPong, nil, true), frame(true, OpBinary, []byte("2"), true)),
		} {
			for _, at := range []int{0, len(said) - 1, len(said), len(said) + 3, len(said) + len(closing(1000, "bye", true))} {
				t.Run(fmt.Sprintf("%s, %d at once", name, at), func(t *testing.T) {
					all := append(bytes.Clone(said), closing(1000, "bye", true)...)
					h := hold(t, pair, all[:at], 0)
					h.post(h.client, all[at:])
					h.wantKept(all)
				})
			}
		}
	})
}

func TestHold_ManyMessages_IsBounded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const limit = 3000
		h := hold(t, memPair, nil, limit)
		big := frame(true, OpBinary, make([]byte, 10_000), true)
		h.client.SetWriteDeadline(time.Now().Add(time.Second))
		n, err := h.client.Write(big)
		if n != limit || err == nil {
			t.Fatalf("took %d bytes, %v", n, err)
		}
		kept, err := h.Stop()
		if err != nil || !bytes.Equal(kept, big[:limit]) {
			t.Fatalf("kept %d, %v", len(kept), err)
		}
	})
}

// A client that pings and takes no answer does not keep the hold for ever.
func TestHold_ClientReadsNothing_Ends(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h := hold(t, memPair, nil, 0)
		h.write(h.client, frame(true, OpPing, nil, true))
		before := time.Now()
		<-h.gone
		if took := time.Since(before); took > 10*time.Second {
			t.Fatal(took)
		}
		if _, err := h.Stop(); err == nil {
			t.Fatal("no error")
		}
	})
}

// The hold and the pipe in a row lose nothing and answer nothing twice.
func TestHold_Connected_PipeTakesOver(t *testing.T) {
	each(t, func(t *testing.T, pair func(testing.TB) (near, far net.Conn)) {
		near, client := pair(t)
		h := StartHold(near, text("one", true), 0, false, func() { t.Error("gone") })
		ping := frame(true, OpPing, []byte("x"), true)
		early := &session{T: t, client: client, posts: map[net.Conn]chan []byte{}}
		early.post(client, ping, ping[:4])
		early.want(client, frame(true, OpPong, []byte("x"), false))
		kept, err := h.Stop()
		if err != nil {
			t.Fatal(err)
		}
		s := start(t, pair, func(c *Config) { c.Client, c.FromClient = near, kept })
		s.client = client
		early.post(client, ping[4:], text("two", true))
		s.want(s.target, text("one", true), ping, text("two", true))
		s.closeBoth()
	})
}
