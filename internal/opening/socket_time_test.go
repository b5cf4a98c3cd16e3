package opening_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/farwire/farwire/internal/opening"
)

// A oneConn is a listener with one connection.
type oneConn struct {
	conn   chan net.Conn
	closed chan struct{}
}

func (l *oneConn) Accept() (net.Conn, error) {
	select {
	case c := <-l.conn:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}

func (l *oneConn) Close() error   { close(l.closed); return nil }
func (l *oneConn) Addr() net.Addr { return &net.TCPAddr{} }

// A client that takes a long message slowly has all of it, in however long: neither a ping
// that it cannot see yet nor the time for a fragment ends it.
func TestSocket_SlowClient_TakesALongMessage(t *testing.T) {
	const fragment = 32 << 10
	for _, fragments := range []int{1, 2, 20} {
		for _, pause := range []time.Duration{time.Second, 20 * time.Second, 29 * time.Second} {
			synctest.Test(t, func(t *testing.T) {
				near, far := net.Pipe()
				l := &oneConn{make(chan net.Conn, 1), make(chan struct{})}
				l.conn <- near
				long := strings.Repeat("x", fragments*fragment-2) // and two quotes
				sent, left := make(chan error, 1), make(chan error, 1)
				server := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					c, err := opening.Accept(w, r, "", false)
					if err != nil {
						sent <- err
						left <- nil
						return
					}
					defer c.Conn.Close()
					ctx, leave := context.WithCancelCause(context.Background())
					s := opening.Watch(kept(t, c), opening.Times{KeepAlive: 15 * time.Second, Pong: 10 * time.Second, Stall: 30 * time.Second}, leave)
					s.Busy()
					sent <- s.Send(long)
					left <- context.Cause(ctx)
					s.Cut()
					s.Wait()
				})}
				go server.Serve(l)
				defer server.Close()
				defer far.Close()
				if err := upgrade().Write(far); err != nil {
					t.Fatal(err)
				}
				br := bufio.NewReaderSize(far, 16)
				if _, err := http.ReadResponse(br, nil); err != nil {
					t.Fatal(err)
				}
				got, whole := 0, false
				for !whole {
					time.Sleep(pause)
					op, n, fin, err := skipFrame(br)
					if err != nil {
						t.Fatalf("%d fragments, %v apart: %v behind %d bytes", fragments, pause, err, got)
					}
					if op < 8 {
						got, whole = got+n, fin
					}
				}
				if err := <-sent; err != nil || got != len(long)+2 {
					t.Errorf("%d fragments, %v apart: %d bytes of %d, %v", fragments, pause, got, len(long)+2, err)
				}
				if err := <-left; err != nil {
					t.Errorf("%d fragments, %v apart: %v", fragments, pause, err)
				}
			})
		}
	}
}

// skipFrame reads a server's frame, of whatever kind.
func skipFrame(br *bufio.Reader) (op byte, n int, fin bool, err error) {
	var head [2]byte
	if _, err := io.ReadFull(br, head[:]); err != nil {
		return 0, 0, false, err
	}
	n = int(head[1])
	if extra := map[int]int{126: 2, 127: 8}[n]; extra > 0 {
		var length [8]byte
		if _, err := io.ReadFull(br, length[8-extra:]); err != nil {
			return 0, 0, false, err
		}
		n = int(binary8(length))
	}
	_, err = io.CopyN(io.Discard, br, int64(n))
	return head[0] & 0x0f, n, head[0]&0x80 != 0, err
}

// A halfConn can close its half for writing.
type halfConn struct{ net.Conn }

func (halfConn) CloseWrite() error { return nil }

// A client that has answered the close frame and waits for the server to close the connection
// does not wait long; any other has time to read what it was told.
func TestCloseAfterAnswer_ClientsCloseFrame_EndsTheWait(t *testing.T) {
	frame := func(op byte, size int) string {
		b := []byte{0x80 | op}
		switch {
		case size < 126:
			b = append(b, 0x80|byte(size))
		case size < 1<<16:
			b = append(b, 0x80|126, byte(size>>8), byte(size))
		default:
			b = append(b, 0x80|127, 0, 0, 0, 0, 0, byte(size>>16), byte(size>>8), byte(size))
		}
		return string(append(b, make([]byte, 4+size)...))
	}
	closing, ping := frame(8, 2), frame(9, 0)
	for name, c := range map[string]struct {
		early, sent string
		waits       bool
	}{
		"at once":             {"", closing, false},
		"without a code":      {"", frame(8, 0), false},
		"behind a ping":       {"", ping + closing, false},
		"behind messages":     {"", frame(1, 125) + frame(2, 126) + frame(1, 70_000) + closing, false},
		"early":               {closing, "", false},
		"partly early":        {ping + closing[:3], closing[3:], false},
		"a message in halves": {frame(1, 200)[:5], frame(1, 200)[5:] + closing, false},
		"none":                {"", "", true},
		"a ping":              {ping, ping, true},
		"half of one":         {"", closing[:4], true},
		"within a message":    {"", frame(1, 300)[:100], true},
		"an endless message":  {"", "\x82\xff\xff\xff\xff\xff\xff\xff\xff\xff" + closing, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				near, far := net.Pipe()
				defer far.Close()
				go io.WriteString(far, c.sent)
				began := time.Now()
				opening.CloseAfterAnswer(halfConn{near}, []byte(c.early))
				if waited := time.Since(began); (waited > 0) != c.waits || waited > opening.CloseTimeout {
					t.Errorf("it waits for %v", waited)
				}
				if _, err := far.Read(make([]byte, 1)); err == nil {
					t.Error("the connection is open")
				}
			})
		})
	}
}
