package loadtest

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

// requestTimeout is how long a client has to say what it wants, or to send its request.
const requestTimeout = 10 * time.Second

// A Silent is what became of connections that said nothing.
type Silent struct {
	Connections       int
	Soonest, Latest   time.Duration // from the opening of a connection to its end
	Fresh             int           // sessions opened meanwhile
	Alone, Meanwhile  time.Duration // the median of opening one, before and meanwhile
	Slowest           time.Duration // meanwhile
	ClosedWith1008    int
	ClosedWithNothing int // those that never asked for anything
}

func (r *Silent) String() string {
	return fmt.Sprintf("%d silent connections: closed after %.1f to %.1f s, %d with 1008, %d that had not even sent a request\nmeanwhile %d sessions were opened, in %v in the median (%v before) and %v at the most",
		r.Connections, r.Soonest.Seconds(), r.Latest.Seconds(), r.ClosedWith1008, r.ClosedWithNothing,
		r.Fresh, r.Meanwhile.Round(10*time.Microsecond), r.Alone.Round(10*time.Microsecond), r.Slowest.Round(time.Millisecond))
}

// Silent opens n connections that say nothing, a fifth of them not even a
// request, and sessions like any other all the while.
func (s *Network) Silent(ctx context.Context, n int) (*Silent, error) {
	r := &Silent{Connections: n}
	alone, err := s.openEach(ctx, 50)
	if err != nil {
		return r, err
	}
	r.Alone = median(alone)

	var mu sync.Mutex
	var wrong []error
	r.Soonest = time.Hour
	var waiting sync.WaitGroup
	each(n, 64, func(i int) {
		conn, err := net.DialTimeout("tcp", s.Addr, stepTimeout)
		began := time.Now()
		if err != nil {
			mu.Lock()
			defer mu.Unlock()
			wrong = append(wrong, err)
			return
		}
		asks := i%5 > 0
		if asks {
			_, err = io.WriteString(conn, "GET /ws HTTP/1.1\r\nHost: "+s.Addr+"\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"+
				"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n")
		}
		waiting.Go(func() {
			defer conn.Close()
			code, closed := 0, err
			if closed == nil {
				conn.SetDeadline(began.Add(stepTimeout))
				code, closed = readClose(conn, asks)
			}
			took := time.Since(began)
			mu.Lock()
			defer mu.Unlock()
			switch {
			case closed != nil:
				wrong = append(wrong, closed)
				return
			case code == 1008:
				r.ClosedWith1008++
			case !asks:
				r.ClosedWithNothing++
			default:
				wrong = append(wrong, fmt.Errorf("a silent connection was closed with %d", code))
			}
			r.Soonest, r.Latest = min(r.Soonest, took), max(r.Latest, took)
		})
	})
	all := make(chan struct{})
	go func() {
		waiting.Wait()
		close(all)
	}()
	var meanwhile []time.Duration
	for done := false; !done; {
		took, err := s.openEach(ctx, 10)
		if err != nil {
			mu.Lock()
			wrong = append(wrong, err)
			mu.Unlock()
		}
		meanwhile = append(meanwhile, took...)
		select {
		case <-all:
			done = true
		case <-time.After(50 * time.Millisecond):
		}
	}
	if len(meanwhile) > 0 {
		r.Fresh, r.Meanwhile, r.Slowest = len(meanwhile), median(meanwhile), slices.Max(meanwhile)
	}
	switch {
	case len(wrong) > 0:
		return r, fmt.Errorf("%d went wrong: %w", len(wrong), wrong[0])
	case r.Soonest < requestTimeout-time.Second:
		return r, fmt.Errorf("one was closed after %v", r.Soonest)
	case r.Latest > 2*requestTimeout:
		return r, fmt.Errorf("one was closed after %v only", r.Latest)
	}
	return r, nil
}

// openEach opens n sessions, one after the other, and returns how long each took.
func (s *Network) openEach(ctx context.Context, n int) (took []time.Duration, err error) {
	for i := range n {
		began := time.Now()
		m, err := s.connect(ctx, i)
		if err != nil {
			return took, err
		}
		took = append(took, time.Since(began))
		m.ws.CloseNow()
	}
	return took, nil
}

func median(d []time.Duration) time.Duration {
	d = slices.Sorted(slices.Values(d))
	return d[len(d)/2]
}

// readClose reads a connection to its end and returns the code of the close
// frame. One that has asked for nothing may be closed without a word.
func readClose(conn net.Conn, asked bool) (code int, err error) {
	br := bufio.NewReader(conn)
	if !asked {
		_, err := io.Copy(io.Discard, br)
		var late net.Error
		if errors.As(err, &late) && late.Timeout() {
			return 0, err
		}
		return 0, nil
	}
	resp, err := http.ReadResponse(br, nil)
	if err != nil {
		return 0, err
	}
	if resp.StatusCode != http.StatusSwitchingProtocols {
		return 0, errors.New(resp.Status)
	}
	for {
		var head [4]byte
		if _, err := io.ReadFull(br, head[:2]); err != nil {
			return 0, fmt.Errorf("before a close frame: %w", err)
		}
		size := int(head[1])
		if size > 126 {
			return 0, fmt.Errorf("a frame that begins with %x", head[:2])
		}
		if size == 126 {
			if _, err := io.ReadFull(br, head[2:]); err != nil {
				return 0, err
			}
			size = int(head[2])<<8 | int(head[3])
		}
		payload := make([]byte, size)
		if _, err := io.ReadFull(br, payload); err != nil {
			return 0, err
		}
		if head[0] == 0x88 && size >= 2 {
			return int(payload[0])<<8 | int(payload[1]), nil
		}
	}
}
