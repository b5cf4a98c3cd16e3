package http1_test

import (
	"bufio"
	"errors"
	"io"
	"net"
	"net/http"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"

	"github.com/farwire/farwire/internal/harness"
	"github.com/farwire/farwire/internal/http1"
)

// Whoever sends a request again must know that nothing came of this one, whatever came of
// those before it.
func TestConn_Answered_IsOfTheLastRequest(t *testing.T) {
	for name, tt := range map[string]struct {
		text string // behind the first answer
		want bool
	}{
		"nothing":          {"", false},
		"a part of a head": {ok + "Content-Le", true},
	} {
		s := &script{text: ok + "Content-Length: 4\r\n\r\nbody"}
		conn, kept := over(s)
		resp, err := conn.RoundTrip(request(t, "GET"), http1.Options{})
		if err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadAll(resp.Body); err != nil || !kept.Load() || !conn.Answered() {
			t.Fatalf("%s: %v, kept %v, answered %v", name, err, kept.Load(), conn.Answered())
		}
		s.text = tt.text
		if _, err := conn.RoundTrip(request(t, "GET"), http1.Options{}); err == nil || conn.Answered() != tt.want {
			t.Errorf("%s: %v, answered %v", name, err, conn.Answered())
		}
	}
}

// A connection that ends within a line has ended, whatever the part of the line looks like.
func TestRoundTrip_TargetCloses_IsAnUnexpectedEnd(t *testing.T) {
	for _, whole := range []string{
		ok + "Content-Length: 4\r\nX-A: b\r\n\r\nbody", chunked + "\r\n4;a=b\r\nbody\r\n0\r\nX-T: 1\r\n\r\n",
		"HTTP/1.1 103 Early Hints\r\nLink: a\r\n\r\n" + ok + "Content-Length: 4\r\n\r\nbody",
	} {
		for end := range whole {
			for _, size := range []int{0, 1} {
				conn, _ := over(&script{text: whole[:end], size: size})
				resp, err := conn.RoundTrip(request(t, "GET"), http1.Options{})
				if err == nil {
					_, err = io.ReadAll(resp.Body)
				}
				if err != io.ErrUnexpectedEOF {
					t.Errorf("behind %q, in pieces of %d: %v", whole[:end], size, err)
				}
			}
		}
	}
}

// A reset is told from an answer that is not HTTP, wherever it comes.
func TestRoundTrip_TargetResets_IsANetworkError(t *testing.T) {
	for name, before := range map[string]string{
		"before the answer": "", "within the head": ok + "Content-Le", "before the body": ok + "Content-Length: 4\r\n\r\n",
		"within the body": ok + "Content-Length: 4\r\n\r\nbo", "within a chunk": chunked + "\r\n4\r\nbo",
	} {
		reset := make(chan struct{})
		conn, err := net.Dial("tcp", harness.Conns(t, func(c net.Conn) {
			if _, err := http.ReadRequest(bufio.NewReader(c)); err != nil {
				t.Error(err)
			}
			io.WriteString(c, before)
			<-reset
			if err := c.(*net.TCPConn).SetLinger(0); err != nil {
				t.Error(err)
			}
			c.Close()
		}).Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		came := 0
		c := http1.NewConn(conn, conn, func() { conn.Close() }, func() {})
		if before == "" {
			close(reset) // once it has the request
		}
		resp, err := c.RoundTrip(request(t, "GET"), http1.Options{Came: func() {
			// What came before a reset may be lost with it, so that it waits.
			if came++; came == 1 {
				close(reset)
			}
		}})
		if err == nil {
			_, err = io.ReadAll(resp.Body)
		}
		var network *net.OpError
		if !errors.As(err, &network) || !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("%s: %T %v", name, err, err)
		}
	}
}

// A deaf target answers at once and takes the head of a request alone.
type deaf struct {
	script
	writes atomic.Int32
}

func (d *deaf) Write(b []byte) (int, error) {
	if d.writes.Add(1) > 1 {
		return 0, &net.OpError{Op: "write", Err: syscall.EPIPE}
	}
	return len(b), nil
}

// tooLong is a body that ends when it has been read far too often.
type tooLong struct{ reads atomic.Int32 }

func (b *tooLong) Read(p []byte) (int, error) {
	if b.reads.Add(1) > 1000 {
		return 0, io.EOF
	}
	return len(p), nil
}

// The rest of a body that the target does not take is not read from the client.
func TestRoundTrip_TargetTakesNoMore_BodyIsReadNoFurther(t *testing.T) {
	for _, length := range []int64{-1, 1 << 40} {
		synctest.Test(t, func(t *testing.T) {
			body := new(tooLong)
			conn, kept := over(&deaf{script: script{text: ok + "Content-Length: 4\r\n\r\nbody"}})
			req := request(t, "POST")
			req.ContentLength = length
			resp, err := conn.RoundTrip(req, http1.Options{Body: body})
			if err != nil {
				t.Fatal(err)
			}
			b, err := io.ReadAll(resp.Body)
			synctest.Wait()
			if string(b) != "body" || err != nil || kept.Load() || body.reads.Load() != 1 {
				t.Errorf("%q, %v, kept %v; the body was read %d times", b, err, kept.Load(), body.reads.Load())
			}
		})
	}
}
