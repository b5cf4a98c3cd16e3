package loadtest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/coder/websocket"

	"github.com/farwire/farwire/internal/harness"
)

// A Churn is what is left behind by sessions that have come and gone.
type Churn struct {
	Sessions      int
	Took          time.Duration
	Ended         map[string]int // by the way in which they did
	Before, After Resources
}

func (r *Churn) String() string {
	return fmt.Sprintf("%d sessions in %.0f s (%.0f a second): %v\nbefore: %v\nafter:  %v",
		r.Sessions, r.Took.Seconds(), float64(r.Sessions)/r.Took.Seconds(), r.Ended, r.Before, r.After)
}

// Churn has n sessions come and go in every way there is, 64 at a time, and
// waits until the processes hold as little as before.
func (s *Network) Churn(ctx context.Context, n int) (*Churn, error) {
	r := &Churn{Sessions: n, Ended: map[string]int{}}
	ports, err := harness.FreePorts(1)
	if err != nil {
		return r, err
	}
	nobody := fmt.Sprintf("127.0.0.1:%d", ports[0])
	// What is made once, for the first sessions, is not left behind by them.
	if clients, err := s.connectAll(ctx, min(n, 64)); err != nil {
		closeAll(clients)
		return r, err
	} else {
		closeAll(clients)
	}
	if r.Before, err = s.awaitRelease(ctx, Resources{}); err != nil {
		return r, err
	}
	ways := []struct {
		name string
		do   func(ctx context.Context, i int) error
	}{
		{"closed by the client", s.closed},
		{"closed by the client", s.closed},
		{"reset by the client", s.reset},
		{"left before connected", s.abandoned},
		{"target refused", func(ctx context.Context, _ int) error { return s.refused(ctx, "ws://"+nobody+"/") }},
		{"asked for nonsense", func(ctx context.Context, _ int) error { return s.refused(ctx, "gopher://nowhere") }},
	}
	var mu sync.Mutex
	var wrong []error
	began := time.Now()
	each(n, 64, func(i int) {
		way := ways[i%len(ways)]
		ctx, cancel := context.WithTimeout(ctx, stepTimeout)
		defer cancel()
		err := way.do(ctx, i)
		mu.Lock()
		defer mu.Unlock()
		r.Ended[way.name]++
		if err != nil {
			wrong = append(wrong, fmt.Errorf("%s: %w", way.name, err))
		}
	})
	r.Took = time.Since(began)
	if len(wrong) > 0 {
		return r, fmt.Errorf("%d sessions went wrong: %w", len(wrong), wrong[0])
	}
	r.After, err = s.awaitRelease(ctx, r.Before)
	return r, err
}

// awaitRelease waits until the processes hold as little as they did, or, given no
// earlier look, until nothing has changed for longer than a connection is
// waited for that was closed, or some time has passed.
func (s *Network) awaitRelease(ctx context.Context, before Resources) (h Resources, err error) {
	ctx, cancel := context.WithTimeout(ctx, stepTimeout)
	defer cancel()
	var last Resources
	for looks, same := 0, 0; ; last, looks = h, looks+1 {
		if h, err = s.Measure(ctx); err != nil {
			return h, err
		}
		if same++; h.Goroutines != last.Goroutines || h.Files != last.Files || h.AgentFiles != last.AgentFiles {
			same = 0
		}
		known := before != Resources{}
		if !known && (same == 6 || looks == 20) || known && h.Goroutines <= before.Goroutines && h.Files <= before.Files && h.AgentFiles <= before.AgentFiles {
			return h, nil
		}
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return h, fmt.Errorf("after a minute more is held than %v: %v", before, h)
		}
	}
}

func (s *Network) closed(ctx context.Context, i int) error {
	m, err := s.connect(ctx, i)
	if err != nil {
		return err
	}
	return m.ws.Close(websocket.StatusNormalClosure, "")
}

func (s *Network) reset(ctx context.Context, i int) error {
	m, err := s.connect(ctx, i)
	if err != nil {
		return err
	}
	return m.ws.CloseNow()
}

// abandoned leaves when the gateway may be doing anything.
func (s *Network) abandoned(ctx context.Context, i int) error {
	ws, _, err := websocket.Dial(ctx, "ws://"+s.Addr+"/ws", nil)
	if err != nil {
		return err
	}
	err = ws.Write(ctx, websocket.MessageText, fmt.Appendf(nil, `{"apiKey":%q,"url":%q}`, harness.Key, s.Target.URL()))
	time.Sleep(time.Duration(i%7) * 200 * time.Microsecond)
	return errors.Join(err, ws.CloseNow())
}

func (s *Network) refused(ctx context.Context, url string) error {
	ws, _, err := websocket.Dial(ctx, "ws://"+s.Addr+"/ws", nil)
	if err != nil {
		return err
	}
	defer ws.CloseNow()
	if err := ws.Write(ctx, websocket.MessageText, fmt.Appendf(nil, `{"apiKey":%q,"url":%q}`, harness.Key, url)); err != nil {
		return err
	}
	_, answer, err := ws.Read(ctx)
	if err != nil {
		return err
	}
	if !strings.Contains(string(answer), `"error"`) {
		return fmt.Errorf("%s was answered with %s", url, answer)
	}
	return nil
}
